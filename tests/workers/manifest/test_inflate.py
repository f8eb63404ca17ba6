"""gzip, told by its first bytes: whole, in members, cut short, damaged, or a bomb."""

from __future__ import annotations

import gzip
import io
import random
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workers.manifest.cutting import blocks_of
from workers.errors import ManifestError, ManifestTooLarge
from workers.manifest.inflate import Inflater

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
    """What does not begin as gzip does is not touched, one byte of the magic included."""
    if not data.startswith(b"\x1f\x8b"):
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
