"""What is told of jobs: one, and the list; whatever anybody wrote into Redis by hand."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from server import jobs
from tests.server.recording import Queue
from tests.server.serving import Served
from workers.jobs import keys, ledger
from workers.jobs.states import STATES, of_hash

pytestmark = pytest.mark.asyncio(loop_scope="session")

Serve = Callable[..., Awaitable[Served]]

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


async def test_a_job_tells_how_it_stands(queue: Queue) -> None:
    """Queued, running, done: every member is there from the start."""
    recording = await queue.recording("foo", "bar")
    queued = await queue.state(recording.job)
    await recording.open()
    await recording.feed(2)
    await recording.commit(0, True, False)
    running = await queue.state(recording.job)
    await recording.seal()
    done = await queue.state(recording.job)

    assert [one["state"] for one in (queued, running, done)] == ["queued", "running", "done"]
    assert queued.keys() == running.keys() == done.keys()
    assert queued["rows"] == {"total": None, "expected": None, "done": 0, "ok": 0, "failed": 0}
    assert running["rows"] == {"total": None, "expected": None, "done": 2, "ok": 1, "failed": 1}
    assert done["rows"]["total"] == 2
    assert done["errors"] == {"bad_url": 1}
    assert done["bytes"] == 20
    assert done["manifest_sha256"] == "ab" * 32
    assert (done["rate"], done["eta_seconds"], done["paused"], done["reason"]) == (
        0,
        None,
        False,
        None,
    )
    assert queued["options"] == done["options"]
    for name in ("created", "started", "finished"):
        assert MOMENT.fullmatch(done[name])
    assert (queued["started"], running["finished"]) == (None, None)
    assert done["links"]["self"] == f"/api/v1/jobs/{recording.job}"


async def test_a_job_of_many_rows_is_told_without_them(queue: Queue) -> None:
    """Megabytes may wait in an entry."""
    job = await queue.submit(*["https://example.org/" + "x" * 100] * 1000, depth="full")

    state = await queue.state(job)

    assert (state["state"], state["options"]["depth"]) == ("queued", "full")
    assert [one["id"] for one in (await queue.get()).json()["jobs"]] == [job]


async def test_a_job_with_an_id_of_a_far_future_is_one(queue: Queue) -> None:
    """Ids are what somebody gave them; then there is no moment they were given."""
    job = "9999999999999999-7"
    said = ("XADD", keys.INTAKE, job, "kind", "images_info", "images", "[]")
    await queue.redis.execute_command(*said)

    assert (await queue.state(job))["created"] is None
    assert (await queue.get()).json()["jobs"][0]["id"] == job
    assert (await queue.cancel(job)).json()["state"] == "cancelled"


async def test_a_job_that_failed_says_why(queue: Queue) -> None:
    """In the words of whoever split it."""
    recording = await queue.recording()
    await recording.open()
    await recording.fail("there is no such file")

    state = await queue.state(recording.job)

    assert (state["state"], state["reason"]) == ("failed", "there is no such file")


async def test_rate_and_end_are_told_from_what_was_read(queue: Queue) -> None:
    """Rows of the last seconds; of a plain file being read, as many rows a byte as so far."""
    recording = await queue.recording()
    await recording.open()
    await recording.feed(100, offset=1000, size=10_000)
    call, name = recording.call, keys.job(recording.job)
    now = (await call("TIME"))[0]
    looks = ("rate_at", now - 10, "rate_rows", 0, "last_at", now - 5, "last_rows", 30)
    await call("HSET", name, "rows", 50, "ok", 50, *looks)

    state = await queue.state(recording.job)

    assert state["rows"]["expected"] == 1000
    assert 4 <= state["rate"] <= 5
    assert state["eta_seconds"] == pytest.approx(950 / state["rate"], rel=0.05)
    await call("HSET", name, "last_at", now - 31)
    state = await queue.state(recording.job)
    assert (state["rate"], state["eta_seconds"]) == (0, None)
    await call("HSET", name, "offset", 20_000, "last_at", now)  # it was not plain, then
    assert (await queue.state(recording.job))["rows"]["expected"] is None
    await call("HSET", name, "total", 60)
    assert (await queue.state(recording.job))["eta_seconds"] < 5


async def test_a_job_that_waits_to_be_read_says_so(queue: Queue) -> None:
    """With the setting, and the request that lets it go on."""
    recording = await queue.recording()
    recording.limit = 10
    await recording.open()
    await recording.feed()
    await recording.commit(0, True)
    assert await recording.feed() == b"PAUSED"

    state = await queue.state(recording.job)

    assert (state["state"], state["paused"]) == ("running", True)
    assert "CENSUS_MAX_REDIS_RESULTS" in state["reason"]
    assert f"DELETE /api/v1/jobs/{recording.job}?through=" in state["reason"]
    await queue.delete(recording.job, through=(await recording.results())[-1])
    assert await recording.feed() == b"OK"
    assert (await queue.state(recording.job))["paused"] is False


@pytest.mark.parametrize(
    "job",
    ["1-0", "x", "1", "01-0", "..%2F..%2Fetc", "%00", "1-0%20", "18446744073709551616-0", "*"],
)
async def test_an_unknown_job_is_404_everywhere(queue: Queue, job: str) -> None:
    """Also where the name cannot be one."""
    for answer in (
        await queue.get(f"/{job}"),
        await queue.get(f"/{job}/results"),
        await queue.cancel(job),
        await queue.delete(job),
        await queue.delete(job, through="1-0"),
    ):
        answer.problem(404)


async def test_an_expired_job_is_410_until_nobody_knows_it(queue: Queue) -> None:
    """Its name outlives it for a while."""
    recording = await queue.recording()
    await recording.done((True,))
    assert 0 < await recording.call("TTL", keys.job(recording.job)) <= 3600
    for name in keys.of_job(recording.job):
        await recording.call("DEL", name)

    for answer in (
        await queue.get(f"/{recording.job}"),
        await queue.get(f"/{recording.job}/results"),
        await queue.cancel(recording.job),
        await queue.delete(recording.job, through="1-0"),
    ):
        assert "CENSUS_RESULT_TTL" in answer.problem(410)["detail"]
    assert (await queue.get()).json()["jobs"] == []
    assert (await queue.delete(recording.job)).status == 204
    (await queue.get(f"/{recording.job}")).problem(404)


async def test_entries_that_are_no_jobs_are_not_told_as_such(queue: Queue) -> None:
    """Garbage on its way to the dead letters, and requests to cancel."""
    real = await queue.submit()
    call = queue.redis.execute_command
    for fields in (
        ("foo", "bar"),
        ("", ""),
        (b"\xff\x00", b"\xff"),
        ("kind", "cancel", "job", real),
        ("kind", "images_info", "filepath", "../x"),
        ("kind", "x" * 100_000),
    ):
        entry = (await call("XADD", keys.INTAKE, "*", *fields)).decode()
        (await queue.get(f"/{entry}")).problem(404)
        (await queue.get(f"/{entry}/results")).problem(404)

    page = (await queue.get()).json()

    assert [job["id"] for job in page["jobs"]] == [real]


async def test_an_entry_that_was_refused_is_told_with_the_reason(queue: Queue) -> None:
    """As long as it is among the newest dead letters, and only where it stood in the intake."""
    refused, other = "1700000000000-7", "1700000000000-8"

    async def bury(job: str, source: str, reason: str) -> None:
        said = ("reason", reason, "source", source, "id", job, "raw", "x" * 1000)
        await queue.redis.execute_command("XADD", keys.DEAD, "*", *said)

    async def detail(job: str) -> str:
        answer = await queue.get(f"/{job}")
        assert answer.status == 404
        told: str = answer.json()["detail"]
        return told

    await bury(other, keys.shards(keys.KINDS[0]), "no shard")
    await bury(refused, keys.INTAKE, "an older one")
    await bury(refused, keys.INTAKE, "kind: must be images_info\xff")
    assert await detail(refused) == (
        f"the entry {refused} was refused: kind: must be images_info\xff; it lies in {keys.DEAD}"
    )
    assert await detail(other) == f"there is no job {other!r}"
    for _ in range(ledger.LETTERS - 1):
        await bury(other, "foo", "bar")
    assert "was refused" in await detail(refused)
    await bury(other, "foo", "bar")
    await bury(other, "foo", "bar")
    assert await detail(refused) == f"there is no job {refused!r}"
    await queue.redis.execute_command("DEL", keys.DEAD)
    await queue.redis.execute_command("SET", keys.DEAD, "what is no stream")
    assert await detail(refused) == f"there is no job {refused!r}"


async def test_what_was_written_over_a_job_is_told_and_can_be_deleted(queue: Queue) -> None:
    """502, as it is not the client's doing; other jobs go on."""
    whole = await queue.submit()
    for spoil in (
        ("SET", "x"),
        ("XADD", "*", "a", "b"),
        ("HSET", "state", "odd"),
        ("HSET", "state", b"\xff"),
        ("HSET", "state", "done", *[part for at in range(2000) for part in (f"error:{at}", 1)]),
    ):
        recording = await queue.recording()
        await recording.done((True,))
        name = keys.job(recording.job)
        await recording.call("DEL", name)
        await recording.call(spoil[0], name, *spoil[1:])

        assert "not ours" in (await queue.get(f"/{recording.job}")).problem(502)["detail"]
        (await queue.get(f"/{recording.job}/results")).problem(502)
        (await queue.delete(recording.job, through="1-0")).problem(502)
        assert (await queue.cancel(recording.job)).status == 502
        assert [job["id"] for job in (await queue.get()).json()["jobs"]] == [whole]
        assert (await queue.delete(recording.job)).status == 204
        (await queue.get(f"/{recording.job}")).problem(404)


@pytest.mark.parametrize("name", [keys.INTAKE, keys.INDEX])
async def test_a_list_written_over_by_hand_is_told(queue: Queue, name: str) -> None:
    """WRONGTYPE is no passing trouble: it is said at once, and mended by removing the key."""
    await queue.redis.execute_command("SET", name, "x")

    (await queue.get()).problem(502)
    await queue.redis.execute_command("DEL", name)
    assert (await queue.get()).json() == {"jobs": [], "next": None}


async def test_the_list_is_newest_first_and_has_each_job_once(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Page by page, of any size, whether jobs were taken, ended, or wait."""
    monkeypatch.setattr(ledger, "LOOKED_AT", 2)
    expected = []
    for number in range(7):
        recording = await queue.recording()
        expected.append(recording.job)
        if number % 3 == 1:
            await recording.open()
        elif number % 3 == 2:
            await recording.done((True,))
    garbage = ["9" * 41, "1-1", "\xff", *(f"a{number}" for number in range(300))]
    await queue.redis.execute_command(
        "ZADD", keys.INDEX, *[part for text in garbage for part in (0, text)]
    )
    expected.reverse()

    for limit in (1, 2, 3, 6, 7, 8, 1000):
        found, pages, params = [], 0, {"limit": str(limit)}
        while True:
            page = (await queue.get("/" if pages % 2 else "", **params)).json()
            found += [job["id"] for job in page["jobs"]]
            pages += 1
            if page["next"] is None:
                break
            params["after"] = page["next"]
        assert found == expected
        assert pages == -(-7 // limit)
    states = {job["state"] for job in (await queue.get()).json()["jobs"]}
    assert states == {"queued", "running", "done"}
    assert (await queue.get(after="0-0")).json() == {"jobs": [], "next": None}
    assert jobs.USUAL == 100


@pytest.mark.parametrize(
    ("name", "value"),
    [("limit", "0"), ("limit", "1001"), ("limit", "x"), ("limit", "-1"), ("limit", "²"),
     ("after", "x"), ("state", "done")],
)  # fmt: skip
async def test_a_wrong_page_is_named(queue: Queue, name: str, value: str) -> None:
    """400, and nothing is asked of Redis."""
    assert (await queue.get(**{name: value})).problem(400)["errors"][0]["field"] == name


NAMES = [
    *("kind", "manifest", "options", "reason", "created", "started", "finished", "total"),
    *("fed", "done", "dropped", "rows", "ok", "bytes", "size", "offset", "rows_fed", "released"),
    *("rate_at", "rate_rows", "last_at", "last_rows", "paused", "manifest_sha256"),
    *("error:", "error:timeout", "status:404", "status:\udcff", "hosts", "change:gone"),
]
VALUES = st.one_of(
    st.binary(max_size=20),
    st.integers(-(10**20), 10**20).map(lambda number: str(number).encode()),
    st.floats().map(lambda number: str(number).encode()),
    st.sampled_from([b"[[", b"[" * 500 + b"]" * 500, b'{"limit": "x"}', b'{"a":' * 300 + b"1"]),
    st.sampled_from([b"9" * 18, b'{"hosts":{"a":{"failed":9,"reasons":{"timeout":[9,"x"]}}}}']),
    st.sampled_from([b'{"limit": 3}', b'{"a":' * 300 + b"1" + b"}" * 300, b"1-0", b"9" * 25]),
)


@example(fields={b"options": b'{"a":' * 300 + b"1" + b"}" * 300}, state="done", now=1.0)
@given(
    fields=st.dictionaries(
        st.sampled_from(NAMES).map(lambda name: name.encode(errors="surrogateescape")), VALUES
    ),
    state=st.sampled_from([*STATES, "odd"]),
    now=st.floats(0, 1e11),
)
async def test_whatever_stands_in_a_hash_can_be_told(
    fields: dict[bytes, bytes], state: str, now: float
) -> None:
    """As JSON; or it is said not to be a job. Never an error of ours."""
    fields[b"state"] = state.encode()
    try:
        told = of_hash("1-0", fields, now)
    except ValueError:
        assert state == "odd"
    else:
        assert orjson.loads(orjson.dumps(told.json()))["state"] == state
        assert told.rate >= 0
        assert told.seconds >= 0
