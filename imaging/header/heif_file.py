"""One AVIF or HEIF file: what its items and tracks, taken together, say of the picture."""

from __future__ import annotations

from imaging.header import exif
from imaging.header.boxes import Boxes, DamagedError, MissingError
from imaging.header.heif_items import Items, extents, read_items
from imaging.header.heif_tracks import Track, read_tracks
from imaging.header.pieces import Pieces

__all__ = ["AVIF_BRANDS", "HeifFile"]

AVIF_BRANDS = (b"avif", b"avis")
_MAX_FTYP = 4096

#: Item types that libheif takes for pictures of their own.
_PICTURES = (
    *(b"hvc1", b"av01", b"vvc1", b"avc1", b"evc1", b"j2k1", b"jpeg", b"unci", b"mski"),
    *(b"grid", b"iden", b"iovl", b"tili"),
)
_KNOWN = (*_PICTURES, b"Exif", b"mime", b"uri ", b"tmap", b"hvt1", b"lhv1", b"rgan")
_CODED = (b"av01", b"hvc1", b"grid")
_ALPHA = (
    b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0",
    b"urn:mpeg:hevc:2015:auxid:1\0",
    b"urn:mpeg:avc:2015:auxid:1\0",
)
#: Orientation by (quarter turns anticlockwise, axis mirrored in first or None).
_TURNS: dict[tuple[int, int | None], int] = {
    (turns, axis): told
    for axis, by_turns in ((None, (1, 8, 3, 6)), (0, (4, 5, 2, 7)), (1, (2, 7, 4, 5)))
    for turns, told in enumerate(by_turns)
}


class HeifFile:
    """One file: its items and, where they count, the track of its pictures."""

    def __init__(self, pieces: Pieces) -> None:
        self.boxes = Boxes(pieces)
        self.items = Items()
        self.brands: list[bytes] = []
        self.track: Track | None = None
        self._tracks: list[Track] = []

    def read(self) -> None:
        """Read as much as tells of the picture. Raises `MissingError` and `DamagedError`."""
        by_tracks = False
        seen = False
        for box in self.boxes.walk_file():
            if box.name == b"ftyp" and not self.brands:
                data = self.boxes.start_of(box, _MAX_FTYP)
                self.brands = [data[:4], *(data[at : at + 4] for at in range(8, len(data), 4))]
                # libavif reads the sequence unless a file says first of all that it is a picture.
                by_tracks = data[:4] != b"avif" and b"avis" in self.brands
            elif box.name == b"meta" and not seen:
                seen = True
                read_items(self.boxes, box, self.items)
                if not by_tracks:
                    break
            elif box.name == b"moov":
                self._tracks = read_tracks(self.boxes, box)
                if by_tracks:
                    break
        if by_tracks or self.items.primary is None:
            self.track = next((track for track in self._tracks if _is_picture(track)), None)

    @property
    def primary(self) -> int | None:
        """The primary item."""
        return self.items.primary

    @property
    def coded(self) -> int:
        """The item whose coding is the picture's: the first tile of a grid, or the primary."""
        primary = self.primary or 0
        return next(iter(self.items.inputs(primary)), primary)

    @property
    def is_avif(self) -> bool:
        """Whether it is for libavif to read: by its brands, and no other coding stands inside."""
        if not any(brand in AVIF_BRANDS for brand in self.brands):
            return False
        if self.track:
            return self.track.coding == b"av01"
        info = self.items.infos.get(self.coded)
        return info is None or info.kind == b"av01"

    @property
    def stored(self) -> tuple[int, int] | None:
        """The size as coded."""
        if self.track:
            return self.track.dimension
        extent = self.items.first(self.primary or 0, b"ispe")
        if extent is None or len(extent) < 12:
            return None
        return int.from_bytes(extent[4:8]), int.from_bytes(extent[8:12])

    @property
    def dimension(self) -> tuple[int, int] | None:
        """The size as Pillow has it."""
        size = self.stored
        if size is None or self.is_avif or self.track:
            return size
        for name, value in self.items.of(self.primary or 0):
            if name == b"irot" and value[:1] and value[0] & 1:
                size = size[1], size[0]
            elif name == b"clap" and len(value) >= 16:
                wide, wide_parts, high, high_parts = (
                    int.from_bytes(value[at : at + 4]) for at in range(0, 16, 4)
                )
                if not (wide_parts and high_parts):
                    return None
                size = _rounded(wide, wide_parts), _rounded(high, high_parts)
        return size

    @property
    def orientation(self) -> int | None:
        """The turn that is left to do."""
        if not self.is_avif:
            return 1
        if self.track:
            properties = dict(reversed(self.track.properties))
        else:
            properties = dict(reversed(self.items.of(self.primary or 0)))
        turn, axis = properties.get(b"irot"), properties.get(b"imir")
        told = _TURNS[turn[0] & 3 if turn else 0, axis[0] & 1 if axis else None]
        if told > 1:
            return told
        if self.track:
            return None if self.track.metadata else 1
        return self._orientation_in_xmp()

    def _orientation_in_xmp(self) -> int | None:
        """Pillow takes XMP's word where neither a property nor EXIF has one."""
        described = self.items.pointing_at(self.primary or 0, b"cdsc")
        infos = {item: info for item in described if (info := self.items.infos.get(item))}
        packets = [item for item, info in infos.items() if info.xmp]
        if not packets:
            return 1
        try:
            places = {item: (at, size) for item, at, size in extents(self.boxes, self.items)}
            for item, info in infos.items():
                if info.kind == b"Exif":
                    block = self.boxes.read(*places[item])[4:].removeprefix(b"Exif\0\0")
                    if exif.find_tag(block, 0, len(block), exif.ORIENTATION):
                        return 1
            return exif.orientation_in_xmp(self.boxes.read(*places[packets[0]])) or 1
        except (MissingError, DamagedError, KeyError, exif.NotPresentError):
            return None

    @property
    def mode(self) -> str | None:
        """Pillow's mode; None where it depends on what is not read here."""
        if self.items.damaged:
            return None
        if self.is_avif:
            return self._avif_mode()
        if self.track or self.primary is None:
            return None
        coding = self.items.first(self.coded, b"hvcC")
        info = self.items.infos.get(self.coded)
        if coding is None or len(coding) < 18 or info is None or info.kind != b"hvc1":
            return None
        if self.coded != self.primary and self._alpha_of(self.coded) is not None:
            return None
        alpha = self._alpha_of(self.primary)
        if alpha is None:
            if coding[16] & 3:
                return "RGB"
            return "I;16" if coding[17] & 7 else "L"
        if not self._decodable(alpha):
            return None
        return "RGBa" if self.items.pointing_at(alpha, b"prem") else "RGBA"

    def _avif_mode(self) -> str | None:
        if self.track:
            coding = next((value for name, value in self.track.properties if name == b"av1C"), None)
            alpha = any(
                _is_picture(track, auxiliary_to=self.track.number)
                and any(name == b"auxi" and _is_alpha(value) for name, value in track.properties)
                for track in self._tracks
            )
        else:
            coding = self.items.first(self.coded, b"av1C")
            alphas = [self._alpha_of(self.primary or 0)]
            if alphas == [None]:  # of a grid each tile may have its own
                alphas = [self._alpha_of(tile) for tile in self.items.inputs(self.primary or 0)]
            alpha = bool(alphas) and None not in alphas
            if alpha and not (all(map(self._decodable, alphas)) and self._located(alphas)):
                return None
        if coding is None or len(coding) < 4:
            return None
        return "RGBA" if alpha else "L" if coding[2] & 0x10 else "RGB"

    def _alpha_of(self, item: int) -> int | None:
        """The item that is the transparency of another."""
        for other in self.items.pointing_at(item, b"auxl"):
            if _is_alpha(self.items.first(other, b"auxC") or b""):
                return other
        return None

    def _located(self, wanted: list[int | None]) -> bool:
        """Whether data of items are known to be somewhere."""
        try:
            return {item for item, _, _ in extents(self.boxes, self.items)}.issuperset(wanted)
        except (MissingError, DamagedError):
            return False

    def _decodable(self, item: int | None) -> bool:
        if item is None:
            return False
        info = self.items.infos.get(item)
        return info is not None and info.kind in _CODED and self.items.sound(item)

    @property
    def animated(self) -> bool | None:
        """Whether Pillow counts more than one."""
        frames = self.frames
        return None if frames is None else frames > 1

    @property
    def frames(self) -> int | None:
        """How many pictures Pillow counts."""
        if self.track:
            return max(self.track.frames, 1)
        if self.is_avif:
            return 1
        infos = self.items.infos.items()
        if self.items.damaged or any(info.kind not in _KNOWN for _, info in infos):
            return None
        lesser = {source for name, source, _ in self.items.references if name in (b"thmb", b"auxl")}
        pictures = [
            item
            for item, info in infos
            if info.kind in _PICTURES and not info.hidden and item not in lesser
        ]
        # libheif leaves out what it cannot make sense of.
        return max(len(pictures), 1) if all(map(self.items.sound, pictures)) else None


def _is_picture(track: Track, *, auxiliary_to: int = 0) -> bool:
    """Whether a track holds pictures, and is no accessory, or one of the track of a number."""
    return bool(
        track.number
        and track.chunks
        and track.auxiliary_to == auxiliary_to
        and track.coding in (b"av01", b"hvc1")
    )


def _is_alpha(kind: bytes) -> bool:
    """Whether an `auxC` or `auxi` property is that of transparency."""
    return (kind[4:] + b"\0").startswith(_ALPHA)


def _rounded(value: int, parts: int) -> int:
    return (2 * value + parts) // (2 * parts)
