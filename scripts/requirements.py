"""Print what setup.py asks for, one requirement a line; `requirements.py heif` with that extra.

The image installs these in a layer of their own, which stays while only code changes. Needs
neither setuptools nor the packages themselves: there, nothing but setup.py is present.
"""

from __future__ import annotations

import argparse
import runpy
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

SETUP = Path(__file__).resolve().parent.parent / "setup.py"


def asked_for() -> dict[str, Any]:
    """The arguments that setup.py gives to `setup()`."""
    said: dict[str, Any] = {}
    stand_in = ModuleType("setuptools")
    stand_in.setup = said.update  # type: ignore[attr-defined]
    present = sys.modules.get("setuptools")
    sys.modules["setuptools"] = stand_in
    try:
        runpy.run_path(str(SETUP))
    finally:
        del sys.modules["setuptools"]
        if present is not None:
            sys.modules["setuptools"] = present
    return said


def main() -> None:
    """Print the requirements. Exits with 2 on an extra that setup.py does not have."""
    parser = argparse.ArgumentParser(description="What setup.py asks for, one a line.")
    parser.add_argument("extras", nargs="?", default="", help="comma list, as in heif,parquet")
    names = [name.strip() for name in parser.parse_args().extras.split(",") if name.strip()]
    said = asked_for()
    extras = said["extras_require"]
    for name in names:
        if name not in extras:
            parser.error(f"no extra {name!r}; there are {', '.join(sorted(extras))}")
    wanted = [*said["install_requires"], *(line for name in names for line in extras[name])]
    print("\n".join(dict.fromkeys(wanted)))


if __name__ == "__main__":
    main()
