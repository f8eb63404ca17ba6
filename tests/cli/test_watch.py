"""`imagecensus watch` and `status`: how a job goes on, for people and for scripts."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from aiohttp import web

from tests.cli.asking import PROGRAM, ask, begun, environment, standing_in

Listed = Callable[..., Path]
Submit = Callable[..., str]


def test_a_job_is_watched_and_told(url: str, submit: Submit, listed: Listed) -> None:
    """To its end; `status` tells the same of it, one of many in the list."""
    job = submit(listed(150, "/slow/50"))

    watched = ask("watch", job, server=url)
    one = ask("status", job, server=url)
    listing = ask("status", "--limit", "1", server=url)

    assert watched.returncode == 0
    assert watched.stdout.startswith("done: 150 of 150 rows, 2 failed (http_status 2)\n")
    assert "state     done" in one.stdout
    assert "  http_status 2" in one.stdout
    assert listing.stdout.startswith(f"{job}  done       images_info    150 of 150 rows, 2 failed")


def test_ctrl_c_ends_the_watching_not_the_job(url: str, submit: Submit, listed: Listed) -> None:
    """And says so; so does SIGTERM end it, with its own code."""
    job = submit(listed(2000, "/slow/1000"))  # a minute at least

    codes, told = [], []
    for number in (signal.SIGINT, signal.SIGTERM):
        with begun("watch", job, server=url, PYTHONUNBUFFERED="1") as watching:
            assert watching.stderr is not None
            # It has asked once, so it listens to signals.
            _wait_until_it_watches(watching)
            watching.send_signal(number)
            told.append(watching.communicate(timeout=20)[1])
            codes.append(watching.returncode)

    assert codes == [130, 143]
    assert f"the job goes on: imagecensus watch {job}" in told[0]
    assert json.loads(ask("status", job, "--json", server=url).stdout)["state"] == "running"
    ask("cancel", job, server=url)
    assert ask("watch", job, server=url).returncode == 3


def _wait_until_it_watches(watching: subprocess.Popen[str]) -> None:
    """It has a connection of its own then."""
    import psutil

    from tests.asserts import eventually

    process = psutil.Process(watching.pid)
    eventually(lambda: [one for one in process.net_connections() if one.status == "ESTABLISHED"])


def test_a_terminal_of_twenty_columns(url: str, submit: Submit, listed: Listed) -> None:
    """Shows it line by line; no line is longer than it is wide."""
    job = submit(listed(200, "/slow/400"))
    master, slave = pty.openpty()
    with subprocess.Popen(
        [PROGRAM, "watch", job],
        env=environment(SERVER=url) | {"COLUMNS": "20", "LINES": "20", "TERM": "xterm"},
        stdout=subprocess.PIPE,
        stderr=slave,
        text=True,
    ) as watching:
        os.close(slave)
        shown = _all_of(master)
        out, _ = watching.communicate(timeout=30)

    assert watching.returncode == 0
    assert out.startswith("done: 200 of 200 rows")
    assert "rows/s" in shown
    assert shown.endswith("\x1b[?25h") or "\x1b[?25h" in shown  # the cursor is back


def _all_of(master: int) -> str:
    pieces = []
    try:
        while data := os.read(master, 65536):
            pieces.append(data)
    except OSError:  # the other end was closed
        pass
    os.close(master)
    return b"".join(pieces).decode()


def test_a_server_that_is_away_for_a_while() -> None:
    """Is asked again; what it sends is shown and not obeyed."""
    count = 0

    async def answer(request: web.Request) -> web.StreamResponse:
        nonlocal count
        count += 1
        if count == 2:
            return web.Response(status=503, headers={"Retry-After": "0"})
        state = "running" if count < 4 else "failed"
        return web.json_response({"id": "5-0", "state": state, "reason": "no \x1b[31mfile"})

    with standing_in(answer) as server:
        watched = ask("watch", "5-0", server=server)

    assert watched.returncode == 1
    assert watched.stdout == "failed: 0 rows, 0 failed: no �[31mfile\n"
    assert watched.stderr.count("asked again") == 1
