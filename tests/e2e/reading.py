"""Reading a page as people do: its blocks one after the other, in one terminal and one Python.

In go a page and a demo, out comes what each block printed. A block that does not end well is an
AssertionError that says which, and what it said.
"""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.e2e.demo import Demo, free_port
from tests.pages import ROOT, Block, Use, blocks

__all__ = ["Printed", "read"]

Printed = list[tuple[Block, str]]

SECONDS = 120.0  #: for a block
TOLD = 4000  #: characters, of what a block said that failed
#: Reads names of files, runs each as if it were typed, and says each name again when it is done.
TERMINAL = """
set -euo pipefail
while read -r name; do . "$name" > "$name.out" 2> "$name.err" < /dev/null; echo "$name"; done
"""
INTERPRETER = """
import contextlib, sys
space = {"__name__": "__main__"}
for line in sys.stdin:
    name = line.strip()
    with open(name + ".out", "w") as out, open(name + ".err", "w") as err:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                exec(compile(open(name).read(), name, "exec"), space)
            except BaseException:
                import traceback
                traceback.print_exc()
                raise SystemExit(1)
    print(name, flush=True)
"""


class Session:
    """A program that runs files, one after the other, and keeps what they leave behind."""

    def __init__(self, command: list[str], folder: Path, env: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        with self._process:
            pass

    def run(self, file: Path, block: Block) -> str:
        """What it printed."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(f"{file}\n".encode())
        stdin.flush()
        done = select.select([stdout], [], [], SECONDS)[0]
        ended = os.fsdecode(stdout.readline()).strip() if done else f"not over after {SECONDS} s"
        said, wrong = (file.with_name(file.name + end) for end in (".out", ".err"))
        told = said.read_text(errors="replace")
        why = f"{block.text}{told[-TOLD:]}{wrong.read_text(errors='replace')[-TOLD:]}"
        assert ended == str(file), f"{block}: {ended or 'failed'}\n{why}"
        return told


@contextmanager
def serving(command: str, folder: Path, env: dict[str, str], block: Block) -> Iterator[None]:
    """A command that serves: it is up when it has printed a line, and ends well at Ctrl-C."""
    errors = folder.parent / f"{folder.name}.{block.line}.err"
    with (
        errors.open("wb") as stderr,
        subprocess.Popen(
            ["/bin/bash", "-euo", "pipefail", "-c", command],
            cwd=folder,
            env=env,
            stdout=subprocess.PIPE,
            stderr=stderr,
            start_new_session=True,
        ) as process,
    ):
        assert process.stdout is not None
        up = select.select([process.stdout], [], [], SECONDS)[0] and process.stdout.readline()
        try:
            assert up, f"{block}: it does not serve\n{errors.read_text()}"
            yield
            os.killpg(process.pid, signal.SIGINT)
            process.stdout.read()
            assert process.wait(SECONDS) == 0, f"{block}\n{errors.read_text()}"
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def surroundings(page: Path, demo: Demo) -> dict[str, str]:
    """The environment of a terminal: for docs/ as docs/README.md has readers make it."""
    env = {**os.environ, **demo.env}
    if page.parent == ROOT:
        return env
    return {
        **env,
        "PATH": f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "CENSUS_ALLOW_NETWORKS": "127.0.0.0/8",
        "CENSUS_SERVER": f"http://127.0.0.1:{demo.port}",
        "job": demo.job,  # that of the sample, which is done
    }


def read(page: Path, demo: Demo) -> Printed:
    """Run every block of a page that is not marked. Raises AssertionError where one fails."""
    name = re.sub(r"\W", "-", str(page.relative_to(ROOT).with_suffix("")))
    place = demo.clone(name)
    files = demo.folder / f"{name}.blocks"
    files.mkdir()
    env = surroundings(page, demo)
    #: Servers of the page's own keep theirs apart from the demo's.
    own = {"CENSUS_DATA_ROOT": str(files / "data"), "CENSUS_VAR": str(files / "var")}
    (files / "data").mkdir()
    ports = {"5000": str(demo.port), "8080": str(free_port()), "8800": str(free_port())}
    printed = []
    with ExitStack() as stack:
        sessions = {
            "sh": stack.enter_context(Session(["/bin/bash", "-c", TERMINAL], place, env)),
            "python": stack.enter_context(Session([sys.executable, "-c", INTERPRETER], place, env)),
        }
        for block in blocks(page):
            # Ports as they stand in the documents may be taken here.
            text = re.sub(
                r"(127\.0\.0\.1:|--port )(5000|8080|8800)\b",
                lambda found: found[1] + ports[found[2]],
                block.text,
            )
            if block.use is Use.RUN:
                file = files / f"{block.line}"
                file.write_text(text, encoding="utf-8")
                printed.append((block, sessions[block.language].run(file, block)))
            elif block.use is Use.FILE:
                (place / block.word).parent.mkdir(parents=True, exist_ok=True)
                (place / block.word).write_text(text, encoding="utf-8")
            elif block.use is Use.SERVES and text != "./scripts/run\n":  # which is the demo
                given = env | {"CENSUS_PORT": "0"} | own
                if "imagecensus work" in text:
                    given = env
                # It installs, if need be, from the folder it is in: the true one.
                text = text.replace("./scripts/run", str(ROOT / "scripts" / "run"))
                stack.enter_context(serving(text, place, given, block))
    return printed
