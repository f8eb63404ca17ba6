"""JPEG: stepping over metadata, what makes an MPO, damage."""

from __future__ import annotations

import struct
import time

import pytest

from imaging.facts import ErrorCode, Failure, ImageInfo
from imaging.header import Need, inspect
from imaging.header.jpeg import count_scans
from tests.imaging.serving import served
from tests.samples import (
    SAMPLES,
    XMP,
    animation,
    encode,
    exif,
    picture,
    segment,
    ultra_hdr,
    with_segments,
)

PLAIN = SAMPLES["jpeg-RGB"]
XMP_PREFIX = b"http://ns.adobe.com/xap/1.0/\0"


def told(data: bytes) -> ImageInfo:
    info = inspect(data, total=len(data))
    assert isinstance(info, ImageInfo), info
    return info


def test_fat_segment_is_stepped_over() -> None:
    """A Need begins behind a comment of 60 KB, not inside it."""
    data = with_segments(PLAIN, segment(0xFE, bytes(60_000)))
    assert inspect(data[:512], total=len(data)) == Need(2 + 4 + 60_000, 4)


def test_orientation_is_kept_when_the_rest_of_exif_is_stepped_over() -> None:
    """The directory in the head tells; the thumbnail behind it is not fetched."""
    data = encode(picture(), "JPEG", exif=exif(6, padding=60_000))
    first = inspect(data[:4096], total=len(data))
    assert isinstance(first, Need)
    assert first.offset > 60_000
    rest = data[first.offset :]
    info = inspect(data[:4096], total=len(data), more=[(first.offset, rest)])
    assert isinstance(info, ImageInfo)
    assert (info.orientation, info.image_dimension) == (6, (61, 43))


def test_cut_exif_directory_is_read_on() -> None:
    """A head that ends within the directory asks for more of it before stepping over the rest."""
    tags = struct.pack(">HHII", 0x010E, 2, 4, 0) * 40 + struct.pack(">HHIHH", 0x0112, 3, 1, 5, 0)
    block = b"Exif\0\0MM\0*" + struct.pack(">IH", 8, 41) + tags + bytes(20_000)
    info = served(with_segments(PLAIN, segment(0xE1, block)), 200)
    assert isinstance(info, ImageInfo)
    assert info.orientation == 5


def test_far_exif_directory_leaves_the_orientation_unknown() -> None:
    """A directory at the end of a fat block is not chased: None, not 1."""
    block = b"Exif\0\0MM\0*" + (50_000).to_bytes(4) + bytes(50_000 - 8) + exif(6)[14:]
    data = with_segments(PLAIN, segment(0xE1, block))
    info = served(data, 8192)
    assert isinstance(info, ImageInfo)
    assert info.orientation is None
    assert told(data).orientation == 6


def test_pieces_that_overlap_are_joined() -> None:
    """Ranges fetched twice or overlapping do no harm."""
    data = SAMPLES["jpeg-exif-6"]
    more = [(250, data[250:]), (40, data[40:300]), (60, data[60:70])]
    assert inspect(data[:64], total=len(data), more=more) == told(data)


def test_mpo_is_told_by_more_than_one_picture() -> None:
    """An index of one picture is a plain JPEG, as Pillow has it."""
    assert told(animation("MPO", count=2)).image_format == "MPO"
    index = bytearray(animation("MPO", count=2))
    at = index.find(b"\1\xb0\4\0\1\0\0\0")  # the tag of the number of pictures, little-endian
    index[at + 8] = 1
    assert told(bytes(index)).image_format == "JPEG"


def test_ultra_hdr_stays_a_jpeg() -> None:
    """A gain map is no second picture to look at."""
    data = ultra_hdr()
    assert (told(data).image_format, told(data).animated) == ("JPEG", False)
    assert served(data, 40) == told(data)


def test_fat_xmp_is_read_as_it_decides_on_mpo() -> None:
    """The name of a gain map at the end of XMP is found, in one pass, behind fat EXIF too."""
    packet = XMP_PREFIX + bytes(30_000) + b' hdrgm:Version="1.0"'
    data = with_segments(animation("MPO", exif=exif(3, padding=40_000)), segment(0xE1, packet))
    info = served(data, 1000)
    assert isinstance(info, ImageInfo)
    assert (info.image_format, info.orientation) == ("JPEG", 3)


def test_xmp_tells_the_orientation_where_exif_does_not() -> None:
    """EXIF comes first, XMP second, and the last XMP packet counts."""
    packets = [segment(0xE1, XMP_PREFIX + XMP % turn) for turn in (3, 8)]
    assert told(with_segments(PLAIN, *packets)).orientation == 8
    both = with_segments(PLAIN, *packets, segment(0xE1, exif(6)))
    assert told(both).orientation == 6


def test_last_frame_header_counts() -> None:
    """Pillow takes the last one before the scan; so must the walk."""
    frame = segment(0xC0, bytes([8, 0, 9, 0, 7, 1, 1, 0x11, 0]))
    assert told(with_segments(PLAIN, frame)).image_dimension == (61, 43)
    at = PLAIN.find(b"\xff\xda")
    assert told(PLAIN[:at] + frame + PLAIN[at:]).image_dimension == (7, 9)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("no frame header", PLAIN[:2] + PLAIN[PLAIN.find(b"\xff\xda") :]),
        ("no lines", PLAIN.replace(bytes([8, 0, 43, 0, 61]), bytes([8, 0, 0, 0, 61]))),
        ("undefined marker", with_segments(PLAIN, b"\xff\x02\0\4ab")),
        ("too many markers", with_segments(PLAIN, b"\xff\xd0" * 20_000)),
        ("short frame header", with_segments(PLAIN, segment(0xC0, b"\x08\0"))),
    ],
)
def test_damage_is_corrupt(name: str, data: bytes) -> None:
    """A header that cannot be is corrupt, whoever made it."""
    answer = inspect(data, total=len(data))
    assert isinstance(answer, Failure)
    assert answer.code is ErrorCode.CORRUPT_IMAGE


def test_twelve_bits_have_a_dimension_and_no_mode() -> None:
    """Pillow does not open such a file; its size is known all the same."""
    data = PLAIN.replace(bytes([8, 0, 43, 0, 61]), bytes([12, 0, 43, 0, 61]))
    assert (told(data).image_dimension, told(data).image_mode) == ((61, 43), None)


def test_scans_of_the_picture_are_counted_and_no_others() -> None:
    """Progressive scans count; those of a thumbnail in metadata or a second picture do not."""
    assert count_scans(PLAIN, 64) == 1
    progressive = SAMPLES["jpeg-progressive"]
    assert count_scans(progressive, 64) == progressive.count(b"\xff\xda") > 1
    decoys = segment(0xED, b"\xff\xda" * 100)
    assert count_scans(with_segments(PLAIN, decoys), 64) == 1
    assert count_scans(with_segments(PLAIN, decoys) + PLAIN * 99, 64) == 1
    scan = segment(0xDA, b"\1\1\0\0?\0")
    assert count_scans(PLAIN[:-2] + scan * 100, 64) == 65


def test_walk_is_quick_whatever_the_bytes() -> None:
    """Megabytes of junk, fill bytes, empty segments: milliseconds, not seconds."""
    fillers = (
        b"\0",
        b"\xff",
        b"\xff\x00",
        b"\xff\xd0",
        b"\xff\xe0\0\2",
        b"\xff\xe1\0\2",
        b"\xff\xc0",
    )
    for filler in fillers:
        data = PLAIN[:2] + filler * (4_000_000 // len(filler))
        started = time.process_time()
        inspect(b"\xff\xd8\xff" + data[2:], total=len(data) + 1)
        count_scans(data + b"\xff\xda" * 99, 64)
        assert time.process_time() - started < 5, filler
