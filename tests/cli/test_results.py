"""`imagecensus results`: each record once, in a file that is whole, over whatever connection."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from aiohttp import web

from tests.asserts import eventually
from tests.cli.asking import PROGRAM, ask, begun, environment, standing_in, whole
from tests.cli.cutting import cutting
from tests.e2e.serving import ServerProcess

Listed = Callable[..., Path]
Submit = Callable[..., str]

ROWS = 400


@pytest.fixture(scope="module")
def done(url: str, picture_host: object, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A job that was done before."""
    path = tmp_path_factory.mktemp("done") / "images.tsv"
    path.write_text("".join(f"{picture_host}/{row}\n" for row in range(ROWS)), encoding="utf-8")
    handed = ask("submit", path, "--wait", "-q", server=url)
    assert handed.returncode == 0, handed.stderr
    return handed.stdout.strip()


def test_they_are_printed(url: str, done: str) -> None:
    """One whole answer, nothing else on standard output, nothing at all on the other."""
    told = ask("results", done, server=url)

    assert (told.returncode, told.stderr) == (0, "")
    assert whole(told.stdout, ROWS)[0]["job"] == done


def test_they_are_written(url: str, done: str, tmp_path: Path) -> None:
    """To a file, never over another; what is whole is not fetched again."""
    out = tmp_path / "out.ndjson"

    first = ask("results", done, "-o", out, server=url)
    written = out.read_bytes()
    again = ask("results", done, "-o", out, server=url)
    resumed = ask("results", done, "-o", out, "--resume", server=url)

    assert (first.returncode, first.stdout) == (0, "")
    assert f"{ROWS} rows, 0 failed" in first.stderr
    whole(written.decode(), ROWS)
    assert again.returncode == 2
    assert "--resume" in again.stderr
    assert resumed.returncode == 0
    assert "complete already" in resumed.stderr
    assert out.read_bytes() == written


def test_a_cut_connection_is_gone_on_with(
    url: str, job_server: ServerProcess, done: str, tmp_path: Path
) -> None:
    """In a file and on standard output: within a line, within the head, in front of the summary."""
    size = len(ask("results", done, server=url).stdout)
    out = tmp_path / "out.ndjson"
    cuts = (100, 5000, size // 2, size // 3, size // 2 + 777)

    with cutting(job_server.port, *cuts) as way:
        written = ask("results", done, "-o", out, "-q", server=way.url)
        count = way.count
    with cutting(job_server.port, *cuts) as way:
        printed = ask("results", done, server=way.url)

    assert (written.returncode, printed.returncode) == (0, 0), written.stderr + printed.stderr
    assert count == len(cuts) + 1
    assert "was cut" in written.stderr
    whole(out.read_text(encoding="utf-8"), ROWS)
    whole(printed.stdout, ROWS)


def test_a_file_that_was_killed_is_gone_on_with(
    url: str, submit: Submit, listed: Listed, tmp_path: Path
) -> None:
    """As a job runs, with `kill -9`: the file ends as if nothing had been."""
    out = tmp_path / "out.ndjson"
    job = submit(listed(ROWS, "/slow/300"))

    with begun("results", job, "--follow", "-o", out, server=url) as following:
        eventually(lambda: out.exists() and out.read_bytes().count(b'"progress"') > 1)
        following.kill()
        following.wait(20)
    cut = out.read_bytes()
    out.write_bytes(cut + b'{"type":"image","index":0,"id":"to')  # as where a disk was full
    resumed = ask("results", job, "--follow", "-o", out, "--resume", server=url)

    assert b'"summary"' not in cut
    assert resumed.returncode == 0, resumed.stderr
    assert out.read_bytes().startswith(cut[: cut.rfind(b'{"type":"progress"')])
    whole(out.read_text(encoding="utf-8"), ROWS)


def test_what_is_there_of_a_running_job(
    url: str, submit: Submit, listed: Listed, tmp_path: Path
) -> None:
    """Comes at once, with the code for what can be gone on with; and then the rest.

    Once the job was cancelled there is no rest.
    """
    out = tmp_path / "out.ndjson"
    job = submit(listed(ROWS, "/slow/2000"))

    part = ask("results", job, "-o", out, server=url)
    assert json.loads(out.read_bytes().splitlines()[-1])["reason"] == "running"
    cancelled = [ask("cancel", job, server=url) for _ in range(2)]
    rest = ask("results", job, "--follow", "-o", out, "--resume", server=url)

    assert part.returncode == 3
    assert "incomplete: running (--follow waits for the rest)" in part.stderr
    assert [one.returncode for one in cancelled] == [0, 0], cancelled
    assert cancelled[0].stdout.startswith("cancelled: ")
    assert rest.returncode == 3
    lines = [json.loads(line) for line in out.read_bytes().splitlines()]
    assert [line["type"] for line in lines].count("summary") == 1
    assert lines[-1]["reason"] == "cancelled"
    indexes = [line["index"] for line in lines if line["type"] == "image"]
    assert len(indexes) == len(set(indexes)) == lines[-1]["rows"]


def test_a_job_that_is_done_is_not_cancelled(url: str, done: str) -> None:
    """The server's words, and exit 2."""
    told = ask("cancel", done, server=url)

    assert (told.returncode, told.stdout) == (2, "")
    assert told.stderr == f"imagecensus: the job {done} is done already\n"


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ('{"type":"start","schema":1,"kind":"images_info","job":"1-0"}\n', "of 1-0, not of"),
        ('{"type":"start","schema":1,"kind":"images_info","job":null}\n', "no results of a job"),
    ],
)
def test_a_file_of_something_else_is_left_alone(
    url: str, done: str, tmp_path: Path, written: str, told: str
) -> None:
    """It is not gone on with."""
    out = tmp_path / "out.ndjson"
    out.write_text(written, encoding="utf-8")

    refused = ask("results", done, "-o", out, "--resume", server=url)

    assert refused.returncode == 2
    assert told in refused.stderr
    assert out.read_text(encoding="utf-8") == written


@pytest.mark.parametrize("held", ["", '{"type":"sta'])
def test_a_file_with_nothing_in_it_is_begun(url: str, done: str, tmp_path: Path, held: str) -> None:
    """Killed before its first line was whole."""
    out = tmp_path / "out.ndjson"
    out.write_text(held, encoding="utf-8")

    resumed = ask("results", done, "-o", out, "--resume", server=url)

    assert resumed.returncode == 0, resumed.stderr
    whole(out.read_text(encoding="utf-8"), ROWS)


def test_no_file_is_made_for_no_job(url: str, tmp_path: Path) -> None:
    """Refused, and nothing lies about."""
    told = ask("results", "1-1", "-o", tmp_path / "out.ndjson", server=url)

    assert told.returncode == 2
    assert "there is no job '1-1'" in told.stderr
    assert list(tmp_path.iterdir()) == []


def test_nobody_reads_on(url: str, done: str) -> None:
    """`head` has had enough: quiet, and 141."""
    script = f'set -o pipefail; {PROGRAM} results "{done}" | head -1 > /dev/null; echo $?'

    told = subprocess.run(
        ["bash", "-c", script],
        env=environment(SERVER=url),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (told.stdout, told.stderr) == ("141\n", "")


def test_the_rest_behind_a_cursor(url: str, done: str) -> None:
    """As scripts read that keep their own place."""
    lines = [json.loads(line) for line in ask("results", done, server=url).stdout.splitlines()]
    at = next(n for n, line in enumerate(lines) if line["type"] == "progress")

    rest = ask("results", done, "--after", lines[at]["cursor"], server=url)

    assert rest.returncode == 0, rest.stderr
    assert [line for line in map(json.loads, rest.stdout.splitlines()) if "index" in line] == [
        line for line in lines[at:] if "index" in line
    ]


def answers(*parts: list[dict[str, object]]) -> Callable[[web.Request], object]:
    """A stand-in that gives one answer after the other, the last again and again."""
    left = list(parts)

    async def answer(request: web.Request) -> web.StreamResponse:
        lines = left.pop(0) if len(left) > 1 else left[0]
        start = {"type": "start", "schema": 1, "kind": "images_info", "job": "5-0"}
        text = b"".join(orjson.dumps(line) + b"\n" for line in [start, *lines])
        return web.Response(body=text, content_type="application/x-ndjson")

    return answer


def image(index: int) -> dict[str, object]:
    """A record."""
    return {"type": "image", "index": index, "id": str(index)}


def summary(**said: object) -> dict[str, object]:
    """The last line."""
    return {"type": "summary", "rows": 2, "failed": 0, "complete": "reason" not in said, **said}


def test_a_server_that_stops_is_waited_for() -> None:
    """Its summary is not that of the job; the next server goes on."""
    progress = {"type": "progress", "done": 1, "failed": 0, "cursor": "9-1"}
    handler = answers(
        [image(0), progress, summary(reason="draining", cursor="9-1")],
        [image(1), summary(cursor="9-2")],
    )

    with standing_in(handler) as server:  # type: ignore[arg-type]
        told = ask("results", "5-0", "--follow", server=server)

    assert told.returncode == 0, told.stderr
    assert "draining" in told.stderr
    whole(told.stdout, 2)


@pytest.mark.parametrize(
    ("parts", "code", "told"),
    [
        ([[image(0), summary(reason="failed: no such file")]], 1, "incomplete: failed: no such"),
        ([[image(0), summary()]], 1, "1 rows came, and it says that there are 2"),
        ([[image(0)]], 1, "was cut"),
        ([[image(0)], [image(7)]], 1, "are not those that were given out before"),
    ],
)
def test_what_cannot_be_completed(
    parts: list[list[dict[str, object]]], code: int, told: str
) -> None:
    """Is no whole answer, and says why."""
    with standing_in(answers(*parts)) as server:  # type: ignore[arg-type]
        ended = ask("results", "5-0", "--patience", "0.5", server=server)

    assert ended.returncode == code
    assert told in ended.stderr
    assert '"complete":true' not in ended.stdout
