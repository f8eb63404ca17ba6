"""A manifest as the body: as fast as it comes, bounded, and gone afterwards."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import random
import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from server import bodies
from server.requests import MANIFEST_TYPES
from tests.asserts import wait_until
from tests.picture_hosts import PictureHost
from tests.server.serving import INFO, TSV, Served, Talk
from workers.manifest import kinds
from workers.manifest.spool import Spool

pytestmark = pytest.mark.asyncio(loop_scope="session")

Serve = Callable[..., Awaitable[Served]]

ROWS = b"id\turl\na\tfoo\nb\tftp://h/x\n"
KIND = TSV["Content-Type"]


def noise(rows: int) -> bytes:
    """Rows that fail at once and hardly compress."""
    dice = random.Random(rows)
    return b"".join(b"foo%s\n" % dice.randbytes(40).hex().encode() for _ in range(rows))


def open_files() -> Iterator[str]:
    """What the descriptors of this process lead to."""
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the listing's own
            yield str(descriptor.readlink())


@pytest.mark.parametrize("coding", ["", "identity", "gzip", "x-gzip", "GZIP"])
@pytest.mark.parametrize("packed", [False, True], ids=["text", "gzip-file"])
async def test_the_body_is_the_manifest(served: Served, coding: str, packed: bool) -> None:
    """As text or as a gzip file, sent as it is or with a content coding: the same rows.

    The hash is of the manifest: the coding is the journey's, a gzip file is the manifest's own.
    """
    manifest = gzip.compress(ROWS) if packed else ROWS
    sent = gzip.compress(manifest) if "gzip" in coding.lower() else manifest
    headers = {"Content-Encoding": coding} if coding else {}

    answer = await served.upload(sent, headers=headers, params={"ordered": "true"})

    assert [record["id"] for record in answer.records()] == ["a", "b"]
    assert answer.lines()[0]["manifest"] == "upload"
    assert answer.summary()["manifest_sha256"] == hashlib.sha256(manifest).hexdigest()


async def test_a_gzip_of_several_members_is_read_to_its_end(served: Served) -> None:
    """`cat a.gz b.gz` is a gzip file too: no row behind the first member is lost."""
    members = gzip.compress(b"a\tfoo\n") + gzip.compress(b"b\tfoo\n")

    for headers in ({}, {"Content-Encoding": "gzip"}):
        assert len((await served.upload(members, headers=headers)).records()) == 2


@pytest.mark.parametrize("body", [b"\n\n", b"id\turl\n"], ids=["blank", "header"])
async def test_an_empty_manifest_has_no_rows(served: Served, body: bytes) -> None:
    """No row is a complete answer with no record."""
    answer = await served.upload(body)

    assert answer.records() == []
    assert answer.summary()["complete"] is True


@pytest.mark.parametrize("coding", ["", "gzip", "zstd"])
@pytest.mark.parametrize("kind", list(MANIFEST_TYPES))
async def test_without_a_byte_data_is_not_provided(served: Served, kind: str, coding: str) -> None:
    """A body that is empty, or inflates to nothing, is not an empty manifest but none."""
    packed = {"": b"", "gzip": gzip.compress(b""), "zstd": zstandard.compress(b"")}
    headers = {"Content-Type": kind, **({"Content-Encoding": coding} if coding else {})}

    for body in (b"", packed[coding]):
        told = (await served.upload(body, headers=headers)).problem(422)
        assert told["error"] == "Data is not provided"


def parquet_of(*names: str) -> bytes:
    """A Parquet file with these ids and a note."""
    sink = pa.BufferOutputStream()
    columns = {"id": names, "url": ["foo"] * len(names), "note": ["x"] * len(names)}
    pq.write_table(pa.table(columns), sink)
    written: bytes = sink.getvalue().to_pybytes()
    return written


JSON_LINES = b'{"id":"a","url":"foo","note":"x"}\n{"id":"b","url":"foo","note":"x"}'
MANIFESTS = {
    "text/tab-separated-values": b"id\turl\tnote\na\tfoo\tx\nb\tfoo\tx\n",
    "text/csv": b'id,url,note\na,foo,"x"\nb,foo,x\n',
    "application/x-ndjson": JSON_LINES,
    "application/ndjson": JSON_LINES,
    "application/jsonl": JSON_LINES,
    "application/vnd.apache.parquet": parquet_of("a", "b"),
}


@pytest.mark.parametrize("coding", ["", "zstd"])
@pytest.mark.parametrize("kind", list(MANIFEST_TYPES))
async def test_every_kind_of_manifest_is_taken(served: Served, kind: str, coding: str) -> None:
    """By its content type, compressed on the way or not; other columns come back where asked."""
    manifest = MANIFESTS[kind]
    sent = zstandard.compress(manifest) if coding else manifest
    headers = {"Content-Type": f"{kind}; charset=utf-8"}
    if coding:
        headers["Content-Encoding"] = coding

    answer = await served.upload(sent, headers=headers, params={"ordered": "1", "extra": "1"})

    assert [(record["id"], record["extra"]) for record in answer.records()] == [
        ("a", {"note": "x"}),
        ("b", {"note": "x"}),
    ]
    assert answer.lines()[0]["options"]["extra"] is True
    assert answer.summary()["manifest_sha256"] == hashlib.sha256(manifest).hexdigest()
    plain = await served.upload(sent, headers=headers)
    assert [record.get("extra") for record in plain.records()] == [None, None]


async def test_parquet_without_its_extra_is_refused(
    served: Served, data_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """415 for a body, 422 for a file; both say what to install."""
    monkeypatch.setattr(kinds, "find_spec", lambda _: None)
    headers = {"Content-Type": "application/vnd.apache.parquet"}
    (data_root / "a.parquet").write_bytes(body := parquet_of("a"))

    for answer, status, field in (
        (await served.upload(body, headers=headers), 415, "Content-Type"),
        (await served.ask(json={"filepath": "a.parquet"}), 422, "filepath"),
    ):
        told = answer.problem(status)
        assert "imagecensus[parquet]" in told["error"]
        assert told["errors"][0]["field"] == field


async def test_a_broken_parquet_body_ends_incomplete(served: Served) -> None:
    """The service lives, and says why there is no row."""
    headers = {"Content-Type": "application/vnd.apache.parquet"}

    answer = await served.upload(parquet_of("a")[:-20], headers=headers)

    assert answer.records() == []
    assert answer.summary()["complete"] is False
    assert answer.summary()["reason"].startswith("failed: cannot read the Parquet")


async def test_options_of_a_manifest_stand_in_the_query(served: Served, host: PictureHost) -> None:
    """`?limit=1` does what `"limit": 1` does; a limited run does not know the hash of all."""
    answer = await served.upload(
        f"{host}/a\n{host}/b\n".encode(), params={"limit": "1", "timeout": "2.5"}
    )

    assert len(answer.records()) == 1
    assert answer.lines()[0]["options"]["timeout"] == 2.5
    assert answer.summary()["complete"] is True
    assert answer.summary()["manifest_sha256"] is None


async def test_rows_start_while_the_rest_is_still_to_come(
    served: Served, host: PictureHost
) -> None:
    """The first row is answered before the second was sent."""
    async with served.talk() as talk:
        await talk.ask(body=None, Content_Type=KIND)
        for name in ("a", "b", "c"):
            await talk.chunk(f"{name}\t{host}/{name}\n".encode())
            if name == "a":
                assert (await talk.head())[0] == 200
                assert (await talk.line())["type"] == "start"
            assert (await talk.line())["id"] == name
        await talk.chunk(b"")
        assert (await talk.line())["complete"] is True


async def test_a_client_that_asks_before_it_sends_is_told_to_go_on(served: Served) -> None:
    """`Expect: 100-continue`, as curl sends it with a large file."""
    async with served.talk() as talk:
        await talk.ask(length=len(ROWS), Content_Type=KIND, Expect="100-continue")
        assert (await talk.head())[0] == 100
        talk.writer.write(ROWS)
        assert (await talk.head())[0] == 200


async def test_a_limit_lets_the_upload_end(served: Served, host: PictureHost) -> None:
    """The answer is whole before the body is, and the connection serves on after both."""
    async with served.talk() as talk:
        await talk.ask(f"{INFO}?limit=1", body=None, Content_Type=KIND)
        await talk.chunk(f"{host}/a\n".encode())
        assert (await talk.head())[0] == 200
        lines = [await talk.line() for _ in range(3)]
        assert lines[-1]["complete"] is True
        for _ in range(50):
            await talk.chunk(noise(1000))
        await talk.chunk(b"")
        await talk.ask(body=b"{}", Content_Type="application/json")
        await talk.until(b"0\r\n\r\n")  # the end of the first answer
        (await talk.answer()).problem(422)


async def test_another_coding_is_refused(served: Served) -> None:
    """415 names it."""
    for coding in ("br", "deflate", "gzip, gzip", "zstd, gzip"):
        answer = await served.upload(ROWS, headers={"Content-Encoding": coding})
        assert repr(coding) in answer.problem(415)["error"]


@pytest.mark.parametrize(
    "body",
    [
        gzip.compress(ROWS)[:-1],
        gzip.compress(ROWS)[:10],
        gzip.compress(ROWS)[:12] + b"\xff" * 40,
        gzip.compress(ROWS)[:-8] + bytes(8),
        ROWS,
        b"\x1f",
    ],
    ids=["cut", "head-only", "damaged", "checksum", "text", "one-byte"],
)
async def test_a_body_that_is_not_the_gzip_it_says_is_refused(served: Served, body: bytes) -> None:
    """Also where it only ends too early: rows must not be lost without a word."""
    answer = await served.upload(body, headers={"Content-Encoding": "gzip"})

    assert "gzip" in answer.problem(400)["error"]


@pytest.mark.parametrize("coding", ["identity", "gzip"])
async def test_gzip_that_breaks_in_a_long_upload_ends_it_incomplete(
    served: Served, host: PictureHost, coding: str
) -> None:
    """The answer has begun by then: its records stand, and the summary says why it ends."""
    packed = gzip.compress(f"first\t{host}/a\n".encode() + noise(20_000))
    async with served.talk() as talk:
        await talk.ask(body=None, Content_Type=KIND, Content_Encoding=coding)
        await talk.chunk(packed[:200_000])
        assert (await talk.head())[0] == 200
        assert (await talk.line())["type"] == "start"
        assert (await talk.line())["type"] == "image"
        await talk.chunk(b"\xff" * 200_000)
        await talk.chunk(b"")
        while (line := await talk.line())["type"] == "image":
            pass
        assert line["type"] == "summary"
        assert line["complete"] is False
        assert re.match("failed: .* gzip .*after [0-9]+ inflated bytes", line["reason"])
        assert line["rows"] > 1


async def test_a_manifest_announced_as_too_large_is_refused_unread(serve: Serve) -> None:
    """413 from the head of the request alone."""
    served = await serve(max_body_bytes=1000)
    async with served.talk() as talk:
        await talk.ask(length=1001, Content_Type=KIND)
        assert "1000 bytes" in (await talk.answer()).problem(413)["error"]
    assert len((await served.upload(b"foo://x\n" * 125)).records()) == 125


async def test_a_small_body_that_inflates_too_large_is_refused(serve: Serve) -> None:
    """A gzip bomb costs neither memory nor disk beyond the cap."""
    served = await serve(max_body_bytes=100_000)
    lines = b"\n" * 50_000_000

    for coding, bomb in (("gzip", gzip.compress(lines)), ("zstd", zstandard.compress(lines))):
        answer = await served.upload(bomb, headers={"Content-Encoding": coding})
        assert "100000 bytes" in answer.problem(413)["error"]

        answer = await served.upload(bomb)  # a compressed file: found out only while it is read
        assert answer.summary()["complete"] is False
        assert "100000 bytes" in answer.summary()["reason"]


@pytest.mark.parametrize(
    "body",
    [zstandard.compress(ROWS)[:-1], ROWS, b"\x28\xb5", b"\x28\xb5\x2f\xfdx"],
    ids=["cut", "text", "two-bytes", "head-only"],
)
async def test_a_body_that_is_not_the_zstd_it_says_is_refused(served: Served, body: bytes) -> None:
    """As with gzip: 400, and no row is lost without a word."""
    answer = await served.upload(body, headers={"Content-Encoding": "zstd"})

    assert "zstd" in answer.problem(400)["error"]


async def test_uploads_share_a_room(serve: Serve, picture_host: PictureHost) -> None:
    """507 when it is used up; what a stream held is free again when it ends."""
    served = await serve(max_spool_bytes=1000)
    first = f"{picture_host}/silent/\n".encode()
    async with served.talk() as talk:
        await talk.ask(body=first, Content_Type=KIND)
        assert (await talk.head())[0] == 200
        answer = await served.upload(b"foo://x\n" * 125)
        assert "used up" in answer.problem(507)["error"]
    await served.at_rest()
    assert len((await served.upload(b"foo://x\n" * 125)).records()) == 125


async def test_an_upload_that_never_begins_is_given_up(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """408: nothing was answered yet."""
    monkeypatch.setattr(bodies, "STALLED_SECONDS", 0.2)
    async with served.talk() as talk:
        await talk.ask(length=100, Content_Type=KIND)
        assert "0.2 seconds" in (await talk.answer()).problem(408)["error"]


async def test_an_upload_that_stalls_ends_incomplete(
    served: Served, host: PictureHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What came is answered, and the summary says that no more did."""
    monkeypatch.setattr(bodies, "STALLED_SECONDS", 0.3)
    async with served.talk() as talk:
        await talk.ask(body=f"a\t{host}/a\nb\t{host}".encode(), length=1000, Content_Type=KIND)
        assert (await talk.head())[0] == 200
        lines = [await talk.line() for _ in range(3)]
    assert [line["type"] for line in lines] == ["start", "image", "summary"]
    assert lines[-1]["complete"] is False
    assert lines[-1]["reason"] == "failed: no byte came for 0.3 seconds"
    assert lines[-1]["manifest_sha256"] is None


async def drip(talk: Talk) -> None:
    """A byte every now and then, as long as anybody takes it."""
    with suppress(ConnectionError, RuntimeError):  # the loop's own word for a closed transport
        while True:
            await talk.chunk(b"x")
            await asyncio.sleep(0.01)


async def test_an_upload_that_trickles_is_given_up(
    served: Served, host: PictureHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It never stalls, and it would hold its place for days."""
    monkeypatch.setattr(bodies, "SLOWEST", bodies.Pace(1000, 0.2))
    async with served.talk() as talk:
        await talk.ask(body=None, Content_Type=KIND)
        await talk.chunk(f"a\t{host}/a\n".encode() + noise(10))
        assert (await talk.head())[0] == 200
        dripping = asyncio.create_task(drip(talk))
        while (line := await talk.line())["type"] != "summary":
            pass
        dripping.cancel()
        await asyncio.gather(dripping, return_exceptions=True)
    assert line["complete"] is False
    assert re.fullmatch("failed: only [0-9]+ bytes came in .* seconds of waiting", line["reason"])


async def test_an_upload_may_take_its_time(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as something comes: a row now and then is enough, and so is the end."""
    monkeypatch.setattr(bodies, "SLOWEST", bodies.Pace(1, 0.02))
    async with served.talk() as talk:
        await talk.ask(body=None, Content_Type=KIND)
        for _ in range(4):
            await talk.chunk(b"ftp://example.org/a-picture\n")
            await asyncio.sleep(0.03)
        await talk.chunk(b"")
        lines = [await talk.line() for _ in range(6)]
    assert lines[-1]["complete"] is True


async def test_behind_the_last_row_an_upload_must_hurry(
    served: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With its answer whole it may be sent to its end, unspooled, but not drip on for ever."""
    monkeypatch.setattr(bodies, "HURRIED", bodies.Pace(1000, 0.1))
    server = served.runner.server
    assert server is not None
    monkeypatch.setitem(server._kwargs, "lingering_time", 0.05)
    async with served.talk() as talk:
        await talk.ask(f"{INFO}?limit=1", body=None, Content_Type=KIND)
        await talk.chunk(b"foo\n")
        assert (await talk.head())[0] == 200
        assert [(await talk.line())["type"] for _ in range(3)] == ["start", "image", "summary"]
        monkeypatch.setattr(Spool, "write", None)  # nobody reads what would be written
        await talk.chunk(noise(1000))
        dripping = asyncio.create_task(drip(talk))
        assert await talk.until(b"0\r\n\r\n") == b"\r\n0\r\n\r\n"
        with suppress(ConnectionError):  # closed over bytes that were not read
            assert await talk.rest() == b""
        dripping.cancel()
        await asyncio.gather(dripping, return_exceptions=True)
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_a_spool_has_no_name(served: Served, host: PictureHost, data_root: Path) -> None:
    """While an upload is open there is no file to find; its descriptor goes with the stream."""
    spools = data_root / ".uploads"

    def held() -> int:
        return sum(opened.startswith(str(spools)) for opened in open_files())

    async with served.talk() as talk:
        await talk.ask(body=f"{host}/silent/\n".encode(), Content_Type=KIND)
        assert (await talk.head())[0] == 200
        assert list(spools.iterdir()) == []
        assert held() == 1
    await wait_until(lambda: held() == 0)


async def test_a_client_that_vanishes_while_it_sends_leaves_nothing(
    served: Served, host: PictureHost
) -> None:
    """Cut off in a row: no upload, no stream and no download is left of it."""
    before = asyncio.all_tasks()
    async with served.talk() as talk:
        await talk.ask(body=None, Content_Type=KIND)
        await talk.chunk(f"a\t{host}/silent/\n".encode() + noise(5000) + b"half a row")
        assert (await talk.head())[0] == 200
        await wait_until(lambda: host.counts()["in_flight"] == 1)
        talk.vanish()
    await served.at_rest()
    await wait_until(lambda: host.counts()["in_flight"] == 0)
    await wait_until(lambda: asyncio.all_tasks() <= before)
