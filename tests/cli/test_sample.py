"""`--sample`: the program against real hosts, and whether what it foretells comes true."""

from __future__ import annotations

import fcntl
import json
import re
import signal
import subprocess
import termios
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, NamedTuple

import pytest

from tests import picture_hosts
from tests.asserts import eventually
from tests.cli.programs import answers, count, lines_of, started
from tests.picture_hosts import PictureHost

SHARE = re.compile(r"([\d.]+)(?:–([\d.]+))? %")
UNITS = {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9}


class Said(NamedTuple):
    """What a run of the program came to."""

    code: int
    out: str
    err: str

    def line(self, label: str) -> str:
        """What stands behind a label."""
        found = re.search(rf"^ *{re.escape(label)}  +(.*)$", self.out, re.MULTILINE)
        assert found is not None, self.out
        return found[1]

    def share(self, label: str) -> tuple[float, float]:
        """The share behind a label: from, to."""
        found = SHARE.search(self.line(label))
        assert found is not None, self.line(label)
        return float(found[1]) / 100, float(found[2] or found[1]) / 100


@pytest.fixture(scope="module")
def hosts() -> Iterator[PictureHost]:
    """Three addresses with pictures."""
    with picture_hosts.started("--made", "16", "--addresses", "3") as host:
        yield host


@pytest.fixture
def manifest(hosts: PictureHost, tmp_path: Path) -> Path:
    """1,000 rows: of one address one in 20 is gone, of another two in five refused; 10 are bad."""
    urls = []
    for row in range(1_000):
        if row % 100 == 50:
            urls.append("not a URL")
        elif row % 10 < 7:
            gone = "status/404/" if row // 10 % 20 == 3 else ""
            urls.append(f"http://127.0.0.1:{hosts.port}/{gone}{row}")
        else:
            refused = "status/403/" if row // 10 % 5 in (1, 3) else ""
            urls.append(f"http://127.0.0.2:{hosts.port}/{refused}{row}")
    path = tmp_path / "images.tsv"
    path.write_text("url\n" + "".join(f"{url}\n" for url in urls), encoding="utf-8")
    return path


@pytest.fixture
def told(capfd: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Run the program to its end, in this process."""

    def run(command: str, *arguments: str | Path) -> Said:
        capfd.readouterr()
        ended = count(command, *arguments)
        return Said(ended.code, capfd.readouterr().out, ended.err)

    return run


@pytest.mark.parametrize("command", ["info", "predict"])
def test_comes_true(
    told: Callable[..., Said], command: str, manifest: Path, tmp_path: Path
) -> None:
    """Failures, bytes and requests of the whole are within what the sample said."""
    out = tmp_path / "all.ndjson"
    said = told(command, manifest, "--sample", "180")
    whole = told(command, manifest, "-o", out)
    assert (said.code, whole.code) == (0, 0), said.err + whole.err

    lines = lines_of(out)
    summary = lines[-1]
    assert summary["rows"] == 1_000
    assert said.out.startswith(f"{manifest}: 1,000 rows of 2 hosts\n")
    low, high = said.share("failures")
    assert low <= summary["failed"] / 1_000 <= high
    assert high - low < 0.15
    for status in ("403", "404"):
        low, high = said.share(f"http_status {status}")
        assert low <= summary["http_statuses"][status] / 1_000 <= high
    assert said.line("bad_url") == "1 %                   10"
    received = re.search(r"\(([\d.]+) (\w+) to ([\d.]+) (\w+)\)", said.line("received"))
    assert received is not None
    least, most = float(received[1]) * UNITS[received[2]], float(received[3]) * UNITS[received[4]]
    assert least <= summary["bytes"] <= most
    if command == "info":
        requests = sum(row["fetch"]["requests"] for row in answers(lines) if row["fetch"])
        foretold = int(said.line("requests").removeprefix("about ").replace(",", ""))
        assert abs(foretold / requests - 1) < 0.1
    own = [line for line in said.out.splitlines() if str(manifest) not in line]
    assert max(map(len, own)) <= 80
    assert said.line("to begin").startswith(f"imagecensus {command} {manifest} -o ")
    assert "127.0.0.2" in said.out.partition("what the sample says")[2]
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".ndjson"] == [out.name]


def test_the_same_again(hosts: PictureHost, manifest: Path) -> None:
    """The same manifest gives the same sample, of each host its part, whatever way it comes."""
    asked = []
    for way in ((manifest,), ("-",)):
        hosts.reset()
        arguments = ("info", *way, "--sample", "40", "-q")
        with started(*arguments, stdin=subprocess.PIPE) as process:
            _, err = process.communicate(manifest.read_bytes(), timeout=60)
        assert (process.returncode, err) == (0, b"")
        found = {(one["headers"]["host"], one["target"]) for one in hosts.requests()}
        asked.append(found)
    assert asked[0] == asked[1]
    assert len(asked[0]) == 40
    of_hosts = Counter(host for host, _ in asked[0])
    assert sorted(of_hosts.values()) == [12, 28]


def test_all_rows(told: Callable[..., Said], hosts: PictureHost, tmp_path: Path) -> None:
    """Of fewer rows than asked for, all: nothing is about."""
    path = tmp_path / "few.csv"
    port = hosts.port
    path.write_text(f"id,url\na,http://127.0.0.1:{port}/1\nb,http://127.0.0.3:{port}/empty/2\n")
    said = told("info", path, "--sample", "1000")
    assert said.code == 0
    assert said.line("sample").startswith("all rows asked for in ")
    assert said.line("failures") == "50 % of the rows: 1"
    assert said.line("empty_body").split() == ["50", "%", "1"]
    assert told("info", path, "--sample", "1000", "--strict").code == 4


def test_nothing_to_ask(told: Callable[..., Said], tmp_path: Path) -> None:
    """An empty manifest, and one of bad rows."""
    empty = tmp_path / "empty.tsv"
    empty.write_text("")
    said = told("info", empty, "--sample", "5")
    assert (said.code, said.out) == (0, f"{empty}: no rows, there is nothing to ask for\n")
    path = tmp_path / "bad.tsv"
    path.write_text("url\n" + "ftp://h.example/x\n" * 30)
    said = told("info", path, "--sample", "5")
    assert said.code == 0
    assert said.line("sample") == "nothing was asked for: no row has a URL that can be"
    assert said.line("failures") == "100 % of the rows: 30"
    assert said.line("bad_scheme").split() == ["100", "%", "30"]
    assert "to begin" not in said.out


def test_silent_host(told: Callable[..., Said], hosts: PictureHost, tmp_path: Path) -> None:
    """Thousands of rows of a host that never answers do not make days of it."""
    path = tmp_path / "silent.tsv"
    urls = [
        f"http://127.0.0.{1 + row % 2}:{hosts.port}/{'silent/' if row % 2 else ''}{row}"
        for row in range(4_000)
    ]
    path.write_text("".join(f"{url}\n" for url in urls))
    said = told("info", path, "--sample", "20", "--timeout", "0.7")
    assert said.code == 0
    assert re.match(r"(about \d+ s|less than a second), ", said.line("time"))
    assert f"No answer in time came from 127.0.0.2:{hosts.port}" in said.out
    assert said.line(f"127.0.0.2:{hosts.port}").split()[:3] == ["2,000", "10", "100"]


def test_budget(told: Callable[..., Said], hosts: PictureHost, tmp_path: Path) -> None:
    """Time that is over ends the sample; what came is told, and that it is not all."""
    path = tmp_path / "slow.tsv"
    urls = [
        f"http://127.0.0.1:{hosts.port}/{'slow/60000/' if row % 2 else ''}{row}"
        for row in range(400)
    ]
    path.write_text("".join(f"{url}\n" for url in urls))
    said = told("info", path, "--sample", "20", "--max-seconds", "1.5", "--connections", "30")
    assert said.code == 3
    assert "it ended early (budget: 1.5 seconds are" in said.line("sample")
    asked = int(said.line(f"127.0.0.1:{hosts.port}").split()[1])
    assert 0 < asked < 20


def test_interrupted(hosts: PictureHost, tmp_path: Path) -> None:
    """Ctrl-C tells what came until then, and ends it with 130; while it reads, it just ends."""
    path = tmp_path / "slow.tsv"
    slow = f"http://127.0.0.2:{hosts.port}/slow/60000/x"
    quick = [f"http://127.0.0.1:{hosts.port}/{row}" for row in range(30)]
    path.write_text("".join(f"{url}\n" for url in [*quick, slow]))
    hosts.reset()
    with started("info", path, "--sample", "40", "-q") as process:
        eventually(lambda: hosts.counts()["requests"] >= 31)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    said = Said(130, out.decode(), err.decode())
    assert "it ended early (interrupted)" in said.line("sample")
    assert said.line(f"127.0.0.1:{hosts.port}").split()[0] == "30"
    assert 0 < int(said.line(f"127.0.0.1:{hosts.port}").split()[1]) <= 30

    with started("info", "-", "--sample", "4", stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(f"{quick[0]}\n".encode())
        process.stdin.flush()
        pipe = process.stdin
        eventually(lambda: not _unread(pipe))
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, b"")


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["-o", "x.ndjson"], "-o"),
        (["--resume"], "--resume"),
        (["--only", "failed"], "--only"),
        (["-o", "x.parquet", "--only", "failed"], "-o or --only"),
    ],
)
def test_refused(
    told: Callable[..., Said],
    options: list[str],
    named: str,
    manifest: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is about records does not go with it."""
    monkeypatch.chdir(tmp_path)
    said = told("info", manifest, "--sample", "3", *options)
    assert (said.code, said.out) == (2, "")
    assert f"--sample writes no records and does not go with {named}:" in said.err
    assert not list(tmp_path.glob("x.*"))


def test_earlier_results(
    told: Callable[..., Said], hosts: PictureHost, manifest: Path, tmp_path: Path
) -> None:
    """A result file is sampled as any manifest is, and by `--changes` asked about for little."""
    earlier = tmp_path / "earlier.ndjson"
    assert told("info", manifest, "--limit", "300", "-o", earlier).code == 0
    said = told("info", earlier, "--changes", "--sample", "60")
    assert said.code == 0
    assert said.out.startswith(f"{earlier}: 300 rows of 2 hosts\n")
    spent = json.loads(earlier.read_bytes().splitlines()[-1])["bytes"]
    amount, unit = said.line("received").removeprefix("about ").split()[:2]
    assert float(amount) * UNITS[unit] < spent / 5
    assert "--changes" in said.line("to begin")


def test_cut_short(told: Callable[..., Said], tmp_path: Path) -> None:
    """A manifest that cannot be read on is not one to foretell anything of."""
    path = tmp_path / "cut.tsv.gz"
    path.write_bytes(b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03")
    said = told("info", path, "--sample", "3")
    assert (said.code, said.out) == (1, "")
    assert "ends in the middle" in said.err


def _unread(pipe: IO[bytes]) -> int:
    """Bytes that were written and that nobody has read."""
    left = array("i", [0])
    fcntl.ioctl(pipe.fileno(), termios.FIONREAD, left)
    return left[0]
