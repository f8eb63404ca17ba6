"""Which Chromium tests run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.page.browsers import find_chromium


def test_chromium_is_found_where_it_is_said_to_be(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """CHROMIUM_BIN first; where it names nothing that runs, the ones on PATH."""
    program = tmp_path / "chromium"
    program.write_text("#!/bin/sh\n")
    monkeypatch.setenv("CHROMIUM_BIN", str(program))
    assert find_chromium() != str(program)

    program.chmod(0o755)
    assert find_chromium() == str(program)
