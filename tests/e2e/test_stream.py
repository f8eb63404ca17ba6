"""`python -m server`: how it starts, what it logs, and a stream through the whole of it."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from server.settings import ServerSettings
from tests.asserts import wait_until
from tests.e2e.serving import INFO, ServerProcess, run
from tests.picture_hosts import PictureHost


def test_wrong_settings_are_told_together() -> None:
    """Exit code 2 and one line for each, before anything is started."""
    ended = run(HOST="0.0.0.0", PORT="70000", MAX_CONNECTIONS="many", ALLOW_NETWORKS="10/8,x")

    assert ended.returncode == 2
    assert ended.stdout == ""
    first, *told = ended.stderr.splitlines()
    assert first == "these settings are wrong:"
    names = sorted(line.split(":")[0].strip() for line in told)
    assert names == [
        "CENSUS_ALLOW_NETWORKS",
        "CENSUS_MAX_CONNECTIONS",
        "CENSUS_OPEN",
        "CENSUS_PORT",
    ]
    assert "OPEN=1" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_settings_can_be_shown() -> None:
    """Every one as it would be set, defaults and the environment's alike, and nothing started."""
    ended = run("--show-settings", PORT="5001", MAX_BODY_BYTES="1MiB", TRUSTED_HOSTS="b,a")

    assert (ended.returncode, ended.stderr) == (0, "")
    shown = dict(line.split("=", 1) for line in ended.stdout.splitlines())
    assert set(shown) == {f"CENSUS_{name.upper()}" for name in ServerSettings.model_fields}
    assert shown["CENSUS_PORT"] == "5001"
    assert shown["CENSUS_MAX_BODY_BYTES"] == str(1024**2)
    assert shown["CENSUS_TRUSTED_HOSTS"] == "a,b"
    assert shown["CENSUS_HOST"] == "127.0.0.1"
    again = run("--show-settings", **{name[7:]: value for name, value in shown.items()})
    assert again.stdout == ended.stdout


def test_a_port_in_use_is_told_in_a_sentence(tmp_path: Path) -> None:
    """Exit code 1, the address and the reason, no traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = run(PORT=port, POOL_SLOTS="1", VAR=str(tmp_path))

    assert ended.returncode == 1
    assert ended.stdout == ""
    told = [json.loads(line) for line in ended.stderr.splitlines()]
    (said,) = [line for line in told if line["action"] == "cannot_serve"]
    assert port in said["reason"]
    assert "in use" in said["reason"]
    assert f"port {port} is taken" in said["advice"]
    assert "CENSUS_PORT=5071" in said["advice"]
    assert "Traceback" not in ended.stderr


def test_a_name_that_is_no_setting_is_warned_of(start: Callable[..., ServerProcess]) -> None:
    """With the name it resembles; the server starts all the same, and says if it is open."""
    server = start(MAX_CONECTIONS="5", HOST="0.0.0.0", OPEN="1")

    told = {line["action"]: line for line in server.logs()}
    assert told["unknown_setting"]["level"] == "warning"
    assert "did you mean CENSUS_MAX_CONNECTIONS?" in told["unknown_setting"]["event"]
    assert told["open"]["level"] == "warning"
    assert server.lines({"images": []})[-1]["complete"] is True


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_server_says_where_it_listens(start: Callable[..., ServerProcess], host: str) -> None:
    """One line of JSON on stdout, an address that can be asked; the log says it too."""
    server = start(HOST=host)

    shown = f"[{host}]" if ":" in host else host
    assert server.ready == {"ready": True, "url": f"http://{shown}:{server.port}"}
    (serving,) = [line for line in server.logs() if line["action"] == "serving"]
    assert serving["url"] == server.ready["url"]


@pytest.mark.parametrize("depth", ["header", "full"])
def test_a_stream_tells_of_every_row(
    server: ServerProcess, picture_host: PictureHost, depth: str
) -> None:
    """Pictures and failures, by a client that knows nothing but HTTP."""
    rows = [f"{picture_host}/{row}" for row in range(30)] + [f"{picture_host}/status/404/", "foo"]

    start, *records, summary = server.lines({"images": rows, "depth": depth})

    assert start["options"]["depth"] == depth
    assert sorted(record["index"] for record in records) == list(range(32))
    assert summary["ok"] == 30
    assert summary["errors"] == {"http_status": 1, "bad_url": 1}
    assert summary["complete"] is True


async def test_log_lines_of_a_request_carry_its_id(
    server: ServerProcess, picture_host: PictureHost
) -> None:
    """The id given, in each of them, and exactly one line that sums the request up."""
    server.lines({"images": ["foo", f"{picture_host}/a"]}, X_Request_ID="given-by-a-client")

    def told() -> dict[str, dict[str, Any]]:
        mine = [line for line in server.logs() if line.get("request_id") == "given-by-a-client"]
        assert len({line["action"] for line in mine}) == len(mine)
        return {line["action"]: line for line in mine}

    await wait_until(lambda: "request" in told())
    assert list(told()) == ["stream_ended", "request"]
    request = told()["request"]
    assert request["method"] == "POST"
    assert request["path"] == INFO
    assert request["status"] == 200
    assert request["ms"] > 0
    assert {"level", "logger", "timestamp", "event"} <= set(request)


def test_a_password_in_a_url_is_never_shown(
    server: ServerProcess, picture_host: PictureHost
) -> None:
    """Neither in a line nor in the log, whatever becomes of the row."""
    place = picture_host.url.removeprefix("http://")
    rows = [
        f"http://somebody:hunter2@{place}/a",
        f"http://somebody:hunter2@{place}/status/404/",
        f"http://somebody:hunter2@{place}/redirect/1/b",
        f"http://somebody:hunter2@{place}/truncated/b",
        f"{picture_host}/redirect-to?url=http://somebody:hunter2@{place}/c",
        f"{picture_host}/redirect-to?url=http://somebody:hunter2@10.0.0.1/c",
        f"{picture_host}/redirect-to?url=ftp://somebody:hunter2@{place}/c",
        "http://somebody:hunter2@10.0.0.1/blocked",
        "http://somebody:hunter2@nowhere.invalid/",
        f"http://somebody:hunter2@{place}x/bad-port",
        "ftp://somebody:hunter2@example.org/",
        "http://somebody:hunter2@/",
        "http://somebody:hunter2@[::bad/",
    ]
    for keyed in ("application/json", "application/x-ndjson"):
        with server.asking({"images": rows, "timeout": 5}, Accept=keyed) as response:
            said = response.read().decode()
        # The row's own URL may carry another in its query; that is the row's text, not userinfo.
        said = re.sub(r"\?url=[a-z]+://[^\"]*", "", said)
        assert "hunter2" not in said
        assert "somebody" not in said
    assert "hunter2" not in server.log_text()
    assert "somebody" not in server.log_text()


def test_an_answer_nobody_reads_does_not_grow_the_server(server: ServerProcess) -> None:
    """A large manifest goes up whole, nobody reads: it lies on the disk, not in memory."""
    row = b"ftp://example.org/" + b"x" * 4000 + b"\n"
    rows = 20_000
    before = server.itself.memory_info().rss
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(60)
        client.connect(("127.0.0.1", server.port))
        head = f"Host: localhost\r\nContent-Length: {rows * len(row)}\r\n"
        kind = "Content-Type: text/tab-separated-values\r\n"
        client.sendall(f"POST {INFO} HTTP/1.1\r\n{head}{kind}\r\n".encode())
        for _ in range(rows // 100):
            client.sendall(row * 100)
        after = server.itself.memory_info().rss
        assert server.lines({"images": []})[-1]["complete"] is True
    assert after - before < rows * len(row) // 3


def test_children_are_the_pool_and_its_helpers(server: ServerProcess) -> None:
    """One child for each slot, behind the two that Python brings: nothing else runs."""
    assert len(server.children) == 3
    assert all(child.status() != psutil.STATUS_ZOMBIE for child in server.children)
