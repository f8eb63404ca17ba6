"""An answer sent back as the manifest, to be told what has changed."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tests.picture_hosts import PictureHost
from tests.server.serving import INFO, Answer, Served

pytestmark = pytest.mark.asyncio(loop_scope="session")

NDJSON = {"Content-Type": "application/x-ndjson"}


@pytest.fixture
def host(picture_host: PictureHost) -> PictureHost:
    """The picture host, with all its pictures as they were made."""
    picture_host.reset()
    return picture_host


async def asked(served: Served, host: PictureHost, count: int = 12, **options: Any) -> Answer:
    """A first census in order, of pictures and of a row that is none."""
    images: list[Any] = [
        {"id": f"n{number}", "url": f"{host}/p/{number}", "shelf": number}
        for number in range(count)
    ]
    return await served.ask(json={"images": [*images, {"id": "bad"}], "ordered": True, **options})


def by_index(answer: Answer) -> list[dict[str, Any]]:
    """The records in order."""
    return sorted(answer.records(), key=lambda line: int(line["index"]))


async def test_body_that_is_an_answer(served: Served, host: PictureHost) -> None:
    """Each record is compared; the summary counts; the answer can be sent back in its turn."""
    before = await asked(served, host)
    host.change("/p/3")
    host.remove("/p/4")
    params = {"changes": "1"}
    now = await served.upload(before.body, headers=NDJSON, params=params)
    changes = [line["change"] for line in by_index(now)]
    wanted: list[str | None] = ["unchanged"] * 12 + [None]
    wanted[3:5] = ["changed", "gone"]
    assert changes == wanted
    assert [line["id"] for line in by_index(now)] == [*(f"n{n}" for n in range(12)), "bad"]
    assert now.summary()["changes"] == {"unchanged": 10, "changed": 1, "gone": 1}
    assert now.lines()[0]["options"]["changes"] is True
    third = await served.upload(now.body, headers=NDJSON, params=params)
    assert third.summary()["changes"] == {"unchanged": 12}
    assert (third.summary()["rows"], third.summary()["complete"]) == (13, True)


@pytest.mark.parametrize("name", ["january.ndjson", "january.ndjson.gz", "january"])
async def test_file_that_is_an_answer(served: Served, host: PictureHost, name: str) -> None:
    """Below the data root, as it is or compressed; its hash is told."""
    before = await asked(served, host)
    text = gzip.compress(before.body) if name.endswith(".gz") else before.body
    (Path(served.settings.data_root) / name).write_bytes(text)
    now = await served.ask(json={"filepath": name, "changes": True, "ordered": True})
    assert [line["index"] for line in now.records()] == list(range(13))
    assert now.summary()["changes"] == {"unchanged": 12}
    assert now.summary()["manifest_sha256"]


async def test_rows_keep_the_index_they_had(served: Served, host: PictureHost) -> None:
    """In any order, with gaps; as many as were asked for."""
    before = await asked(served, host)
    start, *records, _ = before.lines()
    records.sort(key=lambda line: -int(line["index"]))
    picked = [start, *records[1:10:2]]
    body = "".join(json.dumps(line) + "\n" for line in picked).encode()
    wanted = [line["index"] for line in picked[1:]]
    for params in ({}, {"limit": "3"}):
        now = await served.upload(
            body, headers=NDJSON, params={"changes": "1", "ordered": "1", **params}
        )
        told = [line["index"] for line in now.records()]
        assert told == wanted[: 3 if params else None]


async def test_file_that_repeats_a_row(served: Served, host: PictureHost) -> None:
    """In order or not: a record for each."""
    before = await asked(served, host)
    start, *records, _ = before.body.splitlines(keepends=True)
    body = b"".join([start, records[0], *[records[1]] * 3, records[2]])
    for ordered in ("0", "1"):
        params = {"changes": "1", "ordered": ordered}
        now = await served.upload(body, headers=NDJSON, params=params)
        assert [line["index"] for line in by_index(now)] == [0, 1, 1, 1, 2]


async def test_other_columns_are_passed_on(served: Served, host: PictureHost) -> None:
    """Those that stood in the earlier records."""
    before = await asked(served, host, 2, extra=True)
    now = await served.upload(
        before.body, headers=NDJSON, params={"changes": "1", "extra": "1", "limit": "2"}
    )
    assert [line["extra"] for line in by_index(now)] == [{"shelf": 0}, {"shelf": 1}]


async def test_answer_that_was_cut(served: Served, host: PictureHost) -> None:
    """The rows that are whole in it."""
    before = await asked(served, host)
    cut = b"".join(before.body.splitlines(keepends=True)[:4])[:-20]
    now = await served.upload(cut, headers=NDJSON, params={"changes": "1"})
    assert now.summary()["rows"] == 2
    assert now.summary()["complete"] is True


async def test_manifest_that_is_no_answer(served: Served, host: PictureHost) -> None:
    """The line is named; the stream says that it is not whole."""
    rows = f'{{"url": "{host}/p/1"}}\n'.encode()
    now = await served.upload(rows, headers=NDJSON, params={"changes": "1"})
    assert now.records() == []
    assert now.summary()["complete"] is False
    assert now.summary()["reason"].startswith("failed: line 1")


@pytest.mark.parametrize(
    ("said", "headers", "params"),
    [
        ({"json": {"images": ["http://h/1"], "changes": True}}, {}, {}),
        ({"data": b"http://h/1\n"}, {"Content-Type": "text/csv"}, {"changes": "1"}),
        (
            {"data": b"http://h/1\n"},
            {"Content-Type": "text/tab-separated-values"},
            {"changes": "1"},
        ),
        ({"json": {"filepath": "list.tsv", "changes": True}}, {}, {}),
        ({"data": b"{}\n"}, {**NDJSON, "Accept": "application/json"}, {"changes": "1"}),
    ],
)
async def test_what_has_no_changes(
    served: Served, said: dict[str, Any], headers: dict[str, str], params: dict[str, str]
) -> None:
    """Refused before a line, by the name of the option."""
    (Path(served.settings.data_root) / "list.tsv").write_text("http://h/1\n")
    answer = await served.ask(INFO, headers=headers, params=params, **said)
    assert "changes" in answer.problem(422)["error"]


async def test_batches_know_no_changes(served: Served) -> None:
    """There is no such option."""
    answer = await served.ask(
        "/api/v1/batch_predict", json={"images": ["http://h/1"], "changes": True}
    )
    assert "changes" in answer.problem(422)["error"]
