"""The answer as the predecessor gave it: one JSON object, or none that anybody takes for whole."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from aiohttp import ClientError
from PIL import Image

from server import keyed
from tests.picture_hosts import PictureHost
from tests.server.serving import Served

pytestmark = pytest.mark.asyncio(loop_scope="session")

KEYED = {"Accept": "application/json"}


async def test_the_object_is_keyed_by_id_in_manifest_order(
    served: Served, host: PictureHost, data_root: Path
) -> None:
    """Three facts for a picture, "" and a sentence for a failure, though the first comes last."""
    rows = [
        ("17", f"{host}/slow/100/a"),
        ("b", f"{host}/status/404/"),
        ('"c"', "foo"),
        ("d", f"{host}/d"),
    ]
    (data_root / "keyed.tsv").write_text(
        "id\turl\n" + "".join(f"{identity}\t{url}\n" for identity, url in rows) + "short\n",
        encoding="utf-8",
    )

    answer = await served.ask("/api/v1/images_info/", json={"filepath": "keyed.tsv"}, headers=KEYED)

    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    told = answer.json()
    assert list(told) == ["17", "b", '"c"', "d", "short"]
    body = host.body("/a")
    with Image.open(io.BytesIO(body)) as opened:
        assert told["17"] == {
            "url": f"{host}/slow/100/a",
            "image_info": {
                "image_size": len(body),
                "image_dimension": list(opened.size),
                "image_format": opened.format,
            },
        }
    assert told["b"] == {"url": f"{host}/status/404/", "image_info": "", "error": "404 Not Found"}
    assert told['"c"'] == {"url": "foo", "image_info": "", "error": "the URL has no scheme"}
    assert told["short"]["url"] is None
    assert told["short"]["error"]


async def test_an_empty_manifest_is_an_empty_object(served: Served) -> None:
    """Valid JSON also without a single row."""
    answer = await served.ask(json={"images": []}, headers=KEYED)

    assert answer.json() == {}


async def test_repeated_ids_are_all_written(served: Served) -> None:
    """Every pair is there; which one counts is the parser's choice."""
    rows = [{"id": "a", "url": "foo"}, {"id": "a", "url": "ftp://h/"}]

    answer = await served.ask(json={"images": rows}, headers=KEYED)

    pairs = json.loads(answer.body, object_pairs_hook=list)
    assert [name for name, _ in pairs] == ["a", "a"]


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("application/json", "application/json"),
        ("text/plain, application/json;q=0.9, */*", "application/json"),
        ("Application/JSON", "application/json"),
        ("*/*", "application/x-ndjson"),
        ("application/x-ndjson", "application/x-ndjson"),
        ("application/x-ndjson, application/json", "application/x-ndjson"),
        ("text/html", "application/x-ndjson"),
    ],
)
async def test_the_client_says_which_answer_it_wants(
    served: Served, accept: str, kind: str
) -> None:
    """Keyed only for who names application/json and not NDJSON."""
    answer = await served.ask(json={"images": []}, headers={"Accept": accept})

    assert answer.headers["Content-Type"] == kind


async def test_errors_are_problems_for_it_too(served: Served) -> None:
    """A request that cannot be served is told as ever."""
    answer = await served.ask(json={"filepath": "missing.tsv"}, headers=KEYED)

    assert answer.problem(422)["error"] == "Invalid input file url"


async def test_what_cannot_be_completed_is_cut_off(
    served: Served, data_root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A manifest that breaks: the connection is cut, so no client takes a part for the whole."""
    caplog.set_level("INFO")
    (data_root / "broken.gz").write_bytes(b"\x1f\x8b\x08\x00" + b"\xff" * 100)

    with pytest.raises(ClientError):
        await served.ask(json={"filepath": "broken.gz"}, headers=KEYED)

    (ended,) = [record for record in caplog.records if record.message == "a stream ended"]
    assert ended.reason.startswith("failed: corrupt gzip")  # type: ignore[attr-defined]
    assert [record for record in caplog.records if record.levelname != "INFO"] == []


async def test_white_space_keeps_an_idle_answer_alive(
    served: Served, host: PictureHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blank lines between the pairs, which are still one JSON object in the end."""
    monkeypatch.setattr(keyed, "IDLE_SECONDS", 0.01)
    rows = [f"{host}/slow/100/a", "foo"]

    answer = await served.ask(json={"images": rows}, headers=KEYED)

    assert answer.body.startswith(b"\n\n")
    assert list(answer.json()) == ["0", "1"]
