"""Rows in, records out: the whole flow against a real picture host and a real pool."""

from __future__ import annotations

import asyncio
import hashlib
import io
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from pathlib import Path

import pytest
from PIL import Image

from imaging.facts import ErrorCode, Failure, ImageInfo
from tests.asserts import wait_until
from tests.picture_hosts import PictureHost
from tests.workers.fetch.downloading import resolving
from workers.engine import Engine, open_engine
from workers.errors import ManifestError
from workers.fetch import retries
from workers.flow import WINDOW_PER_CONNECTION, Flow
from workers.manifest.files import FileSource
from workers.manifest.objects import inline_rows
from workers.manifest.reading import read_rows
from workers.manifest.rows import Row
from workers.options import Depth, InfoOptions
from workers.pipeline import inspect_rows
from workers.pool.supervisor import PoolClosedError
from workers.records import Record
from workers.settings import WorkSettings

SettingsOf = Callable[..., WorkSettings]

SMALL = "by-name/made-0012-grey.jpg"


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits between attempts, a hundred times shorter."""
    monkeypatch.setattr(retries, "_FIRST_WAIT", 0.005)


@pytest.fixture
def host(picture_host: PictureHost) -> PictureHost:
    """The picture host, having forgotten the tests before."""
    picture_host.reset()
    return picture_host


@pytest.fixture
async def engine(settings_of: SettingsOf) -> AsyncIterator[Engine]:
    """Everything rows need; nothing of it may be in use at the end."""
    names = resolving({})
    async with open_engine(settings_of(max_image_bytes="4MiB"), resolver=names) as engine:
        yield engine
        check_idle(engine)


def check_idle(engine: Engine) -> None:
    """No task fetches, no byte is held, no host is waited for."""
    budget = engine.downloads._budget
    assert budget.free == budget.size
    assert engine.turns.busy == 0
    assert not engine.turns._lanes
    assert not engine.turns._parked
    assert not any(host.busy or host.lines for host in engine.turns._hosts._known.values())


class Rows:
    """Rows of a list of URLs (or problems), counting how many were asked for."""

    def __init__(self, *urls: str | None, error: Exception | None = None) -> None:
        self.urls = urls
        self.error = error
        self.read = 0
        self.closed = False

    async def __call__(self) -> AsyncGenerator[Row, None]:
        try:
            for index, url in enumerate(self.urls):
                self.read += 1
                problem = Failure(ErrorCode.BAD_ROW, "of the test") if url is None else None
                yield Row(index, f"id-{index}", url, problem=problem)
            if self.error is not None:
                raise self.error
        finally:
            self.closed = True


async def inspect(
    engine: Engine, rows: AsyncIterator[Row], options: InfoOptions | None = None
) -> list[Record]:
    """All records of a run."""
    async with inspect_rows(engine, rows, options or InfoOptions()) as inspection:
        return [record async for batch in inspection.batches(idle=5) for record in batch]


async def collect(inspection: Flow[Record], into: list[Record]) -> None:
    async for batch in inspection.batches(idle=5):
        into += batch


def infos(records: list[Record]) -> list[ImageInfo]:
    assert all(isinstance(record.outcome, ImageInfo) for record in records), records
    return [record.outcome for record in records if isinstance(record.outcome, ImageInfo)]


async def test_every_row_has_one_record(engine: Engine, host: PictureHost) -> None:
    """Good ones, bad ones of every stage, the same URL twice: all of them once."""
    urls = [
        f"{host}/{SMALL}",
        f"{host}/{SMALL}",
        None,
        "foo",
        "ftp://h/x",
        "",
        f"{host}/status/404/x",
        "http://10.0.0.1/",
        "http://gone.example/",
        f"{host}/html/x",
        f"{host}/flaky/1/{SMALL}",
    ]
    records = await inspect(engine, Rows(*urls)())
    records.sort(key=lambda record: record.index)
    assert [record.index for record in records] == list(range(len(urls)))
    assert [record.id for record in records] == [f"id-{n}" for n in range(len(urls))]
    assert [record.url for record in records] == urls
    codes = [getattr(record.outcome, "code", None) for record in records]
    assert codes == [
        None,
        None,
        ErrorCode.BAD_ROW,
        ErrorCode.BAD_URL,
        ErrorCode.BAD_SCHEME,
        ErrorCode.BAD_URL,
        ErrorCode.HTTP_STATUS,
        ErrorCode.BLOCKED_ADDRESS,
        ErrorCode.DNS_NOT_FOUND,
        ErrorCode.NOT_AN_IMAGE,
        None,
    ]
    fetched = [record.fetch is not None for record in records]
    assert fetched == [True, True, False, False, False, False, True, True, True, True, True]
    assert all(record.line() for record in records)


@pytest.mark.parametrize("ordered", [True, False])
async def test_order(engine: Engine, host: PictureHost, ordered: bool) -> None:
    """As they finish, or as the manifest has them: slow rows first here."""
    urls = [f"{host}/slow/{(n % 5) * 30}/{SMALL}?{n}" if n % 7 else None for n in range(60)]
    rows = Rows(*urls)
    records = await inspect(engine, rows(), InfoOptions(ordered=ordered))
    indexes = [record.index for record in records]
    assert sorted(indexes) == list(range(60))
    assert (indexes == sorted(indexes)) is ordered
    assert rows.closed


@pytest.mark.parametrize("options", [InfoOptions(), InfoOptions(ordered=True)])
async def test_no_rows(engine: Engine, options: InfoOptions) -> None:
    """The end comes at once."""
    async with asyncio.timeout(30):
        assert await inspect(engine, Rows()(), options) == []


async def test_password_is_in_no_record(engine: Engine, host: PictureHost) -> None:
    """Not of good rows, not of bad ones."""
    urls = [
        f"http://user:secret@127.0.0.1:{host.port}/{SMALL}",
        f"http://user:secret@127.0.0.1:{host.port}/status/404/x",
        "http://user:secret@10.0.0.1/",
        "http://user:secret@h℀st/",
        "http:/user:secret@h/",
        "ftp://user:secret@h/",
        "http://user:secret@gone.example/",
        f"{host}/redirect-to?url=http://10.0.0.1/",
    ]
    records = await inspect(engine, Rows(*urls)())
    assert len(records) == len(urls)
    assert all(b"secret" not in record.line() for record in records)
    assert all(b"secret" not in record.keyed() for record in records)


@pytest.mark.parametrize("bad", [True, False])
@pytest.mark.parametrize("ordered", [True, False])
async def test_reader_that_stops_stops_the_reading(
    settings_of: SettingsOf, host: PictureHost, bad: bool, ordered: bool
) -> None:
    """Never more rows are read than the window holds, whether they are fetched or not."""
    window = WINDOW_PER_CONNECTION * 2
    rows = Rows(*[None if bad else f"{host}/{SMALL}?{n}" for n in range(10 * window)])
    async with open_engine(settings_of(max_connections=2)) as engine:
        async with inspect_rows(engine, rows(), InfoOptions(ordered=ordered)) as inspection:
            await wait_until(lambda: rows.read == window)
            await wait_until(lambda: len(inspection._outbox._out) == window)
            assert rows.read == window
            taken = 0
            async for batch in inspection.batches(idle=5):
                taken += len(batch)
                assert rows.read <= taken + window
                await asyncio.sleep(0)
            assert taken == 10 * window
        check_idle(engine)


async def test_error_of_the_manifest_comes_behind_the_last_record(
    engine: Engine, host: PictureHost
) -> None:
    """Rows that were read have their records first, also slow ones."""
    rows = Rows(f"{host}/slow/200/{SMALL}", None, error=ManifestError("cut in the middle"))
    records: list[Record] = []
    async with inspect_rows(engine, rows(), InfoOptions()) as inspection:
        with pytest.raises(ManifestError, match="cut in the middle"):
            await collect(inspection, records)
    assert sorted(record.index for record in records) == [0, 1]


async def test_stop_cancels_what_has_begun(engine: Engine, host: PictureHost) -> None:
    """Those under way are `cancelled` records, those that wait have none, and the end comes."""
    per_host = engine.settings.max_connections_per_host
    connections = min(per_host, engine.settings.max_connections)
    urls = [f"{host}/{SMALL}", f"{host}/status/404/x", None]
    urls += [f"{host}/silent/{n}" for n in range(3 * connections)]
    records: list[Record] = []
    async with inspect_rows(engine, Rows(*urls)(), InfoOptions()) as inspection:
        collecting = asyncio.create_task(collect(inspection, records))
        await wait_until(lambda: len(records) == 3)
        await wait_until(lambda: len(inspection._lane.under_way) == connections)
        await inspection.stop()
        async with asyncio.timeout(30):
            await collecting
        cancelled = [
            record
            for record in records
            if isinstance(record.outcome, Failure) and record.outcome.code is ErrorCode.CANCELLED
        ]
        assert len(cancelled) == connections
        assert len(records) == 3 + connections
        assert len({record.index for record in records}) == len(records)
        assert all(record.fetch is not None for record in cancelled)


async def test_stop_in_order_keeps_the_order(engine: Engine, host: PictureHost) -> None:
    """Records that waited for a turn that will not come are given, in order."""
    urls = [f"{host}/silent/x", *[f"{host}/{SMALL}?{n}" for n in range(5)]]
    records: list[Record] = []
    async with inspect_rows(engine, Rows(*urls)(), InfoOptions(ordered=True)) as inspection:
        collecting = asyncio.create_task(collect(inspection, records))
        await wait_until(lambda: len(inspection._outbox._early) == 5)
        assert records == []
        await inspection.stop()
        async with asyncio.timeout(30):
            await collecting
    assert [record.index for record in records] == list(range(6))
    assert isinstance(records[0].outcome, Failure)


@pytest.mark.parametrize("depth", list(Depth))
async def test_stop_before_anything_began(engine: Engine, host: PictureHost, depth: Depth) -> None:
    """At any moment: no row has two records, and nothing is left."""
    for turns in range(12):
        records: list[Record] = []
        rows = Rows(*[f"{host}/{SMALL}?{n}" for n in range(20)])
        async with inspect_rows(engine, rows(), InfoOptions(depth=depth)) as inspection:
            collecting = asyncio.create_task(collect(inspection, records))
            for _ in range(turns * turns):
                await asyncio.sleep(0)
            await inspection.stop()
            await inspection.stop()
            async with asyncio.timeout(30):
                await collecting
        assert len({record.index for record in records}) == len(records)
        check_idle(engine)


@pytest.mark.parametrize("depth", list(Depth))
async def test_leaving_early_leaves_no_task(
    engine: Engine, host: PictureHost, depth: Depth
) -> None:
    """A lost client: whatever was under way is gone, the engine serves the next one."""
    await asyncio.sleep(0)
    before = asyncio.all_tasks()
    for pause in (0.0, 0.01, 0.05):
        rows = Rows(*[f"{host}/slow/{n % 3 * 20}/{SMALL}?{n}" for n in range(200)])
        async with inspect_rows(engine, rows(), InfoOptions(depth=depth)) as inspection:
            async for batch in inspection.batches(idle=max(pause, 0.001)):
                if batch or not pause:
                    break
        await wait_until(lambda: engine.turns.busy == 0)
        check_idle(engine)
        await wait_until(lambda: asyncio.all_tasks() <= before)
    assert len(infos(await inspect(engine, Rows(f"{host}/{SMALL}")()))) == 1
    await wait_until(lambda: host.counts()["in_flight"] == 0)


async def test_two_streams_at_once(engine: Engine, host: PictureHost) -> None:
    """Each gets its own records, all of them."""
    one = Rows(*[f"{host}/{SMALL}?one={n}" for n in range(100)])
    two = Rows(*[f"{host}/{SMALL}?two={n}" for n in range(100)])
    first, second = await asyncio.gather(
        inspect(engine, one()), inspect(engine, two(), InfoOptions(depth=Depth.FULL))
    )
    assert {record.url for record in first} == set(one.urls)
    assert {record.url for record in second} == set(two.urls)
    assert all(info.sha256 is None for info in infos(first))
    assert all(info.sha256 is not None for info in infos(second))


async def test_timeout_of_the_request(engine: Engine, host: PictureHost) -> None:
    """A client's own patience stands in for the setting."""
    options = InfoOptions(timeout=0.3)
    [record] = await inspect(engine, Rows(f"{host}/silent/x")(), options)
    assert isinstance(record.outcome, Failure)
    assert record.outcome.code is ErrorCode.TIMEOUT
    assert record.fetch is not None
    assert record.fetch.attempts == 1


async def test_full_depth_tells_what_the_file_says(engine: Engine, host: PictureHost) -> None:
    """Every made picture: the facts of header depth and those of its pixels; thumbnails too."""
    names = sorted({host.ask(f"/x/{n}")[0]["x-picture"] for n in range(300)})
    urls = [f"{host}/by-name/{name}" for name in names]
    options = InfoOptions(depth=Depth.FULL, thumbnail=32, ordered=True)
    full = await inspect(engine, Rows(*urls)(), options)
    shallow = infos(await inspect(engine, Rows(*urls)(), InfoOptions(ordered=True)))
    for name, record, deep, header in zip(names, full, infos(full), shallow, strict=True):
        data = host.body(f"/by-name/{name}")
        assert deep.sha256 == hashlib.sha256(data).hexdigest()
        assert deep.image_size == header.image_size == len(data)
        assert deep.image_dimension == header.image_dimension
        assert deep.image_format == header.image_format
        with Image.open(io.BytesIO(data)) as image:
            assert deep.image_dimension == image.size
            assert deep.frames == getattr(image, "n_frames", 1)
        assert record.thumbnail is not None
        assert record.thumbnail.startswith("data:image/webp;base64,")


async def test_full_depth_of_what_is_no_picture(engine: Engine, host: PictureHost) -> None:
    """Failures of fetching and of decoding, each with its code, among good ones."""
    urls = [
        f"{host}/html/x",
        f"{host}/empty/x",
        f"{host}/status/410/x",
        f"{host}/truncated/{SMALL}",
        f"{host}/{SMALL}",
    ]
    records = await inspect(engine, Rows(*urls)(), InfoOptions(depth=Depth.FULL, ordered=True))
    assert [getattr(record.outcome, "code", None) for record in records] == [
        ErrorCode.NOT_AN_IMAGE,
        ErrorCode.EMPTY_BODY,
        ErrorCode.HTTP_STATUS,
        ErrorCode.TRUNCATED_BODY,
        None,
    ]


async def test_rows_whose_chunk_is_not_decoded_have_records(
    engine: Engine, host: PictureHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When no process starts, say: each row is told so, none is lost, the stream ends."""

    async def fails(*_: object, **__: object) -> list[object]:
        raise RuntimeError("no child process of the pool starts")

    monkeypatch.setattr("workers.pool.slot.Slot.run", fails)
    rows = Rows(*[f"{host}/{SMALL}?{n}" for n in range(30)])
    async with asyncio.timeout(20):
        records = await inspect(engine, rows(), InfoOptions(depth=Depth.FULL))
    assert {getattr(record.outcome, "code", None) for record in records} == {ErrorCode.INTERNAL}
    assert len(records) == 30


async def test_file_from_end_to_end(engine: Engine, host: PictureHost) -> None:
    """A manifest on disk, a limit, a hash at the end."""
    root = Path(engine.settings.data_root)
    text = "id\turl\n" + "".join(f"{n}\t{host}/{SMALL}?{n}\n" for n in range(50)) + "broken\n"
    (root / "images.tsv").write_text(text)
    source = FileSource(root, "images.tsv", max_bytes=1 << 30)
    records = await inspect(engine, read_rows(source), InfoOptions(ordered=True))
    assert [record.id for record in records] == [*map(str, range(50)), "broken"]
    assert isinstance(records[-1].outcome, Failure)
    assert source.sha256 == hashlib.sha256(text.encode()).hexdigest()
    source.close()


async def test_inline_rows_end_to_end(engine: Engine, host: PictureHost) -> None:
    """Rows of a JSON body, lone surrogates and all."""

    async def rows() -> AsyncIterator[Row]:
        for row in inline_rows(
            [{"id": "\ud800", "url": f"{host}/{SMALL}"}, {"url": "http://\ud800"}]
        ):
            yield row

    records = await inspect(engine, rows(), InfoOptions(ordered=True))
    assert [record.id for record in records] == ["\ud800", "1"]
    assert all(record.line().isascii() for record in records)


async def test_two_runs_give_the_same_lines(engine: Engine, host: PictureHost) -> None:
    """Apart from `fetch`; whether a host knows ranges or not decides nothing."""
    paths = [f"picture/{n}" for n in range(40)]
    runs = []
    for manner in ("", "no-range/", "", "chunked/"):
        rows = Rows(*[f"{host}/{manner}{path}" for path in paths])
        runs.append(infos(await inspect(engine, rows(), InfoOptions(ordered=True))))
    assert runs[0] == runs[1] == runs[2] == runs[3]


@pytest.mark.parametrize("url", ["https://[]@", "http://[$]@", "http://[]+@?"])
async def test_url_that_breaks_the_parser_costs_its_own_row(
    engine: Engine, host: PictureHost, url: str
) -> None:
    """What the URL library raises is the row's failure; the rows behind it are read."""
    records = await inspect(engine, Rows(url, f"{host}/{SMALL}")())
    records.sort(key=lambda record: record.index)
    assert [getattr(record.outcome, "code", None) for record in records] == [
        ErrorCode.BAD_URL,
        None,
    ]


async def test_impatient_client_does_not_silence_a_host(engine: Engine, host: PictureHost) -> None:
    """Rows that were given less than the host needs say nothing of the host."""
    slow = f"{host}/slow/3000/{SMALL}"
    many = Rows(*[f"{slow}?n={n}" for n in range(12)])
    short = await inspect(engine, many(), InfoOptions(timeout=0.15))
    assert {getattr(record.outcome, "code", None) for record in short} == {ErrorCode.TIMEOUT}
    infos(await inspect(engine, Rows(slow)()))


async def test_stream_whose_pool_is_closed_ends_with_an_error(
    engine: Engine, host: PictureHost
) -> None:
    """A task of the stream that fails ends it: it does not wait for ever."""
    await engine.pool._close()
    with pytest.raises(PoolClosedError):
        await inspect(engine, Rows(f"{host}/{SMALL}")(), InfoOptions(depth=Depth.FULL))


async def test_stop_behind_the_last_record_cuts_nothing(engine: Engine, host: PictureHost) -> None:
    """Only the reader was late: the run is as whole as if it had not been stopped."""
    async with inspect_rows(engine, Rows(f"{host}/{SMALL}", None)(), InfoOptions()) as inspection:
        await wait_until(lambda: inspection._outbox.whole)
        assert not await inspection.stop()
        records: list[Record] = []
        await collect(inspection, records)
    assert len(records) == 2
