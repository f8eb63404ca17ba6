"""The outbox: every record once, in the order asked for, never more rows open than the window."""

from __future__ import annotations

import asyncio
import random
from typing import NamedTuple

import pytest

from imaging.facts import ErrorCode, Failure
from tests.asserts import wait_until
from workers import outbox as module
from workers.errors import ManifestError
from workers.outbox import Outbox
from workers.records import Record


def record(index: int) -> Record:
    return Record(index, str(index), None, Failure(ErrorCode.BAD_ROW))


async def taken(outbox: Outbox, *, idle: float = 5.0) -> list[int]:
    """The indexes of everything that comes out."""
    return [each.index async for batch in outbox.batches(idle=idle) for each in batch]


def fill(outbox: Outbox, indexes: list[int]) -> None:
    """Admit rows in order and put their records in the order given."""
    for index in sorted(indexes):
        outbox.admit(index)
    for index in indexes:
        outbox.put(record(index))


async def test_unordered_records_leave_as_they_finish() -> None:
    """The order of `put`."""
    outbox = Outbox(100, ordered=False)
    fill(outbox, [3, 0, 2, 1])
    outbox.end()
    assert await taken(outbox) == [3, 0, 2, 1]


@pytest.mark.parametrize("first", [0, 1000])
async def test_ordered_records_wait_for_their_turn(first: int) -> None:
    """From whatever index the rows begin with."""
    outbox = Outbox(100, ordered=True)
    order = list(range(first, first + 50))
    random.Random(1).shuffle(order)
    fill(outbox, order)
    outbox.end()
    assert await taken(outbox) == sorted(order)


async def test_ordered_records_of_one_index_each_have_their_turn() -> None:
    """A file that repeats a row: none is lost, and nothing waits for ever."""
    order = [7, 5, 9, 5, 0, 5]
    outbox = Outbox(100, ordered=True)
    fill(outbox, order)
    outbox.end()
    async with asyncio.timeout(30):
        assert await taken(outbox) == sorted(order)
    cut = Outbox(100, ordered=True)
    cut.admit(3)
    fill(cut, order)
    cut.cut()
    assert await taken(cut) == sorted(order)


async def test_in_order_is_the_order_of_admission() -> None:
    """Rows that are done already were left out: indexes have gaps."""
    outbox = Outbox(100, ordered=True)
    order = [3, 4, 9, 40, 41, 1000]
    for index in order:
        outbox.admit(index)
    for index in (41, 4, 1000, 3):
        outbox.put(record(index))
    batches = outbox.batches(idle=0.01)
    assert [each.index for each in await anext(batches)] == [3, 4]
    for index in (40, 9):
        outbox.put(record(index))
    outbox.end()
    assert [each.index async for some in batches for each in some] == [9, 40, 41, 1000]
    assert not outbox._turns


async def test_gaps_of_whole_batches() -> None:
    """A record of several rows takes the turns of so many that were admitted."""
    outbox: Outbox[Wide] = Outbox(100, ordered=True)
    for index in (*range(4, 8), *range(16, 20), 24, 25):
        outbox.admit(index)
    for wide in (Wide(24, 2), Wide(16, 4), Wide(4, 4)):
        outbox.put(wide)
    outbox.end()
    assert outbox.whole
    assert await taken(outbox) == [4, 16, 24]


class Wide(NamedTuple):
    """A record of several rows."""

    index: int  # type: ignore[assignment]
    width: int


async def test_records_of_several_rows_count_as_many() -> None:
    """In their order, and against the window."""
    outbox: Outbox[Wide] = Outbox(6, ordered=True)
    for index in range(6):
        outbox.admit(index)
    assert outbox.full
    outbox.put(Wide(4, 2))
    outbox.put(Wide(0, 4))
    room = asyncio.create_task(outbox.room())
    batches = outbox.batches(idle=5)
    assert [each.index for each in await anext(batches)] == [0, 4]
    await room
    assert not outbox.full
    outbox.admit(6)
    assert not outbox.whole
    outbox.put(Wide(6, 1))
    outbox.end()
    assert outbox.whole
    assert [each.index async for some in batches for each in some] == [6]


@pytest.mark.parametrize("ordered", [True, False])
async def test_records_that_come_behind_the_end_change_nothing(ordered: bool) -> None:
    """Of work that could not be stopped at once: the reader has its error all the same."""
    outbox: Outbox[Wide] = Outbox(100, ordered=ordered)
    for index in range(12):
        outbox.admit(index)
    outbox.put(Wide(0, 4))
    outbox.fail(ManifestError("lost"))
    batches = outbox.batches(idle=0.01)
    assert [each.index for each in await anext(batches)] == [0]
    outbox.put(Wide(4, 4))
    outbox.admit(12)
    with pytest.raises(ManifestError, match="lost"):
        await anext(batches)


async def test_ordered_records_behind_a_missing_one_stay() -> None:
    """They come with it, not before."""
    outbox = Outbox(100, ordered=True)
    for index in range(3):
        outbox.admit(index)
    outbox.put(record(1))
    outbox.put(record(2))
    batches = outbox.batches(idle=0.01)
    assert await anext(batches) == []
    outbox.put(record(0))
    assert [each.index for each in await anext(batches)] == [0, 1, 2]


async def test_nothing_at_all() -> None:
    """No row: the end, at once."""
    outbox = Outbox(4, ordered=True)
    outbox.end()
    async with asyncio.timeout(30):
        assert await taken(outbox) == []


async def test_end_waits_for_rows_that_are_open() -> None:
    """The last record comes, then the end."""
    outbox = Outbox(4, ordered=False)
    outbox.admit(0)
    outbox.end()
    taking = asyncio.create_task(taken(outbox))
    await asyncio.sleep(0)
    assert not taking.done()
    outbox.put(record(0))
    async with asyncio.timeout(30):
        assert await taking == [0]


async def test_error_comes_behind_the_last_record() -> None:
    """Of rows admitted before it, finished after it."""
    outbox = Outbox(4, ordered=False)
    outbox.admit(0)
    outbox.admit(1)
    outbox.put(record(0))
    outbox.end(ManifestError("cut"))
    outbox.end()  # what was told first stays
    batches = outbox.batches(idle=5)
    assert [each.index for each in await anext(batches)] == [0]
    outbox.put(record(1))
    assert [each.index for each in await anext(batches)] == [1]
    with pytest.raises(ManifestError, match="cut"):
        await anext(batches)


async def test_idle_reader_gets_empty_batches() -> None:
    """So that a stream can be kept alive; what comes later is not lost."""
    outbox = Outbox(4, ordered=False)
    outbox.admit(0)
    batches = outbox.batches(idle=0.01)
    assert [await anext(batches) for _ in range(3)] == [[], [], []]
    outbox.put(record(0))
    assert len(await anext(batches)) == 1


async def test_first_record_does_not_wait_for_company(monkeypatch: pytest.MonkeyPatch) -> None:
    """Later ones linger to leave together; the first is seen at once."""
    monkeypatch.setattr(module, "LINGER_SECONDS", 30.0)
    outbox = Outbox(1000, ordered=False)
    for index in range(1000):
        outbox.admit(index)
    batches = outbox.batches(idle=60)
    outbox.put(record(0))
    async with asyncio.timeout(30):
        assert len(await anext(batches)) == 1
        waiting = asyncio.ensure_future(anext(batches))
        await asyncio.sleep(0)
        for index in range(1, module.BATCH_RECORDS):
            outbox.put(record(index))
            await asyncio.sleep(0)
            assert not waiting.done()
        outbox.put(record(module.BATCH_RECORDS))
        assert len(await waiting) == module.BATCH_RECORDS


async def test_feeder_waits_for_a_good_part_of_the_window() -> None:
    """A reader that takes wakes it once, not for each record."""
    outbox = Outbox(100, ordered=False)
    for index in range(100):
        assert not outbox.full
        outbox.admit(index)
    assert outbox.full
    waiting = asyncio.create_task(outbox.room())
    await asyncio.sleep(0)
    batches = outbox.batches(idle=5)
    outbox.put(record(0))
    assert len(await anext(batches)) == 1
    await asyncio.sleep(0)
    assert not outbox.full
    assert not waiting.done()  # for one place only
    for index in range(1, 30):
        outbox.put(record(index))
    assert len(await anext(batches)) == 29
    async with asyncio.timeout(30):
        await waiting


async def test_cut_gives_what_is_there_and_ends() -> None:
    """Rows without a record will not get one; ordered ones that came early are not lost."""
    outbox = Outbox(100, ordered=True)
    for index in range(6):
        outbox.admit(index)
    for index in (0, 5, 3):
        outbox.put(record(index))
    outbox.cut()
    async with asyncio.timeout(30):
        assert await taken(outbox) == [0, 3, 5]


async def test_cut_keeps_the_order_of_admission() -> None:
    """Of rows with gaps, and of a batch of which some rows only were begun."""
    outbox: Outbox[Wide] = Outbox(100, ordered=True)
    for index in (*range(8, 12), *range(20, 24), *range(40, 44)):
        outbox.admit(index)
    for wide in (Wide(40, 4), Wide(9, 2), Wide(20, 4)):
        outbox.put(wide)
    outbox.cut()
    async with asyncio.timeout(30):
        assert await taken(outbox) == [9, 20, 40]


async def test_reader_that_waits_is_woken_by_the_cut() -> None:
    """Not only by the next idle moment."""
    outbox = Outbox(100, ordered=False)
    outbox.admit(0)
    taking = asyncio.create_task(taken(outbox, idle=60))
    await asyncio.sleep(0)
    outbox.cut()
    async with asyncio.timeout(30):
        assert await taking == []


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("seed", range(10))
async def test_any_course_of_events(
    ordered: bool, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A feeder, workers and a reader of all speeds: each record once, the window never exceeded."""
    monkeypatch.setattr(module, "LINGER_SECONDS", 0.001)
    dice = random.Random(seed)
    window = dice.choice([1, 4, 30])
    outbox = Outbox(window, ordered=ordered)
    given = 0
    got: list[int] = []
    tasks: set[asyncio.Task[None]] = set()

    async def work(index: int) -> None:
        for _ in range(dice.randrange(5)):
            await asyncio.sleep(0)
        outbox.put(record(index))

    async def feed() -> None:
        nonlocal given
        for index in range(300):
            outbox.admit(index)
            given += 1
            assert given - len(got) <= window
            tasks.add(asyncio.create_task(work(index)))
            if outbox.full:
                await outbox.room()
        outbox.end()

    feeding = asyncio.create_task(feed())
    async with asyncio.timeout(20):
        async for batch in outbox.batches(idle=0.05):
            got += [each.index for each in batch]
            if dice.random() < 0.2:
                await asyncio.sleep(0.001)
    await feeding
    await asyncio.gather(*tasks)
    assert sorted(got) == list(range(300))
    assert not ordered or got == sorted(got)
    await wait_until(lambda: not any(not task.done() for task in tasks))
