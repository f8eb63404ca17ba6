"""The lines of a stream: which come, in what order, and what they say."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from server import ndjson
from tests.picture_hosts import PictureHost
from tests.server.serving import Served

pytestmark = pytest.mark.asyncio(loop_scope="session")


def bytes_of(path: Path) -> bytes:
    """A small file, read where nobody waits."""
    return path.read_bytes()


@pytest.fixture
def manifest(data_root: Path, host: PictureHost) -> Path:
    """A row of every sort: pictures, statuses, a page, nonsense."""
    rows = [
        ("jpeg", f"{host}/a"),
        ("twice", f"{host}/status/404/x"),
        ("twice", f"{host}/status/404/y"),
        ("gone", f"{host}/status/410/z"),
        ("slow", f"{host}/slow/150/b"),
        ("page", f"{host}/html/c"),
        ("nothing", f"{host}/empty/d"),
        ("scheme", "ftp://example.org/e"),
        ("blocked", "http://10.0.0.1/f"),
        ("odd", "foo"),
        ("moved", f"{host}/redirect/1/g"),
    ]
    path = data_root / "images.tsv"
    text = "id\turl\n" + "".join(f"{identity}\t{url}\n" for identity, url in rows) + "\nshort\n"
    path.write_text(text, encoding="utf-8")
    return path


async def test_the_summary_adds_up_what_the_records_say(
    served: Served, manifest: Path, host: PictureHost
) -> None:
    """Counts by code and by status, bytes as the host counted them, the file's hash."""
    answer = await served.ask(json={"filepath": "images.tsv"})

    records, summary = answer.records(), answer.summary()
    assert sorted(record["index"] for record in records) == list(range(12))
    assert summary["rows"] == 12
    assert summary["ok"] == 3
    assert summary["failed"] == 9
    assert summary["errors"] == {
        "http_status": 3,
        "not_an_image": 1,
        "empty_body": 1,
        "bad_scheme": 1,
        "blocked_address": 1,
        "bad_url": 1,
        "bad_row": 1,
    }
    assert summary["http_statuses"] == {"404": 2, "410": 1}
    fetched = [record["fetch"]["bytes"] for record in records if record["fetch"]]
    assert summary["bytes"] == sum(fetched) > 0
    assert summary["manifest_sha256"] == hashlib.sha256(bytes_of(manifest)).hexdigest()
    assert summary["complete"] is True
    assert "reason" not in summary
    assert summary["seconds"] >= 0


async def test_start_tells_what_was_asked(served: Served, manifest: Path) -> None:
    """The first line is `start`, and every line is compact JSON with a type."""
    answer = await served.ask(json={"filepath": "images.tsv", "depth": "header"})

    assert answer.lines()[0] == {
        "type": "start",
        "schema": 1,
        "kind": "images_info",
        "job": None,
        "manifest": "images.tsv",
        "options": {
            "depth": "header",
            "ordered": False,
            "limit": None,
            "timeout": None,
            "thumbnail": None,
            "extra": False,
            "changes": False,
        },
    }
    for line in answer.body.splitlines():
        compact = json.dumps(json.loads(line), separators=(",", ":"), ensure_ascii=False)
        assert line.decode() == compact


async def test_a_record_tells_the_facts_and_how_they_were_got(
    served: Served, manifest: Path, host: PictureHost
) -> None:
    """Header depth: the whole record of one picture, by what Pillow and the host say."""
    headers, body = host.ask("/a")

    answer = await served.ask(json={"images": [{"id": "17", "url": f"{host}/a"}]})

    (record,) = answer.records()
    with Image.open(io.BytesIO(body)) as opened:
        assert record["image_info"] == {
            "image_size": len(body),
            "image_dimension": list(opened.size),
            "image_format": opened.format,
            "image_mode": opened.mode,
            "orientation": opened.getexif().get(0x0112, 1),
            "animated": getattr(opened, "is_animated", False),
        }
    fetch = record["fetch"]
    assert fetch.pop("ms") >= 0
    assert fetch == {
        "status": 206,
        "bytes": min(len(body), 16 * 1024),
        "attempts": 1,
        "requests": 1,
        "size_source": "content_range",
        "final_url": None,
        "content_type": headers["content-type"],
        "etag": headers["etag"],
        "last_modified": headers["last-modified"],
    }
    assert list(record) == ["type", "index", "id", "url", "image_info", "fetch"]


async def test_a_failed_row_has_an_error_in_its_place(served: Served, host: PictureHost) -> None:
    """`image_info` is null, and `error` says what, where and whether to ask again."""
    (record,) = (await served.ask(json={"images": [f"{host}/status/404/"]})).records()

    assert record["image_info"] is None
    assert record["error"] == {
        "code": "http_status",
        "stage": "fetch",
        "message": "404 Not Found",
        "http_status": 404,
        "retryable": False,
    }
    assert record["fetch"]["status"] == 404


async def test_ordered_records_come_in_manifest_order(
    served: Served, manifest: Path, host: PictureHost
) -> None:
    """The same lines either way; without `ordered` a late row comes last."""
    ordered = await served.ask(json={"filepath": "images.tsv", "ordered": True})
    finished = await served.ask(json={"filepath": "images.tsv"})

    assert [record["index"] for record in ordered.records()] == list(range(12))
    assert [record["id"] for record in finished.records()][-1] == "slow"


def lasting(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Lines without what a clock or a host may change."""
    for line in lines:
        line.pop("fetch", None)
        line.pop("seconds", None)
    return sorted(lines, key=lambda line: (line["type"], line.get("index", 0)))


@pytest.mark.parametrize("depth", ["header", "full"])
async def test_two_runs_give_the_same_lines(served: Served, manifest: Path, depth: str) -> None:
    """Apart from `fetch` and `summary.seconds`."""
    asked = {"filepath": "images.tsv", "depth": depth, "thumbnail": 16 if depth == "full" else None}

    first, second = [await served.ask(json=asked) for _ in range(2)]

    assert lasting(first.lines()) == lasting(second.lines())


async def test_full_depth_adds_measures_of_the_pixels(served: Served, host: PictureHost) -> None:
    """`depth: full` reads and decodes everything, in the pool."""
    body = host.body("/a")
    answer = await served.ask(json={"images": [f"{host}/a"], "depth": "full"})

    (record,) = answer.records()
    info = record["image_info"]
    assert info["sha256"] == hashlib.sha256(body).hexdigest()
    assert info["image_size"] == len(body) == record["fetch"]["bytes"] == answer.summary()["bytes"]
    assert len(info["phash"]) == 16
    assert info["frames"] >= 1
    assert isinstance(info["has_icc"], bool)
    for measure in ("sharpness", "brightness", "contrast", "colourfulness"):
        assert info[measure] >= 0


async def test_a_thumbnail_is_a_webp_beside_the_facts(served: Served, host: PictureHost) -> None:
    """A `data:` URI whose long side is the one asked for; it implies a full body."""
    answer = await served.ask(json={"images": [f"{host}/a", f"{host}/html/"], "thumbnail": 48})

    records = {record["index"]: record for record in answer.records()}
    scheme, _, encoded = records[0]["thumbnail"].partition(",")
    assert scheme == "data:image/webp;base64"
    with Image.open(io.BytesIO(base64.b64decode(encoded))) as opened:
        assert opened.format == "WEBP"
        assert max(opened.size) == 48
    assert records[0]["image_info"]["sha256"]
    assert "thumbnail" not in records[1]


async def test_start_comes_at_once_when_every_host_is_silent(
    served: Served, host: PictureHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before any record and any sign of life: the hosts here never answer at all."""
    monkeypatch.setattr(ndjson, "IDLE_SECONDS", 1000.0)
    rows = [f"{host}/silent/{row}" for row in range(5)]
    async with served.session.post(
        f"{served.url}/api/v1/images_info", json={"images": rows, "timeout": 600}
    ) as response:
        assert json.loads(await response.content.readline())["type"] == "start"
        assert host.counts()["requests"] <= 5  # none was given up and asked again


async def test_an_idle_stream_says_that_it_lives(
    served: Served, host: PictureHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`progress` with the counts so far, again and again while no record comes."""
    monkeypatch.setattr(ndjson, "IDLE_SECONDS", 0.02)
    rows = [f"{host}/a", "foo", f"{host}/silent/"]

    async with served.session.post(
        f"{served.url}/api/v1/images_info", json={"images": rows, "timeout": 600}
    ) as response:
        lines = [json.loads(await response.content.readline()) for _ in range(8)]

    progress = [line for line in lines if line["type"] == "progress"]
    assert progress[-2:] == [{"type": "progress", "done": 2, "failed": 1}] * 2
    assert lines[-1]["type"] == "progress"


async def test_a_row_is_never_answered_twice_or_not_at_all(
    served: Served, host: PictureHost
) -> None:
    """Many more rows than the window holds, flaky and late hosts among them."""
    paths = ["a", "slow/5/c", "status/404/d", "redirect/2/e", "html/f"]
    rows = "".join(f"{row}\t{host}/{paths[row % 5]}{row}\n" for row in range(400))
    rows += f"400\t{host}/flaky/1/\n401\t{host}/truncated/\n"

    answer = await served.upload(rows.encode(), params={"timeout": "2"})

    records = answer.records()
    assert sorted(record["index"] for record in records) == list(range(402))
    assert all(record["id"] == str(record["index"]) for record in records)
    assert answer.summary()["rows"] == 402
    assert answer.summary()["complete"] is True
