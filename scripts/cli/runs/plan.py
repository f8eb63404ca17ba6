"""What the user asked for, on one page: read from the command line, nothing done yet."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Budget", "Plan"]


@dataclass(frozen=True, slots=True)
class Budget:
    """When a run ends early, so that it can go on another day."""

    seconds: float | None = None
    bytes: int | None = None  #: received
    requests_per_host: int | None = None

    @property
    def none(self) -> bool:
        """Whether there is no limit at all."""
        return self.seconds is None and self.bytes is None and self.requests_per_host is None


@dataclass(frozen=True, slots=True)
class Plan:
    """One run of `info` or `predict`."""

    kind: str  #: images_info or batch_predict
    manifest: str  #: a path, a URL, or `-`
    options: dict[str, Any] = field(default_factory=dict)  #: of the request, those that were given
    settings: dict[str, Any] = field(default_factory=dict)  #: those that were given
    out: Path | None = None  #: None: standard output
    resume: bool = False
    only: str | None = None  #: failed, retryable
    force: bool = False
    sample: int | None = None
    budget: Budget = Budget()
    strict: bool = False
    quiet: bool = False

    @property
    def command(self) -> str:
        """What the user called."""
        return "info" if self.kind == "images_info" else "predict"
