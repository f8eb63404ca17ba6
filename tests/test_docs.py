"""The documents say what the code has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from imaging.facts import DECODED_FORMATS, ErrorCode
from imaging.header.walkers import WALKERS
from server.app import create_app
from server.settings import ServerSettings
from workers.asked import ASKED
from workers.fetch.guard import parse_network

ROOT = Path(__file__).parents[1]


def rows_of(name: str) -> dict[str, list[str]]:
    """The rows of every table in a document, by the name in their first cell."""
    rows = {}
    for line in (ROOT / "docs" / name).read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `"):
            rows[cells[0].strip("`")] = cells[1:]
    return rows


def test_every_error_code_is_documented_and_no_other() -> None:
    """docs/errors.md has one row per code, with its stage, sentence and whether to retry."""
    rows = rows_of("errors.md")

    assert list(rows) == [code.value for code in ErrorCode]
    for code in ErrorCode:
        stage, meaning, retryable = rows[code.value]
        assert stage == code.stage.value
        assert meaning.lower().startswith(code.sentence.lower())
        if code is not ErrorCode.HTTP_STATUS:
            assert retryable == ("yes" if code.retryable else "no"), code


def test_every_setting_is_documented_with_its_meaning() -> None:
    """docs/settings.md has one row per setting, in the words of the setting itself."""
    rows = rows_of("settings.md")

    assert list(rows) == [name.upper() for name in ServerSettings.model_fields]
    for name, field in ServerSettings.model_fields.items():
        assert rows[name.upper()][1] == field.description


def test_documented_defaults_are_those_of_the_code() -> None:
    """A default written as a value, given as a setting, changes nothing."""
    written = {
        name.lower(): cells[0].strip("`")
        for name, cells in rows_of("settings.md").items()
        if cells[0].startswith("`") and not cells[0].startswith("`console`")
    }

    assert ServerSettings(**written) == ServerSettings()  # type: ignore[arg-type]


def test_networks_shown_in_the_settings_are_valid() -> None:
    """The example of ALLOW_NETWORKS can be pasted."""
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    example = re.search(r"`(10\.20[^`]+)`", text)

    assert example is not None
    assert [str(parse_network(part)) for part in example[1].split(",")] == example[1].split(",")


def test_every_option_is_documented() -> None:
    """docs/api.md names every field a request may have."""
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")

    for kind, asked in ASKED.items():
        for name in asked.model_fields:
            assert f"`{name}`" in text or f'"{name}"' in text, (kind, name)


def test_every_route_is_documented() -> None:
    """docs/api.md names every path the application answers."""
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    app = create_app(ServerSettings())

    for resource in app.router.resources():
        assert resource.canonical.rstrip("/") in text


def test_every_format_is_documented() -> None:
    """docs/formats.md has a row for each walker, and says rightly which formats are decoded."""
    rows = rows_of("formats.md")
    walked = {Path(walk.__code__.co_filename).stem for _, walk in WALKERS}
    others = {"HEIF": "heif", "JPEG2000": "jp2"}
    modules = {others.get(name, name.lower()) for name in rows}

    assert walked <= modules
    assert set(DECODED_FORMATS) <= set(rows)
    for name, (_, full) in rows.items():
        if full:
            assert full.startswith("decoded") == (name in DECODED_FORMATS), name


DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    """Every relative link names a file that is there."""
    for target in re.findall(r"\]\(([^)#]+)", document.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (document.parent / target).exists(), target


def test_every_promise_names_tests_that_are_there() -> None:
    """SECURITY.md says what holds each promise."""
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[^`]+)`", text)

    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []
