"""The end of `python -m server`: asked for, it says goodbye; killed, it leaves nobody behind."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Callable
from contextlib import closing
from http.client import HTTPException

import pytest

from tests.asserts import pestered, wait_until
from tests.e2e.serving import INFO, ServerProcess, family
from tests.picture_hosts import PictureHost

Start = Callable[..., ServerProcess]

#: SIGHUP: the terminal was closed.
_ENDING = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]


@pytest.fixture
def host(picture_host: PictureHost) -> PictureHost:
    """The picture host, its counts begun afresh."""
    picture_host.reset()
    return picture_host


@pytest.mark.parametrize("number", _ENDING, ids=["term", "int", "hup"])
async def test_open_streams_end_with_a_summary(
    start: Start, host: PictureHost, number: int
) -> None:
    """One that is being read, one whose host is silent, one that decodes; then exit code 0."""
    server = start()
    late = [f"{host}/slow/60000/{row}" for row in range(40)]
    with (
        server.asking({"images": [f"{host}/a", *late], "timeout": 600}) as reading,
        server.asking({"images": [f"{host}/silent/"], "timeout": 600}) as silent,
        server.asking({"images": late, "timeout": 600, "depth": "full"}) as full,
        server.asking({"images": late, "timeout": 600}, Accept="application/json") as keyed,
    ):
        assert json.loads(reading.readline())["type"] == "start"
        assert json.loads(reading.readline())["image_info"]
        await wait_until(lambda: host.counts()["in_flight"] == 16)

        assert server.end(number) == 0

        for response, finished in ((reading, 1), (silent, 0), (full, 0)):
            *records, summary = [json.loads(line) for line in response]
            assert summary["type"] == "summary"
            assert (summary["complete"], summary["reason"]) == (False, "draining")
            assert summary["ok"] == finished
            codes = [record["error"]["code"] for record in records if record["type"] == "image"]
            assert set(codes) <= {"cancelled"}
            assert summary["failed"] == len(codes)
        with pytest.raises((HTTPException, ConnectionError)):
            keyed.read()
    assert server.left() == []
    await wait_until(lambda: host.counts()["in_flight"] == 0)
    assert [line for line in server.logs() if line["level"] in ("warning", "error")] == []
    assert [line["action"] for line in server.logs()][-1] == "stopped"


async def test_nothing_is_taken_in_any_more(start: Start, host: PictureHost) -> None:
    """While a reader takes its time, others are refused; it has the grace, and gets its end."""
    server = start()
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.settimeout(20)
    with slow, server.asking({"images": [f"{host}/silent/"], "timeout": 600}) as watching:
        slow.connect(("127.0.0.1", server.port))
        body = json.dumps({"images": ["ftp://example.org/" + "x" * 8000] * 1500}).encode()
        head = f"Content-Length: {len(body)}\r\nContent-Type: application/json\r\n"
        slow.sendall(f"POST {INFO} HTTP/1.1\r\nHost: localhost\r\n{head}\r\n".encode() + body)
        assert slow.recv(12) == b"HTTP/1.1 200"
        assert json.loads(watching.readline())["type"] == "start"
        server.process.terminate()
        assert json.loads(watching.readlines()[-1])["reason"] == "draining"

        connection = server.connect()
        with pytest.raises(ConnectionError):
            connection.request("GET", "/ping/")
        assert server.process.poll() is None
        said = b""
        while data := slow.recv(65536):
            said += data
    assert b'"reason":"draining"' in said
    assert said.endswith(b"\r\n0\r\n\r\n")
    assert server.process.wait(15) == 0
    assert server.left() == []


def test_an_idle_server_ends_at_once_though_connections_are_kept(start: Start) -> None:
    """It is nobody's work."""
    server = start()
    with closing(server.connect()) as connection:
        connection.request("GET", "/ping/")
        assert connection.getresponse().read() == b'{"ping": "pong"}'
        assert server.end() == 0
    assert server.left() == []


@pytest.mark.parametrize("number", _ENDING, ids=["term", "int", "hup"])
def test_further_signals_change_nothing(start: Start, number: int) -> None:
    """Until there is no process any more that could hear them."""
    server = start()
    server.children = family(server.process, server.children)
    assert pestered(server.process, number) == 0
    assert "Traceback" not in server.log_text()
    assert server.left() == []


async def test_a_killed_server_leaves_no_children(start: Start, host: PictureHost) -> None:
    """SIGKILL in the middle of work: who decodes for it goes with it."""
    server = start(POOL_SLOTS="2")
    rows = [f"{host}/{row}" for row in range(2000)]
    with server.asking({"images": rows, "depth": "full"}) as response:
        for _ in range(5):
            response.readline()
        assert len(server.children) == 4

        assert server.end(signal.SIGKILL) == -signal.SIGKILL

        with pytest.raises((HTTPException, ConnectionError)):
            response.read()
    assert server.left() == []
