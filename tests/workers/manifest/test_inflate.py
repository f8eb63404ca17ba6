"""gzip and zstd, told by their first bytes: whole, in parts, cut short, damaged, or a bomb."""

from __future__ import annotations

import gzip
import io
import random
import tracemalloc
import zlib

import pytest
import zstandard
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.workers.manifest.cutting import blocks_of
from workers.errors import ManifestError, ManifestTooLarge
from workers.manifest.gunzip import GZIP_MAGIC
from workers.manifest.inflate import Inflater
from workers.manifest.unzstd import MAX_WINDOW_BYTES, ZSTD_MAGICS

PLAIN = b"".join(b"%d\thttp://h/picture/%d\n" % (n, n * 7919 % 10007) for n in range(20_000))
PACKED = gzip.compress(PLAIN, 1)


def inflated(*blocks: bytes, max_bytes: int = 1 << 30) -> bytes:
    """Everything that comes out."""
    inflater = Inflater(max_bytes)
    pieces = [piece for block in blocks for piece in inflater.feed(block)]
    return b"".join(pieces) + b"".join(inflater.finish())


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=4), st.booleans(), st.data())
def test_members_and_cuts(parts: list[bytes], padded: bool, draw: st.DataObject) -> None:
    """Members one after the other, zeros between them or not, cut anywhere: the parts joined."""
    packed = (b"\0" * 5 * padded).join(gzip.compress(part, mtime=0) for part in parts)
    assert inflated(*draw.draw(blocks_of(packed))) == b"".join(parts)


@given(st.binary(max_size=40), st.data())
def test_plain_bytes_pass(data: bytes, draw: st.DataObject) -> None:
    """What does not begin as gzip or zstd does is not touched, one byte of the magic included."""
    assume(not data.startswith((GZIP_MAGIC, *ZSTD_MAGICS)))
    assert inflated(*draw.draw(blocks_of(data))) == data


def test_large_file_comes_in_small_pieces() -> None:
    """Also where one block inflates to much more than itself."""
    inflater = Inflater(1 << 30)
    pieces = [*inflater.feed(gzip.compress(bytes(5_000_000))), *inflater.finish()]
    assert sum(map(len, pieces)) == 5_000_000
    assert max(map(len, pieces)) <= 64 * 1024
    assert inflated(PACKED) == PLAIN


@pytest.mark.parametrize("step", [1, 2, 100])
def test_every_step_of_a_cut_is_told(step: int) -> None:
    """A file that ends in the middle is an error, wherever; the bytes before it came out."""
    packed = gzip.compress(PLAIN[:3000])
    for end in range(2, len(packed), step):
        inflater = Inflater(1 << 30)
        got = b"".join(inflater.feed(packed[:end]))
        with pytest.raises(ManifestError, match="ends in the middle"):
            got += b"".join(inflater.finish())
        assert PLAIN[:3000].startswith(got)


def test_a_cut_within_a_later_member_is_told() -> None:
    """The first member being whole does not make the file whole."""
    with pytest.raises(ManifestError, match="ends in the middle"):
        inflated(PACKED, PACKED[:-1])


def test_damage_is_a_manifest_error_and_nothing_else() -> None:
    """Bytes flipped anywhere, random bytes behind the magic: never another exception."""
    dice = random.Random(7)
    packed = gzip.compress(PLAIN[:3000])
    failed = 0
    for _ in range(500):
        broken = bytearray(packed)
        broken[dice.randrange(2, len(packed))] ^= 1 << dice.randrange(8)
        try:
            inflated(bytes(broken[:1000]), bytes(broken[1000:]))
        except ManifestError:
            failed += 1
    assert failed > 400  # the rest hit a field of the head that means nothing
    for size in range(200):
        with pytest.raises(ManifestError):
            inflated(b"\x1f\x8b" + dice.randbytes(size))


def test_garbage_behind_the_last_member_is_told() -> None:
    """It could be anything, rows included."""
    with pytest.raises(ManifestError, match="corrupt gzip after 5 inflated bytes"):
        inflated(gzip.compress(b"hello") + b"garbage")


@pytest.mark.parametrize("packed", [False, True])
def test_cap_counts_inflated_bytes(packed: bool) -> None:
    """The cap itself passes, one byte more does not."""
    data = bytes(100_000)
    body = gzip.compress(data) if packed else data
    assert len(inflated(body, max_bytes=100_000)) == 100_000
    with pytest.raises(ManifestTooLarge, match="99999"):
        inflated(body, max_bytes=99_999)


def test_a_bomb_is_stopped_at_the_cap() -> None:
    """64 MiB of zeros never come out: what does is at most the cap."""
    file = io.BytesIO()
    with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=1) as packing:
        for _ in range(64):
            packing.write(bytes(1 << 20))
    inflater = Inflater(1 << 20)
    came: list[int] = []
    with pytest.raises(ManifestTooLarge):
        came.extend(len(piece) for piece in inflater.feed(file.getvalue()))
    assert sum(came) <= 1 << 20


def test_stored_deflate_blocks_and_a_header_with_a_name() -> None:
    """All that gzip writes is read: a name, a comment, stored blocks."""
    raw = zlib.compressobj(0, zlib.DEFLATED, -15)
    body = raw.compress(PLAIN[:500]) + raw.flush()
    head = b"\x1f\x8b\x08\x18" + bytes(6) + b"images.tsv\0" + b"a comment\0"
    tail = zlib.crc32(PLAIN[:500]).to_bytes(4, "little") + (500).to_bytes(4, "little")
    assert inflated(head + body + tail) == PLAIN[:500]


def zstd(data: bytes, **chosen: int) -> bytes:
    """One frame, with a checksum."""
    known = zstandard.ZstdCompressionParameters(write_checksum=1, **chosen)
    return zstandard.ZstdCompressor(compression_params=known).compress(data)


SKIPPED = b"\x57\x2a\x4d\x18" + (9).to_bytes(4, "little") + b"passed by"


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=4), st.booleans(), st.data())
def test_frames_and_cuts(parts: list[bytes], skipped: bool, draw: st.DataObject) -> None:
    """Frames one after the other, such as are to be skipped between them, cut anywhere."""
    packed = b"".join(SKIPPED * skipped + zstd(part * 50) for part in parts)
    assert inflated(*draw.draw(blocks_of(packed))) == b"".join(part * 50 for part in parts)


def test_every_cut_of_a_zstd_is_told() -> None:
    """As for gzip: the bytes before came out, the end is an error."""
    packed = zstd(PLAIN[:3000]) + zstd(PLAIN[3000:6000])
    whole = len(zstd(PLAIN[:3000]))
    for end in range(4, len(packed)):
        if end == whole:
            continue
        inflater = Inflater(1 << 30)
        got = b"".join(inflater.feed(packed[:end]))
        with pytest.raises(ManifestError, match="ends in the middle"):
            got += b"".join(inflater.finish())
        assert PLAIN[:6000].startswith(got)


def test_damaged_zstd_is_a_manifest_error_and_nothing_else() -> None:
    """Bytes flipped anywhere, random bytes behind the magic: never another exception."""
    dice = random.Random(7)
    packed = zstd(PLAIN[:3000])
    failed = 0
    for _ in range(500):
        broken = bytearray(packed)
        broken[dice.randrange(4, len(packed))] ^= 1 << dice.randrange(8)
        try:
            assert inflated(bytes(broken)) == PLAIN[:3000]
        except ManifestError:
            failed += 1
    assert failed > 480  # the rest only hit the size of the window
    for size in range(200):
        with pytest.raises(ManifestError):
            inflated(packed[:4] + dice.randbytes(size))
    with pytest.raises(ManifestError, match="corrupt zstd after 3000 inflated bytes"):
        inflated(packed + b"garbage behind it")


def test_a_zstd_window_is_bounded() -> None:
    """What level 19 needs is given, what `--long` needs is told how to do without."""
    inside = zstandard.ZstdCompressionParameters(window_log=23)
    beyond = zstandard.ZstdCompressionParameters(window_log=27)
    assert MAX_WINDOW_BYTES == 1 << 23
    for known in (inside, beyond):
        packing = zstandard.ZstdCompressor(compression_params=known).compressobj()
        packed = packing.compress(b"x" * 100) + packing.flush()
        if known is inside:
            assert inflated(packed) == b"x" * 100
        else:
            with pytest.raises(ManifestError, match="window above 8 MiB"):
                inflated(packed)


def test_a_zstd_bomb_is_stopped_at_the_cap() -> None:
    """4 bytes may be a block of 128 KiB: pieces stay small, what comes out stays below the cap."""
    head = b"\x28\xb5\x2f\xfd\x00" + bytes([(17 - 10) << 3])
    block = ((128 * 1024 << 3) | (1 << 1)).to_bytes(3, "little") + b"\n"
    inflater = Inflater(32 << 20)
    came: list[int] = []
    tracemalloc.start()
    try:
        with pytest.raises(ManifestTooLarge):
            came.extend(len(piece) for piece in inflater.feed(head + block * 50_000))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert max(came) <= 64 * 1024
    assert sum(came) == 32 << 20
    assert peak < 64 << 20


@pytest.mark.parametrize("empty", [gzip.compress(b"", mtime=0), zstd(b""), SKIPPED])
def test_parts_without_content_give_others_their_turn(empty: bytes) -> None:
    """Hundreds of thousands of them are read; an empty piece now and then is the place to pause."""
    pieces = list(Inflater(1000).feed(empty * 20_000))
    assert b"".join(pieces) == b""
    assert len(pieces) >= 50


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_only_the_coding_that_was_announced_is_taken(coding: str) -> None:
    """The other one is refused, and so are plain bytes, one byte included."""
    packed = {"gzip": gzip.compress(b"x"), "zstd": zstd(b"x")}
    inflater = Inflater(100, coding=coding)
    assert b"".join([*inflater.feed(packed.pop(coding)), *inflater.finish()]) == b"x"
    for data in (*packed.values(), b"plain", b"\x1f", b"\x28"):
        inflater = Inflater(100, coding=coding)
        with pytest.raises(ManifestError, match=f"not {coding}"):
            _ = [*inflater.feed(data), *inflater.finish()]
    assert list(Inflater(100, coding=coding).finish()) == []
