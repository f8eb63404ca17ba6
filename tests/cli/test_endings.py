"""How runs end early: signals, readers that leave, full disks, manifests that break off."""

from __future__ import annotations

import gzip
import json
import os
import resource
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from tests.asserts import eventually
from tests.cli.programs import count, lines_of, started, summed, whole_file
from tests.picture_hosts import PictureHost

ROWS = 30


@pytest.fixture
def slow(picture_host: PictureHost, tmp_path: Path) -> Path:
    """A manifest of which some rows come at once, and others in a minute."""
    urls = [
        f"{picture_host}/{'slow/60000/' if row % 3 == 2 else ''}end/{row}" for row in range(ROWS)
    ]
    path = tmp_path / "images.tsv"
    path.write_text("".join(f"{url}\n" for url in urls), encoding="utf-8")
    return path


def quick(manifest: Path) -> None:
    """Take the slowness out of the manifest; the rows stay what they are."""
    text = manifest.read_text(encoding="utf-8")
    stamp = manifest.stat()
    manifest.write_text(text.replace("slow/60000", "slow/00000"), encoding="utf-8")
    os.utime(manifest, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))


def records(path: Path) -> int:
    """How many lines stand there behind the first."""
    return path.read_bytes().count(b"\n") - 1 if path.exists() else 0


@pytest.mark.parametrize(
    ("command", "number", "code"),
    [("info", signal.SIGINT, 130), ("predict", signal.SIGTERM, 143)],
)
def test_a_signal(slow: Path, command: str, number: signal.Signals, code: int) -> None:
    """The file has what came, and says that it was interrupted; it is gone on with."""
    out = slow.with_name("out.ndjson")
    options = ["--batch-size=3", "--size=8x8"] if command == "predict" else []
    if command == "predict":  # whole batches come at once
        rows = slow.read_text(encoding="utf-8").splitlines(keepends=True)
        slow.write_text("".join(sorted(rows, key=lambda row: "slow" in row)), encoding="utf-8")
    with started(command, slow, "-o", out, *options) as run:
        eventually(lambda: records(out) >= (5 if options else 20))
        run.send_signal(number)
        err = run.communicate(timeout=20)[1].decode()

    assert run.returncode == code
    assert f"not complete: interrupted; {out} is kept, the same command with --resume" in err
    summary = summed(lines_of(out))
    assert (summary["complete"], summary["reason"]) == (False, "interrupted")
    assert summary["rows"] >= 15
    assert "cancelled" not in summary["errors"]
    before = out.read_bytes().splitlines()[:-1]
    quick(slow)
    assert count(command, slow, "-o", out, "--resume", "--force", *options).code == 0
    whole_file(out, ROWS)
    kept = set(out.read_bytes().splitlines()[1:])
    assert kept >= {line for line in before[1:] if command == "info" and b"slow" not in line}


def test_a_second_one_ends_at_once(slow: Path) -> None:
    """Though nobody takes what the first one had it write."""
    reading, writing = os.pipe()
    with started("info", slow, stdout=writing) as run:
        os.close(writing)
        os.read(reading, 60)
        eventually(lambda: _blocked(run, reading))
        run.send_signal(signal.SIGINT)
        eventually(lambda: run.send_signal(signal.SIGINT) or run.poll() is not None)
        assert run.wait(5) == -signal.SIGINT
    os.close(reading)


@pytest.mark.parametrize("ended", ["signal", "budget"])
def test_a_reader_that_stalls(picture_host: PictureHost, tmp_path: Path, ended: str) -> None:
    """It is not waited for when the end was asked for: by a signal, or by a budget of time."""
    manifest = tmp_path / "images.tsv"
    urls = [f"{picture_host}/stalled/{row}\n" for row in range(2000)]  # more than a pipe holds
    manifest.write_text("".join(urls), encoding="utf-8")
    options = ["--max-seconds=0.5"] if ended == "budget" else []
    reading, writing = os.pipe()
    with started("info", manifest, *options, stdout=writing) as run:
        os.close(writing)
        if ended == "signal":
            taken = 0
            while taken < 4096:  # records: it listens to signals by then
                taken += len(os.read(reading, 1024))
            run.send_signal(signal.SIGTERM)
        assert run.wait(30) == (143 if ended == "signal" else 3)
    os.close(reading)


@pytest.mark.parametrize("instead", [None, "somebody else's\n"])
def test_a_file_that_is_taken_away(slow: Path, instead: str | None) -> None:
    """Removed, or replaced, while it is written: that is said, and the other is not touched."""
    quick(slow)
    slow.write_text(slow.read_text(encoding="utf-8").replace("slow/00000", "slow/4000"))
    out = slow.with_name("out.ndjson")
    with started("info", slow, "-o", out) as run:
        eventually(lambda: records(out) >= 10)
        out.unlink()
        if instead is not None:
            out.write_text(instead, encoding="utf-8")
        err = run.communicate(timeout=30)[1].decode()
    assert run.returncode == 1
    assert f"{out} was moved, removed or replaced while it was written" in err
    assert (out.read_text(encoding="utf-8") if out.exists() else None) == instead


def _blocked(run: subprocess.Popen[bytes], reading: int) -> bool:
    """It has written, and listens to signals since."""
    return len(os.read(reading, 100)) == 100


def test_a_signal_at_any_moment(slow: Path) -> None:
    """From its first line on: no traceback, and what there is can be gone on with."""
    out = slow.with_name("out.ndjson")
    quick(slow)
    for part in range(3):
        with started("info", slow, "-o", out, "--resume") as run:
            eventually(lambda: _opened(run, "uvloop"))
            time.sleep(part * 0.2)  # how far it is by then is not for us to know
            run.send_signal(signal.SIGINT)
            err = run.communicate(timeout=20)[1].decode()
        assert run.returncode in (130, 0)
        assert "Traceback" not in err
    assert count("info", slow, "-o", out, "--resume").code == 0
    whole_file(out, ROWS)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_its_processes_start(
    slow: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, code: int
) -> None:
    """All of them end, and take away what they had for themselves."""
    own = slow.with_name("own")
    own.mkdir()
    monkeypatch.setenv("TMPDIR", str(own))
    with started("info", slow, "--depth=full") as run:
        itself = psutil.Process(run.pid)
        eventually(lambda: len(itself.children(recursive=True)) >= 2)
        family = itself.children(recursive=True)
        run.send_signal(number)
        assert run.communicate(timeout=30) == (b"", b"")
    assert run.returncode == code
    assert psutil.wait_procs(family, timeout=30)[1] == []
    assert list(own.iterdir()) == []


def _opened(run: subprocess.Popen[bytes], name: str) -> bool:
    """Whether it has come to import that."""
    return name in Path(f"/proc/{run.pid}/maps").read_text(encoding="utf-8")


@pytest.mark.parametrize("lines", [0, 9])
def test_a_reader_that_leaves(slow: Path, lines: int) -> None:
    """Soon after it left, though the next record is a minute away: four slow rows have all
    connections. Without a word.
    """
    with started("info", slow, "--connections=4") as run:
        assert run.stdout is not None
        for _ in range(lines):
            assert json.loads(run.stdout.readline())
        run.stdout.close()
        assert run.wait(30) == 141
        assert run.stderr is not None
        assert run.stderr.read() == b""


def test_a_reader_of_what_is_told_that_leaves(slow: Path) -> None:
    """Of the closing words: the file counts."""
    quick(slow)
    out = slow.with_name("out.ndjson")
    with started("info", slow, "-o", out) as run:
        assert run.stderr is not None
        run.stderr.close()
        assert run.wait(20) == 0
    whole_file(out, ROWS)


def test_standard_streams_that_are_closed(slow: Path) -> None:
    """Nothing that is opened takes their numbers; what should go to one of them is refused."""
    quick(slow)
    out = slow.with_name("out.ndjson")
    with started("info", slow, "-o", out, before=lambda: os.closerange(0, 3)) as run:
        assert run.communicate(timeout=20) == (b"", b"")
    assert run.returncode == 0
    whole_file(out, ROWS)
    with started("info", slow, before=lambda: os.close(1)) as run:
        assert run.communicate(timeout=20) == (b"", b"standard output is closed\n")
    assert run.returncode == 1


def test_a_full_disk(slow: Path) -> None:
    """Exit 1, the file is named and ends with a whole line; with room again it is gone on with."""
    quick(slow)
    out = slow.with_name("out.ndjson")

    def little() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))

    with started("info", slow, "-o", out, before=little) as run:
        err = run.communicate(timeout=20)[1].decode()
    assert (run.returncode, err) == (1, f"cannot write {out}: File too large\n")
    text = out.read_bytes()
    assert 3000 < len(text) <= 5000
    assert text.endswith(b"}\n")
    assert count("info", slow, "-o", out, "--resume").code == 0
    assert out.read_bytes().startswith(text)
    whole_file(out, ROWS)
    manifest_now = slow.read_bytes() + b"http://127.0.0.1:1/more\n"
    slow.write_bytes(manifest_now)
    before = out.read_bytes()
    with started("info", slow, "-o", out, "--resume", "--force", before=little) as run:
        err = run.communicate(timeout=20)[1].decode()
    assert run.returncode == 1
    assert f"cannot write {out.parent}/.out.ndjson.new: File too large" in err
    assert out.read_bytes() == before  # it was to be written anew, and was not
    assert not list(out.parent.glob(".*"))


def test_a_disk_that_is_full_from_the_start(slow: Path) -> None:
    """There is no file of nothing, which would have to be gone on with."""
    quick(slow)
    out = slow.with_name("out.ndjson")
    none = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # noqa: E731
    with started("info", slow, "-o", out, before=none) as run:
        err = run.communicate(timeout=20)[1].decode()
    assert (run.returncode, err) == (1, f"cannot write {out}: File too large\n")
    assert count("info", slow, "-o", out).code == 0
    whole_file(out, ROWS)


def test_a_full_disk_behind_standard_output(slow: Path) -> None:
    """Exit 1, and says so."""
    quick(slow)
    with Path("/dev/full").open("wb") as full, started("info", slow, stdout=full) as run:
        err = run.communicate(timeout=20)[1].decode()
    assert run.returncode == 1
    assert err == "cannot write to standard output: No space left on device\n"


def test_a_manifest_that_breaks_off(slow: Path) -> None:
    """What was read before has its records; the reason stands in the summary. Exit 1."""
    quick(slow)
    text = slow.read_bytes() + os.urandom(60_000).hex().encode()
    cut = slow.with_name("images.tsv.gz")
    cut.write_bytes(gzip.compress(text)[:-8])
    out = slow.with_name("out.ndjson")
    told = count("info", cut, "-o", out)
    assert told.code == 1
    summary = summed(lines_of(out))
    assert summary["rows"] == ROWS
    assert summary["reason"].startswith("failed: ")
    assert f"not complete: {summary['reason']}" in told.err
    assert count("info", cut, "-o", out, "--resume").code == 1
    assert summed(lines_of(out))["rows"] == ROWS
