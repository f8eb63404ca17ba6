"""The tracks of an ISO media file: what its `moov` box tells of a sequence of pictures.

After ISO/IEC 14496-12, chapter 8; which track is the picture and which its transparency as AVIF
(version 1.1) has it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from struct import Struct

from imaging.header.boxes import Box, Boxes

__all__ = ["CODINGS", "Track", "read_tracks"]

CODINGS = (b"av01", b"hvc1")  #: of tracks that are read
_MAX_TRACKS = 100
_MAX_RUNS = 10_000  #: entries of the table that tells how many frames a chunk holds
_ENOUGH_OF_PROPERTY = 64
_SAMPLE_ENTRY = 78  #: bytes of a picture's sample entry before its boxes
_RUN = Struct(">II4x")
_INSIDE = {b"trak": b"mdia", b"mdia": b"minf", b"minf": b"stbl"}  #: holder → what it holds


@dataclass(slots=True)
class Track:
    """One track, as far as its boxes tell."""

    number: int = 0
    dimension: tuple[int, int] = (0, 0)
    coding: bytes = b""  #: of its first sample entry: `av01`, `hvc1`, …
    properties: list[tuple[bytes, bytes]] = field(default_factory=list)  #: name, first bytes
    auxiliary_to: int = 0
    chunks: int = 0
    first_chunk: int = 0  #: where it stands in the file
    first_size: int = 0  #: bytes of the first frame, 0 if not told
    runs: bytes = b""  #: of 12 bytes each: from which chunk on, frames in each
    metadata: bool = False

    @property
    def frames(self) -> int:
        """How many frames its chunks hold."""
        end = self.chunks + 1
        runs = [*_RUN.iter_unpack(self.runs), (end, 0)]
        return sum(
            max(min(after, end) - max(first, 1), 0) * frames
            for (first, frames), (after, _) in pairwise(runs)
        )


def read_tracks(boxes: Boxes, moov: Box) -> list[Track]:
    """Read the tracks of a `moov` box. Raises `MissingError` and `DamagedError`."""
    tracks: list[Track] = []
    for box in boxes.walk(moov.start, moov.end):
        if box.name == b"trak" and len(tracks) < _MAX_TRACKS:
            tracks.append(Track())
            _read(boxes, box, tracks[-1])
    return tracks


def _read(boxes: Boxes, holder: Box, track: Track) -> None:
    for box in boxes.walk(holder.start, holder.end):
        if box.name == _INSIDE.get(holder.name):
            _read(boxes, box, track)
        elif box.name == b"tkhd":
            data = boxes.start_of(box, 96)
            long = data[:1] == b"\1"  # times of 64 bits
            number, sides = (20, 88) if long else (12, 76)
            track.number = int.from_bytes(data[number : number + 4])
            track.dimension = (  # fixed point: whole pixels in the high half
                int.from_bytes(data[sides : sides + 2]),
                int.from_bytes(data[sides + 4 : sides + 6]),
            )
        elif box.name == b"tref":
            for reference in boxes.walk(box.start, box.end):
                if reference.name == b"auxl":
                    track.auxiliary_to = int.from_bytes(boxes.start_of(reference, 4))
        elif box.name == b"meta":
            track.metadata = True
        elif box.name == b"stsd":
            _read_coding(boxes, box, track)
        elif box.name in (b"stco", b"co64"):
            data = boxes.start_of(box, 16 if box.name == b"co64" else 12)
            track.chunks = int.from_bytes(data[4:8])
            track.first_chunk = int.from_bytes(data[8:])
        elif box.name == b"stsz":
            data = boxes.start_of(box, 16)  # of all frames, or where that is 0 of the first
            track.first_size = int.from_bytes(data[4:8]) or int.from_bytes(data[12:])
        elif box.name == b"stsc":
            track.runs = _runs(boxes, box)


def _read_coding(boxes: Boxes, stsd: Box, track: Track) -> None:
    for entry in boxes.walk(stsd.start + 8, stsd.end):
        track.coding = entry.name
        if entry.name not in CODINGS:
            return
        for box in boxes.walk(entry.start + _SAMPLE_ENTRY, entry.end):
            track.properties.append((box.name, boxes.start_of(box, _ENOUGH_OF_PROPERTY)))
        return


def _runs(boxes: Boxes, stsc: Box) -> bytes:
    count = min(int.from_bytes(boxes.start_of(stsc, 8)[4:]), _MAX_RUNS)
    body = boxes.start_of(stsc, 8 + _RUN.size * count)[8:]
    return body[: len(body) // _RUN.size * _RUN.size]
