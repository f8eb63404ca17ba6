"""Manifests on the web: read as they come, continued where they were cut, never taken for whole."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
from collections.abc import Callable
from typing import Any

import pandas as pd
import psutil
import pytest
import zstandard

from tests.asserts import wait_until
from tests.workers.fetch.downloading import resolving
from tests.workers.fetch.raw_hosts import RawHost, answering, head
from tests.workers.manifest.elsewhere import Shelf, lines, trusted
from workers.errors import ManifestAway, ManifestError, ManifestNotFound, ManifestTooLarge
from workers.fetch import retries
from workers.manifest import web
from workers.manifest.opening import NamedSource, open_source
from workers.manifest.reading import read_rows
from workers.manifest.rows import Resume, Row
from workers.settings import WorkSettings

SettingsOf = Callable[..., WorkSettings]
#: More than is read at once.
TEXT = lines(40_000)
TAG = {"ETag": '"v1"'}
OTHER = {"ETag": '"v2"'}


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses fifty times shorter."""
    monkeypatch.setattr(retries, "_FIRST_WAIT", 0.01)


async def read(source: NamedSource, **asked: Any) -> list[Row]:
    """All rows of it."""
    return [row async for row in read_rows(source, **asked)]


async def outcome(source: NamedSource, **asked: Any) -> tuple[int, str]:
    """How many rows come before the error that must end them, and that."""
    count = 0
    try:
        async for _ in read_rows(source, **asked):
            count += 1
    except ManifestError as error:
        return count, str(error)
    raise AssertionError("it was read to its end")


def ranges(host: RawHost) -> list[str]:
    """What was asked for, request by request."""
    found = []
    for asked in host.asked:
        fields = dict(line.split(": ", 1) for line in asked.decode().split("\r\n")[1:-2])
        found.append(f"{fields.get('Range', '')} {fields.get('If-Range', '')}".strip())
    return found


@pytest.mark.parametrize(
    ("name", "pack"),
    [("images.tsv", bytes), ("images.tsv.gz", gzip.compress), ("list", zstandard.compress)],
)
async def test_it_is_read_as_a_file_is(
    settings: WorkSettings, name: str, pack: Callable[[bytes], bytes]
) -> None:
    """With one question, which its name, hash, size and version are of."""
    data = pack(TEXT)
    async with (
        answering(Shelf(data, **TAG)) as host,
        open_source(settings, f"{host.url}/{name}?sig=secret", anywhere=True) as source,
    ):
        assert (source.name, source.size) == (f"{host.url}/{name}", len(data))
        assert (source.stamp, source.plain) == (f'"v1":{len(data)}', None)
        rows = await read(source)
        assert [row.url for row in rows] == [f"http://h/{n}" for n in range(40_000)]
        assert source.sha256 == hashlib.sha256(data).hexdigest()
        assert source.plain is (pack is bytes)
        assert await source.whole_sha256() == source.sha256
        assert len(host.asked) == 1
        assert b"GET /" + name.encode() + b"?sig=secret HTTP/1.1" in host.asked[0]
        assert b"Accept-Encoding: identity" in host.asked[0]


async def test_what_is_cut_is_read_on(settings: WorkSettings) -> None:
    """By Range from the byte that is missing, of the same version only; nothing is read twice."""
    shelf = Shelf(TEXT, cuts=[10_000, 0, 300_001], **TAG)
    async with (
        answering(shelf) as host,
        open_source(settings, host.url, anywhere=True) as source,
    ):
        rows = await read(source)
        assert [row.id for row in rows] == [str(n) for n in range(40_000)]
        assert source.sha256 == hashlib.sha256(TEXT).hexdigest()
        cut = 'bytes=10000- "v1"'
        assert ranges(host) == ["", cut, cut, f'bytes={310_001}- "v1"']


async def test_a_host_may_give_less_than_was_asked_for(settings: WorkSettings) -> None:
    """The rest is asked for, as what was cut is: the length of the whole is known."""
    async with (
        answering(Shelf(TEXT, cuts=[10_000], most=300_000, **TAG)) as host,
        open_source(settings, host.url, anywhere=True) as source,
    ):
        assert len(await read(source)) == 40_000
        assert len(host.asked) == 2 + len(TEXT) // 300_000


async def test_a_date_tells_versions_too(settings: WorkSettings) -> None:
    """Where there is no tag, or a weak one, which If-Range may not carry."""
    date = "Sat, 28 Nov 2026 10:00:00 GMT"
    for fields in ({}, {"ETag": 'W/"v1"'}):
        shelf = Shelf(TEXT, cuts=[10_000], Last_Modified=date, **fields)
        async with (
            answering(shelf) as host,
            open_source(settings, host.url, anywhere=True) as source,
        ):
            assert len(await read(source)) == 40_000
            assert ranges(host)[1] == f"bytes=10000- {date}"


async def test_bodies_in_chunks_are_read_on(settings: WorkSettings) -> None:
    """A length that is not told is known once the first range was answered."""
    shelf = Shelf(TEXT, cuts=[10_000], sized=False, **TAG)
    async with (
        answering(shelf) as host,
        open_source(settings, host.url, anywhere=True) as source,
    ):
        assert (source.size, source.stamp) == (None, '"v1":')
        assert len(await read(source)) == 40_000
        assert source.size == len(TEXT)
        assert len(host.asked) == 2


@pytest.mark.parametrize(
    ("second", "said"),
    [
        (Shelf(TEXT, **OTHER), "changed while it was read"),
        (Shelf(TEXT + b"x", **TAG), "changed while it was read"),
        (Shelf(TEXT[:5000], **TAG), "changed while it was read: it became shorter"),
        (Shelf(TEXT, ranges=False, **TAG), "does not read on in the middle"),
        (head("206 Partial", Content_Range="bytes 5-6/7"), "does not read on in the middle"),
        (head("404 Not Found"), "is gone after 10000 bytes"),
        (head("403 Forbidden"), "cut after 10000 bytes: 403 Forbidden"),
        (head("503 Busy", Retry_After="3600"), "cut after 10000 bytes: 503 Busy"),
        (b"", "cut after 10000 bytes"),
    ],
)
async def test_what_cannot_be_read_on_is_never_whole(
    settings: WorkSettings, second: Shelf | bytes, said: str
) -> None:
    """The rows before are given, then why; there is no hash."""
    first = Shelf(TEXT, cuts=[10_000], **TAG)
    said_so = second if callable(second) else lambda _: second
    async with (
        answering(first, said_so) as host,
        open_source(settings, host.url, anywhere=True) as source,
    ):
        count, told = await outcome(source)
        assert count == TEXT[:10_000].count(b"\n")
        assert said in told
        assert source.sha256 is None
        # The library asks once more by itself where a host hangs up.
        assert len(host.asked) <= 2 + 2 * web.TRIES


async def test_what_tells_no_version_is_not_read_on(settings: WorkSettings) -> None:
    """Nobody could say that it is the same."""
    async with (
        answering(Shelf(TEXT, cuts=[10_000])) as host,
        open_source(settings, host.url, anywhere=True) as source,
    ):
        assert source.stamp is None
        assert "its host tells no version of it" in (await outcome(source))[1]


async def test_a_host_that_falls_silent_is_asked_again(settings_of: SettingsOf) -> None:
    """After the time of `READ_TIMEOUT` without a byte."""
    shelf = Shelf(TEXT, cuts=[10_000], **TAG)
    async with (
        answering(shelf, None, shelf, stays=True) as host,
        open_source(
            settings_of(connect_timeout=0.2, read_timeout=0.2), host.url, anywhere=True
        ) as source,
    ):
        assert len(await read(source)) == 40_000
        assert ranges(host)[1:] == ['bytes=10000- "v1"'] * 2


@pytest.mark.parametrize("packed", [False, True])
async def test_reading_on_behind_a_row(settings: WorkSettings, packed: bool) -> None:
    """A plain one is asked for from there; what is compressed is read from its start."""
    data = gzip.compress(TEXT) if packed else TEXT
    async with answering(Shelf(data, **TAG)) as host:
        async with open_source(settings, f"{host.url}/a.tsv", anywhere=True) as source:
            rows = await read(source)
        host.asked.clear()
        async with open_source(settings, f"{host.url}/a.tsv", anywhere=True) as source:
            after = Resume(30_000, rows[29_999].end)
            assert await read(source, after=after) == rows[30_000:]
            assert source.sha256 == (hashlib.sha256(data).hexdigest() if packed else None)
            whole = await source.whole_sha256()
        assert whole == hashlib.sha256(data).hexdigest()
        jump = f'bytes={rows[29_999].end - 1}- "v1"'
        assert ranges(host) == (["", ""] if packed else ["", "", jump, ""])


async def test_a_host_without_ranges_is_read_forward(settings: WorkSettings) -> None:
    """What was read before is passed over."""
    async with (
        answering(Shelf(TEXT, ranges=False, **TAG)) as host,
        open_source(settings, host.url, anywhere=True) as source,
    ):
        end = len(lines(30_000))
        rows = await read(source, after=Resume(30_000, end))
        assert [row.index for row in rows] == list(range(30_000, 40_000))
        assert len(host.asked) == 3


async def test_a_manifest_that_became_shorter_is_not_read_on(settings: WorkSettings) -> None:
    """Its end is before the place."""
    async with (
        answering(Shelf(lines(20_000), **TAG)) as host,
        open_source(settings, host.url, anywhere=True) as source,
    ):
        _, told = await outcome(source, after=Resume(30_000, len(lines(30_000))))
        assert "became shorter" in told


async def test_parquet_comes_to_the_disk_first(settings_of: SettingsOf) -> None:
    """Also where its name does not say so; within the bound, and gone afterwards."""
    file = io.BytesIO()
    pd.DataFrame({"url": [f"http://h/{n}" for n in range(3000)]}).to_parquet(file)
    data = file.getvalue()
    settings = settings_of()
    for name in ("a.parquet", "list"):
        async with (
            answering(Shelf(data, cuts=[100] if name == "list" else [], **TAG)) as host,
            open_source(settings, f"{host.url}/{name}", anywhere=True) as source,
        ):
            assert len(await read(source)) == 3000
            assert source.sha256 == hashlib.sha256(data).hexdigest()
    assert not list((settings.data_root / ".uploads").iterdir())
    async with (
        answering(Shelf(data, **TAG)) as host,
        open_source(
            settings_of(max_body_bytes=1000), f"{host.url}/a.parquet", anywhere=True
        ) as source,
    ):
        with pytest.raises(ManifestTooLarge, match="CENSUS_MAX_BODY_BYTES"):
            await read(source)


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (head("404 Not Found"), ManifestNotFound, "404 Not Found"),
        (head("403 Forbidden"), ManifestNotFound, "403 Forbidden"),
        (head("500 Oh"), ManifestAway, "500 Oh"),
        (head("503 Busy", Retry_After=3600), ManifestAway, "503 Busy"),
        (b"", ManifestAway, "the host closed it"),
        (b"NONSENSE\r\n\r\n", ManifestAway, "not valid HTTP"),
        (head("204 None"), ManifestError, "204"),
        (head("206 Part", Content_Range="bytes 0-1/2"), ManifestError, "206"),
        (head("200 OK", Content_Encoding="br", Content_Length=1), ManifestError, "br"),
        (head("302 Found", Location="/again"), ManifestNotFound, "more redirects"),
        (
            head("302 Found", Location="ftp://h/x?secret"),
            ManifestNotFound,
            "the redirect leads nowhere",
        ),
        (head("302 Found", Location="http://10.0.0.1/x"), ManifestNotFound, "not public"),
    ],
)
async def test_what_cannot_be_opened_says_why(
    settings_of: SettingsOf, answer: bytes, kind: type[ManifestError], said: str
) -> None:
    """Before any row; what is to be tried again later is told from what is not."""
    async with answering(answer) as host:
        url = f"{host.url}/a.tsv".replace("//", "//name:secret@")
        with pytest.raises(ManifestError) as caught:
            async with open_source(settings_of(retries=1), url, anywhere=True):
                pass
        assert type(caught.value) is kind
        assert said.lower() in str(caught.value).lower()
        assert f"{host.url}/a.tsv" in str(caught.value)
        assert "secret" not in str(caught.value)
        again = {b"": 4, head("500 Oh"): 2, head("302 Found", Location="/again"): 6}
        assert len(host.asked) == again.get(answer, 1)


async def test_the_guard_judges_every_address(settings_of: SettingsOf) -> None:
    """That of the URL, by number or by name, and nothing is dialled."""
    async with answering(Shelf(TEXT)) as host:
        names = resolving({"inside.example": ["127.0.0.1"]})
        for url in (host.url, f"http://inside.example:{host.port}/a.tsv"):
            with pytest.raises(ManifestNotFound, match="CENSUS_ALLOW_NETWORKS"):
                async with open_source(
                    settings_of(allow_networks=""), url, anywhere=True, resolver=names
                ):
                    pass
        assert host.dialled == 0


async def test_a_redirect_may_lead_elsewhere(settings_of: SettingsOf) -> None:
    """As stores of objects do it; each question begins anew, as where it leads may not last."""
    shelf = Shelf(TEXT, cuts=[10_000], **TAG)
    async with answering(shelf) as store:
        there = head("307 Temporary", Location=f"{store.url}/signed?once", Content_Length=0)
        async with answering(there) as host:
            settings = settings_of(manifest_urls=f"{host.url}/lists")
            async with open_source(settings, f"{host.url}/lists/a.tsv") as source:
                assert source.name == f"{host.url}/lists/a.tsv"
                assert len(await read(source)) == 40_000
            assert len(host.asked) == len(store.asked) == 2
            with pytest.raises(ManifestNotFound, match="CENSUS_MANIFEST_URLS"):
                async with open_source(settings, f"{store.url}/signed?once"):
                    pass
            assert ranges(store)[1] == ranges(host)[1] == 'bytes=10000- "v1"'


async def test_tls_is_kept(settings_of: SettingsOf) -> None:
    """A host over TLS is read, known by its certificate; no redirect leads down from there."""
    settings = settings_of(retries=0)
    with trusted("127.0.0.1") as tls:
        async with answering(Shelf(TEXT, **TAG), ssl=tls) as host:
            assert host.url.startswith("https://")
            async with open_source(settings, f"{host.url}/a.tsv", anywhere=True) as source:
                assert len(await read(source)) == 40_000
        async with answering(Shelf(TEXT)) as plain:
            down = head("302 Found", Location=f"{plain.url}/a.tsv", Content_Length=0)
            async with answering(down, ssl=tls) as host:
                with pytest.raises(ManifestNotFound, match="from https to http"):
                    async with open_source(settings, host.url, anywhere=True):
                        pass
            assert plain.dialled == 0
    with trusted("elsewhere.example") as tls:
        async with answering(Shelf(TEXT), ssl=tls) as host:
            with pytest.raises(ManifestAway, match=r"certificate|TLS"):
                async with open_source(settings, host.url, anywhere=True):
                    pass


async def test_a_reader_who_leaves_holds_nothing(settings: WorkSettings) -> None:
    """After a few rows, or before any: the connection is closed."""
    process = psutil.Process(os.getpid())
    async with answering(Shelf(TEXT * 20, **TAG), stays=True) as host:
        before = 0  # the first time round, what the loop needs is opened as well
        for _ in range(2):
            before = process.num_fds()
            async with open_source(settings, host.url, anywhere=True) as source:
                assert len(await read(source, limit=3)) == 3
                await wait_until(lambda: not host.open)
            async with open_source(settings, host.url, anywhere=True):
                assert host.open == 1
            await wait_until(lambda: not host.open)
        await wait_until(lambda: process.num_fds() <= before)
