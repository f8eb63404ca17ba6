"""The program `imagecensus` as people start it, and a stand-in for servers that misbehave."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

__all__ = ["KEY", "PROGRAM", "ROOT", "ask", "begun", "standing_in", "whole"]

ROOT = Path(__file__).parents[2]
#: Of the server that is asked, and of whoever asks it.
KEY = "a-key-of-these-tests"
PROGRAM = str(Path(sys.executable).with_name("imagecensus"))


def environment(**settings: str) -> dict[str, str]:
    """That of whoever runs the tests, without their settings, with these and the key."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CENSUS_")}
    given = {"API_KEY": KEY, **settings}
    return kept | {f"CENSUS_{name}": value for name, value in given.items()}


def ask(
    *arguments: str | Path, server: str, stdin: str = "", **settings: str
) -> subprocess.CompletedProcess[str]:
    """Run the program to its end, from a folder that is not the project's."""
    return subprocess.run(
        [PROGRAM, *arguments],
        cwd="/",
        env=environment(SERVER=server, **settings),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def begun(*arguments: str | Path, server: str, **settings: str) -> subprocess.Popen[str]:
    """Start the program; it is to be waited for."""
    return subprocess.Popen(
        [PROGRAM, *arguments],
        cwd="/",
        env=environment(SERVER=server, **settings),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def whole(text: str, rows: int) -> list[dict[str, Any]]:
    """The lines of a result file that must be whole: every row once, between start and summary."""
    lines: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines()]
    assert text.endswith("\n")
    kinds = [line["type"] for line in lines]
    assert kinds.count("start") == 1
    assert kinds[0] == "start"
    assert kinds.count("summary") == 1
    assert kinds[-1] == "summary"
    assert sorted(line["index"] for line in lines if line["type"] == "image") == list(range(rows))
    assert lines[-1]["rows"] == rows
    assert lines[-1]["complete"] is True
    return lines


@contextmanager
def standing_in(handler: Handler) -> Iterator[str]:
    """A server that answers everything by *handler*: its URL."""
    loop = asyncio.new_event_loop()
    ready, port = threading.Event(), [0]

    async def begin() -> web.AppRunner:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", handler)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port[0] = runner.addresses[0][1]
        ready.set()
        return runner

    def serve() -> None:
        runner = loop.run_until_complete(begin())
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())
        loop.close()

    thread = threading.Thread(target=serve)
    thread.start()
    assert ready.wait(10)
    try:
        yield f"http://127.0.0.1:{port[0]}"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(20)
