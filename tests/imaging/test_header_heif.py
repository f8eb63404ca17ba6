"""AVIF and HEIF: turns and cuts as Pillow and pillow-heif see them, odd files, damage."""

from __future__ import annotations

import io
import random
import struct
import time
import warnings

import pytest
from PIL import Image

from imaging.facts import ErrorCode, Failure, ImageInfo
from imaging.header import Need, count_frames, inspect
from imaging.header.boxes import Box, Boxes, MissingError
from imaging.header.heif_items import Items, read_items
from imaging.header.pieces import Pieces
from tests.imaging.serving import agreeing, served
from tests.samples import SAMPLES, family

SMALL = [
    data
    for name in ("AVIF", "HEIF")
    for _, data in sorted(family(name).items())
    if len(data) < 50_000
]
PLAIN = SAMPLES["avif-RGB"]


def told(data: bytes) -> ImageInfo:
    info = inspect(data, total=len(data))
    assert isinstance(info, ImageInfo), info
    return info


def box(name: bytes, *payloads: bytes) -> bytes:
    payload = b"".join(payloads)
    return struct.pack(">I4s", 8 + len(payload), name) + payload


def full(name: bytes, *payloads: bytes, version: int = 0, flags: int = 0) -> bytes:
    return box(name, struct.pack(">I", version << 24 | flags), *payloads)


def ispe(width: int, height: int) -> bytes:
    return full(b"ispe", struct.pack(">II", width, height))


def clap(width: int, height: int) -> bytes:
    return box(b"clap", struct.pack(">8I", width, 1, height, 1, 0, 1, 0, 1))


AV1C = box(b"av1C", b"\x81\0\x0c\0")
HVCC = box(b"hvcC", bytes(16), b"\xfd\xf8\xf8", bytes(4))


def meta(
    *properties: bytes,
    kind: bytes = b"av01",
    item: int = 1,
    wide: bool = False,
    more: bytes = b"",
) -> bytes:
    """A `meta` box of one item that owns all properties, with narrow or wide numbers."""
    number = struct.pack(">I" if wide else ">H", item)
    step = ">H" if wide else ">B"
    owned = b"".join(struct.pack(step, n + 1) for n in range(len(properties)))
    return full(
        b"meta",
        full(b"hdlr", bytes(4), b"pict", bytes(13)),
        full(b"pitm", number, version=int(wide)),
        full(
            b"iinf",
            struct.pack(">H", 1),
            full(b"infe", number, bytes(2), kind, b"\0", version=3 if wide else 2),
        ),
        box(
            b"iprp",
            box(b"ipco", *properties),
            full(
                b"ipma",
                struct.pack(">I", 1),
                number,
                bytes([len(properties)]),
                owned,
                version=int(wide),
                flags=int(wide),
            ),
        ),
        more,
    )


def file(*boxes: bytes, brand: bytes = b"avif") -> bytes:
    return box(b"ftyp", brand, bytes(4), b"mif1", brand) + b"".join(boxes)


@pytest.mark.parametrize("axis", [None, 0, 1])
@pytest.mark.parametrize("turns", range(4))
def test_avif_is_told_as_stored_and_the_turn_with_it(turns: int, axis: int | None) -> None:
    """Every turn and mirror there is, as Pillow reads it."""
    data = bytearray(SAMPLES["avif-turned-5" if axis is not None else "avif-turned-6"])
    data[data.find(b"irot") + 4] = turns
    if axis is not None:
        data[data.find(b"imir") + 4] = axis
    with Image.open(io.BytesIO(data)) as image:
        pillow = image.size, image.getexif().get(0x0112, 1)
    info = told(bytes(data))
    assert (info.image_dimension, info.orientation) == pillow


@pytest.mark.parametrize("turn", range(1, 9))
def test_heif_is_told_upright(turn: int) -> None:
    """pillow-heif has turned it already: the dimension is turned, no turn is left to do."""
    info = told(SAMPLES[f"heif-turned-{turn}"])
    assert info.orientation == 1
    assert info.image_dimension == ((43, 61) if turn >= 5 else (61, 43))


def test_order_of_cutting_and_turning_counts() -> None:
    """A cut behind a turn is that of the turned picture."""
    turn = box(b"irot", b"\1")
    cut_first = file(meta(HVCC, ispe(64, 48), clap(60, 40), turn, kind=b"hvc1"), brand=b"heic")
    turned_first = file(meta(HVCC, ispe(64, 48), turn, clap(40, 60), kind=b"hvc1"), brand=b"heic")
    assert told(cut_first).image_dimension == (40, 60)
    assert told(turned_first).image_dimension == (40, 60)
    avif = file(meta(AV1C, ispe(64, 48), clap(60, 40), turn))
    assert (told(avif).image_dimension, told(avif).orientation) == ((64, 48), 8)


def test_numbers_may_be_wide() -> None:
    """Items beyond 16 bits, properties beyond seven."""
    data = file(meta(*[box(b"free")] * 200, AV1C, ispe(640, 480), item=70_000, wide=True))
    assert told(data)[:5] == ("AVIF", (640, 480), "RGB", 1, False)


@pytest.mark.parametrize("mdat", [2_000, 3_000_000])
def test_meta_behind_the_picture_data_takes_one_need(mdat: int) -> None:
    """The box in between is stepped over, however long, and however its size is written."""
    large = struct.pack(">I4sQ", 1, b"mdat", 16 + mdat) + bytes(mdat)
    data = file(large, meta(AV1C, ispe(32, 16)))
    needs = []
    more: list[tuple[int, bytes]] = []
    while isinstance(answer := inspect(data[:1000], total=len(data), more=more), Need):
        needs.append(answer)
        more.append((answer.offset, data[answer.offset : answer.offset + answer.length]))
    assert isinstance(answer, ImageInfo)
    assert answer.image_dimension == (32, 16)
    assert len(needs) == 1


def test_last_box_may_reach_to_the_end() -> None:
    """A size of 0."""
    data = file(meta(AV1C, ispe(32, 16))) + b"\0\0\0\0mdat" + bytes(50)
    assert told(data).image_dimension == (32, 16)
    moved = file(b"\0\0\0\0mdat" + bytes(50) + meta(AV1C, ispe(32, 16)))
    answer = inspect(moved, total=len(moved))
    assert isinstance(answer, Failure)
    assert answer.code is ErrorCode.TRUNCATED_IMAGE


def test_other_coding_than_the_brand_says() -> None:
    """What libavif would not read is no AVIF; what libde265 cannot has no mode."""
    hevc = file(meta(HVCC, ispe(32, 16), kind=b"hvc1"), brand=b"mif1")
    assert told(hevc)[:3] == ("HEIF", (32, 16), "RGB")
    jpeg = file(meta(ispe(32, 16), kind=b"jpeg"), brand=b"mif1")
    assert told(jpeg)[:3] == ("HEIF", (32, 16), None)


@pytest.mark.parametrize("brand", [b"isom", b"mp42", b"qt  ", b"M4A "])
def test_films_and_sound_are_no_pictures(brand: bytes) -> None:
    """Their boxes look alike."""
    data = box(b"ftyp", brand, bytes(4), b"isom") + box(b"moov", bytes(200))
    answer = inspect(data, total=len(data))
    assert isinstance(answer, Failure)
    assert answer.code is ErrorCode.NOT_AN_IMAGE


@pytest.mark.parametrize(
    "data",
    [
        file(meta(AV1C, ispe(0, 16))),
        file(full(b"meta", box(b"iprp", struct.pack(">I4s", 99, b"ipco")))),
        file(full(b"meta", struct.pack(">I4s", 4, b"pitm"))),
        file(full(b"meta", *[box(b"free")] * 10_000)),
        file(full(b"meta", full(b"iinf", bytes(2_000_000)))),
    ],
    ids=["no-width", "beyond-its-holder", "shorter-than-its-head", "too-many", "too-long"],
)
def test_damage_is_corrupt(data: bytes) -> None:
    """Boxes that cannot be."""
    answer = inspect(data, total=len(data))
    assert isinstance(answer, Failure)
    assert answer.code is ErrorCode.CORRUPT_IMAGE


def test_picture_without_a_size_has_none() -> None:
    """The primary item owns no `ispe`."""
    assert told(file(meta(AV1C))).image_dimension is None


def test_hostile_tables_are_quick() -> None:
    """A megabyte each of items, references and properties, boxes inside themselves."""
    item = full(b"infe", b"\0\1\0\0av01\0", version=2)
    reference = box(b"auxl", b"\0\1", struct.pack(">H", 1000), b"\0\1" * 1000)
    nested = b""
    for _ in range(1_000):
        nested = box(b"mdia", box(b"minf", nested))
    for data in (
        file(full(b"meta", full(b"iinf", b"\xff\xff", item * 45_000))),
        file(meta(AV1C, ispe(9, 9), more=full(b"iref", reference * 500))),
        file(full(b"meta", full(b"ipma", b"\xff\xff\xff\xff", b"\0\1\0" * 300_000))),
        file(box(b"moov", box(b"trak", nested)), brand=b"avis"),
    ):
        started = time.process_time()
        inspect(data, total=len(data))
        count_frames(data)
        assert time.process_time() - started < 2.0


def infe(item: int, kind: bytes, *rest: bytes) -> bytes:
    return full(b"infe", struct.pack(">HH", item, 0), kind, b"\0", *rest, version=2)


def iinf(*entries: bytes) -> bytes:
    return full(b"iinf", struct.pack(">H", len(entries)), *entries)


def points(kind: bytes, source: int, *to: int) -> bytes:
    return box(kind, struct.pack(f">HH{len(to)}H", source, len(to), *to))


def owned(item: int, *numbers: int) -> bytes:
    return struct.pack(">HB", item, len(numbers)) + bytes(numbers)


def iprp(properties: list[bytes], *entries: bytes) -> bytes:
    return box(
        b"iprp",
        box(b"ipco", *properties),
        full(b"ipma", struct.pack(">I", len(entries)), *entries),
    )


def tables(*boxes: bytes, brand: bytes = b"avif", primary: int = 1) -> bytes:
    """A file of a `meta` box with these tables."""
    pitm = full(b"pitm", struct.pack(">H", primary))
    return file(full(b"meta", pitm, *boxes), brand=brand)


XMP = infe(2, b"mime", b"application/rdf+xml\0")
SQUARE = [ispe(64, 64), AV1C]


def many_places(items: int) -> bytes:
    """Items of 65,535 places each, of which none takes a byte."""
    places = b"".join(struct.pack(">HHH", item, 0, 65_535) for item in range(items))
    return tables(
        iinf(infe(1, b"av01"), XMP),
        full(b"iref", points(b"cdsc", 2, 1)),
        iprp(SQUARE, owned(1, 1, 2)),
        full(b"iloc", b"\0\0", struct.pack(">H", items), places),
    )


def many_tiles(tiles: int, alphas: int, properties: int, kind: bytes = b"grid") -> bytes:
    """One tile named again and again, and so its accessory, with very many properties."""
    return tables(
        iinf(infe(1, kind), infe(5, b"av01"), infe(7, b"av01")),
        full(b"iref", points(b"dimg", 1, *[5] * tiles), points(b"auxl", 7, *[5] * alphas)),
        iprp(SQUARE, owned(1, 1), owned(5, 1, 2), *[owned(7, *[1] * 200)] * (properties // 200)),
    )


def many_alphas(alphas: int, properties: int) -> bytes:
    """The same without a grid, of HEIC."""
    return tables(
        iinf(infe(1, b"hvc1"), infe(7, b"hvc1")),
        full(b"iref", points(b"auxl", 7, *[1] * alphas)),
        iprp([ispe(64, 64), HVCC], owned(1, 1, 2), *[owned(7, *[1] * 200)] * (properties // 200)),
        brand=b"heic",
    )


def many_blocks(items: int, entries: int) -> bytes:
    """EXIF items that all stand in one place, each a directory without an orientation."""
    numbers = range(10, 10 + items)
    entry = struct.pack(">HHLL", 1, 3, 1, 0)
    block = b"\0\0\0\0MM\0*\0\0\0\x08" + struct.pack(">H", entries) + entry * entries

    def placed(at: int) -> bytes:
        places = [struct.pack(">HHHII", item, 0, 1, at, len(block)) for item in (2, *numbers)]
        return tables(
            iinf(infe(1, b"av01"), XMP, *(infe(item, b"Exif") for item in numbers)),
            full(b"iref", points(b"cdsc", 2, 1), *(points(b"cdsc", item, 1) for item in numbers)),
            iprp(SQUARE, owned(1, 1, 2)),
            full(b"iloc", b"\x44\0", struct.pack(">H", items + 1), *places),
        )

    return placed(len(placed(0)) + 8) + box(b"mdat", block)


def many_owned(items: int, each: int, kind: bytes) -> bytes:
    """Items of very many properties."""
    return tables(
        iinf(*(infe(item, kind) for item in range(1, items + 1))),
        iprp(SQUARE, *(owned(item, *[1] * each) for item in range(1, items + 1))),
        brand=b"heic" if kind == b"hvc1" else b"avif",
    )


def many_tracks(tracks: int, runs: int) -> bytes:
    """Tracks with a long table of chunks each, none of them a picture's."""
    table = box(
        b"stbl",
        full(b"stco", struct.pack(">I", 10**9)),
        full(b"stsc", struct.pack(">I", runs), struct.pack(">III", 1, 1, 1) * runs),
    )
    inner = box(b"mdia", box(b"minf", table))
    heads = [full(b"tkhd", bytes(8), struct.pack(">I", n), bytes(80)) for n in range(tracks)]
    return file(box(b"moov", *(box(b"trak", head, inner) for head in heads)), brand=b"avis")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(many_places(100), id="places"),
        pytest.param(many_places(2_600), id="more-places"),
        pytest.param(many_tiles(300, 300, 400), id="tiles"),
        pytest.param(many_tiles(2_000, 2_000, 2_000), id="more-tiles"),
        pytest.param(many_alphas(4_000, 7_000), id="alphas"),
        pytest.param(many_blocks(150, 700), id="exif"),
        pytest.param(many_blocks(3_000, 4_000), id="more-exif"),
        pytest.param(many_owned(4_000, 255, b"av01"), id="owned"),
        pytest.param(many_owned(110, 100, b"hvc1"), id="owned-within-bounds"),
        pytest.param(many_owned(3_000, 100, b"hvc1"), id="owned-by-pictures"),
        pytest.param(many_tracks(100, 8_000), id="tracks"),
    ],
)
def test_entries_that_multiply_are_quick(data: bytes) -> None:
    """Tables that point at each other: each alone is short, and time does not multiply."""
    started = time.process_time()
    inspect(data, total=len(data))
    count_frames(data)
    assert time.process_time() - started < 0.3  # some 15 ms


def test_tables_wait_until_all_is_there() -> None:
    """A walk that wants more bytes begins anew: it has taken nothing apart until it has them."""
    within = many_owned(100, 100, b"hvc1")
    tables = within[within.index(b"pitm") - 4 :]
    data = file(full(b"meta", tables, box(b"free", bytes(20_000)), box(b"free")), brand=b"heic")
    start = data.index(b"meta") + 4
    items = Items()
    with pytest.raises(MissingError):
        read_items(Boxes(Pieces(data[:20_000])), Box(b"meta", start, len(data)), items)
    assert not items.infos
    assert not items.owned
    read_items(Boxes(Pieces(data)), Box(b"meta", start, len(data)), items)
    assert len(items.infos) == len(items.owned) == 100


def test_a_large_grid_is_told() -> None:
    """As many tiles as any camera makes, each with properties and a place of its own."""
    tiles = range(2, 602)
    properties = [ispe(8192, 6144), ispe(512, 512), HVCC, box(b"irot", b"\1")]
    data = tables(
        iinf(infe(1, b"grid"), *(infe(tile, b"hvc1") for tile in tiles)),
        full(b"iref", points(b"dimg", 1, *tiles)),
        iprp(properties, owned(1, 1, 4), *(owned(tile, 3, 2) for tile in tiles)),
        full(
            b"iloc",
            b"\x44\0",
            struct.pack(">H", 601),
            *(struct.pack(">HHHII", item, 0, 1, 30_000, 9) for item in (1, *tiles)),
        ),
        brand=b"heic",
    )
    assert told(data)[:4] == ("HEIF", (6144, 8192), "RGB", 1)


def test_heif_of_an_odd_primary_item_is_not_told() -> None:
    """libheif takes another picture then: without an entry, of no picture's kind, or broken."""
    both = iinf(infe(1, b"hvc1"), infe(2, b"hvc1"), infe(3, b"Exif"))
    properties = [ispe(64, 48), HVCC]
    sound = iprp(properties, owned(1, 1, 2), owned(2, 1, 2), owned(3, 1, 2))
    assert told(tables(both, sound, brand=b"heic"))[:5] == ("HEIF", (64, 48), "RGB", 1, True)
    for data in (
        tables(both, sound, brand=b"heic", primary=9),
        tables(both, sound, brand=b"heic", primary=3),
        tables(both, iprp(properties, owned(1, 1, 2, 7), owned(2, 1, 2)), brand=b"heic"),
        tables(both, iprp(properties, owned(1, 1), owned(2, 1, 2)), brand=b"heic"),
        tables(both, sound, full(b"iref", points(b"auxl", 1, 2)), brand=b"heic"),
    ):
        assert told(data)[:5] == ("HEIF", None, None, 1, None)


@pytest.mark.parametrize(
    "references",
    [
        box(b"auxl", b"\0\2\0\5\0\1"),
        box(b"auxl", b"\0\2\0\1\0\1\0\0"),
        points(b"auxl", 2, 1) + b"\0\0\0",
    ],
    ids=["shorter-than-its-count", "longer", "rest"],
)
def test_damaged_references_leave_turn_and_mode_open(references: bytes) -> None:
    """Which of them count is for the decoder to say."""
    listed = iinf(infe(1, b"av01"), infe(2, b"av01"))
    properties = iprp(SQUARE, owned(1, 1, 2), owned(2, 1, 2))
    info = told(tables(listed, full(b"iref", references), properties))
    assert (info.image_dimension, info.image_mode, info.orientation) == ((64, 64), None, None)
    info = told(tables(listed, full(b"iref", points(b"auxl", 2, 1)), properties))
    assert (info.image_dimension, info.image_mode, info.orientation) == ((64, 64), "RGB", 1)


@pytest.mark.parametrize("sample", ["avif-RGBA", "heif-RGBA"])
def test_name_that_begins_as_transparency_leaves_the_mode_open(sample: str) -> None:
    """The zero behind it is damaged."""
    data = SAMPLES[sample]
    at = data.index(b"\0", data.index(b"auxC") + 8)
    assert told(data).image_mode == "RGBA"
    assert told(data[:at] + b"\x08" + data[at + 1 :]).image_mode is None


def test_several_exif_items_leave_the_turn_open() -> None:
    """Which of them counts is for the decoder to say."""
    assert told(many_blocks(1, 1)).orientation == 1
    assert told(many_blocks(2, 1)).orientation is None


def test_other_tracks_codings_are_not_looked_into() -> None:
    """Pillow opens a sequence whose second track is of who knows what."""
    data = SAMPLES["avif-animated-alpha"]
    at = data.rindex(b"av01")
    damaged = data[:at] + b"zzzz" + data[at + 4 :]
    for where in range(at + 82, at + 90):
        damaged = damaged[:where] + b"\xff" + damaged[where + 1 :]
    with Image.open(io.BytesIO(damaged)) as image:
        assert told(damaged)[:3] == ("AVIF", image.size, image.mode)


@pytest.mark.parametrize("seed", range(3))
def test_mutants_that_pillow_opens_are_never_told_otherwise(seed: int) -> None:
    """Damaged heads: where Pillow still opens one, every fact is Pillow's or None."""
    chance = random.Random(seed)
    opened = 0
    for _ in range(500):
        damaged = bytearray(chance.choice(SMALL))
        for _ in range(chance.randint(1, 3)):
            damaged[chance.randrange(min(len(damaged), 600))] = chance.choice(
                (chance.randrange(256), 0, 1, 255)
            )
        data = bytes(damaged)
        answer = inspect(data, total=len(data))
        part = served(data, 64, least=4096)
        assert type(part) is type(answer)
        if isinstance(answer, ImageInfo) and isinstance(part, ImageInfo):
            assert agreeing(part, answer)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                with Image.open(io.BytesIO(data), formats=("AVIF", "HEIF")) as image:
                    turn = image.getexif().get(0x0112, 1)
                    pillow = ImageInfo(
                        str(image.format),
                        image.size,
                        image.mode,
                        turn if turn in range(1, 9) else 1,
                        getattr(image, "is_animated", False),
                        len(data),
                    )
        except Exception:  # noqa: S112 - whatever Pillow raises
            continue
        opened += 1
        assert isinstance(answer, ImageInfo), (pillow, answer)
        assert agreeing(answer, pillow), (pillow, answer)
    assert opened > 100
