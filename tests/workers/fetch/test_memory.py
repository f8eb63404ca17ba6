"""The budget of bytes in memory: first come, first served, and nothing ever lost."""

from __future__ import annotations

import asyncio
import random

import pytest

from workers.fetch.memory import Budget, Reservation


async def test_take_and_release() -> None:
    """What is free is given at once; releasing twice gives back once."""
    budget = Budget(100)
    one = budget.take(60)
    assert one is not None
    assert budget.take(41) is None
    two = budget.take(40)
    assert two is not None
    assert budget.free == 0
    one.shrink(10)
    one.shrink(50)  # growing is not shrinking
    assert (one.size, budget.free) == (10, 50)
    one.release()
    one.release()
    two.release()
    assert budget.free == 100


async def test_zero_bytes_are_had_at_once() -> None:
    """Also from a budget that is used up."""
    budget = Budget(10)
    assert budget.take(10)
    assert budget.take(0)


async def test_whole_budget_is_had_in_turn() -> None:
    """A claim as large as all of it is served, however many small ones come after."""
    budget = Budget(100)
    held = [await budget.wait(10) for _ in range(10)]
    order: list[str] = []

    async def claim(name: str, size: int) -> None:
        room = await budget.wait(size)
        order.append(name)
        room.release()

    tasks = [asyncio.create_task(claim("large", 100))]
    await asyncio.sleep(0)
    tasks += [asyncio.create_task(claim(f"small {n}", 1)) for n in range(5)]
    await asyncio.sleep(0)
    assert budget.take(1) is None  # nobody overtakes who waits
    for room in held:
        room.release()
    await asyncio.gather(*tasks)
    assert order == ["large", *(f"small {n}" for n in range(5))]
    assert budget.free == 100


@pytest.mark.parametrize("served", [False, True])
async def test_cancelled_claim_blocks_nobody(served: bool) -> None:
    """Whether it still waits or was served in the same moment."""
    budget = Budget(100)
    held = await budget.wait(100)
    first = asyncio.create_task(budget.wait(80))
    await asyncio.sleep(0)
    second = asyncio.create_task(budget.wait(50))
    await asyncio.sleep(0)
    if served:
        held.release()  # the first is served, and cancelled before it runs
        first.cancel()
    else:
        first.cancel()
        held.release()
    async with asyncio.timeout(30):
        room = await second
    assert first.cancelled() or (await asyncio.gather(first, return_exceptions=True))
    assert room.size == 50
    assert budget.free == 50
    room.release()
    assert budget.free == 100


@pytest.mark.parametrize("seed", range(20))
async def test_any_course_of_events(seed: int) -> None:
    """Claims, waits, cancels and releases as the dice fall: never negative, all free at the end."""
    dice = random.Random(seed)
    budget = Budget(1000)
    held: list[Reservation] = []
    waiting: list[asyncio.Task[Reservation]] = []
    order: list[int] = []
    served: list[int] = []
    small: list[int] = []

    async def claim(number: int, size: int) -> Reservation:
        order.append(number)
        if size <= 1000 // 64:
            small.append(number)
        room = await budget.wait(size)
        served.append(number)
        return room

    for number in range(300):
        event = dice.randrange(5)
        if event <= 1:
            waiting.append(asyncio.create_task(claim(number, dice.randrange(1001))))
        elif event == 2 and held:
            held.pop(dice.randrange(len(held))).release()
        elif event == 3 and held:
            room = dice.choice(held)
            room.shrink(room.size // 2)
        elif event == 4 and waiting and dice.random() < 0.3:
            dice.choice(waiting).cancel()
        await asyncio.sleep(0)
        for task in [task for task in waiting if task.done()]:
            waiting.remove(task)
            if not task.cancelled():
                held.append(task.result())
        assert budget.free >= 0
        # A reservation served in this very moment is counted before its task has run.
        assert budget.free + sum(room.size for room in held) <= 1000
    for task in waiting:
        task.cancel()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    held += [result for result in results if isinstance(result, Reservation)]
    for room in held:
        room.release()
    assert budget.free == 1000
    for kind in (small, order):  # small claims pass large ones by, and nobody else does
        mine = [number for number in served if (number in small) == (kind is small)]
        assert mine == sorted(mine)
    assert order == sorted(order)


async def test_small_claims_pass_large_ones_by() -> None:
    """Large claims leave a quarter of the room, so that no small one waits for them."""
    budget = Budget(6400, largest=1600)
    large = [await budget.wait(1600) for _ in range(3)]
    waiting = asyncio.create_task(budget.wait(1600))
    await asyncio.sleep(0)
    assert not waiting.done()
    small = [budget.take(100) for _ in range(16)]
    assert all(small)
    assert budget.take(100) is None
    assert budget.pressed
    large[0].release()
    async with asyncio.timeout(30):
        (await waiting).release()


async def test_small_claims_do_not_starve_a_large_one() -> None:
    """They may have all of the room, until a large one waits: then the kept part only."""
    budget = Budget(6400, largest=1600)
    small = [await budget.wait(100) for _ in range(64)]
    waiting = asyncio.create_task(budget.wait(1600))
    await asyncio.sleep(0)
    turned_away = 0
    for room in small:
        room.release()
        if (again := budget.take(100)) is None:
            turned_away += 1
        else:
            again.release()
    assert turned_away
    async with asyncio.timeout(30):
        room = await waiting
    assert room.size == 1600


async def test_growing_takes_what_is_free_and_never_waits() -> None:
    """Nobody who holds bytes waits for more; who cannot grow keeps what was held."""
    budget = Budget(6400, largest=6400)
    one, two = await budget.wait(100), await budget.wait(100)
    assert one.grow(6000)
    assert budget.free == 300
    assert not two.grow(1000)
    assert (two.size, budget.free) == (100, 300)
    waiting = asyncio.create_task(budget.wait(1000))
    await asyncio.sleep(0)
    one.release()
    async with asyncio.timeout(30):
        (await waiting).release()
    assert two.grow(6400)
    two.release()
    assert (budget.free, budget.pressed) == (6400, False)


async def test_nobody_grows_past_one_who_waits() -> None:
    """A claim that waits for a body's whole room is before those that want ever more."""
    budget = Budget(6400, largest=6400)
    held = await budget.wait(6000)
    growing = await budget.wait(100)
    waiting = asyncio.create_task(budget.wait(6300))
    await asyncio.sleep(0)
    assert not growing.grow(200)
    growing.release()
    held.release()
    async with asyncio.timeout(30):
        (await waiting).release()
