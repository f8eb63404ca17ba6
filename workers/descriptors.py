"""Open files and connections of a process."""

from __future__ import annotations

import contextlib
import resource

__all__ = ["raise_descriptors"]


def raise_descriptors() -> None:
    """As many as the system lets this process have, not as a shell begins with."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
