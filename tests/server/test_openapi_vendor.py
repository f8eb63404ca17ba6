"""What is vendored, besides its hashes: each package in a folder of its name and version."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from server.static_files import FOLDER

VENDOR = FOLDER / "vendor"
SOURCES = json.loads((VENDOR / "SOURCES.json").read_text(encoding="utf-8"))
#: No larger file is kept; a bundle that is lies there compressed.
MOST_BYTES = 1_000_000


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source["package"])
def test_each_package_has_a_folder_of_its_version(source: dict[str, str]) -> None:
    """So that a page asks for the version that it was tried with, and no copy is mistaken."""
    names = [Path(file["file"]) for file in source["files"]]  # type: ignore[index]
    (folder,) = {name.parts[0] for name in names}

    assert folder.endswith(f"-{source['version']}")
    assert source["package"].startswith(folder.removesuffix(f"-{source['version']}"))
    assert source["licence"] in ("Apache-2.0", "MIT")
    assert {name.name for name in names} >= {"LICENSE"}
    assert all((VENDOR / name).stat().st_size < MOST_BYTES for name in names)


def test_the_notice_of_swagger_ui_is_kept() -> None:
    """Apache-2.0 asks for it."""
    (folder,) = VENDOR.glob("swagger-ui-*")

    assert "SmartBear" in (folder / "NOTICE").read_text(encoding="utf-8")
