"""Tables over HTTP: asked for by `Accept`, whole or cut off, a row group at a time."""

from __future__ import annotations

import asyncio
import io
import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pandas as pd
import pytest
from aiohttp import ClientError
from pyarrow import parquet

from server import keys, tables
from tests.asserts import wait_until
from tests.picture_hosts import PictureHost
from tests.server.recording import JOBS, Queue
from tests.server.serving import BATCH, INFO, TSV, Answer, Served
from workers.tables.columns import COLUMNS

pytestmark = pytest.mark.asyncio(loop_scope="session")

Serve = Callable[..., Awaitable[Served]]

TYPES = {"csv": "text/csv", "parquet": "application/vnd.apache.parquet"}
CONTENT_TYPES = {**TYPES, "csv": "text/csv; charset=utf-8; header=present"}
FORMS = pytest.mark.parametrize("form", list(TYPES))


def accept(form: str) -> dict[str, str]:
    """The header of who wants such a table."""
    return {"Accept": TYPES[form]}


def opened(answer: Answer, form: str, kind: str = "images_info") -> pd.DataFrame:
    """The table in an answer, as pandas opens it."""
    assert answer.status == 200, answer.body
    assert answer.headers["Content-Type"] == CONTENT_TYPES[form]
    assert answer.headers["Content-Disposition"].endswith(f'.{form}"')
    if form == "parquet":
        return pd.read_parquet(io.BytesIO(answer.body))
    types = {column.name: column.dtype for column in COLUMNS[kind]}
    return pd.read_csv(io.BytesIO(answer.body), dtype=types)


def listed(host: PictureHost, rows: int) -> str:
    """A manifest; the second row of each ten is not there, the third is no http."""
    urls = [
        {1: f"{host}/status/404/", 2: "ftp://h/"}.get(row % 10, f"{host}/{row % 32}")
        for row in range(rows)
    ]
    return "".join(f"{url}\n" for url in urls)


@FORMS
async def test_facts_are_answered_as_a_table(served: Served, host: PictureHost, form: str) -> None:
    """Every row once, with its facts or why there are none; the same that NDJSON tells."""
    manifest = listed(host, 40)
    lines = (await served.upload(manifest, params={"ordered": "1"})).records()

    frame = opened(await served.upload(manifest, headers=accept(form)), form)

    frame = frame.sort_values("index", ignore_index=True)
    assert frame["index"].tolist() == list(range(40))
    assert list(frame.columns) == [column.name for column in COLUMNS["images_info"]]
    for line, (_, row) in zip(lines, frame.iterrows(), strict=True):
        info = line["image_info"]
        assert row["url"] == line["url"]
        if info is None:
            assert row["error"] == line["error"]["code"]
            assert pd.isna(row["image_width"])
        else:
            assert pd.isna(row["error"])
            assert [row["image_width"], row["image_height"]] == info["image_dimension"]
            assert row["image_size"] == info["image_size"]
    assert frame["error"].value_counts().to_dict() == {"http_status": 4, "bad_scheme": 4}


async def test_a_parquet_answer_has_the_lines_around_its_records(
    served: Served, data_root: Path
) -> None:
    """In its metadata: so what was kept tells what it is of, and that it is whole."""
    (data_root / "told.tsv").write_text("foo\nbar\n", encoding="utf-8")

    answer = await served.ask(json={"filepath": "told.tsv"}, headers=accept("parquet"))

    metadata = parquet.read_metadata(io.BytesIO(answer.body)).metadata
    start = json.loads(metadata[b"imagecensus.start"])
    summary = json.loads(metadata[b"imagecensus.summary"])
    assert (start["kind"], start["manifest"]) == ("images_info", "told.tsv")
    assert (summary["rows"], summary["failed"], summary["complete"]) == (2, 2, True)
    assert len(summary["manifest_sha256"]) == 64


@FORMS
async def test_predictions_are_answered_as_a_table(
    served: Served, host: PictureHost, form: str
) -> None:
    """A row of the table for each row, not for each batch."""
    rows = [f"{host}/{row}" for row in range(5)] + ["foo"]
    asked = {"images": rows, "batch_size": 4}

    answer = await served.ask(BATCH, json=asked, headers=accept(form))

    frame = opened(answer, form, "batch_predict").sort_values("index", ignore_index=True)
    assert frame["index"].tolist() == list(range(6))
    assert frame["batch"].tolist() == [0, 0, 0, 0, 1, 1]
    assert set(frame["predictor"]) == {"appearance"}
    assert [pd.isna(value) for value in frame["prediction"]] == [False] * 5 + [True]
    assert "brightness" in json.loads(frame["prediction"][0])
    assert frame["error"][5] == "bad_url"


@FORMS
async def test_an_empty_manifest_is_a_table_without_rows(served: Served, form: str) -> None:
    """With all its columns."""
    frame = opened(await served.ask(json={"images": []}, headers=accept(form)), form)

    assert list(frame.columns) == [column.name for column in COLUMNS["images_info"]]
    assert len(frame) == 0


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("text/csv", CONTENT_TYPES["csv"]),
        ("TEXT/CSV; header=present", CONTENT_TYPES["csv"]),
        ("text/csv, */*;q=0.1", CONTENT_TYPES["csv"]),
        ("application/vnd.apache.parquet, text/csv;q=0.9", TYPES["parquet"]),
        ("application/vnd.apache.parquet;q=0.5, text/csv;q=0.9", CONTENT_TYPES["csv"]),
        ("application/x-ndjson;q=0.5, text/csv", CONTENT_TYPES["csv"]),
        ("application/x-ndjson, text/csv", "application/x-ndjson"),
        ("text/csv, application/x-ndjson", "application/x-ndjson"),
        ("text/csv;q=0", "application/x-ndjson"),
        ("text/*", "application/x-ndjson"),
        ("*/*", "application/x-ndjson"),
        ("text/csv, application/json;q=0.9", CONTENT_TYPES["csv"]),
        ("application/json, text/csv;q=0.9", "application/json"),
        ("text/csv;q=high", CONTENT_TYPES["csv"]),
        (";q=1,,text/csv;q=nan;;", CONTENT_TYPES["csv"]),
    ],
)
async def test_the_client_says_how_much_it_wants_a_table(
    served: Served, said: str, kind: str
) -> None:
    """By name and quality; what is not named is not sent, and NDJSON where that is as welcome."""
    answer = await served.ask(json={"images": []}, headers={"Accept": said})

    assert answer.headers["Content-Type"] == kind


@FORMS
async def test_what_cannot_be_completed_is_cut_off(
    served: Served, data_root: Path, form: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A manifest that breaks: no client takes a part for the whole."""
    caplog.set_level("INFO")
    (data_root / "broken.gz").write_bytes(b"\x1f\x8b\x08\x00" + b"\xff" * 100)

    with pytest.raises(ClientError):
        await served.ask(json={"filepath": "broken.gz"}, headers=accept(form))

    (ended,) = [record for record in caplog.records if record.message == "a stream ended"]
    assert ended.reason.startswith("failed: corrupt gzip")  # type: ignore[attr-defined]
    assert [record for record in caplog.records if record.levelname != "INFO"] == []


@FORMS
async def test_row_groups_are_sent_while_rows_come(
    served: Served, host: PictureHost, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes first at once, a group when it is full, the rest when the last row came."""
    monkeypatch.setattr(tables, "GROUP_ROWS", 20)
    manifest = listed(host, 40)
    rows = f"{manifest}{host}/slow/1500/a\n"
    request = served.session.post(served.url + INFO, data=rows, headers={**TSV, **accept(form)})
    async with request as response:
        first = await response.content.readany()
        assert first.startswith(b"PAR1" if form == "parquet" else b"index,id,url")
        early = first
        while len(early) < (2000 if form == "parquet" else 4000):
            early += await response.content.readany()
        assert len(served.app[keys.STREAMS]) == 1  # the last row is still to come
        body = early + await response.read()

    if form == "parquet":
        file = parquet.ParquetFile(io.BytesIO(body))
        groups = [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)]
        assert len(groups) >= 2
        assert sum(groups) == 41
        assert max(groups) < 41
    answer = Answer(200, response.headers, body)
    assert sorted(opened(answer, form)["index"]) == list(range(41))


@FORMS
async def test_rows_do_not_wait_for_ever_for_a_group(
    served: Served, host: PictureHost, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy may cut what is silent: after a while what there is is sent."""
    monkeypatch.setattr(tables, "GROUP_SECONDS", 0.0)
    rows = f"foo\n{host}/slow/300/a\n"

    answer = await served.upload(rows, headers=accept(form))

    assert sorted(opened(answer, form)["index"]) == [0, 1]
    if form == "parquet":
        assert parquet.read_metadata(io.BytesIO(answer.body)).num_row_groups == 2


@FORMS
async def test_a_client_that_does_not_read_stops_the_work(
    served: Served, host: PictureHost, data_root: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows behind what it holds are not begun; when it is gone, nothing is held for it."""
    monkeypatch.setattr(tables, "GROUP_ROWS", 200)
    fillers = [f"ftp://example.org/{os.urandom(2000).hex()}" for _ in range(4000)]
    rows = [*fillers, f"{host}/mine/0"]
    (data_root / "long.tsv").write_text("\n".join(rows), encoding="utf-8")
    asked = b'{"filepath": "long.tsv", "ordered": true}'

    async with served.talk(narrow=True) as talk:
        await talk.ask(body=asked, Content_Type="application/json", **accept(form))
        assert (await talk.head())[0] == 200
        await served.stuck()
        assert not [one for one in host.requests() if "/mine/" in one["target"]]
        talk.vanish()
    await served.at_rest()


async def test_arrays_have_no_place_in_a_table(served: Served) -> None:
    """Who asks for them is told so, before any work."""
    asked = {"images": ["foo"], "pixels": "npy"}

    answer = await served.ask(BATCH, json=asked, headers=accept("csv"))

    assert answer.problem(422)["errors"][0]["field"] == "pixels"


async def test_without_the_extra_it_is_406(
    served: Served, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Naming what to install; other answers are given as ever."""
    monkeypatch.setattr("workers.tables.formats.find_spec", lambda _: None)
    for path in (INFO, BATCH):
        problem = (await served.ask(path, json={"images": []}, headers=accept("csv"))).problem(406)
        assert problem["error"].endswith("pip install 'imagecensus[parquet]'")
        assert problem["errors"][0]["field"] == "Accept"
    recording = await queue.recording()
    await recording.done((True,))
    assert (await results(queue, recording.job, "parquet")).status == 406
    assert (await served.ask(json={"images": []})).status == 200


async def results(queue: Queue, job: str, form: str, **params: str) -> Answer:
    """The results of a job as a table."""
    path = f"{JOBS}/{job}/results"
    return await queue.served.ask(path, method="GET", params=params, headers=accept(form))


@FORMS
async def test_results_of_a_job_are_a_table(queue: Queue, form: str) -> None:
    """When it is done: every row once, whatever order its shards were recorded in."""
    recording = await queue.recording()
    await recording.done((True, False), (True,), (False, False))

    answer = await results(queue, recording.job, form)

    frame = opened(answer, form)
    assert sorted(frame["index"]) == list(range(5))
    assert frame["error"].count() == 3
    assert f"facts-{recording.job}.{form}" in answer.headers["Content-Disposition"]
    first = (await recording.results())[0]
    rest = opened(await results(queue, recording.job, form, after=first), form)
    assert sorted(rest["index"]) == [2, 3, 4]


async def test_there_is_no_table_of_a_job_that_is_not_done(queue: Queue) -> None:
    """409 before any byte, which says how to wait; one that will not be done has none at all."""
    recording = await queue.recording()
    queued = await results(queue, recording.job, "csv")
    assert queued.problem(409)["error"].endswith("job is queued: follow=1 waits for its end")
    await recording.open()
    await recording.feed(2)
    running = await results(queue, recording.job, "parquet")
    assert running.problem(409)["error"].endswith("job is running: follow=1 waits for its end")
    await recording.fail("the file is gone")
    for params in ({}, {"follow": "1"}):
        failed = await results(queue, recording.job, "csv", **params)
        assert "the job is failed" in failed.problem(409)["error"]


@FORMS
async def test_a_job_is_followed_to_its_table(queue: Queue, form: str) -> None:
    """The answer ends when the job does."""
    recording = await queue.recording()
    await recording.open()
    await recording.feed(2)
    async with asyncio.TaskGroup() as tasks:
        following = tasks.create_task(results(queue, recording.job, form, follow="1"))
        await wait_until(lambda: len(queue.served.app[keys.READERS]) == 1)
        await recording.commit(0, True, False)
        await recording.feed(1)
        await recording.commit(1, True, first=2)
        await recording.seal()

    assert sorted(opened(following.result(), form)["index"]) == [0, 1, 2]


@FORMS
async def test_a_table_of_a_job_that_fails_is_cut_off(queue: Queue, form: str) -> None:
    """Also of one whose results were not all there, or are no records."""
    recording = await queue.recording()
    await recording.open()
    await recording.feed(2)
    async with asyncio.TaskGroup() as tasks:
        following = tasks.create_task(cut_off(queue, recording.job, form, follow="1"))
        await wait_until(lambda: len(queue.served.app[keys.READERS]) == 1)
        await recording.commit(0, True, False)
        await recording.fail("the file is gone")
    assert following.result()
    other = await queue.recording()
    await other.done((True,), (True,))
    await queue.redis.execute_command(
        "XDEL", f"{{census:jobs}}:results:{other.job}", (await other.results())[0]
    )
    assert await cut_off(queue, other.job, form)


async def cut_off(queue: Queue, job: str, form: str, **params: str) -> bool:
    """Whether the connection broke before the table was whole."""
    try:
        await results(queue, job, form, **params)
    except ClientError:
        return True
    return False
