"""What bytes look like that no walker knows: another picture format, a page, a document, nothing.

The answer is always a failure with a name in it, so that a record tells what its URL really holds.
"""

from __future__ import annotations

from imaging.facts import ErrorCode, Failure
from imaging.header.pieces import Need, Pieces

__all__ = ["name_unknown"]

_ENOUGH = 32  #: every magic below stands within these bytes
_ENOUGH_TEXT = 512  #: a page says what it is within these

#: Magic at the start → a picture format that has no walker.
_PICTURES: tuple[tuple[bytes, str], ...] = (
    (b"II\xbc\1", "JPEG XR"),
    (b"gimp xcf", "XCF"),
    (b"%PDF-", "PDF"),
    (b"%!PS", "EPS"),
    (b"\xc5\xd0\xd3\xc6", "EPS"),
    (b"qoif", "QOI"),
    (b"DDS ", "DDS"),
    (b"\x76\x2f\x31\1", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"SIMPLE  =", "FITS"),
    (b"\x8aMNG", "MNG"),
    (b"\x8bJNG", "JNG"),
    (b"BPG\xfb", "BPG"),
    (b"FLIF", "FLIF"),
    (b"\xd7\xcd\xc6\x9a", "WMF"),
    (b"AT&TFORM", "DjVu"),
    (b"farbfeld", "farbfeld"),
    (b"\1\xda\0", "SGI"),
    (b"\1\xda\1", "SGI"),
    (b"\x59\xa6\x6a\x95", "Sun raster"),
    (b"/* XPM", "XPM"),
    *((b"P%d%c" % (kind, space), "PNM") for kind in range(1, 8) for space in b" \t\r\n"),
)

#: Magic at the start → something that is no picture.
_OTHERS: tuple[tuple[bytes, str], ...] = (
    (b"\x1f\x8b", "gzip data"),
    (b"PK\3\4", "a ZIP archive"),
    (b"\x28\xb5\x2f\xfd", "Zstandard data"),
    (b"BZh", "bzip2 data"),
    (b"\xfd7zXZ", "xz data"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x1aE\xdf\xa3", "a Matroska film"),
    (b"FLV\1", "a Flash film"),
    (b"OggS", "Ogg sound or film"),
    (b"ID3", "MP3 sound"),
    (b"fLaC", "FLAC sound"),
    (b"wOFF", "a font"),
    (b"wOF2", "a font"),
    (b"\x7fELF", "a program"),
    (b"version https://git-lfs", "a Git LFS pointer"),
)

_HTML = (b"<!doctype html", b"<html", b"<head", b"<body", b"<script", b"<title", b"<div", b"<h1")


def name_unknown(pieces: Pieces) -> Need | Failure:
    """Say what the bytes look like that no walker takes; they are few or many, never none."""
    head = pieces.head
    if len(head) < _ENOUGH and not pieces.complete:
        return _more(pieces, _ENOUGH)
    for magic, name in _PICTURES:
        if head.startswith(magic):
            return Failure(ErrorCode.UNSUPPORTED_FORMAT, f"{name} is not supported")
    if head[4:8] == b"ftyp":
        if head[8:12] == b"crx ":
            return Failure(ErrorCode.UNSUPPORTED_FORMAT, "CR3 is not supported")
        return _looks_like("a film or sound")
    for magic, name in _OTHERS:
        if head.startswith(magic):
            return _looks_like(name)
    return _name_text(pieces)


def _name_text(pieces: Pieces) -> Need | Failure:
    """Say what a text looks like: a page, data, or just text; else nothing known."""
    start = pieces.head[:_ENOUGH_TEXT]
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith(b"<") and len(start) < _ENOUGH_TEXT and not pieces.complete:
        return _more(pieces, _ENOUGH_TEXT)
    while text.startswith(b"<!--") and b"-->" in text:
        text = text.partition(b"-->")[2].lstrip()
    if text.startswith((*_HTML, b"<!--")) or (text.startswith(b"<") and b"<html" in text):
        return _looks_like("HTML")
    if text.startswith(b"<"):
        return _looks_like("XML")
    if text.startswith((b"{", b"[")):
        return _looks_like("JSON")
    if start and not start.translate(None, _PRINTABLE):
        return _looks_like("text")
    return _looks_like("nothing known")


#: What plain text is made of: ASCII without most controls, and the bytes of UTF-8.
_PRINTABLE = bytes((*b"\t\n\r\f", *range(0x20, 0x7F), *range(0x80, 0xF5)))


def _looks_like(name: str) -> Failure:
    return Failure(ErrorCode.NOT_AN_IMAGE, f"looks like {name}")


def _more(pieces: Pieces, enough: int) -> Need | Failure:
    """Ask for the first `enough` bytes, or as many as the file has."""
    end = enough if pieces.total is None else min(enough, pieces.total)
    return pieces.need(len(pieces.head), end - len(pieces.head))
