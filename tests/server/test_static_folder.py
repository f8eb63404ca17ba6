"""What lies in the folder of the page, as it lies there."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from pathlib import PurePosixPath

import pytest

from server.static_files import FOLDER, POLICY, READER_POLICY

SCRIPTS = sorted(
    path.relative_to(FOLDER).as_posix()
    for path in FOLDER.rglob("*.js")
    if FOLDER / "vendor" not in path.parents
)


def test_the_policy_lets_nothing_in_from_elsewhere() -> None:
    """No host, no wildcard, no inline script, no eval; styles of its own only where it says so."""
    for policy in (POLICY, READER_POLICY):
        assert "default-src 'none'" in policy
        assert not re.search(r"https?:|\*|unsafe-eval|strict-dynamic", policy)
        assert "script-src 'self';" in policy
    assert "unsafe-inline" not in POLICY


@pytest.mark.parametrize("name", SCRIPTS)
def test_no_module_makes_markup_or_code_of_text(name: str) -> None:
    """What comes from a record is text: none of the ways to have it parsed is used."""
    forbidden = (
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|setHTML|\beval\(|new Function"
        r"|DOMParser|createContextualFragment|srcdoc|setAttribute\(\"(?:on|style)"
    )
    assert not re.search(forbidden, (FOLDER / name).read_text(encoding="utf-8"))


def test_what_is_vendored_is_named_licensed_and_unchanged() -> None:
    """Each file stands in SOURCES.json with its digest, and each package has its licence."""
    vendor = FOLDER / "vendor"
    sources = json.loads((vendor / "SOURCES.json").read_text())
    told = {entry["file"]: entry for source in sources for entry in source["files"]}

    found = {path.relative_to(vendor).as_posix() for path in vendor.rglob("*") if path.is_file()}
    assert found == {*told, "SOURCES.json"}
    for name, entry in told.items():
        data = (vendor / name).read_bytes()
        assert hashlib.sha256(data).hexdigest() == entry["sha256"]
        if "unpacked_sha256" in entry:
            assert hashlib.sha256(gzip.decompress(data)).hexdigest() == entry["unpacked_sha256"]
    for source in sources:
        assert source["licence"]
        assert any(PurePosixPath(one["file"]).name == "LICENSE" for one in source["files"])
