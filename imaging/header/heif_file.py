"""One AVIF or HEIF file: what its items and tracks, taken together, say of the picture."""

from __future__ import annotations

from functools import cached_property

from imaging.header import exif, heif_turns
from imaging.header.boxes import Boxes, DamagedError, MissingError
from imaging.header.heif_alpha import Alphas, UncertainError, is_alpha
from imaging.header.heif_items import Items, read_items
from imaging.header.heif_places import places
from imaging.header.heif_tracks import CODINGS, Track, read_tracks
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
_LESSER = (b"thmb", b"auxl")  #: what refers so to another is no picture of its own
_CODED = (b"av01", b"hvc1", b"grid")


class HeifFile:
    """One file: its items and, where they count, the track of its pictures. `read` comes first."""

    def __init__(self, pieces: Pieces) -> None:
        self.boxes = Boxes(pieces)
        self.items = Items()
        self.brands: list[bytes] = []
        self.track: Track | None = None
        self.tracks: list[Track] = []
        self._alphas = Alphas(self.items)

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
                self.tracks = read_tracks(self.boxes, box)
                if by_tracks:
                    break
        if by_tracks or self.items.primary is None:
            self.track = next((track for track in self.tracks if _is_picture(track)), None)

    @property
    def primary(self) -> int | None:
        """The primary item."""
        return self.items.primary

    @cached_property
    def coded(self) -> int:
        """The item whose coding is the picture's: the first tile of a grid, or the primary."""
        primary = self.primary or 0
        return next(iter(self.items.inputs(primary)), primary)

    @cached_property
    def is_avif(self) -> bool:
        """Whether it is for libavif to read: by its brands, and no other coding stands inside."""
        if not any(brand in AVIF_BRANDS for brand in self.brands):
            return False
        if self.track:
            return self.track.coding == b"av01"
        info = self.items.infos.get(self.coded)
        return info is None or info.kind == b"av01"

    @cached_property
    def settled(self) -> bool:
        """Whether a decoder must take the primary item: libheif takes another for an odd one."""
        items, primary = self.items, self.primary or 0
        info, parts = items.infos.get(primary), items.inputs(primary)
        if info is None or info.kind not in _PICTURES or not items.sound(primary):
            return False
        if any(source == primary and name in _LESSER for name, source, _ in items.references):
            return False
        if info.kind != b"grid":
            return True
        return bool(parts) and items.infos.keys() >= set(parts) and primary in self._places

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
        return heif_turns.shown(size, self.items.of(self.primary or 0)) if self.settled else None

    @property
    def orientation(self) -> int | None:
        """The turn that is left to do."""
        if not self.is_avif:
            return 1
        if self.items.damaged and not self.track:
            return None
        source = self.track.properties if self.track else self.items.of(self.primary or 0)
        told = heif_turns.orientation(source)
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
        blocks = [item for item, info in infos.items() if info.kind == b"Exif"]
        if not packets:
            return 1
        if len(packets) > 1 or len(blocks) > 1:
            return None
        try:
            for item in blocks:
                block = self.boxes.read(*self._places[item])[4:].removeprefix(b"Exif\0\0")
                if exif.find_tag(block, 0, len(block), exif.ORIENTATION):
                    return 1
            return exif.orientation_in_xmp(self.boxes.read(*self._places[packets[0]])) or 1
        except (MissingError, KeyError, exif.NotPresentError):
            return None

    @property
    def mode(self) -> str | None:
        """Pillow's mode; None where it depends on what is not read here."""
        if self.items.damaged:
            return None
        try:
            return self._avif_mode() if self.is_avif else self._heif_mode()
        except UncertainError:
            return None

    def _heif_mode(self) -> str | None:
        if self.track or self.primary is None or not self.settled:
            return None
        coding = self.items.first(self.coded, b"hvcC")
        info = self.items.infos.get(self.coded)
        if coding is None or len(coding) < 18 or info is None or info.kind != b"hvc1":
            return None
        if self.coded != self.primary and self._alphas.of(self.coded) is not None:
            return None
        alpha = self._alphas.of(self.primary)
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
            number = self.track.number
            others = [track for track in self.tracks if _is_picture(track, auxiliary_to=number)]
            for track in others:
                if not any(name == b"auxi" and is_alpha(value) for name, value in track.properties):
                    raise UncertainError  # libavif has no look at its name
            alpha = bool(others)
        else:
            coding = self.items.first(self.coded, b"av1C")
            alphas = {self._alphas.of(self.primary or 0)}
            if alphas == {None}:  # of a grid each tile may have its own
                alphas = {self._alphas.of(tile) for tile in self.items.inputs(self.primary or 0)}
            alpha = bool(alphas) and None not in alphas
            filled = {item for item, (_, size) in self._places.items() if size} if alpha else set()
            if alpha and not (all(map(self._decodable, alphas)) and alphas <= filled):
                return None
        if coding is None or len(coding) < 4:
            return None
        return "RGBA" if alpha else "L" if coding[2] & 0x10 else "RGB"

    @cached_property
    def _places(self) -> dict[int, tuple[int, int]]:
        """Where data of items stand; empty if nobody knows."""
        try:
            return places(self.items)
        except DamagedError:
            return {}

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
        if (
            self.items.damaged
            or not self.settled
            or any(info.kind not in _KNOWN for _, info in infos)
        ):
            return None
        lesser = {source for name, source, _ in self.items.references if name in _LESSER}
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
        and track.coding in CODINGS
    )
