"""What a client asks for, over HTTP or by fields of a job: a manifest and options, validated."""

from __future__ import annotations

import re
from typing import Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from imaging.options import Filter, Fit
from imaging.predictors import about
from workers.options import BatchOptions, Depth, InfoOptions, Options, Pixels

__all__ = ["ASKED", "Asked", "BatchRequest", "InfoRequest", "too_large", "wrong_fields"]

MAX_TIMEOUT = 600.0
#: More rows than any manifest has; JSON is written with integers of 64 bits.
MAX_LIMIT = 2**63 - 1
#: So many wrong fields are named.
MAX_NAMED = 10
USUAL_BATCH = 32
MAX_BATCH = 1024
#: The array of one batch, and that of one whose pixels stand in its line.
MAX_BATCH_BYTES = 256 * 1024**2
MAX_PIXELS_BYTES = 16 * 1024**2

_SIZE = re.compile(r"(\d{1,5})(?:\s*[x×,]\s*(\d{1,5}))?", re.ASCII)
_MATTE = re.compile(r"#?([0-9a-f]{3}|[0-9a-f]{6})", re.ASCII | re.IGNORECASE)
_MATTES = {"white": "#ffffff", "black": "#000000", "grey": "#808080", "gray": "#808080"}


class Asked(BaseModel):
    """What every kind has: a manifest by name, or inline, and how it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    filepath: str | None = Field(None, description="a manifest below the data root, or its URL")
    images: list[Any] | None = Field(None, description="the rows themselves: objects or URLs")
    ordered: bool = Field(False, description="records in manifest order")
    limit: int | None = Field(None, ge=0, le=MAX_LIMIT, description="only the first so many rows")
    extra: bool = Field(False, description="the other columns of a row in its record")
    timeout: float | None = Field(
        None, gt=0, le=MAX_TIMEOUT, allow_inf_nan=False, description="seconds for one picture"
    )

    @field_validator(
        "limit", "timeout", "thumbnail", "batch_size", mode="before", check_fields=False
    )
    @classmethod
    def _no_truth(cls, value: object) -> object:
        if isinstance(value, bool):  # a number to Python
            msg = "give a number"
            raise ValueError(msg)  # noqa: TRY004 - pydantic tells a ValueError to the client
        return value

    @model_validator(mode="after")
    def _one_manifest(self) -> Self:
        if self.filepath is not None and self.images is not None:
            msg = "give filepath or images, not both"
            raise ValueError(msg)
        return self

    def options(self) -> Options:
        """The options alone."""
        raise NotImplementedError


class InfoRequest(Asked):
    """`images_info`."""

    depth: Depth = Field(Depth.HEADER, description="first bytes only, or decode everything")
    thumbnail: int | None = Field(
        None, ge=1, le=256, description="long side of a WebP beside the facts"
    )
    batch_size: int | None = Field(
        None, ge=0, le=MAX_BATCH, description="taken from older clients, without effect here"
    )
    changes: bool = Field(
        False, description="records of an earlier answer are the manifest: say what changed"
    )

    @model_validator(mode="after")
    def _of_a_file(self) -> Self:
        if self.changes and self.images is not None:
            msg = "changes: the manifest is an earlier answer, by filepath or as the body"
            raise ValueError(msg)
        return self

    def options(self) -> InfoOptions:
        """The options alone."""
        depth = self.depth if self.thumbnail is None else Depth.FULL
        return InfoOptions(
            depth,
            self.ordered,
            self.limit,
            self.timeout,
            self.thumbnail,
            self.extra,
            self.changes,
        )


class BatchRequest(Asked):
    """`batch_predict`."""

    batch_size: int = Field(
        USUAL_BATCH, ge=0, le=MAX_BATCH, description="rows predicted together; 0: 32"
    )
    predictor: str = Field(about.DEFAULT, max_length=64, description="who predicts")
    fit: Fit = Field(Fit.STRETCH, description="how other proportions come to that size")
    matte: str = Field("#ffffff", description="the colour behind transparency and around a picture")
    filter: Filter = Field(Filter.BICUBIC, description="how pictures are scaled")
    pixels: Pixels = Field(Pixels.NONE, description="the array of each batch, in its line")
    size: tuple[int, int] | None = Field(  # the last, as it is judged by others
        None, description="[width, height] of what is predicted; default: what the predictor wants"
    )

    @field_validator("batch_size", mode="after")
    @classmethod
    def _usual(cls, value: int) -> int:
        return value or USUAL_BATCH

    @field_validator("size", mode="before")
    @classmethod
    def _sides(cls, value: object) -> object:
        """`[224, 224]`, `224`, `224x224`."""
        if isinstance(value, str):
            if (found := _SIZE.fullmatch(value.strip())) is None:
                msg = "give [width, height], a number, or text as 224x224"
                raise ValueError(msg)
            value = [int(found[1]), int(found[2] or found[1])]
        elif isinstance(value, int | float):
            value = [value, value]
        if value is None:
            return None
        sides = [_whole(side) for side in value] if isinstance(value, list | tuple) else []
        if len(sides) != 2 or not all(1 <= side <= about.MAX_SIDE for side in sides):
            msg = f"give two whole numbers from 1 to {about.MAX_SIDE}: [width, height]"
            raise ValueError(msg)
        return sides

    @field_validator("matte", mode="before")
    @classmethod
    def _colour(cls, value: object) -> object:
        """`#ffffff`, `fff`, `white`, `[255, 255, 255]`: the first of them."""
        if isinstance(value, list | tuple):
            value = ",".join(str(_whole(level)) for level in value) if len(value) == 3 else ""
        if isinstance(value, str):
            text = value.strip().lower()
            text = _MATTES.get(text, text)
            if found := _MATTE.fullmatch(text):
                digits = found[1]
                return "#" + (digits if len(digits) == 6 else "".join(2 * one for one in digits))
            parts = [part.strip() for part in text.split(",")]
            levels = [int(part) for part in parts if part.isascii() and part.isdigit()]
            if len(levels) == len(parts) == 3 and max(levels) <= 255:
                return "#" + bytes(levels).hex()
            msg = f"give a colour as #rrggbb, [r, g, b], or {', '.join(_MATTES)}"
            raise ValueError(msg)
        return value

    @field_validator("size", mode="after")
    @classmethod
    def _fits(cls, value: tuple[int, int] | None, info: ValidationInfo) -> tuple[int, int] | None:
        asked = info.data
        if value is None or not {"batch_size", "pixels"} <= asked.keys():
            return value
        if problem := too_large(asked["batch_size"], value, asked["pixels"]):
            raise ValueError(problem)
        return value

    def options(self) -> BatchOptions:
        """The options alone."""
        return BatchOptions(
            batch_size=self.batch_size,
            predictor=self.predictor,
            size=self.size,
            fit=self.fit,
            matte=self.matte,
            filter=self.filter,
            pixels=self.pixels,
            ordered=self.ordered,
            limit=self.limit,
            timeout=self.timeout,
            extra=self.extra,
        )


#: By kind of job.
ASKED: dict[str, type[Asked]] = {"images_info": InfoRequest, "batch_predict": BatchRequest}


def _whole(number: object) -> int:
    """A whole number as JSON may write it, 64 and 64.0 being the same; -1 for what is none."""
    if isinstance(number, bool) or not isinstance(number, int | float) or number != number // 1:
        return -1
    return int(number)


def too_large(batch_size: int, size: tuple[int, int], pixels: Pixels) -> str | None:
    """Why the array of a batch cannot be made, or not be told; None where it can."""
    width, height = size
    array = batch_size * 3 * width * height
    shape = f"batch_size {batch_size} at size {width}x{height} is an array of {array} bytes"
    if pixels is not Pixels.NONE and array > MAX_PIXELS_BYTES:
        return f"{shape}; with pixels it may have {MAX_PIXELS_BYTES}: take smaller batches"
    if array > MAX_BATCH_BYTES:
        return f"{shape}; it may have {MAX_BATCH_BYTES}: take smaller batches"
    return None


def wrong_fields(exc: ValidationError) -> list[tuple[str, str]]:
    """What is wrong, as (field, sentence); no value is repeated in it."""
    fields = []
    for error in exc.errors(include_url=False, include_input=False)[:MAX_NAMED]:
        name = ".".join(str(part) for part in error["loc"]) or "body"
        sentence = error["msg"].removeprefix("Value error, ")
        if error["type"] == "extra_forbidden":
            sentence = "there is no such option"
        fields.append((name[:100], sentence))
    return fields
