"""An .onnx file, with a JSON of the same name beside it, made into a predictor.

The file is read once: what is hashed is what runs. Pictures go in as float32 RGB of 0–1, less
`mean`, by `std`; the first output is one row of scores per picture.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.predictors.about import About, CannotLoad, Layout
from imaging.predictors.onnx_input import Input
from imaging.predictors.onnx_scores import as_rows, scores
from imaging.predictors.onnx_session import Session
from imaging.predictors.onnx_settings import OnnxSettings
from imaging.predictors.protocol import Described, Pictures
from imaging.predictors.reasons import one_line, reason

__all__ = ["OnnxFile", "load_file"]

MAX_BYTES = 2 << 30  #: a model in the format of Protocol Buffers cannot be larger
MAX_SETTINGS_BYTES = 16 << 20
PROBE_SIDE = 64  #: pixels, where any size will do


@dataclass(frozen=True, slots=True)
class OnnxFile(Described):
    """A model that runs."""

    about: About
    session: Session
    input: Input
    settings: OnnxSettings
    columns: int  #: scores of each row

    def __call__(self, batch: Pictures, ids: Sequence[str]) -> Sequence[Any]:
        """Return `{"scores": {label: score}}` for each row."""
        outputs = _outputs(self.session, self.input, batch)
        if outputs.shape[1] != self.columns:
            raise ValueError(f"the model returned {outputs.shape[1]} scores, not {self.columns}")
        return scores(outputs, ids, self.settings)


def load_file(path: Path, *, name: str) -> OnnxFile:
    """Load a model and try it on black pictures. Raises `CannotLoad`, whatever is wrong with it."""
    try:
        if path.suffix != ".onnx":
            raise CannotLoad("the name does not end in .onnx")
        model = _read(path, MAX_BYTES)
        if model is None:
            raise CannotLoad("the file does not exist")
        settings, settings_sha256 = _settings(path.with_suffix(".json"))
        session = Session.load(model)
        wanted = Input.of(session.input_shape, settings)
        columns = _probed(session, wanted)
        if settings.labels and len(settings.labels) != columns:
            raise CannotLoad(f"it has {columns} scores, but {len(settings.labels)} labels")
    except CannotLoad as error:
        raise CannotLoad(one_line(f"{path.name}: {error}")) from error
    about = About(
        name=name,
        version=session.version,
        size=wanted.size,
        layout=wanted.layout,
        labels=settings.labels,
        sha256=hashlib.sha256(model).hexdigest(),
        settings_sha256=settings_sha256,
        software=(("onnxruntime", session.runtime),),
    )
    return OnnxFile(about, session, wanted, settings, columns)


def _probed(session: Session, wanted: Input) -> int:
    """Run black pictures. Returns how many scores there are for each.

    Two at a time, where any number may come: a model exported for one only looks as if it took
    more. That the scores of black are finite is not asked for.
    """
    width, height = wanted.size or (PROBE_SIDE, PROBE_SIDE)
    shape = (height, width, 3) if wanted.layout is Layout.NHWC else (3, height, width)
    columns = 0
    for rows in (1,) if wanted.batch else (1, 2):
        try:
            outputs = _outputs(session, wanted, np.zeros((rows, *shape), np.uint8))
        except ValueError as error:
            raise CannotLoad(str(error)) from error
        except Exception as error:
            raise CannotLoad(f"it cannot be run: {reason(error)}") from error
        if columns and outputs.shape[1] != columns:
            raise CannotLoad("it has more scores for two pictures than for one")
        columns = outputs.shape[1]
    return columns


def _outputs(session: Session, wanted: Input, batch: Pictures) -> NDArray[np.float64]:
    """What the model says of a batch, (N, C); run in slices where it takes a fixed number.

    A slice that is too short is filled up with zeros, and what is said of those dropped.
    """
    if wanted.batch is None:
        return as_rows(session.run(wanted.normalized(batch)), len(batch))
    found = []
    for start in range(0, len(batch), wanted.batch):
        slice_ = wanted.normalized(batch[start : start + wanted.batch])
        missing = wanted.batch - len(slice_)
        padded = np.pad(slice_, [(0, missing), (0, 0), (0, 0), (0, 0)])
        found.append(as_rows(session.run(padded), wanted.batch)[: len(slice_)])
    return np.concatenate(found)


def _settings(path: Path) -> tuple[OnnxSettings, str | None]:
    """What the JSON says, and its hash; it need not be there."""
    try:
        data = _read(path, MAX_SETTINGS_BYTES)
        if data is None:
            return OnnxSettings(), None
        return OnnxSettings.read(data), hashlib.sha256(data).hexdigest()
    except CannotLoad as error:
        raise CannotLoad(f"in {path.name}: {error}") from error


def _read(path: Path, most: int) -> bytes | None:
    """The bytes of a regular file, None where there is none. A pipe is not waited for."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:  # noqa: PTH123
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise CannotLoad("not a regular file")
            if found.st_size > most:
                raise CannotLoad(f"{found.st_size} bytes, more than {most}")
            return file.read(most)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        text = error.strerror if isinstance(error, OSError) else str(error)
        raise CannotLoad(f"cannot be read: {text}") from error
