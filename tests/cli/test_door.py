"""What the commands say when a server does not do as asked."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from aiohttp import web

from tests.cli.asking import KEY, PROGRAM, ask, environment, standing_in


def test_nobody_listens() -> None:
    """It is said where, and how to start one."""
    told = ask("status", server="http://127.0.0.1:1")

    assert (told.returncode, told.stdout) == (1, "")
    assert "no server listens at http://127.0.0.1:1" in told.stderr
    assert "imagecensus serve" in told.stderr


@pytest.mark.parametrize(
    ("server", "told"),
    [
        ("ftp://a", "give an http:// or https:// URL"),
        ("127.0.0.1:5000", "give an http:// or https:// URL"),
        ("http://somebody:secret@127.0.0.1", "give --key"),
        ("http://[", "is no URL"),
    ],
)
def test_a_url_that_is_none(server: str, told: str) -> None:
    """Exit 2; a password in it is not shown."""
    refused = ask("status", server=server)

    assert refused.returncode == 2
    assert told in refused.stderr
    assert "secret" not in refused.stderr


@pytest.mark.parametrize(
    ("response", "code", "told"),
    [
        ({"text": "<html>", "content_type": "text/html"}, 2, "is no imagecensus server"),
        ({"text": "<html>", "content_type": "text/html", "status": 404}, 2, "is no imagecensus"),
        ({"text": "[]", "content_type": "application/json"}, 2, "is no imagecensus server"),
        ({"status": 302, "headers": {"Location": "https://other/"}}, 2, "sends to https://other/"),
        ({"text": '{"error": "odd"}', "status": 502}, 1, "odd"),
        ({"status": 500, "text": '{"error":"internal error","request_id":"r7"}'}, 1, "r7"),
        ({"status": 503, "text": "full"}, 1, "503 Service Unavailable"),
        ({"status": 422, "text": '{"error":"a","detail":"b: c"}'}, 2, "a: b: c"),
    ],
)
def test_odd_answers(response: dict[str, object], code: int, told: str) -> None:
    """Each in a sentence; nobody is asked for a key elsewhere."""

    async def answer(request: web.Request) -> web.StreamResponse:
        assert request.headers["Authorization"] == f"Bearer {KEY}"
        return web.Response(**response)  # type: ignore[arg-type]

    with standing_in(answer) as server:
        said = ask("status", server=server)

    assert (said.returncode, said.stdout) == (code, "")
    assert told in said.stderr
    assert KEY not in said.stderr


def test_the_key(url: str, tmp_path: Path) -> None:
    """Of an option, the environment or a file; missing or wrong it is 401, and never shown."""
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n", encoding="utf-8")

    none = ask("status", server=url, API_KEY="")
    wrong = ask("status", "--key", "another-key-entirely", server=url)
    right = [
        ask("status", "--key", KEY, server=url, API_KEY=""),
        ask("status", server=url, API_KEY_FILE=str(file), API_KEY=""),
    ]
    odd = ask("status", server=url, API_KEY="two words\n")
    missing = ask("status", server=url, API_KEY="", API_KEY_FILE=str(tmp_path / "nothing"))

    for refused in (none, wrong):
        assert refused.returncode == 2
        assert "the key is missing or wrong" in refused.stderr
        assert "CENSUS_API_KEY" in refused.stderr
        assert "another" not in refused.stderr
    assert [one.returncode for one in right] == [0, 0], right
    assert (odd.returncode, missing.returncode) == (2, 2)
    assert "two words" not in odd.stderr
    assert "CENSUS_API_KEY_FILE cannot be read: No such file" in missing.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("arguments", ["status", "results 5-0"])
def test_a_disk_that_is_full(arguments: str) -> None:
    """Behind standard output: a sentence, and exit 1."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/results"):
            return web.Response(text='{"type":"start","job":"5-0"}\n')
        return web.json_response({"jobs": []})

    with standing_in(answer) as server:
        told = subprocess.run(
            ["bash", "-c", f"{PROGRAM} {arguments} > /dev/full"],
            env=environment(SERVER=server),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert told.returncode == 1
    assert told.stderr == (
        "imagecensus: cannot write to standard output: No space left on device\n"
    )
