"""The pool with real processes: whatever items do, each has its own answer and the pool lives."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import platform
import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import psutil
import pytest
import uvloop
from PIL import Image

from imaging.facts import ErrorCode, Failure
from imaging.options import Limits
from tests.workers.pool import hostile_work
from workers.pool import entries
from workers.pool.pool import ImagePool, PoolClosedError, PoolSettings, open_pool

T = TypeVar("T")

ROOT = Path(__file__).parents[3]
SETTINGS = PoolSettings(
    slots=2, memory_bytes=512 << 20, item_timeout=2.0, limits=Limits(), answer_margin=2.0
)
HOSTILE = {
    "leave": ErrorCode.WORKER_DIED,
    "segfault_by_signal": ErrorCode.WORKER_DIED,
    "segfault_in_c": ErrorCode.WORKER_DIED,
    "loop_in_python": ErrorCode.DECODE_TIMEOUT,
    "loop_in_c_with_the_gil": ErrorCode.DECODE_TIMEOUT,
    "allocate_four_gigabytes": ErrorCode.WORKER_DIED,
    "make_a_huge_image": ErrorCode.WORKER_DIED,
    "raise_an_error": ErrorCode.INTERNAL,
    "raise_system_exit": ErrorCode.INTERNAL,
    "recurse": ErrorCode.INTERNAL,
    "answer_with_a_generator": ErrorCode.INTERNAL,
    "raise_what_does_not_unpickle": ErrorCode.INTERNAL,
    "answer_with_what_does_not_unpickle": ErrorCode.INTERNAL,
}


@pytest.fixture
async def pool() -> AsyncIterator[ImagePool]:
    async with open_pool(SETTINGS) as pool:
        yield pool


async def until(condition: Callable[[], T], *, seconds: float = 20.0) -> T:
    """Wait until something holds, and return it, or fail."""
    async with asyncio.timeout(seconds):
        while not (held := condition()):  # noqa: ASYNC110 - processes set no events
            await asyncio.sleep(0.005)
    return held


async def pids(pool: ImagePool) -> list[int]:
    """The processes of all slots, none of which may be taken."""
    async with asyncio.timeout(10), pool.slot() as one, pool.slot() as two:
        [[first], [second]] = await asyncio.gather(
            one.run(hostile_work.process_id, [0]), two.run(hostile_work.process_id, [0])
        )
        return [first, second]


async def met(folder: Path, item: str) -> int:
    """The process that has begun on an item of `meet`."""
    return int((await until(lambda: list(folder.glob(f"{item}.*"))))[0].suffix[1:])


def gone(pid: int) -> bool:
    """Whether a process has ended (a zombie has)."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def run(pool: ImagePool, entry: Callable[..., object], *items: object) -> list[object]:
    async with pool.slot() as slot:
        return await slot.run(entry, items)


async def test_hundred_items_thirteen_of_them_hostile(pool: ImagePool) -> None:
    """Each hostile item yields exactly its code, each of the 87 others its value."""
    items = [*HOSTILE, *(f"good-{number}" for number in range(100 - len(HOSTILE)))]
    random.Random(13).shuffle(items)
    started = time.monotonic()
    chunks = [items[start : start + 10] for start in range(0, 100, 10)]
    answers = await asyncio.gather(*(run(pool, hostile_work.act, *chunk) for chunk in chunks))
    seconds = time.monotonic() - started

    results = dict(zip(items, (value for answer in answers for value in answer), strict=True))
    codes = {item: value.code for item, value in results.items() if isinstance(value, Failure)}
    assert codes == HOSTILE
    good = [item for item, value in results.items() if value == item]
    assert len(good) == 87
    # Three that die and die again alone, two that time out once; memory and errors cost nobody.
    assert pool.restarts == 8
    assert await pool.probe(2)
    told = len(good), dict(Counter(map(str, codes.values()))), pool.restarts, seconds
    logging.getLogger(__name__).info("good %d, codes %s, deaths %d, %.1f s", *told)


async def test_chunk_of_nothing_but_killers(pool: ImagePool) -> None:
    """Each has its own verdict, with the signal or exit code that ended it."""
    results = await run(pool, hostile_work.act, "leave", "segfault_in_c", "segfault_by_signal")
    died = ErrorCode.WORKER_DIED
    assert results[0] == Failure(died, "the process ended with exit code 3")
    assert results[1:] == [Failure(died, "the process ended by signal 11 (SIGSEGV)")] * 2


async def test_error_texts_are_short_lines_any_encoder_takes(pool: ImagePool) -> None:
    """Type and message, with neither line breaks nor lone surrogates; a mute error its type."""
    spoken, mute = await run(pool, hostile_work.act, "raise_an_error", "raise_what_cannot_speak")
    assert spoken == Failure(ErrorCode.INTERNAL, "ValueError: broken in two lines \\ud800")
    assert mute == Failure(ErrorCode.INTERNAL, "ErrorThatCannotSpeak")


async def test_stuck_c_code_is_stopped_in_time_and_its_traceback_logged(
    pool: ImagePool, caplog: pytest.LogCaptureFixture
) -> None:
    """The hard limit needs no GIL: it is not the parent that ends it, and the log says where."""
    [result] = await run(pool, hostile_work.act, "loop_in_c_with_the_gil")
    assert isinstance(result, Failure)
    assert result.code is ErrorCode.DECODE_TIMEOUT
    [record] = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert record.__dict__["action"] == "pool.child_died"
    assert "loop_in_c_with_the_gil" in record.__dict__["traceback"]


async def test_item_timeout_may_differ_for_a_run() -> None:
    """A prediction may take longer than a decode, or less."""
    async with open_pool(replace(SETTINGS, item_timeout=3600)) as pool, pool.slot() as slot:
        [result] = await slot.run(hostile_work.act, ["loop_in_python"], item_timeout=0.1)
    assert result.code is ErrorCode.DECODE_TIMEOUT


async def test_frozen_process_is_killed_by_the_parent(pool: ImagePool, tmp_path: Path) -> None:
    """A stopped process runs no watchdog but the parent's; its item is tried again, and fine."""
    async with pool.slot() as slot:
        work = asyncio.create_task(slot.run(hostile_work.meet, ["a"], str(tmp_path)))
        os.kill(await met(tmp_path, "a"), signal.SIGSTOP)
        assert await work == ["a"]
    assert pool.restarts == 1


async def test_process_that_dies_halfway_through_its_answer(pool: ImagePool) -> None:
    """Half an answer in the executor's pipe hangs neither the run nor its thread."""
    results = await asyncio.wait_for(
        run(pool, hostile_work.act, "good", "leave_in_the_middle_of_an_answer"), 5
    )
    assert results == ["good", Failure(ErrorCode.WORKER_DIED, "the process ended with exit code 4")]


async def test_memory_is_limited(pool: ImagePool) -> None:
    """An allocation beyond the budget fails that item; the process goes on."""
    before = await pids(pool)
    results = await run(pool, hostile_work.act, "good-1", "allocate_four_gigabytes", "good-2")
    assert results == [
        "good-1",
        Failure(ErrorCode.WORKER_DIED, "needs more memory than allowed"),
        "good-2",
    ]
    assert set(await pids(pool)) == set(before)


async def test_budget_counts_from_the_loaded_model(pool: ImagePool) -> None:
    """A model larger than the budget may load, and afterwards the budget binds again."""
    async with pool.slot() as slot:
        assert await slot.run(hostile_work.load_a_model, [1 << 30]) == [1 << 30]
        [result] = await slot.run(hostile_work.act, ["allocate_four_gigabytes"])
        assert result.code is ErrorCode.WORKER_DIED
        assert await slot.run(hostile_work.load_a_model, [1 << 20]) == [1 << 20]
    assert pool.restarts == 0


async def test_child_is_light_limited_and_quiet(pool: ImagePool) -> None:
    """No web in it; one thread; no cores, no files; deaf to Ctrl-C; stdout is nobody's NDJSON."""
    [told] = await run(pool, hostile_work.describe, 0)
    assert isinstance(told, dict)
    assert not {"aiohttp", "pydantic", "redis", "structlog"} & told["modules"]
    assert "PIL.Image" in told["modules"]
    assert told["core"] == told["fsize"] == (0, 0)
    assert told["memory"] < 2 << 30
    assert told["sigint"]
    assert told["sighup"]
    assert told["sigterm"]
    assert told["held_back"] == set()
    assert told["threads"] == ("1", "1", 1)
    assert told["output"] == [os.devnull] * 2
    assert "workers.pool.preload" not in sys.modules, "which would bind the parent to one thread"


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="what only glibc can be told")
async def test_memory_of_a_picture_serves_the_next(pool: ImagePool) -> None:
    """Buffers of ten megabytes are not handed back to the system and cleared again, each time."""
    [taken] = await run(pool, hostile_work.pages_taken_again, 10 << 20)
    assert isinstance(taken, int)
    assert taken < 100  # of 2,560


async def test_killed_child_costs_its_item_nothing(pool: ImagePool, tmp_path: Path) -> None:
    """kill -9 from outside: the item under way is tried again, the others as well."""
    async with pool.slot() as slot:
        work = asyncio.create_task(slot.run(hostile_work.meet, ["a"], str(tmp_path)))
        os.kill(await met(tmp_path, "a"), signal.SIGKILL)
        assert await work == ["a"]
    assert pool.restarts == 1


async def test_killed_forkserver_is_replaced(pool: ImagePool, tmp_path: Path) -> None:
    """At work or idle, everything answers again; the old children are gone."""
    before = await pids(pool)
    async with pool.slot() as slot:
        work = asyncio.create_task(slot.run(hostile_work.meet, ["a"], str(tmp_path)))
        forkserver = psutil.Process(await met(tmp_path, "a")).ppid()
        os.kill(forkserver, signal.SIGKILL)
        assert await work == ["a"]
    assert not set(await pids(pool)) & set(before)
    await until(lambda: all(gone(pid) for pid in before))
    assert await pool.probe(2)


async def test_idle_children_are_replaced_unasked(pool: ImagePool) -> None:
    """All killed while nobody looks: the next calls find new ones, already warm."""
    before = await pids(pool)
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    await until(lambda: pool.restarts == 2 and pool.warm == 2)
    assert not set(await pids(pool)) & set(before)
    assert pool.restarts == 2


async def test_cancelled_caller_costs_the_child_not_the_slot(
    pool: ImagePool, tmp_path: Path
) -> None:
    """A process that would burn on is stopped soon, and the slot serves the next; nobody died."""
    async with pool.slot() as slot:
        work = asyncio.create_task(
            slot.run(
                hostile_work.meet_holding_the_gil, ["a"], str(tmp_path), item_timeout=60, leave=0.1
            )
        )
        pid = await met(tmp_path, "a")
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        await until(lambda: gone(pid), seconds=0.5)
        assert await slot.run(hostile_work.act, ["good"]) == ["good"]
    assert pool.free == 2
    assert pool.restarts == 0


async def test_cancelled_caller_of_a_chunk_that_ends_soon_costs_nothing(
    pool: ImagePool, tmp_path: Path
) -> None:
    """Its child goes on, with all it has loaded; whoever comes next waits for the end of it."""
    async with pool.slot() as slot:
        [before] = await slot.run(hostile_work.process_id, [0])
        work = asyncio.create_task(slot.run(hostile_work.meet_and_wait, ["a"], str(tmp_path)))
        assert await met(tmp_path, "a") == before
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert slot.leaving is not None
        following = asyncio.create_task(slot.run(hostile_work.process_id, [0]))
        (tmp_path / "go on").touch()
        assert await following == [before]
        assert slot.leaving is None
    assert pool.restarts == 0


async def test_probe_does_not_wait_for_what_nobody_wants(tmp_path: Path) -> None:
    """A child that comes to the end of what a client left is no illness."""
    async with open_pool(replace(SETTINGS, slots=1)) as pool:
        async with pool.slot() as slot:
            work = asyncio.create_task(
                slot.run(hostile_work.meet_and_wait, ["a"], str(tmp_path), leave=60)
            )
            await met(tmp_path, "a")
            work.cancel()
            await asyncio.wait({work})
        assert pool.free == 1
        assert await pool.probe(0.1)
        assert pool.restarts == 0


async def test_closing_does_not_wait_for_what_nobody_wants(tmp_path: Path) -> None:
    """Neither for its end nor for its time."""
    async with open_pool(replace(SETTINGS, slots=1)) as pool:
        async with pool.slot() as slot:
            work = asyncio.create_task(
                slot.run(hostile_work.meet_and_wait, ["a"], str(tmp_path), leave=60)
            )
            pid = await met(tmp_path, "a")
            work.cancel()
            await asyncio.wait({work})
        leaving = slot.leaving
        assert leaving is not None
    assert leaving.done()
    await until(lambda: gone(pid))


async def test_caller_cancelled_while_a_chunk_is_being_sent(pool: ImagePool) -> None:
    """A process that never reads its chunk leaves no thread behind that still writes it."""
    [first, second] = await pids(pool)
    for pid in (first, second):
        os.kill(pid, signal.SIGSTOP)
    async with pool.slot() as slot:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(slot.run(hostile_work.pass_on, [bytes(32 << 20)]), 0.2)
        await until(lambda: gone(first) or gone(second))
        assert await slot.run(hostile_work.act, ["good"]) == ["good"]


async def test_third_caller_waits_for_two_slots(pool: ImagePool) -> None:
    """Slots are the back-pressure, and who came first is served first."""
    order: list[int] = []

    async def take(number: int) -> None:
        async with pool.slot() as slot:
            order.append(number)
            await slot.run(hostile_work.act, ["good"])

    async with pool.slot():
        async with pool.slot():
            assert (pool.free, pool.busy, pool.size) == (0, 2, 2)
            assert await pool.probe(0.1)
            waiting = [asyncio.create_task(take(number)) for number in range(3)]
            await asyncio.sleep(0)
            assert order == []
        # The place just given back is not for late-comers, though free for a moment.
        late = asyncio.create_task(take(3))
        await asyncio.gather(*waiting, late)
    assert order == [0, 1, 2, 3]


async def test_slot_runs_one_chunk_at_a_time(pool: ImagePool) -> None:
    """Two runs on one slot would read each other's last words."""
    async with pool.slot() as slot:
        first = asyncio.create_task(slot.run(hostile_work.act, ["good"]))
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="one chunk at a time"):
            await slot.run(hostile_work.act, ["good"])
        assert await first == ["good"]


async def test_what_cannot_be_sent_is_the_callers_error(pool: ImagePool) -> None:
    """Programming errors are raised, and the slot is none the worse."""
    async with pool.slot() as slot:
        with pytest.raises((AttributeError, TypeError)):
            await slot.run(hostile_work.pass_on, [lambda: None])
        assert await slot.run(hostile_work.pass_on, []) == []
        assert await slot.run(hostile_work.pass_on, [b"x", None]) == [b"x", None]


@pytest.mark.parametrize(
    "settings",
    [
        replace(SETTINGS, slots=1, recycle_items=3),
        replace(SETTINGS, slots=1, recycle_bytes=64 << 20),
    ],
    ids=["items", "bytes"],
)
async def test_worn_child_is_recycled(settings: PoolSettings) -> None:
    """After so many items, or so much memory kept, a fresh process takes over: no death."""
    async with open_pool(settings) as pool:
        seen = [*await run(pool, hostile_work.keep, 40 << 20)]
        seen += await run(pool, hostile_work.keep, 40 << 20, 0)
        seen += await run(pool, hostile_work.keep, 0)
        assert len(set(seen[:3])) == 1
        assert seen[3] != seen[2]
        assert pool.restarts == 0


async def test_probe_notices_a_process_that_does_not_answer(pool: ImagePool) -> None:
    """A frozen child is not ready, costs the probe its own timeout only, and is replaced."""
    for pid in await pids(pool):
        os.kill(pid, signal.SIGSTOP)
    assert not await pool.probe(0.1)
    assert not await pool.probe(0.1)
    assert await pool.probe(2)


async def test_closing_with_stuck_processes_is_prompt(tmp_path: Path) -> None:
    """Nobody waits for them; whoever still does is told so."""

    async def get_stuck(pool: ImagePool, item: str) -> None:
        async with pool.slot() as slot:
            await slot.run(hostile_work.meet_holding_the_gil, [item], str(tmp_path))

    before = set(threading.enumerate())  # others may have pools open
    async with open_pool(replace(SETTINGS, item_timeout=60)) as pool:
        tasks = [asyncio.create_task(get_stuck(pool, item)) for item in "abc"]  # c waits for a slot
        stuck = [await met(tmp_path, "a"), await met(tmp_path, "b")]
        started = time.monotonic()
    assert time.monotonic() - started < 10
    assert all(gone(pid) for pid in stuck)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [PoolClosedError] * 3
    assert not pool.healthy
    assert not await pool.probe(1)
    await until(
        lambda: (
            not [
                thread
                for thread in set(threading.enumerate()) - before
                if thread.name.startswith("pool_")
            ]
        )
    )


async def test_pool_closed_while_a_run_waits_for_a_child() -> None:
    """Between two children there is nobody to kill, and still the run is told."""
    async with open_pool(replace(SETTINGS, slots=1)) as pool, pool.slot() as slot:
        [pid] = await slot.run(hostile_work.process_id, [0])
        os.kill(pid, signal.SIGKILL)
        await until(lambda: pool.restarts)
        work = asyncio.create_task(slot.run(hostile_work.act, ["good"]))
        await asyncio.sleep(0)
        assert pool.warm == 0
    with pytest.raises(PoolClosedError):
        await work


async def test_pictures_are_examined_in_children(pool: ImagePool) -> None:
    """The real entry point: facts and a thumbnail of a picture, a failure of what is none."""
    file = io.BytesIO()
    Image.effect_noise((120, 80), 20).save(file, "JPEG")
    async with pool.slot() as slot:
        examined, failure = await slot.run(
            entries.examine_item, [file.getvalue(), b"no picture"], SETTINGS.limits, 32
        )
    assert examined.info.image_dimension == (120, 80)
    assert examined.thumbnail.startswith("data:image/webp")
    assert failure.code is ErrorCode.NOT_AN_IMAGE


async def test_pool_that_cannot_start_says_so() -> None:
    """A limit that the system cannot set: opening raises, and soon."""
    with pytest.raises(RuntimeError, match="no child process"):
        async with open_pool(replace(SETTINGS, slots=1, memory_bytes=1 << 80)):
            pass


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_pool_runs_on_both_event_loops(loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """Start, death, replacement and close, and nothing left in the loop."""

    async def main() -> None:
        async with open_pool(SETTINGS) as pool:
            results = await run(pool, hostile_work.act, "good-1", "leave", "good-2")
            assert results[::2] == ["good-1", "good-2"]
            os.kill((await pids(pool))[0], signal.SIGKILL)
            await until(lambda: pool.restarts == 3 and pool.warm == 2)

    with asyncio.Runner(loop_factory=loop, debug=True) as runner:
        runner.run(main())


PROGRAM = """
import sys

def main():
    import asyncio, json, signal
    import aiohttp, pydantic
    from imaging.options import Limits
    from tests.workers.pool import hostile_work
    from workers.pool.pool import PoolSettings, open_pool

    async def census():
        settings = PoolSettings(slots=2, memory_bytes=1 << 29, item_timeout=60, limits=Limits())
        async with open_pool(settings) as pool, pool.slot() as one, pool.slot() as two:
            [child] = await one.run(hostile_work.describe, [0])
            heavy = {"aiohttp", "pydantic"} & child["modules"]
            pids = [(await slot.run(hostile_work.process_id, [0]))[0] for slot in (one, two)]
            print(json.dumps({"heavy": sorted(heavy), "pids": pids}), flush=True)
            await one.run(hostile_work.meet, ["a"], sys.argv[1])  # for ever

    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    asyncio.run(census())

if __name__ == "__main__":
    sys.exit(main())
"""


async def started(way: str, folder: Path) -> asyncio.subprocess.Process:
    """The program in a group of its own, what it says in files of the folder."""
    package = folder / "program"
    package.mkdir()
    (package / "__main__.py").write_text(PROGRAM)
    what = [str(package / "__main__.py")] if way == "script" else ["-m", "program"]
    path = os.pathsep.join([str(ROOT), str(folder)])
    with (folder / "output").open("wb") as stdout, (folder / "errors").open("wb") as stderr:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *what,
            str(folder),
            env=os.environ | {"PYTHONPATH": path},
            stdout=stdout,
            stderr=stderr,
            cwd=folder,
            start_new_session=True,
        )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
async def test_what_a_terminal_tells_all_is_for_the_parent(number: int, tmp_path: Path) -> None:
    """While the first children start, and the process that forks them, again and again."""
    program = await started("module", tmp_path)
    family = psutil.Process(program.pid)

    def forkserver() -> list[psutil.Process]:
        return [one for one in family.children() if "forkserver" in " ".join(one.cmdline())]

    def told() -> list[Path]:
        os.killpg(program.pid, number)
        return list(tmp_path.glob("a.*"))

    try:
        (first,) = await until(forkserver)
        await until(told)
        assert forkserver() == [first]
        first.send_signal(signal.SIGTERM)  # as systemd sends to all; it ends with its parent
        assert _ignored(first.pid) >= {signal.SIGINT, signal.SIGHUP, signal.SIGTERM}
        assert (tmp_path / "errors").read_bytes() == b""
    finally:
        program.kill()
        await program.wait()


def _ignored(pid: int) -> set[int]:
    """The signals that a process ignores; of none may it be held back from hearing."""
    told = dict(line.split(":\t") for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    assert int(told["SigBlk"], 16) == 0
    return {number for number in range(1, 65) if int(told["SigIgn"], 16) >> (number - 1) & 1}


@pytest.mark.parametrize("way", ["script", "module"])
async def test_children_of_a_killed_program_end(way: str, tmp_path: Path) -> None:
    """Started as a script or with -m, children import nothing of it; kill -9 leaves no orphan."""
    program = await started(way, tmp_path)
    await met(tmp_path, "a")
    said = json.loads((tmp_path / "output").read_bytes())
    assert said["heavy"] == []
    forkserver = psutil.Process(said["pids"][0]).ppid()
    program.kill()
    await program.wait()
    everybody = [*said["pids"], forkserver]
    await until(lambda: all(gone(pid) for pid in everybody))
