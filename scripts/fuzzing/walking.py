"""What must hold of `imaging.header.inspect`, whatever the bytes. A breach is a `Finding`."""

from __future__ import annotations

import io
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PIL import Image

from imaging.facts import Failure, ImageInfo
from imaging.header import Need, count_frames, inspect
from tests.imaging.serving import agreeing, served

__all__ = ["SLOW_SECONDS", "Finding", "compare", "minimise", "walk"]

#: Processor time of one call: a hundred times what a long one takes.
SLOW_SECONDS = 0.05
#: What Pillow is asked about; of these, the walker knows more or fewer.
_PILLOW = (
    *("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "ICO"),
    *("AVIF", "CUR", "ICNS", "PSD", "JPEG2000"),
)
#: What the walker refuses although Pillow takes it, to keep its work bounded.
_BOUNDS = ("GIF with too much before its picture",)


@dataclass(frozen=True, slots=True)
class Finding:
    """What does not hold. The same fault has the same `kind` and `detail`."""

    kind: str
    detail: str
    told: str = ""


def walk(data: bytes, first: int) -> tuple[Finding | None, float]:
    """Inspect whole and in parts, of which the first is `first` bytes; seconds of the whole."""
    began = time.thread_time()
    try:
        whole = inspect(data, total=len(data))
    except Exception as exc:
        return _raised("inspect", exc), time.thread_time() - began
    seconds = time.thread_time() - began
    if isinstance(whole, Need):
        return Finding("needs", "asks for more than the whole file", repr(whole)), seconds
    if not isinstance(whole, ImageInfo | Failure):
        return Finding("type", type(whole).__name__), seconds  # type: ignore[unreachable]
    if seconds > SLOW_SECONDS:
        return Finding("slow", "inspect", f"{seconds:.3f} s"), seconds
    return _parts(data, first, whole), seconds


def _parts(data: bytes, first: int, whole: ImageInfo | Failure) -> Finding | None:
    """The same file by ranges, from an unknown size, and its frames."""
    for total in (True, False):
        try:
            answer = served(data, first, least=4096, total=total)
        except AssertionError as exc:
            return Finding("rounds", str(exc).partition("\n")[0] or "a Need that leads nowhere")
        except Exception as exc:
            return _raised("served", exc)
        if not total:
            continue  # how large it is decides what of a damaged file counts
        if type(answer) is not type(whole):
            said = f"{_short(answer)} instead of {_short(whole)}"
            return Finding("parts", "facts or failure", f"{said}, head {first}")
        if (
            isinstance(answer, ImageInfo)
            and isinstance(whole, ImageInfo)
            and not agreeing(answer, whole)
        ):
            return Finding("parts", "facts", f"{answer} not {whole}, head {first}")
    try:
        frames = count_frames(data)
    except Exception as exc:
        return _raised("count_frames", exc)
    if frames is not None and not 0 <= frames <= 10_000:
        return Finding("frames", "out of bounds", str(frames))
    return None


def compare(data: bytes) -> Finding | str | None:
    """Where Pillow opens the file, the walker says the same, or less.

    Returns Pillow's name of the format where both agree, None where Pillow does not open it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pillow = _asked(data)
    if pillow is None:
        return None
    told = inspect(data, total=len(data))
    if not isinstance(told, ImageInfo):
        if told.message in _BOUNDS:  # type: ignore[union-attr]
            return None
        return Finding("refused", f"{pillow['image_format']}", f"{told} though {pillow}")
    for field, value in pillow.items():
        ours = getattr(told, field)
        if value is not None and ours not in (None, value):
            return Finding("differs", f"{pillow['image_format']} {field}", f"{ours} not {value}")
    return str(pillow["image_format"])


def _asked(data: bytes) -> dict[str, Any] | None:
    """What Pillow says; None for what it does not know or does not open."""
    try:
        with Image.open(io.BytesIO(data), formats=_PILLOW) as image:
            if image.format in ("JPEG", "MPO") and not image.tile:
                return None  # without a scan: opened, never loaded
            said = {
                "image_format": image.format,
                "image_dimension": image.size,
                "image_mode": image.mode,
                "animated": _unless_raised(lambda: getattr(image, "is_animated", False)),
            }
            said["orientation"] = _unless_raised(lambda: _turned(image.getexif().get(0x0112, 1)))
            return said
    except Exception:  # whatever Pillow raises of a file it does not like
        return None


def _turned(value: object) -> int:
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _unless_raised(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except Exception:
        return None


def minimise(data: bytes, still: Callable[[bytes], bool], tries: int = 400) -> bytes:
    """Leave out what a fault does not need: ever smaller stretches, as long as `still` holds."""
    step = len(data) // 2
    while step and tries > 0:
        start = 0
        while start < len(data) and tries > 0:
            tries -= 1
            shorter = data[:start] + data[start + step :]
            if still(shorter):
                data = shorter
            else:
                start += step
        step //= 2
    return data


def _raised(where: str, exc: Exception) -> Finding:
    frame = traceback.extract_tb(exc.__traceback__)[-1]
    place = f"{frame.filename.rpartition('/')[2]}:{frame.lineno}"
    return Finding("raises", f"{where}: {type(exc).__name__} at {place}", str(exc))


def _short(answer: ImageInfo | Failure) -> str:
    return (
        answer.image_format if isinstance(answer, ImageInfo) else f"{answer.code} {answer.message}"
    )
