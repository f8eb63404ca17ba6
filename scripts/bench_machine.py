"""What figures depend on besides the code: the machine, its load, and the versions installed."""

import argparse
import platform
from collections.abc import Sequence
from importlib.metadata import version

import psutil

__all__ = ["facts"]

_LIBRARIES = ("imagecensus", "aiohttp", "uvloop", "orjson", "pillow", "requests")


def facts(options: argparse.Namespace, libraries: Sequence[str] = ()) -> dict[str, str | int]:
    """As told in the first line of a report; *libraries* are those beside the usual ones."""
    return {
        "cores": psutil.cpu_count() or 0,
        "load": f"{psutil.getloadavg()[0]:.1f}",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: version(name) for name in (*_LIBRARIES, *libraries)},
        "pictures": "of a folder" if options.folder else "made",
        "rows": options.rows,
        "turns": options.runs,
    }
