"""What the batches of a run are made with: options and the predictor they mean, put together."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from imaging.options import DRAFT_SCALE, REDUCING_GAP, Resize
from imaging.predictors.about import About, Spec
from workers.asked import too_large
from workers.batches.predictors import Predictors
from workers.errors import PredictorError
from workers.options import BatchOptions, Pixels

__all__ = ["Recipe", "differs", "recipe_for"]

USUAL_SIZE = (64, 64)
#: Of the arrays of a run so many bytes are under way, whatever the window; a batch always is.
RUN_BYTES = 64 * 1024**2
#: Of those that are to be told: they are held until somebody reads them.
TOLD_BYTES = 16 * 1024**2


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that a batch depends on besides its rows."""

    batch_size: int
    spec: Spec
    about: About
    resize: Resize
    pixels: Pixels

    @property
    def row_bytes(self) -> int:
        """Of the array of one picture."""
        width, height = self.resize.size
        return 3 * width * height

    @property
    def asks(self) -> bool:
        """Whether anybody has to look at the pixels."""
        return self.about.name != "none"

    def window(self, rows: int) -> int:
        """How many rows may be under way where *rows* would be, without arrays: whole batches.

        With less than two batches one would be assembled while nothing is fetched for the next.
        """
        most = (RUN_BYTES if self.pixels is Pixels.NONE else TOLD_BYTES) // self.row_bytes
        batches = min(max(rows, 2 * self.batch_size), most) // self.batch_size
        return max(1, batches) * self.batch_size

    def provenance(self) -> dict[str, Any]:
        """What a prediction can be made again with, for the summary."""
        resize = self.resize
        return {
            "predictor": self.about.name,
            "version": self.about.version,
            "model_sha256": self.about.sha256,
            "settings_sha256": self.about.settings_sha256,
            "preprocessing": {
                "size": list(resize.size),
                "fit": resize.fit.value,
                "filter": resize.filter.value,
                "matte": "#" + bytes(resize.matte).hex(),
                "layout": self.about.layout.value,
                "jpeg_scale": DRAFT_SCALE,
                "reducing_gap": REDUCING_GAP,
            },
            "software": {**_decoders(), **dict(self.about.software)},
        }


@cache  # it is read from files
def _decoders() -> dict[str, str]:
    """Versions of what decodes."""
    found = {"pillow": version("pillow")}
    with suppress(PackageNotFoundError):  # of an extra
        found["pillow-heif"] = version("pillow-heif")
    return found


async def recipe_for(predictors: Predictors, options: BatchOptions, *, most_bytes: int) -> Recipe:
    """Find the predictor and settle the size. An array may have *most_bytes*.

    Raises:
        PredictorError: naming the option that is wrong.
        PredictorAway: it could not be loaded just now.
    """
    spec, about = await predictors.find(options.predictor)
    size = options.size or about.size or USUAL_SIZE
    if about.size is not None and size != about.size:
        wanted, asked = ("x".join(map(str, one)) for one in (about.size, size))
        raise PredictorError("size", f"{about.name} takes pictures of {wanted}, not of {asked}")
    if problem := too_large(options.batch_size, size, options.pixels):
        raise PredictorError("batch_size", problem)
    matte = bytes.fromhex(options.matte.removeprefix("#"))
    resize = Resize(size, options.fit, options.filter, (matte[0], matte[1], matte[2]))
    recipe = Recipe(options.batch_size, spec, about, resize, options.pixels)
    array = recipe.batch_size * recipe.row_bytes
    if array > most_bytes:
        told = (
            f"a batch is an array of {array} bytes; CENSUS_MAX_INFLIGHT_BYTES allows {most_bytes}"
        )
        raise PredictorError("batch_size", told)
    return recipe


def differs(pinned: Mapping[str, Any], recipe: Recipe) -> str | None:
    """Why *recipe* is not what an earlier part of the same job was made with; None where it is.

    Versions of software may differ, and are told each: consumers are brought up to date one after
    the other.
    """
    ours = recipe.provenance()
    names = {
        "model_sha256": "its model file",
        "settings_sha256": "the JSON file beside its model",
        "version": "its version",
        "preprocessing": "its preprocessing",
    }
    for name, told in names.items():
        if pinned.get(name) != ours[name]:
            return f"{told} differs from the one the job began with"
    return None
