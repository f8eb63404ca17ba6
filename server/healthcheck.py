"""`python -m server.healthcheck`: is the server of this environment alive? Exit code 0 or 1.

For containers, whose images have no curl. Reads `CENSUS_HOST` and `CENSUS_PORT` as the server does
and asks `/healthz` there; imports nothing else of the project, as it runs every few seconds.
"""

from __future__ import annotations

import os
import sys
from contextlib import closing
from http.client import HTTPConnection, HTTPException

__all__ = ["main"]

DEFAULTS = {"CENSUS_HOST": "127.0.0.1", "CENSUS_PORT": "5000"}
TIMEOUT_SECONDS = 3.0

#: Listening on every address, a server is asked on the loopback of the same family.
_EVERY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - asked, not bound


def main() -> int:
    """Ask once; the reason for a 1 goes to stderr, where `docker inspect` shows it."""
    host = _setting("CENSUS_HOST")
    try:
        port = int(_setting("CENSUS_PORT"))
        asking = HTTPConnection(_EVERY.get(host, host), port, timeout=TIMEOUT_SECONDS)
        with closing(asking):
            asking.request("GET", "/healthz")
            status = asking.getresponse().status
    except (OSError, ValueError, HTTPException) as exc:
        print(f"no answer: {exc}", file=sys.stderr)  # noqa: T201
        return 1
    if status != 200:
        print(f"answered {status}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _setting(name: str) -> str:
    return os.environ.get(name) or DEFAULTS[name]  # an empty setting is an unset one


if __name__ == "__main__":
    sys.exit(main())
