"""Serves the page, and a file of lines as the answer to whatever is asked of it.

    python scripts/bench_page_server.py FILE

Says where on stdout. The lines are sent as fast as they are taken. `GET /_served` tells what was
sent besides: [path, type, bytes as they were sent, bytes as they are].
"""

import asyncio
import gzip
import json
import signal
import sys
from pathlib import Path

import uvloop
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from server.static_files import StaticFiles

PART_BYTES = 65_536


class Replay:
    """The lines, and what was served besides."""

    def __init__(self, lines: Path) -> None:
        self.lines = lines
        self.served: list[tuple[str, str, int, int]] = []

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """The lines, whatever is asked for."""
        await request.read()
        response = web.StreamResponse(headers={hdrs.CONTENT_TYPE: "application/x-ndjson"})
        await response.prepare(request)
        with self.lines.open("rb") as file:  # in memory of the system: it was just written
            while part := file.read(PART_BYTES):
                await response.write(part)
        return response

    async def tell(self, _: web.Request) -> web.Response:
        """What was served."""
        return web.json_response(self.served)

    def counting(self, handler: Handler) -> Handler:
        """What *handler* serves, each file once more in the list."""

        async def counted(request: web.Request) -> web.StreamResponse:
            answer = await handler(request)
            body = answer.body if isinstance(answer, web.Response) else None
            sent = body if isinstance(body, bytes) else b""
            packed = hdrs.CONTENT_ENCODING in answer.headers
            plain = len(gzip.decompress(sent) if packed else sent)
            kind = answer.content_type.rpartition("/")[2]
            self.served.append((request.path, kind, len(sent), plain))
            return answer

        return counted


def application(lines: Path) -> web.Application:
    """The page, its files and the lines."""
    replay, files = Replay(lines), StaticFiles()

    app = web.Application()
    app.add_routes(
        [
            web.get("/", replay.counting(files.page("index.html"))),
            web.get("/static/{path:.+}", replay.counting(files.file)),
            web.get("/_served", replay.tell),
            web.post("/api/v1/images_info", replay.stream),
        ]
    )
    return app


async def serve(lines: Path) -> None:
    """Until a signal."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    runner = web.AppRunner(application(lines), access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    print(json.dumps({"ready": True, "url": url}), flush=True)
    await stop.wait()
    await runner.cleanup()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as running:
        running.run(serve(Path(sys.argv[1])))
