"""The files of the page: found once, read when they are asked for, sent compressed.

Nothing but what lies in the folder when the application is made is served, by its name there, so no
path leads out of it. A bundle too large to be kept plain lies there as `name.gz` and is served as
`name`.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

__all__ = ["FOLDER", "POLICY", "READER_POLICY", "StaticFiles"]

FOLDER = Path(__file__).with_name("static")

#: What pages of this service may do: run and ask for what it serves itself, and show pictures that
#: records bring along. Nothing is loaded from elsewhere, nothing that stands in a record can run.
_OWN = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:;"
    " connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'"
)
#: Text becomes no markup either: browsers refuse what would make some of it. The one thing let
#: through is the address of the worker (page/client.js).
POLICY = f"{_OWN}; require-trusted-types-for 'script'; trusted-types census"
#: Of `/docs` alone: Swagger UI sets styles of its own as it goes, and makes markup.
READER_POLICY = _OWN.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
#: Files without a type here are not served.
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
_FOREVER = "public, max-age=31536000, immutable"
_OF_EDITION = re.compile(r"([0-9a-f]{20})/(.+)")
_NO_WEIGHT = re.compile(r"q\s*=\s*0(\.0{0,3})?")


@dataclass(slots=True)
class _Held:
    """One file as it was when it was read, or a page as it is told."""

    stamp: tuple[int, int]  #: when it was written, and its bytes
    plain: bytes
    packed: bytes | None  #: until somebody takes it so
    tag: str  #: of the text, packed or not

    @classmethod
    def of(
        cls, plain: bytes, *, stamp: tuple[int, int] = (0, 0), packed: bytes | None = None
    ) -> _Held:
        return cls(stamp, plain, packed, _digest(plain))

    def pack(self) -> bytes:
        if self.packed is None:
            self.packed = gzip.compress(self.plain, mtime=0)
        return self.packed


@dataclass(frozen=True, slots=True)
class _Edition:
    """All files as they were at one time."""

    name: str
    tags: Mapping[str, str]
    pages: dict[str, _Held]  #: those that were asked for


class StaticFiles:
    """Serves one folder.

    Pages name files by the edition they are of, `/static/{edition}/{path}`: browsers keep these and
    never ask about them again, and a page has all its parts of one version.
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        found = (path for path in folder.rglob("*") if path.is_file())
        names = {path.relative_to(folder).as_posix().removesuffix(".gz"): path for path in found}
        self._files = {
            name: path
            for name, path in sorted(names.items())
            if Path(name).suffix.lower() in _TYPES
        }
        self._held: dict[str, _Held] = {}
        self._last: _Edition | None = None

    def page(self, name: str, *, policy: str = POLICY) -> Handler:
        """The handler of one page, whose text is the file *name*."""

        async def handler(request: web.Request) -> web.Response:
            return _response(request, name, self._page(name), policy=policy)

        return handler

    async def file(self, request: web.Request) -> web.Response:
        """`GET /static/{path}`, of an edition or as it is now.

        Raises:
            HTTPNotFound: there is none.
        """
        path = request.match_info["path"]
        if (of_edition := _OF_EDITION.fullmatch(path)) is None:
            return _response(request, path, self._now(path))
        edition, name = of_edition.groups()
        held, last = self._now(name), self._last or self._edition()
        # Of another, which another server told of, this is the nearest to be had.
        kept = last.name == edition and last.tags.get(name) == held.tag
        return _response(request, name, held, kept=kept)

    def _page(self, name: str) -> _Held:
        edition = self._edition()
        if name not in edition.pages:
            text = self._now(name).plain.replace(
                b'"/static/', b'"/static/%b/' % edition.name.encode()
            )
            edition.pages[name] = _Held.of(text)
        return edition.pages[name]

    def _edition(self) -> _Edition:
        """Of all files as they are now."""
        tags = {}
        for name in self._files:
            with suppress(web.HTTPNotFound, OSError, EOFError, zlib.error):  # it alone is damaged
                tags[name] = self._now(name).tag
        if self._last is None or self._last.tags != tags:
            told = repr((POLICY, _TYPES, tags))  # fields are kept with the text
            self._last = _Edition(_digest(told.encode()), tags, {})
        return self._last

    def _now(self, name: str) -> _Held:
        """The file *name* as it is. Raises HTTPNotFound: there is none, or not any more."""
        path = self._files.get(name)
        if path is None:
            raise web.HTTPNotFound
        try:
            about = path.stat()
            stamp = (about.st_mtime_ns, about.st_size)
            held = self._held.get(name)
            if held is None or held.stamp != stamp:
                data = path.read_bytes()
                if path.suffix == ".gz":
                    held = _Held.of(gzip.decompress(data), stamp=stamp, packed=data)
                else:
                    held = _Held.of(data, stamp=stamp)
                self._held[name] = held
        except FileNotFoundError:
            raise web.HTTPNotFound from None  # taken away since the start
        return held


def _response(
    request: web.Request, name: str, held: _Held, *, policy: str = POLICY, kept: bool = False
) -> web.Response:
    """The text, or 304 where the client has it. *kept*: it never changes, nobody need ask again."""
    headers = {
        hdrs.CONTENT_TYPE: _TYPES[Path(name).suffix.lower()],
        hdrs.CACHE_CONTROL: _FOREVER if kept else "no-cache",  # kept, and asked about each time
        hdrs.ETAG: f'W/"{held.tag}"',  # weak: of what is said, packed or not
        hdrs.VARY: hdrs.ACCEPT_ENCODING,
        "Content-Security-Policy": policy,
        "Cross-Origin-Opener-Policy": "same-origin",
    }
    if any(had.value in ("*", held.tag) for had in request.if_none_match or ()):
        return web.Response(status=304, headers=headers)
    if _takes_gzip(", ".join(request.headers.getall(hdrs.ACCEPT_ENCODING, ()))):
        headers[hdrs.CONTENT_ENCODING] = "gzip"
        return web.Response(body=held.pack(), headers=headers)
    return web.Response(body=held.plain, headers=headers)


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()[:20]


def _takes_gzip(accepted: str) -> bool:
    """Whether an `Accept-Encoding` takes gzip: named, or by `*`, and not with a weight of 0."""
    weights: dict[str, bool] = {}
    for part in accepted.lower().split(","):
        coding, _, weight = part.partition(";")
        weights[coding.strip()] = _NO_WEIGHT.fullmatch(weight.strip()) is None
    return weights.get("gzip", weights.get("*", False))
