"""docs/redis.md: every command as it stands there, against a server with its Redis and consumer."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from imaging.facts import ErrorCode
from tests import picture_hosts, redis_servers
from tests.asserts import eventually
from tests.e2e.serving import started
from tests.pages import Use, blocks
from tests.picture_hosts import PictureHost
from tests.redis_servers import RedisServer
from workers.jobs import keys
from workers.jobs.fields import Job
from workers.options import InfoOptions
from workers.tracing.traceparent import Traceparent

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "redis.md").read_text(encoding="utf-8")
ID = re.compile(r"\d{13}-\d+\n\Z")
GREATEST = f"{2**64 - 1}-{2**64 - 1}"


def recipes(heading: str) -> list[str]:
    """The commands below a heading."""
    (section,) = re.findall(rf"^##+ {heading}\n(.*?)(?=^##|\Z)", TEXT, re.DOTALL | re.MULTILINE)
    return re.findall(r"```sh\n(.*?)\n```", section, re.DOTALL)


def table(heading: str) -> dict[str, str]:
    """The table below a heading: first cell → second."""
    (section,) = re.findall(rf"^##+ {heading}\n(.*?)(?=^##|\Z)", TEXT, re.DOTALL | re.MULTILINE)
    return dict(re.findall(r"^\| `([^`]+)` \| (.*?) \|", section, re.MULTILINE))


def shell(command: str, **env: str) -> str:
    """What a command prints; one that does not end well is an error."""
    return subprocess.run(
        ["/bin/bash", "-euo", "pipefail", "-c", command],
        cwd=ROOT,
        env=os.environ | env,
        capture_output=True,
        timeout=30,
        check=True,
        text=True,
    ).stdout


class Place:
    """A server with its own Redis and consumer, and how people ask that Redis."""

    def __init__(self, var: Path, data: Path) -> None:
        self.var, self.data = var, data

    def run(self, command: str, job: str = "") -> str:
        """A command of the document, `$job` being *job*."""
        return shell(command, CENSUS_VAR=str(self.var), job=job)

    def ask(self, *words: str) -> str:
        """One command of Redis."""
        command = ["./scripts/redis-cli", *words]
        env = os.environ | {"CENSUS_VAR": str(self.var)}
        done = subprocess.run(
            command, cwd=ROOT, env=env, capture_output=True, timeout=30, check=True, text=True
        )
        return done.stdout.strip()

    def until(self, job: str, state: str = "done") -> str:
        """Wait until a job is in a state; its id."""
        eventually(lambda: self.ask("HGET", keys.job(job), "state") == state)
        return job

    def submit(self, *fields: str) -> str:
        """Hand in a job; its id."""
        given = fields or ("filepath", "images.tsv")
        return self.ask("XADD", keys.INTAKE, "*", "kind", "images_info", *given)

    def client(self) -> redis.Redis:
        """A client of that Redis, to be closed."""
        socket = (self.var / "redis" / "redis.lock").read_text(encoding="utf-8").strip()
        return redis.Redis(unix_socket_path=socket, decode_responses=True)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, picture_host: PictureHost) -> Iterator[Place]:
    """With a manifest of three rows."""
    with redis_servers.folder() as var:
        folder = tmp_path_factory.mktemp("recipes")
        (folder / "data").mkdir()
        rows = f"a\t{picture_host}/a\nb\t{picture_host}/status/404\nc\tnonsense\n"
        (folder / "data" / "images.tsv").write_text(rows, encoding="utf-8")
        with started(folder, VAR=str(var)) as server:
            yield Place(var, folder / "data")
            assert server.end() == 0


def test_every_command_is_run_here() -> None:
    """There is none below another heading."""
    tried = ("Hand in", "Hand in batches", "Watch", "Read results", "Cancel")
    commands = sum(len(recipes(name)) for name in (*tried, "Look at dead letters", "By hand"))

    assert commands == sum(block.use is Use.RUN for block in blocks(ROOT / "docs" / "redis.md"))


def test_jobs_are_handed_in(place: Place) -> None:
    """A manifest, rows in the entry, batches: each prints an id, and is done or under way."""
    by_name, inline = recipes("Hand in")
    (batches,) = recipes("Hand in batches")

    for command in (by_name, batches):
        job = place.run(command)
        assert ID.fullmatch(job)
        place.until(job.strip())
    job = place.run(inline)
    assert ID.fullmatch(job)
    eventually(lambda: place.ask("HGET", keys.job(job.strip()), "state"))
    assert place.ask("XLEN", keys.DEAD) == "0"


def test_a_job_is_watched(place: Place) -> None:
    """Its hash, the newest jobs, what waits, who works."""
    of_job, around = recipes("Watch")
    job = place.until(place.submit())

    said = place.run(of_job, job).splitlines()
    assert dict(zip(said[::2], said[1::2], strict=True))["rows"] == "3"
    newest, *_, name, about = place.run(around).splitlines()
    assert newest == job
    assert json.loads(about)["kinds"] == list(keys.KINDS)
    assert name.count(":") == 2


def test_results_are_read(place: Place) -> None:
    """The lines of every row, and nothing else."""
    (read,) = recipes("Read results")

    lines = place.run(read, place.until(place.submit())).splitlines()
    assert sorted(json.loads(line)["id"] for line in lines) == ["a", "b", "c"]


def test_a_job_is_cancelled(place: Place) -> None:
    """While it runs; once it is over there is a dead letter, to be looked at and removed."""
    (cancel,) = recipes("Cancel")
    look, remove = recipes("Look at dead letters")
    with picture_hosts.started("--made", "1", "--latency-ms", "1000") as slow:
        rows = "".join(f"{slow}/{row}\n" for row in range(500))
        (place.data / "slow.tsv").write_text(rows, encoding="utf-8")
        job = place.until(place.submit("filepath", "slow.tsv"), "running")

        assert ID.fullmatch(place.run(cancel, job))
        place.until(job, "cancelled")

    done = place.until(place.submit())
    place.run(cancel, done)
    eventually(lambda: place.ask("XLEN", keys.DEAD) == "1")
    said = place.run(look).splitlines()
    letter = dict(zip(said[1::2], said[2::2], strict=True))
    assert letter["reason"] == f"cancel: the job {done} is done already"
    assert letter["source"] == keys.INTAKE
    assert letter["raw"] == f"kind cancel; job {done}"
    assert place.run(remove) == "1\n"


@pytest.mark.parametrize(
    "broken",
    [
        ("FLUSHALL",),
        ("XGROUP", "DESTROY", keys.INTAKE, keys.GROUP),
        ("XGROUP", "DESTROY", keys.shards(keys.KINDS[0]), keys.GROUP),
        ("DEL", keys.INTAKE),
        ("DEL", keys.shards(keys.KINDS[0])),
        ("DEL", keys.CONSUMERS, keys.CAPACITY + keys.KINDS[0]),
    ],
    ids=" ".join,
)
def test_consumers_go_on_whatever_was_removed(place: Place, broken: tuple[str, ...]) -> None:
    """A job handed in afterwards is done."""
    place.until(place.submit())

    assert "ERR" not in place.ask(*broken)

    place.until(place.submit())


def test_an_intake_at_its_end_is_mended(redis_server: Callable[..., RedisServer]) -> None:
    """Behind the greatest id nothing can be added; afterwards it can, and what waited waits."""
    (mend,) = recipes("By hand")
    server = redis_server()
    server.call("XGROUP", "CREATE", keys.INTAKE, keys.GROUP, "0", "MKSTREAM")
    for waiting in (True, False):
        entry = server.call("XADD", keys.INTAKE, "*", "kind", "x") if waiting else None
        server.call("XADD", keys.INTAKE, GREATEST, "kind", "x")
        server.call("XDEL", keys.INTAKE, GREATEST)  # as a consumer has done by then
        with pytest.raises(redis.ResponseError, match="exhausted"):
            server.call("XADD", keys.INTAKE, "*", "kind", "x")

        shell(mend, CENSUS_REDIS_URL=server.url)

        assert [found for found, _ in server.call("XRANGE", keys.INTAKE, "-", "+")] == (
            [entry] if entry else []
        )
        assert server.call("XADD", keys.INTAKE, "*", "kind", "x") < b"18"
        server.call("XTRIM", keys.INTAKE, "MAXLEN", 0)


def named() -> dict[str, str]:
    """Every name that `keys` gives, as the document writes it."""
    made = {
        name: getattr(keys, name)("<id>")
        for name in ("job", "results", "input_of", "fence", "marks")
    }
    kind = {name: getattr(keys, name)("<kind>") for name in ("shards", "open_jobs")}
    fixed = {
        name: getattr(keys, name)
        for name in ("INTAKE", "INDEX", "DEAD", "CONSUMERS", "TOTALS", "RUNNING")
    }
    rest = {"CAPACITY": keys.CAPACITY + "<kind>", "once": keys.once("<token>")}
    return made | kind | fixed | rest


def test_every_key_is_documented() -> None:
    """And no other; whatever `keys` names is looked at."""
    assert set(keys.__all__) - named().keys() == {
        "COUNTED",
        "GROUP",
        "KINDS",
        "is_job_id",
        "member",
        "of_job",
    }
    assert set(table("Keys")) == set(named().values())


def test_keys_are_of_the_type_that_is_documented(place: Place) -> None:
    """All there are after jobs of every end."""
    place.until(place.submit())
    types = {
        re.compile(re.sub(r"<\w+>", "[^:]+", re.escape(name)) + r"\Z"): told.split(",")[0]
        for name, told in table("Keys").items()
    }
    kinds = {"zset": "sorted set"}
    with place.client() as client:
        found = {key: client.type(key) for key in client.keys("*")}

    assert len(found) >= 7
    for key, kind in found.items():
        (documented,) = [told for pattern, told in types.items() if pattern.match(key)]
        assert documented == kinds.get(kind, kind), key


def written() -> set[str]:
    """Fields that scripts write by name into the hash of a job."""
    scripts = "".join(
        path.read_text(encoding="utf-8")
        for path in (ROOT / "workers" / "jobs" / "lua").glob("*.lua")
        if path.stem not in ("submit", "alive")
    )
    calls = re.findall(r"call\('H(?:SET|INCRBY)', (?:KEYS|keys)\[\d\],(.*?)\n", scripts, re.DOTALL)
    calls += re.findall(r"'rate_at', .*\n(.*)\)", scripts)
    names = set(re.findall(r"'([a-z_]+)'", " ".join(calls)))
    return names - {"running", "done", "failed", "cancelled"} | {"done"}


def test_every_field_of_a_job_is_documented(place: Place) -> None:
    """Those scripts write, those a request brings, and those jobs are seen to have."""
    documented = set(table("The hash of a job"))
    trace = Traceparent("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "01")
    asked = Job(keys.KINDS[0], InfoOptions(), upload="it", traceparent=trace)
    head = {*asked.head(), "created"}
    assert written() | head <= documented

    jobs = [place.until(place.submit()), place.until(place.submit("filepath", "no.tsv"), "failed")]
    seen = set()
    for job in jobs:
        seen |= set(place.ask("HKEYS", keys.job(job)).splitlines())
    codes = {f"error:{code.value}" for code in ErrorCode}
    seen = {"error:<code>" if name in codes else name for name in seen}
    seen = {re.sub(r"^status:\d{3}$", "status:<status>", name) for name in seen}
    assert seen <= documented
    assert documented <= seen | written() | head
