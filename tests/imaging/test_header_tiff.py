"""TIFF and BigTIFF: directories anywhere, odd tags, pages that go round, and hostile ones."""

from __future__ import annotations

import io
import itertools
import random
import struct
import time
import warnings

import pytest
from PIL import Image, TiffImagePlugin

from imaging.facts import ErrorCode, Failure, ImageInfo
from imaging.header import Need, count_frames, inspect
from imaging.header.tiff_modes import Layout, mode_of
from tests.imaging.serving import agreeing, served
from tests.imaging.test_header_agreement import told_by_pillow
from tests.samples import SAMPLES, XMP, family
from tests.tiff_files import LONG, LONG8, SHORT, plain, tiff

GREY = [bytes(range(20))]


def told(data: bytes) -> ImageInfo:
    info = inspect(data, total=len(data))
    assert isinstance(info, ImageInfo), info
    return info


def code(data: bytes) -> ErrorCode:
    answer = inspect(data, total=len(data))
    assert isinstance(answer, Failure), answer
    return answer.code


def test_modes_are_those_of_pillows_table() -> None:
    """Every combination of tags gives Pillow's mode, and none where Pillow has none."""
    extras: tuple[tuple[int, ...], ...] = (
        (),
        (0,),
        (1,),
        (2,),
        (999,),
        (0, 0),
        (1, 0),
        (2, 0),
        (0, 1),
    )
    extras += ((0, 0, 0), (1, 0, 0), (2, 0, 0))
    kinds = [(sample,) for sample in range(1, 5)]
    found = 0
    for prefix, photometric, kind, fill, depth, count, extra in itertools.product(
        (b"II", b"MM"), range(10), kinds, (1, 2, 3), (1, 2, 4, 8, 12, 16, 32), range(1, 7), extras
    ):
        bits = (depth,) * count
        key = prefix, photometric, kind, fill, bits, extra
        expected = TiffImagePlugin.OPEN_INFO.get(key, (None,))[0]
        layout = Layout(prefix == b"II", 1, photometric, 1, fill, count, bits, extra, kind)
        assert mode_of(layout) == expected, key
        found += expected is not None
    assert found == len(TiffImagePlugin.OPEN_INFO)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("tail", [False, True])
@pytest.mark.parametrize("values_first", [False, True])
@pytest.mark.parametrize("big", [False, True])
def test_directory_is_found_wherever_it_stands(
    order: str, tail: bool, values_first: bool, big: bool
) -> None:
    """Whole or by ranges the same; of a big-endian BigTIFF Pillow knows nothing, we the size."""
    data = tiff(
        plain(40, 30, (8,) * 6, 2, {338: (SHORT, [2, 0, 0]), 305: (2, b"a writer of files")}),
        [bytes(40 * 30 * 6)],
        order=order,
        big=big,
        tail=tail,
        values_first=values_first,
    )
    if big and order == ">":
        assert told(data) == ImageInfo("TIFF", (40, 30), None, 1, False, len(data))
    else:
        assert told(data) == told_by_pillow(data)
        assert told(data).image_mode == "RGBA"
    for first in (8, 16, 100, 4000):
        assert served(data, first) == told(data)
        unsized = served(data, first, total=False)
        assert isinstance(unsized, ImageInfo)
        assert unsized._replace(image_size=len(data)) == told(data)


def test_values_behind_the_reader_are_not_worth_the_size() -> None:
    """A body that streams past cannot go back: the Need says what is told without them."""
    data = tiff(
        plain(40, 30, (8,) * 6, 2, {338: (SHORT, [2, 0, 0])}),
        [bytes(40 * 30 * 6)],
        tail=True,
        values_first=True,
    )
    start = data.rindex(struct.pack("<HHL", 256, LONG, 1)) - 2
    need = inspect(data[:64], total=len(data), more=[(start, data[start:])])
    assert isinstance(need, Need)
    assert need.offset < start
    assert need.otherwise == told(data)._replace(image_mode=None)


def test_tail_directory_takes_one_more_range() -> None:
    """What libtiff writes: the directory at the end and its values right behind it."""
    data = SAMPLES["tiff-large"]
    need = inspect(data[:16384], total=len(data))
    assert isinstance(need, Need)
    assert need.offset > 16384
    more = [(need.offset, data[need.offset : need.offset + 16384])]
    assert inspect(data[:16384], total=len(data), more=more) == told(data)


def test_sides_beyond_the_reader_are_not_left_out() -> None:
    """A TIFF whose sides are not told may be damaged: a Need for them tells nothing without."""
    sides = {256: (LONG8, [0]), 257: (LONG8, [29])}
    data = tiff(plain(1, 1, more=sides), GREY, tail=True, values_first=True)
    start = data.rindex(struct.pack("<HHL", 256, LONG8, 1)) - 2
    need = inspect(data[:16], total=len(data), more=[(start, data[start:])])
    assert isinstance(need, Need)
    assert need.otherwise is None
    assert code(data) is ErrorCode.CORRUPT_IMAGE


@pytest.mark.parametrize("turn", range(1, 9))
def test_dimension_is_upright_as_pillow_has_it(turn: int) -> None:
    """Unlike other formats: Pillow turns a TIFF while it opens it."""
    info = told(SAMPLES[f"tiff-orientation-{turn}"])
    assert (info.orientation, info.image_dimension) == (turn, (43, 61) if turn > 4 else (61, 43))


def test_orientation_in_xmp_beyond_the_head_is_not_told() -> None:
    """It is not worth a range of its own."""
    tags = plain(5, 4, more={700: (1, XMP % 6)})
    data = tiff(tags, [bytes(5000), bytes(20)], tail=True)
    page = int.from_bytes(data[4:8], "little")
    head = inspect(data[:64], total=len(data), more=[(page, data[page : page + 160])])
    assert isinstance(head, ImageInfo)
    assert (head.orientation, told(data).orientation) == (None, 6)


@pytest.mark.parametrize(
    ("tags", "mode"),
    [
        ({256: (SHORT, [5]), 257: (SHORT, [4]), 258: (SHORT, [8]), 262: (SHORT, [1])}, "L"),
        (plain(5, 4, more={284: (2, b"2\0")}), "L"),
        (plain(5, 4, more={339: (SHORT, [1, 1, 1])}), "L"),
        (plain(5, 4, more={262: (SHORT, [1, 1])}), "L"),
        (plain(5, 4, more={258: (SHORT, [8] * 500)}), "L"),
        (plain(5, 4, more={258: (5, struct.pack("<LL", 16, 2))}), "L"),
        (plain(5, 4, more={274: (5, struct.pack("<LL", 6, 1))}), "L"),
        (plain(5, 4, more={277: (LONG, [1 << 20])}), None),
        (plain(5, 4, more={259: (SHORT, [77])}), None),
        (plain(5, 4, more={258: (SHORT, [64])}), None),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_odd_tags_are_read_as_pillow_reads_them(
    tags: dict[int, tuple[int, list[int]]], mode: str | None
) -> None:
    """Tags absent, of several values or another type; of an unknown kind the size is told."""
    data = tiff(tags, GREY)
    info = told(data)
    assert info.image_mode == mode
    if mode:
        assert info == told_by_pillow(data)
    else:
        assert info.image_dimension == (5, 4)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"II*\0\0\0\0\0" + bytes(40), ErrorCode.CORRUPT_IMAGE),
        (b"II*\0\x08\0\0\0" + bytes(40), ErrorCode.CORRUPT_IMAGE),
        (b"II*\0\xff\xff\0\0" + bytes(40), ErrorCode.TRUNCATED_IMAGE),
        (b"II*\0\x08\0\0\0\x09\0" + bytes(12), ErrorCode.TRUNCATED_IMAGE),
        (b"II*\0\x08", ErrorCode.TRUNCATED_IMAGE),
        (b"II+\0\x08\0\0\0" + b"\xff" * 8, ErrorCode.TRUNCATED_IMAGE),
        (b"II*\0\x08\0\0\0\xff\xff" + bytes(12 * 70_000), ErrorCode.CORRUPT_IMAGE),
        (tiff(plain(0, 4), GREY), ErrorCode.CORRUPT_IMAGE),
        (tiff(plain(5, 1 << 31), GREY), ErrorCode.CORRUPT_IMAGE),
        (tiff({**plain(5, 4), 256: (1, [5])}, GREY), ErrorCode.CORRUPT_IMAGE),
        (tiff({**plain(5, 4), 256: (LONG8, [1 << 40])}, GREY, big=True), ErrorCode.CORRUPT_IMAGE),
    ],
)
def test_nonsense_is_named(data: bytes, expected: ErrorCode) -> None:
    """No directory, no size, or an end too early."""
    assert code(data) is expected


def test_size_is_told_of_a_picture_larger_than_may_be_decoded() -> None:
    """Header depth knows no limit."""
    assert told(tiff(plain(60_000, 60_000), GREY)).image_dimension == (60_000, 60_000)


def chained(*following: int) -> bytes:
    """Pages of 22 bytes each behind the header; each tells which one follows, -1 is none."""
    entry = struct.pack("<HHLL", 256, LONG, 1, 5), struct.pack("<HHLL", 257, LONG, 1, 4)
    pages = b"".join(
        struct.pack("<H", 2)
        + b"".join(entry)
        + struct.pack("<L", 8 + 30 * page if page >= 0 else 0)
        for page in following
    )
    return b"II*\0\x08\0\0\0" + pages


@pytest.mark.parametrize(
    ("following", "frames"),
    [((-1,), 1), ((0,), 1), ((1, -1), 2), ((1, 0), 2), ((1, 2, 1), 3), ((2, -1, 1), 3)],
)
def test_pages_are_counted_once_however_they_are_chained(
    following: tuple[int, ...], frames: int
) -> None:
    """A page that leads back ends the count; animated says whether there is a second one."""
    data = chained(*following)
    assert count_frames(data) == frames
    assert told(data).animated is (frames > 1)


def test_pages_beyond_the_limit_are_not_counted() -> None:
    """A bound on the count makes it None, not a lie."""
    assert count_frames(chained(*range(1, 50), -1), limit=49) is None
    assert count_frames(chained(*range(1, 50), -1), limit=50) == 50


def hostile() -> dict[str, bytes]:
    """Files that make a reader work."""
    many = b"".join(struct.pack("<HHLL", 1000 + n, SHORT, 1, 0) for n in range(8190))
    size = struct.pack("<HHLL", 256, LONG, 1, 5) + struct.pack("<HHLL", 257, LONG, 1, 4)
    return {
        "entries": b"II*\0\x08\0\0\0" + struct.pack("<H", 8192) + size + many + bytes(4),
        "counts": tiff(plain(5, 4, more={258: (SHORT, [8] * 60_000)}), GREY),
        "big counts": b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, 1 << 63) + bytes(200_000),
    }


@pytest.mark.parametrize("name", ["entries", "counts", "big counts"])
def test_walk_is_quick_whatever_the_bytes(name: str) -> None:
    """The event loop waits for it: milliseconds at the very worst (a watchdog, no measure)."""
    data = hostile()[name]
    start = time.process_time()
    inspect(data, total=len(data))
    assert time.process_time() - start < 0.1


@pytest.mark.parametrize("seed", range(3))
def test_mutated_directories_are_told_as_pillow_tells_them(seed: int) -> None:
    """Bytes changed where the tags stand: every fact is Pillow's or None, by ranges as whole."""
    chance = random.Random(seed)
    pool = [data for _, data in sorted(family("TIFF").items()) if len(data) < 20_000]
    opened = settled = 0
    for _ in range(500):
        damaged = bytearray(chance.choice(pool))
        wide = damaged[2] == 0x2B
        order = "little" if damaged[:1] == b"I" else "big"
        page = int.from_bytes(damaged[8:16] if wide else damaged[4:8], order)  # type: ignore[arg-type]
        for _ in range(chance.randint(1, 3)):
            at = min(page + chance.randrange(200), len(damaged) - 1)
            damaged[at] = chance.choice((chance.randrange(256), chance.randrange(20), 0, 255))
        data = bytes(damaged)
        answer = inspect(data, total=len(data))
        assert not isinstance(answer, Need)
        by_ranges = served(data, 64, least=512)
        assert type(by_ranges) is type(answer)
        if isinstance(answer, ImageInfo) and isinstance(by_ranges, ImageInfo):
            assert agreeing(by_ranges, answer)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                with Image.open(io.BytesIO(data), formats=("TIFF",)) as image:
                    moving, mode = image.is_animated, image.mode  # type: ignore[attr-defined]
                    pillow = ImageInfo("TIFF", image.size, mode, None, moving, len(data))
        except Exception:  # noqa: S112 - whatever Pillow raises
            continue
        opened += 1
        assert isinstance(answer, ImageInfo), (pillow, answer)
        assert agreeing(answer._replace(orientation=None), pillow), (pillow, answer)
        settled += answer.image_mode is not None
    assert opened > 100
    assert settled > opened * 0.95
