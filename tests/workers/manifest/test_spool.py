"""Uploads: written as fast as they come, read behind the writer, gone without a trace."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import psutil
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.asserts import wait_until
from workers.errors import ManifestError, ManifestTooLarge
from workers.manifest.gunzip import GZIP_MAGIC
from workers.manifest.reading import read_rows
from workers.manifest.spool import Spool, SpoolFull, SpoolRoom
from workers.manifest.unzstd import ZSTD_MAGICS

MANY = 1 << 30


@pytest.fixture
def room(tmp_path: Path) -> SpoolRoom:
    """Room for a thousand bytes."""
    return SpoolRoom(tmp_path, 1000)


@pytest.fixture
def wide(tmp_path: Path) -> SpoolRoom:
    """Room for anything."""
    return SpoolRoom(tmp_path, MANY)


def free(room: SpoolRoom) -> int:
    """How many bytes *room* gives, tried out."""
    low, high = 0, MANY + 1
    while high - low > 1:
        middle = (low + high) // 2
        try:
            room.take(middle)
        except SpoolFull:
            high = middle
        else:
            room.give(middle)
            low = middle
    return low


async def read(spool: Spool) -> bytes:
    """Everything the reader gets."""
    return b"".join([block async for block in spool.blocks()])


async def test_reader_keeps_behind_the_writer(wide: SpoolRoom) -> None:
    """What was written comes out before the next byte is there; waiting costs nothing."""
    spool = Spool(wide, max_bytes=MANY)
    blocks = spool.blocks()
    for piece in (b"1\thttp://h/a\n", b"2\thttp:", b"//h/b\n"):
        await spool.write(piece)
        async with asyncio.timeout(30):
            assert await anext(blocks) == piece
    assert spool.sha256 is None
    waiting = asyncio.ensure_future(anext(blocks, b"end"))
    await asyncio.sleep(0)
    assert not waiting.done()
    spool.finish()
    async with asyncio.timeout(30):
        assert await waiting == b"end"
    whole = b"1\thttp://h/a\n2\thttp://h/b\n"
    assert spool.sha256 == hashlib.sha256(whole).hexdigest()
    spool.close()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(min_size=1, max_size=300_000), max_size=6), st.booleans())
def test_what_is_written_is_read(tmp_path: Path, pieces: list[bytes], packed: bool) -> None:
    """Writer and reader at once, plain or gzip: the same bytes in the same order."""
    whole = b"".join(pieces)
    if packed:
        pieces = [gzip.compress(piece) for piece in pieces]
    assume(packed or not whole.startswith((GZIP_MAGIC, *ZSTD_MAGICS)))

    async def both() -> bytes:
        spool = Spool(SpoolRoom(tmp_path, MANY), max_bytes=MANY)

        async def write() -> None:
            for piece in pieces:
                await spool.write(piece)
            spool.finish()

        try:
            got, _ = await asyncio.gather(read(spool), write())
        finally:
            spool.close()
        return got

    assert asyncio.run(both()) == whole


async def test_error_comes_behind_what_did(wide: SpoolRoom) -> None:
    """A failed upload gives its rows first; there is no hash of half a file."""
    spool = Spool(wide, max_bytes=MANY)
    await spool.write(b"1\thttp://h/a\n2\tht")
    spool.fail(ManifestError("the client left"))
    rows = read_rows(spool)
    assert (await anext(rows)).id == "1"
    with pytest.raises(ManifestError, match="the client left"):
        await anext(rows)
    assert spool.sha256 is None
    spool.close()


async def test_a_reader_that_waits_gets_the_error(wide: SpoolRoom) -> None:
    """It is woken, not left waiting."""
    spool = Spool(wide, max_bytes=MANY)
    reading = asyncio.create_task(read(spool))
    await asyncio.sleep(0)
    spool.fail(ManifestError("stalled"))
    async with asyncio.timeout(30):
        with pytest.raises(ManifestError, match="stalled"):
            await reading
    spool.close()


@pytest.mark.parametrize("damage", [b"", b"garbage behind the end"])
async def test_gzip_that_ends_early_or_late(wide: SpoolRoom, damage: bytes) -> None:
    """Told at the end, as for a file."""
    spool = Spool(wide, max_bytes=MANY)
    await spool.write(gzip.compress(b"1\thttp://h/a\n"))
    await spool.write(damage or gzip.compress(b"x")[:-3])
    spool.finish()
    rows = read_rows(spool)
    assert (await anext(rows)).id == "1"
    with pytest.raises(ManifestError, match="gzip"):
        await anext(rows)
    spool.close()


async def test_bytes_as_sent_and_as_inflated_are_capped(wide: SpoolRoom) -> None:
    """The writer is stopped by what comes, the reader by what comes out."""
    spool = Spool(wide, max_bytes=1000)
    await spool.write(bytes(1000))
    with pytest.raises(ManifestTooLarge):
        await spool.write(b"x")
    spool.close()
    bomb = Spool(wide, max_bytes=1000)
    await bomb.write(gzip.compress(bytes(1001)))
    bomb.finish()
    with pytest.raises(ManifestTooLarge):
        await read(bomb)
    bomb.close()
    assert free(wide) == MANY


async def test_spools_share_their_room(room: SpoolRoom) -> None:
    """What one holds another cannot have; closing hands it back."""
    one, two = Spool(room, max_bytes=MANY), Spool(room, max_bytes=MANY)
    await one.write(bytes(600))
    with pytest.raises(SpoolFull):
        await two.write(bytes(401))
    await two.write(bytes(400))
    assert free(room) == 0
    one.close()
    assert free(room) == 600
    two.close()
    two.close()
    assert free(room) == 1000


async def test_cancelled_write_leaks_neither_room_nor_descriptor(
    room: SpoolRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that leaves while a slow disk writes: the file stays open until the thread is done.

    Otherwise the thread would write to whatever got the number of the closed file.
    """
    go, met = threading.Event(), threading.Event()
    written: list[int] = []

    def slow_disk(number: int, data: memoryview, position: int) -> int:
        met.set()
        assert go.wait(5)
        written.append(os.fstat(number).st_nlink)
        return len(data)

    monkeypatch.setattr(os, "pwrite", slow_disk)
    before = psutil.Process().num_fds()
    spool = Spool(room, max_bytes=MANY)
    writing = asyncio.create_task(spool.write(bytes(700)))
    await wait_until(met.is_set)
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    spool.close()
    assert free(room) == 1000
    go.set()
    await wait_until(lambda: psutil.Process().num_fds() == before)
    assert written == [0]


async def test_no_file_has_a_name(wide: SpoolRoom) -> None:
    """So nothing is left behind, however the process ends."""
    spool = Spool(wide, max_bytes=MANY)
    await spool.write(bytes(100_000))
    assert list(wide.folder.iterdir()) == []
    before = psutil.Process().num_fds()
    spool.close()
    assert psutil.Process().num_fds() == before - 1


async def test_folder_that_takes_no_file(tmp_path: Path) -> None:
    """No place for uploads is told as such, before a byte was read."""
    (tmp_path / ".uploads").write_text("a file")
    with pytest.raises(SpoolFull, match="cannot spool"):
        Spool(SpoolRoom(tmp_path, MANY), max_bytes=MANY)


async def test_disk_that_fails_is_no_full_disk(
    wide: SpoolRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of the device is another one than no room."""

    def broken(*_: object) -> int:
        raise OSError(5, "Input/output error")

    spool = Spool(wide, max_bytes=MANY)
    monkeypatch.setattr(os, "pwrite", broken)
    with pytest.raises(ManifestError, match="Input/output error") as caught:
        await spool.write(b"x")
    assert not isinstance(caught.value, SpoolFull)
    spool.close()
    assert free(wide) == MANY


FULL = """
    import asyncio, resource, signal, sys
    from pathlib import Path
    from workers.manifest.spool import Spool, SpoolFull, SpoolRoom

    async def main():
        room = SpoolRoom(Path(sys.argv[1]), 1 << 30)
        spool = Spool(room, max_bytes=1 << 30)
        await spool.write(bytes(60_000))
        try:
            await spool.write(bytes(60_000))
        except SpoolFull as full:
            spool.fail(full)
        read = 0
        try:
            async for block in spool.blocks():
                read += len(block)
        except SpoolFull as full:
            print(read, full)
        spool.close()
        room.take(1 << 30)

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    asyncio.run(main())
"""


def test_full_disk_is_told_behind_what_was_written(tmp_path: Path) -> None:
    """The system refuses a write: the rows before it are read, the room is handed back."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FULL), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    assert done.stdout == "60000 cannot spool the upload: File too large\n"
