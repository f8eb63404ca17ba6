"""`imagecensus info` and `predict`: where lines go, where rows come from, what is said and how."""

from __future__ import annotations

import fcntl
import gzip
import json
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pandas
import pytest

from tests.asserts import eventually
from tests.cli.asking import ROOT
from tests.cli.programs import answers, count, lines_of, started, summed, whole_file
from tests.picture_hosts import PictureHost

Listed = Callable[..., Path]


def facts_of(path: Path) -> list[dict[str, Any]]:
    """What was found for each row, in manifest order, without how it was fetched."""
    rows = sorted(answers(lines_of(path)), key=lambda row: int(row["index"]))
    return [{name: value for name, value in row.items() if name != "fetch"} for row in rows]


def test_to_standard_output(listed: Listed) -> None:
    """The lines of the stream and nothing else; what is for people is on standard error."""
    with started("info", listed(20)) as run:
        out, err = run.communicate(timeout=30)
    assert run.returncode == 0
    summary = summed(lines_of(out))
    assert (summary["rows"], summary["failed"], summary["complete"]) == (20, 1, True)
    assert err.startswith(b"20 rows: 19 ok, 1 failed: http_status 1; in ")


def test_what_is_said(listed: Listed, tmp_path: Path) -> None:
    """`--quiet` says nothing; `--strict` minds rows that failed."""
    manifest = listed(5)
    quiet = count("info", manifest, "-o", tmp_path / "a", "--quiet", "--strict")
    assert (quiet.code, quiet.err) == (4, "")
    strict = count("info", manifest, "-o", tmp_path / "b", "--strict", "--limit", "3")
    assert strict.code == 0
    assert strict.err.startswith("3 rows: 3 ok, 0 failed; in ")


def test_what_is_asked_wrongly(
    listed: Listed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 2, naming the option or the setting; nothing is written."""
    manifest, out = listed(1), tmp_path / "out.ndjson"
    for command, arguments, told in (
        ("info", ("--depth", "deep"), "--depth: Input should be 'header' or 'full'"),
        ("info", ("--thumbnail", "999"), "--thumbnail: "),
        ("info", ("--timeout", "0"), "--timeout: "),
        ("info", ("--connections", "0"), "CENSUS_MAX_CONNECTIONS: "),
        ("info", ("--per-host", "0"), "CENSUS_MAX_CONNECTIONS_PER_HOST: "),
        ("info", ("--allow", "300.1.1.1"), "CENSUS_ALLOW_NETWORKS: "),
        ("predict", ("--size", "big"), "--size: "),
        ("predict", ("--batch-size", "5000"), "--batch-size: "),
        ("predict", ("--predictor", "nobody"), "--predictor: "),
        ("predict", ("--batch-size", "1024", "--size", "4000"), "take smaller batches"),
    ):
        refused = count(command, manifest, "-o", out, *arguments)
        assert refused.code == 2
        assert told in refused.err
    assert count("info", manifest, "--resume").code == 2
    assert count("info", tmp_path / "nothing.tsv", "-o", out).code == 2
    monkeypatch.setenv("CENSUS_TIMEOUT", "soon")
    refused = count("info", manifest, "-o", out)
    assert (refused.code, "CENSUS_TIMEOUT: " in refused.err) == (2, True)
    assert not out.exists()


@pytest.mark.parametrize("how", ["file", "parquet"])
def test_from_standard_input(listed: Listed, tmp_path: Path, how: str) -> None:
    """Parquet by a pipe, or a compressed file; with `--resume` it is read as often as it takes."""
    manifest, out = listed(12), tmp_path / "out.ndjson"
    text = manifest.read_bytes()
    if how == "parquet":
        pandas.DataFrame({"url": text.decode().split()}).to_parquet(manifest)
        text = manifest.read_bytes()
    else:
        manifest.write_bytes(text := gzip.compress(text))
    for more in ((), ("--resume",)):
        with manifest.open("rb") as file:
            stdin = file if how == "file" else subprocess.PIPE
            with started("info", "-", "-o", out, *more, stdin=stdin) as run:
                _, err = run.communicate(None if how == "file" else text, timeout=30)
        assert run.returncode == 0, err
        whole_file(out, 12)
        whole = out.read_bytes()
        out.write_bytes(whole[: len(whole) // 2])


def test_rows_are_asked_for_as_they_come(picture_host: PictureHost, tmp_path: Path) -> None:
    """Of a pipe that stays open; Ctrl-C ends the waiting, also before there is a row."""
    out = tmp_path / "out.ndjson"
    with started("info", "-", "-o", out, stdin=subprocess.PIPE) as run:
        assert run.stdin is not None
        run.stdin.write(f"{picture_host}/come/1\n{picture_host}/come/2\n".encode())
        run.stdin.flush()
        eventually(lambda: out.exists() and out.read_bytes().count(b"\n") == 3)
        run.send_signal(2)
        assert run.wait(10) == 130
    assert summed(lines_of(out))["reason"] == "interrupted"
    with started("info", "-", "-o", out, "--resume", stdin=subprocess.PIPE) as run:
        eventually(lambda: b"uvloop" in Path(f"/proc/{run.pid}/maps").read_bytes())
        run.send_signal(2)
        assert run.wait(10) == 130


def test_records_are_seen_at_once(picture_host: PictureHost, tmp_path: Path) -> None:
    """As they end, though a slow host holds the others."""
    manifest, out = tmp_path / "images.tsv", tmp_path / "out.ndjson"
    urls = [f"{picture_host}/{'slow/60000/' if row % 2 else ''}seen/{row}" for row in range(8)]
    manifest.write_text("\n".join(urls), encoding="utf-8")
    picture_host.reset()
    with started("info", manifest, "-o", out) as run:
        eventually(lambda: picture_host.counts()["requests"] >= 8)
        eventually(lambda: out.read_bytes().count(b"\n") == 5, timeout=20)
        run.terminate()
        run.communicate(timeout=20)


def test_results_are_lists(listed: Listed, tmp_path: Path) -> None:
    """Of facts for predictions, of predictions for facts: the same rows, with the same ids."""
    manifest = listed(12)
    facts, batches, again = (tmp_path / name for name in ("a.ndjson", "b.ndjson", "c.ndjson"))
    assert count("info", manifest, "-o", facts, "--ordered").code == 0
    predicted = count(
        "predict", facts, "-o", batches, "--batch-size", "5", "--size", "8x8", "--ordered"
    )
    assert predicted.code == 0
    assert count("info", batches, "-o", again).code == 0
    whole_file(batches, 12)
    whole_file(again, 12)
    assert facts_of(again) == facts_of(facts)
    named = [(row["index"], row["id"], row["url"]) for row in facts_of(batches)]
    assert named == [(row["index"], row["id"], row["url"]) for row in facts_of(facts)]
    text = batches.read_bytes()
    again.write_bytes(again.read_bytes()[:2000])
    batches.write_bytes(text)  # only touched
    assert count("info", batches, "-o", again, "--resume").code == 0
    whole_file(again, 12)


def test_a_narrow_terminal(picture_host: PictureHost, tmp_path: Path) -> None:
    """Twenty columns show how many rows are done; the cursor is back at the end."""
    manifest = tmp_path / "images.tsv"
    urls = [f"{picture_host}/slow/{row * 10}/narrow/{row}\n" for row in range(40)]
    manifest.write_text("".join(urls), encoding="utf-8")
    for columns, killed in ((20, False), (1, True)):
        out = tmp_path / f"{columns}{killed}.ndjson"
        if killed:  # it must not be done before
            manifest.write_text("".join([*urls, f"{picture_host}/slow/60000/"]), encoding="utf-8")
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 10, columns, 0, 0))
        with started("info", manifest, "-o", out, stderr=slave) as run:
            os.close(slave)
            if killed:  # by a second Ctrl-C
                eventually(partial(has_records, out))
                eventually(lambda: run.send_signal(2) or run.poll() is not None)
            shown = read_all(master)
            assert run.wait(20) in ((0,) if not killed else (-2, 130))
        assert "Traceback" not in shown, shown
        assert shown.rfind("\x1b[?25h") >= shown.rfind("\x1b[?25l")
        if not killed:
            assert "40 rows" in shown.replace("\r\n", "")
            whole_file(out, 40)


def has_records(path: Path) -> bool:
    """Whether there is more than the first line."""
    return path.exists() and path.read_bytes().count(b"\n") > 1


def read_all(master: int) -> str:
    """What a terminal was sent."""
    pieces = []
    try:
        while data := os.read(master, 65536):
            pieces.append(data)
    except OSError:  # the other end was closed
        pass
    os.close(master)
    return b"".join(pieces).decode()


def test_no_terminal_gets_plain_lines(
    listed: Listed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Now and then, each with rows, rate and failures."""
    monkeypatch.setattr("scripts.cli.progress.LINE_SECONDS", 0.1)
    told = count("info", listed(16, "/slow/300"), "-o", tmp_path / "out.ndjson", "--connections=8")
    *lines, last = told.err.splitlines()
    assert last.startswith(("  ", "16 rows"))
    about = [line for line in lines if "rows/s" in line]
    assert len(about) > 2
    assert all("\x1b" not in line and " failed" in line for line in about)


@pytest.mark.parametrize("arguments", [["--help"], ["info", "--help"], ["predict", "--help"]])
def test_help_comes_at_once(arguments: list[str]) -> None:
    """Nothing of the work is imported for it."""
    program = (
        "import sys; from scripts.cli.entry import main\n"
        "assert not {'typer', 'rich', 'workers', 'scripts.cli.commands'} & set(sys.modules)\n"
        f"sys.argv[1:] = {arguments!r}\n"
        "try: main()\n"
        "except SystemExit as exc: assert not exc.code\n"
        "heavy = {'pandas', 'aiohttp', 'numpy', 'uvloop', 'PIL', 'orjson', 'redis', 'pyarrow'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Usage: " in done.stdout


def test_the_start_line(listed: Listed, tmp_path: Path) -> None:
    """Says what the run is of, and how its manifest is known again."""
    manifest, out = listed(1), tmp_path / "out.ndjson"
    assert count("predict", manifest, "-o", out, "--size", "8x8").code == 0
    start = lines_of(out)[0]
    found = manifest.stat()
    assert start["kind"] == "batch_predict"
    assert start["manifest"] == str(manifest)
    assert start["manifest_stamp"] == f"{found.st_mtime_ns}:{found.st_size}"
    assert start["manifest_bytes"] == found.st_size
    assert start["provenance"]["predictor"] == "appearance"
    assert json.loads(out.read_bytes().splitlines()[-1])["provenance"] == start["provenance"]
