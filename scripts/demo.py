"""What `scripts/run` does once all is installed: a picture host, the server with its Redis and its
consumer, and a sample census: facts as a stream, predictions as another, facts as a job.

Lines of the census go to stdout, what is for people to stderr, and what the processes log to
`run.log` in CENSUS_VAR. The demo opens its own picture host for downloads, besides whatever
CENSUS_ALLOW_NETWORKS names. That host has the same port at every start, kept in CENSUS_VAR: jobs
that were interrupted go on. With --once all of it lies in a folder that is removed afterwards, but
for what CENSUS_DATA_ROOT, CENSUS_VAR and CENSUS_REDIS_URL name: it meets no other demo and no job
of yours. Its logs go to stderr.

What it started ends with it, however it goes, and the picture host last.
"""

from __future__ import annotations

if __name__ == "__main__":
    from workers.interrupts import leave_at_once

    leave_at_once()  # while all else is imported

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any

from demo_processes import (
    PORT_FILE,
    ROOT,
    Log,
    end_on_signals,
    end_with,
    is_free,
    keep_port,
    pictures,
    read_port,
    running,
)

START_SECONDS = 60.0
JOB_SECONDS = 120.0
PICTURES = 20
INFO = "/api/v1/images_info"
BATCH = "/api/v1/batch_predict"
BATCH_ROWS = 8


def say(text: str) -> None:
    """For people: not part of the census."""
    with suppress(OSError):  # the terminal is closed
        print(text, file=sys.stderr, flush=True)


#: Stands in every sample this wrote.
SAMPLE_ROW = "private\thttp://169.254.169.254/latest/meta-data"


def sample_place(folder: Path) -> Path:
    """Where the sample goes, which nothing but an earlier sample may be."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "sample.tsv"
    if path.exists() and SAMPLE_ROW not in path.read_text(encoding="utf-8", errors="replace"):
        sys.exit(f"{path} is not this demo's and is left alone: move it, or use --no-sample")
    return path


def write_sample(base: str, path: Path) -> int:
    """A manifest of pictures and of what goes wrong with them; its rows."""
    rows = [f"{number}\t{base}/demo/{number}" for number in range(1, PICTURES + 1)]
    rows += [
        f"missing\t{base}/status/404",
        f"page\t{base}/html/product",
        f"moved\t{base}/redirect/2/demo/1",
        SAMPLE_ROW,
        "other\tftp://example.org/picture.jpg",
        "no address at all",
    ]
    text = "id\turl\n" + "\n".join(rows) + "\n"
    if not path.exists() or path.read_text(encoding="utf-8") != text:  # a job may read on in it
        path.write_text(text, encoding="utf-8")
    return len(rows)


class Door:
    """The server, as its clients ask it."""

    def __init__(self, url: str, env: dict[str, str]) -> None:
        self.url = url
        key = env.get("CENSUS_API_KEY") or ""
        if file := env.get("CENSUS_API_KEY_FILE"):
            key = Path(ROOT, file).read_text(encoding="latin-1").strip()
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ask(self, path: str, body: object = None, method: str | None = None) -> Any:
        """The answer, to be closed. Raises OSError."""
        data, headers = None, self._headers
        if body is not None:
            data = json.dumps(body).encode()
            headers = {"Content-Type": "application/json", **headers}
        request = urllib.request.Request(  # noqa: S310 - the server started here
            self.url + path, data, headers, method=method
        )
        return self._direct.open(request, timeout=START_SECONDS)

    def pass_on(self, path: str, rows: int, body: object = None) -> bool:
        """Print the lines of a stream as they come; whether each of *rows* was answered, once."""
        answered: list[int] = []
        complete = False
        end = time.monotonic() + JOB_SECONDS
        with self.ask(path, body) as answer:
            for line in answer:
                sys.stdout.buffer.write(line)
                sys.stdout.buffer.flush()
                said = json.loads(line)
                if said["type"] == "image":
                    answered.append(said["index"])
                elif said["type"] == "batch":
                    answered += [row["index"] for row in said["rows"]]
                complete = said["type"] == "summary" and said["complete"] and said["rows"] == rows
                if time.monotonic() > end:
                    break
        return complete and sorted(answered) == list(range(rows))


def look_for_port(env: dict[str, str]) -> None:
    """End with advice where somebody else has the port of the server."""
    wanted = env.get("CENSUS_PORT") or "5000"
    if env.get("CENSUS_HOST") or not wanted.isdecimal() or is_free(int(wanted)):
        return  # or the server says what is wrong with it
    other = 5071 if wanted != "5071" else 5072
    sys.exit(
        f"cannot serve: port {wanted} is taken, maybe by another ./scripts/run"
        f" (on macOS AirPlay has 5000). Take another one: CENSUS_PORT={other} ./scripts/run"
    )


def inject(manifest: str, env: dict[str, str]) -> str:
    """Hand a job in with redis-cli, as people do; its id."""
    command = ["./scripts/redis-cli", "XADD", "census:jobs", "*"]
    command += ["kind", "images_info", "filepath", manifest]
    done = subprocess.run(
        command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True, check=False
    )
    job = done.stdout.strip()
    if done.returncode or not job.replace("-", "").isdigit():  # errors of Redis are exit code 0
        raise OSError(f"redis-cli did not take the job: {job or 'it said nothing'}")
    return job


def run_sample(door: Door, manifest: str, rows: int, env: dict[str, str]) -> tuple[bool, str]:
    """The sample as two streams, then as a job: whether nothing was missing, and the job's id."""
    began = time.monotonic()
    say(f"sample: {rows} rows of {manifest} through {door.url}{INFO}")
    looked_at = door.pass_on(INFO, rows, {"filepath": manifest})
    say(f"sample: the same in batches of {BATCH_ROWS} through {door.url}{BATCH}")
    asked = {"filepath": manifest, "batch_size": BATCH_ROWS, "ordered": True}
    predicted = door.pass_on(BATCH, rows, asked)
    job = inject(manifest, env)
    say(f"sample: the same as job {job}, injected by redis-cli")
    followed = door.pass_on(f"/api/v1/jobs/{job}/results?follow=1", rows)
    whole = looked_at and predicted and followed
    say(f"sample: {'complete' if whole else 'NOT complete'}, {time.monotonic() - began:.2f} s")
    return whole, job


def say_what_next(url: str, base: str, manifest: str, job: str, prefix: str, log: Log) -> None:
    """Commands to go on with, to be pasted, and last where the page is."""
    body = json.dumps({"filepath": manifest})
    say(
        f"""
pictures on {base}: any path answers, and scripts/picture_host.py --help
serving on {url} until Ctrl-C; the sample again, as a stream of facts, and one of predictions:
  curl -N {url}{INFO} -H 'Content-Type: application/json' -d '{body}'
  curl -N {url}{BATCH} -H 'Content-Type: application/json' -d '{body}'
as a job, which prints its id:
  {prefix}./scripts/redis-cli XADD census:jobs '*' kind images_info filepath {manifest}
and the records of a job (of the one above), over HTTP and out of Redis:
  curl -N '{url}/api/v1/jobs/{job}/results?follow=1'
  {prefix}./scripts/redis-cli --raw XRANGE '{{census:jobs}}:results:{job}' - +
log: {log.path}
page: {url}/ (open it in a browser)"""
    )


def waited_for(server: subprocess.Popen[str]) -> int:
    """Its exit code. In pieces: a signal that came just before a wait without an end would be heard
    behind it only.
    """
    while True:
        with suppress(subprocess.TimeoutExpired):
            return server.wait(60)


def main() -> int:
    """Run the demo; returns the exit code."""
    parser = argparse.ArgumentParser(prog="scripts/run", description=__doc__)
    parser.add_argument("--once", action="store_true", help="stop after the sample")
    parser.add_argument("--no-sample", action="store_true", help="only serve")
    arguments = parser.parse_args()
    env = dict(os.environ)
    if arguments.no_sample:
        os.chdir(ROOT)
        os.execve(sys.executable, [sys.executable, "-m", "server"], env)  # noqa: S606
    if arguments.once:
        env["CENSUS_PORT"] = env.get("CENSUS_PORT") or "0"  # any: nobody else is to find it
    look_for_port(env)
    end_on_signals(130 if arguments.once else 0)
    with ExitStack() as stack:
        if arguments.once:
            own = stack.enter_context(tempfile.TemporaryDirectory(prefix="census-once-"))
            for name in ("CENSUS_DATA_ROOT", "CENSUS_VAR"):
                env[name] = env.get(name) or f"{own}/{name[7:].lower()}"
        sample = sample_place(Path(ROOT, env.get("CENSUS_DATA_ROOT") or "data"))
        var = Path(ROOT, env.get("CENSUS_VAR") or "var")
        log = Log(None if arguments.once else var)
        before = read_port(var / PORT_FILE)
        asked = None if arguments.once else before
        base, held = stack.enter_context(pictures(env, log, asked))
        port = int(base.rpartition(":")[2])
        opened = [f"127.0.0.1/32:{one}" for one in sorted({port, before or port})]
        env["CENSUS_ALLOW_NETWORKS"] = ",".join(
            filter(None, [env.get("CENSUS_ALLOW_NETWORKS", ""), *opened])
        )
        # The picture host lives as long as they do, and they no longer than this.
        tied = {"pass_fds": (held,), "preexec_fn": partial(end_with, os.getpid())}
        command = [sys.executable, "-m", "server"]
        server, ready = stack.enter_context(running(command, env, log, **tied))
        if named := env.get("CENSUS_REDIS_URL"):  # without, the server has a consumer of its own
            command = [sys.executable, "-m", "workers"]
            stack.enter_context(running(command, env, log, **tied))
        # Only now: where it cannot serve, because another demo does, that one's is left as it is.
        manifest, rows = sample.name, write_sample(base, sample)
        if not arguments.once:
            if before is None:
                keep_port(var / PORT_FILE, port)
            where = "that Redis" if named else var
            stack.callback(say, f"ending; jobs are kept in {where}: run it again to go on")
        door = Door(ready["url"], env)
        whole, job = run_sample(door, manifest, rows, env)
        if arguments.once:
            if named:  # which keeps no trace of it
                door.ask(f"/api/v1/jobs/{job}", method="DELETE").close()
            return 0 if whole else 1
        prefix = ready.get("inject", "").partition("./scripts/redis-cli")[0]
        say_what_next(door.url, base, manifest, job, prefix, log)
        code = waited_for(server)
        say(f"the server ended by itself, exit code {code}\n{log.tail()}")
        return code
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(0)
    except (OSError, urllib.error.URLError) as exc:
        say(f"the demo failed: {exc}")
        sys.exit(1)
