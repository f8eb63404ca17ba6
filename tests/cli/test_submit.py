"""`imagecensus submit`: a job, once, whatever the connection does."""

from __future__ import annotations

import gzip
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import web

from tests.cli.asking import PROGRAM, ask, environment, standing_in

Listed = Callable[..., Path]


def state_of(url: str, job: str) -> dict[str, object]:
    """What the server tells of a job."""
    told = ask("status", job, "--json", server=url)
    assert told.returncode == 0, told.stderr
    said: dict[str, object] = json.loads(told.stdout)
    return said


def test_the_id_alone_is_printed(url: str, listed: Listed) -> None:
    """So that a shell can take it."""
    script = f'job=$({PROGRAM} submit "{listed(3)}" --limit 2) && {PROGRAM} watch -q "$job"'

    done = subprocess.run(
        ["bash", "-c", script],
        env=environment(SERVER=url),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "done: 2 of 2 rows, 0 failed\n"


@pytest.mark.parametrize(
    ("name", "text", "rows"),
    [
        ("a.csv", "id,url\n1,{0}/1\n2,{0}/2\n", 2),
        ("a.tsv.gz", "{0}/1\n{0}/2\n{0}/3\n", 3),
        ("a.ndjson", '{{"url": "{0}/1"}}\n', 1),
        ("a.json", '["{0}/1", {{"url": "{0}/2"}}]', 2),
        ("noname", "id;url\n1;{0}/1\n", 1),
        ("lines", '{{"url": "{0}/1"}}\n{{"url": "{0}/2"}}\n', 2),
    ],
)
def test_a_file_is_sent_as_what_it_is(
    url: str, picture_host: object, tmp_path: Path, name: str, text: str, rows: int
) -> None:
    """By its name, else by how it begins; compressed as it lies there."""
    path = tmp_path / name
    written = text.format(picture_host).encode()
    path.write_bytes(gzip.compress(written) if name.endswith(".gz") else written)

    done = ask("submit", path, "--wait", "-q", "--depth", "full", server=url)

    assert done.returncode == 0, done.stderr
    assert f"done: {rows} of {rows} rows, 0 failed" in done.stderr


def test_standard_input_is_sent(url: str, picture_host: object) -> None:
    """And may be predicted on."""
    done = ask(
        "submit",
        "-",
        "--predict",
        "--batch-size=2",
        "--size=32x32",
        "--wait",
        stdin=f"a\t{picture_host}/1\nb\t{picture_host}/2\nc\t{picture_host}/3\n",
        server=url,
    )

    assert done.returncode == 0, done.stderr
    assert "done: 3 of 3 rows" in done.stderr
    lines = ask("results", done.stdout.strip(), server=url).stdout.splitlines()
    batches = [json.loads(line) for line in lines if '"type":"batch"' in line]
    assert sorted(batch["batch_dimension"] for batch in batches) == [[1, 3, 32, 32], [2, 3, 32, 32]]


def test_a_file_of_the_server_is_named(url: str, place: Path, picture_host: object) -> None:
    """With --filepath; one that is not there is told as the server words it."""
    (place / "data" / "there.tsv").write_text(f"{picture_host}/1\n", encoding="utf-8")
    done = ask(
        "submit", "--filepath", "there.tsv", "--depth=full", "--option", "extra=true", server=url
    )
    told = ask("submit", "--filepath", "nothing.tsv", server=url)

    state = state_of(url, done.stdout.strip())
    assert state["manifest"] == "there.tsv"
    assert isinstance(state["options"], dict)
    assert (state["options"]["extra"], state["options"]["depth"]) == (True, "full")
    assert (told.returncode, told.stdout) == (2, "")
    assert "Invalid input file url" in told.stderr
    assert "nothing.tsv" in told.stderr


def test_strict_tells_rows_that_failed(url: str, listed: Listed) -> None:
    """By an exit code of its own; without it the job is done."""
    done = ask("submit", listed(5), "--wait", "--strict", "-q", server=url)

    assert done.returncode == 4
    assert "done: 5 of 5 rows, 1 failed (http_status 1)" in done.stderr


def test_a_key_makes_it_safe_to_call_again(url: str, listed: Listed) -> None:
    """The same job; without the key another."""
    path = listed(2)
    first, second, third = (
        ask("submit", path, *key, server=url).stdout
        for key in (["--idempotency-key=cli"], ["--idempotency-key=cli"], [])
    )

    assert first == second != third


def test_a_server_that_is_full_is_asked_again(listed: Listed) -> None:
    """The same key and the whole body each time; when it may come again is heeded."""
    seen: list[tuple[str, bytes]] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        seen.append((request.headers["Idempotency-Key"], await request.read()))
        if len(seen) < 3:
            return web.Response(status=503, headers={"Retry-After": "0"})
        return web.json_response({"ok": "Processing Images", "job": "7-0"}, status=202)

    path = listed(50)
    with standing_in(answer) as server:
        done = ask("submit", path, server=server)

    assert (done.returncode, done.stdout) == (0, "7-0\n"), done.stderr
    assert seen == [(seen[0][0], path.read_bytes())] * 3
    assert "it is sent again" in done.stderr


def test_it_is_given_up(listed: Listed) -> None:
    """After so many tries, with the way to go on."""

    async def answer(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    with standing_in(answer) as server:
        done = ask("submit", listed(2), "--tries=2", server=server)

    assert (done.returncode, done.stdout) == (1, "")
    assert "was cut. Tried 2 times" in done.stderr
    assert "--idempotency-key" in done.stderr


def test_a_refusal_in_the_middle_of_a_large_body_is_heard(url: str, tmp_path: Path) -> None:
    """The server answers an option at once, not behind the last of many bytes."""
    path = tmp_path / "large.tsv"
    path.write_bytes(b"https://example.com/a-name-of-some-length.jpg\n" * 1_000_000)

    done = ask("submit", path, "--depth", "deep", server=url)

    assert (done.returncode, done.stdout) == (2, "")
    assert "depth: Input should be 'header' or 'full'" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "give one: a MANIFEST, or --filepath"),
        (["/nowhere.tsv"], "cannot read /nowhere.tsv"),
        (["/"], "cannot read /: Is a directory"),
        (["-", "--predict", "--depth=full"], "is for facts"),
        (["-", "--size=64"], "needs --predict"),
        (["-", "--option", "x"], "is not NAME=VALUE"),
        (["-", "--type", "xml"], "give tsv, csv"),
    ],
)
def test_what_is_asked_wrongly(url: str, arguments: list[str], told: str) -> None:
    """Exit 2, and what is wrong."""
    done = ask("submit", *arguments, server=url)

    assert (done.returncode, done.stdout) == (2, "")
    assert told in " ".join(done.stderr.replace("│", " ").split())
