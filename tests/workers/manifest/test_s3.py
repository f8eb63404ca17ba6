"""Manifests in S3, as a real client reads them from a store on the loopback."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import io
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pandas as pd
import pytest

from tests.asserts import wait_until
from tests.workers.fetch.raw_hosts import answering, head
from tests.workers.manifest.elsewhere import lines
from tests.workers.manifest.stores import Store, store_running
from workers.errors import ManifestAway, ManifestError, ManifestNotFound
from workers.manifest import s3
from workers.manifest.opening import NamedSource, open_source
from workers.manifest.reading import read_rows
from workers.manifest.rows import Resume, Row
from workers.settings import WorkSettings

TEXT = lines(20_000)


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    """One store for all of these."""
    with store_running() as store:
        yield store


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of a few, so that an object has several; pauses of nearly none."""
    monkeypatch.setattr(s3, "PART_BYTES", 100_000)
    monkeypatch.setattr(s3, "PAUSE_SECONDS", 0.01)


async def read(source: NamedSource, **asked: Any) -> list[Row]:
    """All rows of it."""
    return [row async for row in read_rows(source, **asked)]


@asynccontextmanager
async def opened(settings: WorkSettings, url: str) -> AsyncIterator[NamedSource]:
    """As the command line opens it."""
    async with open_source(settings, url, anywhere=True) as source:
        yield source


@pytest.mark.parametrize(
    ("key", "pack"), [("images.tsv", bytes), ("of today/ü%41.tsv.gz", gzip.compress)]
)
async def test_an_object_is_read_as_a_file_is(
    settings: WorkSettings, store: Store, small: None, key: str, pack: Callable[[bytes], bytes]
) -> None:
    """Part by part; its name, hash, size and version are told."""
    data = pack(TEXT)
    url = store.put(key, data)
    async with opened(settings, url) as source:
        assert (source.name, source.size) == (url, len(data))
        assert source.stamp == f'"{hashlib.md5(data).hexdigest()}":{len(data)}'  # noqa: S324
        rows = await read(source)
        assert [row.id for row in rows] == [str(n) for n in range(20_000)]
        assert source.sha256 == hashlib.sha256(data).hexdigest()
        assert source.plain is (pack is bytes)


async def test_reading_on_behind_a_row(settings: WorkSettings, store: Store, small: None) -> None:
    """From its offset; the hash of the whole is had by reading once more."""
    url = store.put("images.tsv", TEXT)
    async with opened(settings, url) as source:
        rows = await read(source)
    async with opened(settings, url) as source:
        after = Resume(15_000, rows[14_999].end)
        assert await read(source, after=after) == rows[15_000:]
        assert source.sha256 is None
        assert await source.whole_sha256() == hashlib.sha256(TEXT).hexdigest()
        beyond = Resume(20_000, len(TEXT) + 7)
        with pytest.raises(ManifestError, match="fewer than"):
            await read(source, after=beyond)


async def test_parquet(settings: WorkSettings, store: Store) -> None:
    """It comes to the disk first."""
    file = io.BytesIO()
    pd.DataFrame({"url": [f"http://h/{n}" for n in range(3000)]}).to_parquet(file)
    async with opened(settings, store.put("a.parquet", file.getvalue())) as source:
        rows = await read(source)
        assert await read(source, after=Resume(2990, 2990)) == rows[2990:]
        assert (len(rows), rows[2999].url) == (3000, "http://h/2999")


async def test_an_empty_object_has_no_rows(settings: WorkSettings, store: Store) -> None:
    """Nor anything to be asked for."""
    async with opened(settings, store.put("empty.tsv", b"")) as source:
        assert await read(source) == []
        assert source.sha256 == hashlib.sha256(b"").hexdigest()


@pytest.mark.parametrize("change", ["other", "gone"])
async def test_a_change_meanwhile_ends_it(
    settings: WorkSettings, store: Store, small: None, change: str
) -> None:
    """As soon as the next part is asked for, which is of the version that was opened or of none."""
    async with opened(settings, store.put("changing.tsv", TEXT)) as source:
        rows = read_rows(source)
        assert (await anext(rows)).id == "0"
        if change == "other":
            await asyncio.to_thread(store.put, "changing.tsv", TEXT[::-1])
        else:
            await asyncio.to_thread(store.remove, "changing.tsv")
        with pytest.raises(ManifestError, match=r"changed while|gone after 100000 bytes"):
            [row async for row in rows]
        assert source.sha256 is None


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("s3://lists/nothing.tsv", "no such key"),
        ("s3://elsewhere/images.tsv", "no bucket 'elsewhere'"),
        ("s3://lists", "names no key"),
        ("s3://lists/images.tsv?versionId=7", "without"),
    ],
)
async def test_what_is_not_there(settings: WorkSettings, store: Store, url: str, said: str) -> None:
    """Bucket or key, as far as it can be told."""
    with pytest.raises(ManifestNotFound, match=said):
        async with opened(settings, url):
            pass


async def test_only_prefixes_are_open_to_clients(
    settings_of: Callable[..., WorkSettings], store: Store
) -> None:
    """By bucket and key."""
    settings = settings_of(manifest_urls="s3://lists/open")
    store.put("open/images.tsv", TEXT)
    store.put("images.tsv", TEXT)
    async with open_source(settings, "s3://lists/open/images.tsv") as source:
        assert len(await read(source, limit=5)) == 5
    with pytest.raises(ManifestNotFound, match="CENSUS_MANIFEST_URLS"):
        async with open_source(settings, "s3://lists/images.tsv"):
            pass


@pytest.mark.parametrize(
    ("status", "kind", "said"),
    [
        ("403 Forbidden", ManifestNotFound, "403"),
        ("400 Bad Request", ManifestNotFound, "400"),
        ("503 Slow Down", ManifestAway, "503"),
    ],
)
async def test_what_the_store_refuses(
    settings: WorkSettings,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    status: str,
    kind: type[ManifestError],
    said: str,
) -> None:
    """Its status, and neither its address nor who we are."""
    async with answering(head(status, Content_Length=0)) as host:
        monkeypatch.setenv("AWS_ENDPOINT_URL", host.url)
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        with pytest.raises(ManifestError, match=said) as caught:
            async with opened(settings, "s3://lists/images.tsv"):
                pass
    assert type(caught.value) is kind
    assert not any(secret in str(caught.value) for secret in ("of-the-test", "127.0.0.1"))


async def test_no_credentials(
    settings: WorkSettings, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says what to set."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(ManifestAway, match="AWS_ACCESS_KEY_ID"):
        async with opened(settings, "s3://lists/images.tsv"):
            pass


async def test_a_silent_store_is_left_at_once(
    settings: WorkSettings, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is cancelled waits for nothing, and no thread goes on."""
    async with answering(None) as host:
        monkeypatch.setenv("AWS_ENDPOINT_URL", host.url)

        async def opening() -> None:
            async with opened(settings, "s3://lists/images.tsv"):
                pass

        before = threading.active_count()
        task = asyncio.create_task(opening())
        await wait_until(lambda: host.asked)
        task.cancel()
        async with asyncio.timeout(30):
            with pytest.raises(asyncio.CancelledError):
                await task
        await wait_until(lambda: not host.open)
        assert threading.active_count() <= before + 1  # the one that loaded the library rests


async def test_without_the_extra(settings: WorkSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what to install."""
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(ManifestError, match=r"pip install 'imagecensus\[s3\]'"):
        async with opened(settings, "s3://lists/images.tsv"):
            pass
