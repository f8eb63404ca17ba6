"""A server of the page whose answers a test writes itself: for what no service says on demand.

What only looks like the service is used for answers that are hostile, huge, slow or cut; for all
others there is a real one.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from server.static_files import READER_POLICY, StaticFiles

__all__ = ["CUT", "Asked", "Replayed", "Reply", "image", "line_of", "replaying", "start", "summary"]

KEPT_BYTES = 1 << 16
#: As a step of a reply: the connection ends here, without the end of the answer.
CUT = None
NDJSON = "application/x-ndjson"

Line = Mapping[str, Any]
#: A line to send, bytes to send as they are, an event to wait for, or `CUT`.
Step = Line | bytes | asyncio.Event | None


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that came."""

    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    size: int  #: bytes of the body
    sha256: str  #: of the body
    body: bytes  #: its beginning


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, step after step."""

    steps: Iterable[Step]
    status: int = 200
    content_type: str = NDJSON


@dataclass(slots=True)
class Replayed:
    """Serves the page, and says what it is told to say."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    replies: dict[tuple[str, str], Reply] = field(default_factory=dict)

    def forget(self) -> None:
        """What was asked, and what it was told to say."""
        self.asked = []
        self.replies = {}

    def say(self, *steps: Step, method: str = "POST", path: str = "/api/v1/images_info") -> None:
        """Answer so with NDJSON: a dict is a line, bytes are sent as they are."""
        self.replies[method, path] = Reply(steps)

    def tell(
        self, answer: Any, *, status: int = 200, method: str = "GET", path: str = "/api/v1/jobs"
    ) -> None:
        """Answer so with JSON; with a *status* of an error, as a problem."""
        kind = "application/json" if status < 400 else "application/problem+json"
        self.replies[method, path] = Reply([json.dumps(answer).encode()], status, kind)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Any request of the API."""
        digest, body, size = hashlib.sha256(), bytearray(), 0
        async for part in request.content.iter_any():
            digest.update(part)
            size += len(part)
            if len(body) < KEPT_BYTES:
                body += part
        told = digest.hexdigest()
        asked = Asked(
            request.method,
            request.path,
            dict(request.query),
            request.headers,
            size,
            told,
            bytes(body),
        )
        self.asked.append(asked)
        reply = self.replies.get((request.method, request.path))
        if reply is None:
            raise web.HTTPNotFound
        response = web.StreamResponse(status=reply.status)
        response.content_type = reply.content_type
        await response.prepare(request)
        for step in reply.steps:
            if step is CUT:
                assert request.transport is not None
                request.transport.abort()
                break
            if isinstance(step, asyncio.Event):
                await step.wait()
            else:
                await response.write(step if isinstance(step, bytes) else line_of(step))
        return response


def line_of(line: Line) -> bytes:
    """As the service writes it."""
    return json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def start(manifest: str | None = None, **options: Any) -> dict[str, Any]:
    """The first line of a stream of facts."""
    return {
        "type": "start",
        "schema": 1,
        "kind": "images_info",
        "job": None,
        "manifest": manifest,
        "options": {"depth": "header", **options},
    }


def image(index: int, **members: Any) -> dict[str, Any]:
    """A line of a picture that is well; *members* are put in place of its own."""
    return {
        "type": "image",
        "index": index,
        "id": str(index),
        "url": f"http://pictures.invalid/{index}.jpg",
        "image_info": {
            "image_size": 1000 + index,
            "image_dimension": [640, 480],
            "image_format": "JPEG",
            "image_mode": "RGB",
            "orientation": 1,
            "animated": False,
        },
        "fetch": {
            "status": 206,
            "bytes": 16384,
            "attempts": 1,
            "requests": 1,
            "ms": 5.5,
            "size_source": "content_range",
            "final_url": None,
            "content_type": "image/jpeg",
            "etag": None,
            "last_modified": None,
        },
        **members,
    }


def summary(rows: int, failed: int = 0, **members: Any) -> dict[str, Any]:
    """The last line of a stream."""
    return {
        "type": "summary",
        "rows": rows,
        "ok": rows - failed,
        "failed": failed,
        "errors": {},
        "http_statuses": {},
        "bytes": 16384 * rows,
        "seconds": 0.5,
        "manifest_sha256": None,
        "complete": True,
        **members,
    }


@asynccontextmanager
async def replaying() -> AsyncIterator[Replayed]:
    """Such a server on a free port of 127.0.0.1."""
    replayed, files = Replayed(), StaticFiles()
    app = web.Application()
    app.add_routes(
        [
            web.get("/", files.page("index.html")),
            web.get("/docs", files.page("docs/index.html", policy=READER_POLICY)),
            web.get("/static/{path:.+}", files.file),
            web.route("*", "/api/v1/{rest:.+}", replayed.handle),
        ]
    )
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        replayed.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield replayed
    finally:
        await runner.cleanup()
