"""The environment → settings, with all that is wrong told together; and settings as text again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, TypeVar

from pydantic import ValidationError

from workers.errors import SettingsError
from workers.settings import OF_COMMAND, PREFIX, WorkSettings

__all__ = ["read_settings", "show_settings", "unknown_names"]

S = TypeVar("S", bound=WorkSettings)


def read_settings(kind: type[S], **given: Any) -> S:
    """Read *kind* from the environment; *given* wins over it.

    Raises:
        SettingsError: naming every setting that is wrong, all at once.
    """
    try:
        return kind(**given)
    except ValidationError as exc:
        problems = []
        for error in exc.errors():
            name = PREFIX + "_".join(str(part) for part in error["loc"][:1]).upper()
            where = name if error["loc"] else "settings"
            problems.append(f"  {where}: {error['msg'].removeprefix('Value error, ')}")
        raise SettingsError("\n".join(["these settings are wrong:", *problems])) from exc


def unknown_names(
    kind: type[WorkSettings], environ: Mapping[str, str], *, besides: Sequence[str] = ()
) -> list[str]:
    """A sentence for each `CENSUS_*` variable that names no setting (a typing error, mostly)."""
    known = [*(name.upper() for name in kind.model_fields), *besides]
    sentences = []
    for name in sorted(environ):
        bare = name.removeprefix(PREFIX)  # the prefix alone would make all of them look alike
        if name.startswith(PREFIX) and bare not in (*known, *OF_COMMAND):
            near = get_close_matches(bare, known, n=1)
            hint = f"; did you mean {PREFIX}{near[0]}?" if near else ""
            sentences.append(f"{name} is not a setting{hint}")
    return sentences


def show_settings(settings: WorkSettings) -> str:
    """Every setting as `CENSUS_NAME=value`, one a line."""
    lines = []
    for name in sorted(type(settings).model_fields):
        value = getattr(settings, name)
        if isinstance(value, tuple | frozenset):
            value = ",".join(sorted(str(part) for part in value))
        elif isinstance(value, int):  # ByteSize and bool write themselves otherwise
            value = int(value)
        lines.append(f"{PREFIX}{name.upper()}={'' if value is None else value}")
    return "\n".join(lines)
