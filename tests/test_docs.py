"""The documents say what the code has."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from imaging.facts import DECODED_FORMATS, ErrorCode
from imaging.header.walkers import WALKERS
from server.app import create_app
from server.settings import ServerSettings
from tests.pages import MARKS, PAGES, ROOT, RUN, SERVES, SHOWN, Use, blocks
from workers.asked import ASKED
from workers.fetch.guard import parse_network


def named(page: Path) -> str:
    """How a test of a page is called."""
    return str(page.relative_to(ROOT))


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


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_block_is_run_or_says_why_not(page: Path) -> None:
    """docs/README.md has the ways a block may begin; no command stands in another."""
    for block in blocks(page):
        assert isinstance(block.use, Use)


def test_every_way_to_begin_a_block_is_documented() -> None:
    """docs/README.md tells writers what `tests/pages.py` takes."""
    text = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")

    for word in (*RUN, *(f"sh {mark}" for mark in (SERVES, *MARKS)), *filter(None, SHOWN)):
        assert f"`{word}`" in text, word


@pytest.mark.parametrize(
    "begun",
    ["", "text", "bash", "console", "sh cluod", "python docker", "sh docker minutes"],
)
def test_a_command_in_a_block_that_is_not_run_is_refused(begun: str, tmp_path: Path) -> None:
    """So nobody adds one without saying why no test runs it."""
    page = tmp_path / "page.md"
    page.write_text(f"```{begun}\nCENSUS_PORT=1 ./scripts/run\n```\n", encoding="utf-8")

    (block,) = blocks(page)
    with pytest.raises(ValueError, match=r"page\.md:1: "):
        assert block.use


def test_yaml_of_the_documents_is_yaml() -> None:
    """And what Compose is to read has the shape that it wants."""
    found = [block for page in PAGES for block in blocks(page) if block.language == "yaml"]

    assert found
    for block in found:
        assert isinstance(yaml.safe_load(block.text), dict | list), block


def test_files_of_compose_fit_its_schema(tmp_path: Path) -> None:
    """Those that a page names, as an override."""
    overrides = []
    for page in PAGES:
        for block in blocks(page):
            if block.word == "docker-compose.override.yml":
                overrides.append(tmp_path / f"{page.stem}.{block.line}.yml")
                overrides[-1].write_text(block.text, encoding="utf-8")

    assert overrides
    command = [sys.executable, "-m", "check_jsonschema"]
    command += ["--builtin-schema", "vendor.compose-spec", *map(str, overrides)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout


DOCUMENTS = [*PAGES, *(ROOT / name for name in ("SECURITY.md", "CHANGELOG.md"))]


def headings(document: Path) -> set[str]:
    """What a link may name behind `#`, as GitHub makes it of the headings."""
    text = document.read_text(encoding="utf-8")
    for block in re.findall(r"^```.*?^```", text, re.DOTALL | re.MULTILINE):
        text = text.replace(block, "")
    found = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).strip().replace(" ", "-") for each in found}


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    """Every relative link names a file that is there, and a heading in it."""
    for target in re.findall(r"\]\(([^)]+)\)", document.read_text(encoding="utf-8")):
        if "://" not in target:
            path, _, heading = target.partition("#")
            led = document.parent / path if path else document
            assert led.exists(), target
            assert not heading or heading in headings(led), target


def test_every_page_is_in_the_index() -> None:
    """docs/README.md leads to each, and the README to each how-to."""
    for index in (ROOT / "docs" / "README.md", ROOT / "README.md"):
        text = index.read_text(encoding="utf-8")
        links = {(index.parent / link).resolve() for link in re.findall(r"\]\(([^)#]+)", text)}
        assert set(PAGES) - links <= {ROOT / "README.md", index}, index


def test_every_promise_names_tests_that_are_there() -> None:
    """SECURITY.md says what holds each promise."""
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[^`]+)`", text)

    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "how-to").glob("*.md")), ids=named)
def test_every_page_of_how_to_says_what_its_commands_want(page: Path) -> None:
    """Before its first command there is a link to the lines that make a terminal ready."""
    before, _, _ = page.read_text(encoding="utf-8").partition("```")

    assert "(../README.md#trying-the-commands)" in before


def test_no_two_pages_write_the_same_file() -> None:
    """A result file is never written over: who has read one page must be able to read the next."""
    written: dict[str, set[str]] = {}
    for page in PAGES:
        for block in blocks(page):
            if block.use is Use.RUN:
                for name in re.findall(r" -o (\S+)", block.text):
                    written.setdefault(name, set()).add(named(page))

    assert written
    assert {name: pages for name, pages in written.items() if len(pages) > 1} == {}
