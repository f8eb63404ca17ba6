"""The files of the page: found once, read when they are asked for, sent compressed.

Nothing but what lies in the folder when the application is made is served, by its name there, so no
path leads out of it. A bundle too large to be kept plain lies there as `name.gz` and is served as
`name`.
"""

from __future__ import annotations

import gzip
import hashlib
import re
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
_NO_WEIGHT = re.compile(r"q\s*=\s*0(\.0{0,3})?")


@dataclass(frozen=True, slots=True)
class _Held:
    """One file as it was when it was read."""

    stamp: int
    plain: bytes
    packed: bytes
    tag: str  #: of the text, packed or not


class StaticFiles:
    """Serves one folder."""

    def __init__(self, folder: Path = FOLDER) -> None:
        found = (path for path in folder.rglob("*") if path.is_file())
        names = {path.relative_to(folder).as_posix().removesuffix(".gz"): path for path in found}
        self._files = {
            name: path for name, path in names.items() if Path(name).suffix.lower() in _TYPES
        }
        self._held: dict[str, _Held] = {}

    def page(self, name: str, *, policy: str = POLICY) -> Handler:
        """The handler of one page, whose text is the file *name*."""

        async def handler(request: web.Request) -> web.Response:
            return self.answer(request, name, policy=policy)

        return handler

    async def file(self, request: web.Request) -> web.Response:
        """`GET /static/{path}`."""
        return self.answer(request, request.match_info["path"])

    def answer(self, request: web.Request, name: str, *, policy: str = POLICY) -> web.Response:
        """The file *name*, or 304 where the client has it.

        Raises:
            HTTPNotFound: there is none.
        """
        path = self._files.get(name)
        if path is None:
            raise web.HTTPNotFound
        try:
            held = self._read(name, path)
        except FileNotFoundError:
            raise web.HTTPNotFound from None  # taken away since the start
        headers = {
            hdrs.CONTENT_TYPE: _TYPES[Path(name).suffix.lower()],
            hdrs.CACHE_CONTROL: "no-cache",  # kept, and asked about each time: a new version counts
            hdrs.ETAG: f'W/"{held.tag}"',  # weak: of what is said, packed or not
            hdrs.VARY: hdrs.ACCEPT_ENCODING,
            "Content-Security-Policy": policy,
            "Cross-Origin-Opener-Policy": "same-origin",
        }
        if any(had.value in ("*", held.tag) for had in request.if_none_match or ()):
            return web.Response(status=304, headers=headers)
        if _takes_gzip(", ".join(request.headers.getall(hdrs.ACCEPT_ENCODING, ()))):
            headers[hdrs.CONTENT_ENCODING] = "gzip"
            return web.Response(body=held.packed, headers=headers)
        return web.Response(body=held.plain, headers=headers)

    def _read(self, name: str, path: Path) -> _Held:
        stamp = path.stat().st_mtime_ns
        held = self._held.get(name)
        if held is None or held.stamp != stamp:
            data = path.read_bytes()
            zipped = path.suffix == ".gz"
            plain = gzip.decompress(data) if zipped else data
            packed = data if zipped else gzip.compress(data, mtime=0)
            tag = hashlib.sha256(plain).hexdigest()[:20]
            held = self._held[name] = _Held(stamp, plain, packed, tag)
        return held


def _takes_gzip(accepted: str) -> bool:
    """Whether an `Accept-Encoding` takes gzip: named, or by `*`, and not with a weight of 0."""
    weights: dict[str, bool] = {}
    for part in accepted.lower().split(","):
        coding, _, weight = part.partition(";")
        weights[coding.strip()] = _NO_WEIGHT.fullmatch(weight.strip()) is None
    return weights.get("gzip", weights.get("*", False))
