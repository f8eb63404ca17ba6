"""Scripts of leases: taken over when they ran out, renewed and given back only by their owner."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.asserts import wait_for
from tests.workers.jobs.queues import KIND, SHARDS, Queue
from workers.jobs import keys
from workers.jobs.living import LIVING_SECONDS

#: Two of them are more than a script looks at.
LARGE = 3 * 1024 * 1024


async def idle_of(queue: Queue, entry: str) -> int:
    """Milliseconds since an entry's lease was renewed."""
    said = ("XPENDING", SHARDS, keys.GROUP, entry, entry, 1)
    [told] = await queue.redis.execute_command(*said, parse_detail=True)
    return int(told["time_since_delivered"])


async def test_an_entry_is_taken_over_with_its_count_of_deliveries(queue: Queue) -> None:
    """Each time it goes to somebody is one more; the fields come with it."""
    job = await queue.begun(2)
    first, second = await queue.read(count=2)
    assert await queue.claim("b", idle_ms=3_600_000) == []
    for consumer, deliveries in (("b", 2), ("c", 3), ("c", 4)):
        claimed = await queue.claim(consumer)
        assert claimed == [
            [first, deliveries, ["job", job, "shard", "0"]],
            [second, deliveries, ["job", job, "shard", "1"]],
        ]
    assert await queue.pending() == [(first, "c", 4), (second, "c", 4)]
    assert len(await queue.claim("d", count=1)) == 1


async def test_large_entries_are_taken_over_a_few_at_a_time(queue: Queue) -> None:
    """Redis does nothing else meanwhile; the others stay as they are, for the next call."""
    jobs = [await queue.added(kind=KIND, images="x" * LARGE) for _ in range(4)]
    for _ in jobs:
        await queue.read(keys.INTAKE)
    huge = await queue.added(kind=KIND, images="x" * 3 * LARGE)
    await queue.read(keys.INTAKE)
    claimed = await queue.run("claim", [keys.INTAKE], "b", 0, 256)
    assert [entry for entry, _, _ in claimed] == jobs[:2]
    await queue.run("finish", [keys.INTAKE], jobs[0])
    claimed = await queue.run("claim", [keys.INTAKE], "c", 0, 256)
    assert [entry for entry, _, _ in claimed] == jobs[1:3]
    assert [deliveries for _, _, deliveries in await queue.pending(keys.INTAKE)] == [3, 2, 1, 1]
    for entry in jobs[1:]:
        await queue.run("finish", [keys.INTAKE], entry)
    [[entry, deliveries, fields]] = await queue.run("claim", [keys.INTAKE], "c", 0, 256)
    assert (entry, deliveries, len(fields[-1])) == (huge, 2, 3 * LARGE)


async def test_entries_that_are_gone_are_let_go_of(queue: Queue) -> None:
    """Redis 6.2 would keep them pending for ever, and hand out nothing."""
    await queue.begun(3)
    first, second, third = await queue.read(count=3)
    await queue.do("XDEL", SHARDS, first, third)
    assert [entry for entry, _, _ in await queue.claim("b")] == [second]
    assert await queue.pending() == [(second, "b", 2)]


async def test_only_our_leases_are_renewed(queue: Queue) -> None:
    """Others' are told as lost, also such as nobody has any more; the count stays."""
    job = await queue.begun(4)
    ours, others, recorded, deleted = await queue.read(count=4)
    await queue.commit(recorded, job, 2)
    await queue.do("XDEL", SHARDS, deleted)
    await queue.moved(ours, "a", 5000)
    await queue.moved(others, "b", 5000)
    asked = [SHARDS, keys.job(job), keys.job("7-7")]
    lost, states = await queue.run("beat", asked, "a", ours, others, recorded)
    assert (lost, states) == ([others, recorded], ["running", "gone"])
    assert await idle_of(queue, ours) < 5000
    assert await idle_of(queue, others) >= 5000
    assert (await queue.pending())[:2] == [(ours, "a", 1), (others, "b", 1)]
    # Renewing must not raise it from the dead, whatever this version of Redis makes of it.
    await queue.run("beat", [SHARDS], "a", deleted)
    assert await queue.length() == 2
    await queue.cancel(job)
    assert (await queue.run("beat", asked, "a", ours))[1] == ["cancelled", "gone"]


async def test_handed_back_is_claimed_at_once_and_blames_nobody(queue: Queue) -> None:
    """Only what is ours; asked again, the count does not sink further."""
    await queue.begun(2)
    ours, others = await queue.read(count=2)
    await queue.moved(others, "b")
    assert await queue.run("handback", [SHARDS], "a", ours, others, "7-7") == 1
    assert await queue.pending() == [(ours, "a", 0), (others, "b", 1)]
    assert await queue.run("handback", [SHARDS], "a", ours) == 1  # its answer was lost
    assert await queue.pending() == [(ours, "a", 0), (others, "b", 1)]
    [[entry, deliveries, _]] = await queue.claim("c", idle_ms=3_600_000)
    assert (entry, deliveries) == (ours, 1)
    assert await queue.run("handback", [SHARDS], "a", ours) == 0  # it is somebody else's by now


async def test_handed_back_keeps_earlier_deaths(queue: Queue) -> None:
    """Two died with it; whoever is third and only leaves adds nothing."""
    await queue.begun(1)
    [entry] = await queue.read()
    await queue.claim("b")
    await queue.claim("c")
    await queue.run("handback", [SHARDS], "c", entry)
    await queue.run("handback", [SHARDS], "c", entry)  # its answer was lost
    assert await queue.pending() == [(entry, "c", 2)]
    assert [deliveries for _, deliveries, _ in await queue.claim("d")] == [3]


async def test_buried_once(queue: Queue) -> None:
    """Asked again, there is one dead letter; the entry is gone."""
    entry = await queue.do("XADD", SHARDS, "*", "foo", "bar")
    await queue.read()
    asked = ([SHARDS, keys.DEAD], entry, "no shard", "foo bar")
    assert await queue.run("bury", *asked) == 1
    assert await queue.run("bury", *asked) == 0
    assert await queue.dead() == [
        {"reason": "no shard", "source": SHARDS, "id": entry, "raw": "foo bar"}
    ]
    assert (await queue.length(), await queue.pending()) == (0, [])


async def test_an_entry_that_served_is_gone(queue: Queue) -> None:
    """Asked again, also."""
    job = await queue.added()
    await queue.read(keys.INTAKE)
    assert await queue.run("finish", [keys.INTAKE], job) == 1
    assert await queue.run("finish", [keys.INTAKE], job) == 0
    assert (await queue.length(keys.INTAKE), await queue.pending(keys.INTAKE)) == (0, [])


async def alive(queue: Queue, consumer: str, **told: Any) -> Any:
    """What a consumer says of itself; none of it: that it goes."""
    named = [keys.CONSUMERS, keys.CAPACITY + KIND, keys.CAPACITY + "other"]
    said = json.dumps(told, separators=(",", ":")) if told else ""
    return await queue.run("alive", named, consumer, said, LIVING_SECONDS, KIND, "other")


async def test_capacities_of_those_who_live_add_up(queue: Queue) -> None:
    """By kind; whoever says it again counts once, whoever goes does not count."""
    assert await alive(queue, "a", kinds=[KIND], capacity=4) == [4, 0]
    assert await alive(queue, "b", kinds=[KIND, "other"], capacity=3) == [7, 3]
    assert await alive(queue, "b", kinds=[KIND, "other"], capacity=3) == [7, 3]
    assert await queue.do("GET", keys.CAPACITY + KIND) == "7"
    assert 0 < await queue.do("TTL", keys.CAPACITY + KIND) <= 60
    assert await alive(queue, "b", kinds=[KIND, "other"], capacity=5) == [9, 5]
    assert await alive(queue, "b", kinds=[KIND, "other"], capacity=3) == [7, 3]
    told = json.loads(await queue.do("HGET", keys.CONSUMERS, "b"))
    assert told.pop("seen") == pytest.approx(time.time() * 1000, abs=60_000)
    assert told == {"kinds": [KIND, "other"], "capacity": 3}
    assert await alive(queue, "a") == [3, 3]
    assert await alive(queue, "a") == [3, 3]
    assert await queue.do("HKEYS", keys.CONSUMERS) == ["b"]


async def age(queue: Queue) -> None:
    """As if the sums of capacities were more than a second old."""
    await queue.do("PEXPIRE", keys.CAPACITY + KIND, 58_900)


async def test_consumers_are_added_up_once_a_second(queue: Queue) -> None:
    """Not by each of a thousand, each second; whoever died drops out then."""
    dead = json.dumps({"seen": now_ms() - (LIVING_SECONDS + 1) * 1000, "kinds": [KIND]})
    dying = {"seen": now_ms(), "kinds": [KIND], "capacity": 50}
    assert await alive(queue, "a", kinds=[KIND], capacity=4) == [4, 0]
    await queue.do("HSET", keys.CONSUMERS, "dead", dead, "dying", json.dumps(dying))
    assert await alive(queue, "a", kinds=[KIND], capacity=4) == [4, 0]
    assert await queue.do("HLEN", keys.CONSUMERS) == 3
    await age(queue)
    assert await alive(queue, "a", kinds=[KIND], capacity=4) == [54, 0]
    assert sorted(await queue.do("HKEYS", keys.CONSUMERS)) == ["a", "dying"]
    assert await queue.do("PTTL", keys.CAPACITY + KIND) > 59_000
    await queue.do("HSET", keys.CONSUMERS, "dying", json.dumps({**dying, "seen": 1}))
    await age(queue)
    assert await alive(queue, "b", kinds=[KIND], capacity=2) == [6, 0]
    await queue.do("SET", keys.CAPACITY + KIND, "x")
    assert await alive(queue, "b", kinds=[KIND], capacity=2) == [6, 0]


def now_ms() -> int:
    return int(time.time() * 1000)


GARBAGE = [
    "",
    "{",
    "null",
    "7",
    '"text"',
    "[1,2]",
    "[" * 2000,
    "{}",
    '{"seen":"yesterday","kinds":["images_info"],"capacity":100}',
    '{"seen":{},"kinds":["images_info"],"capacity":100}',
    '{"seen":NaN,"kinds":["images_info"],"capacity":100}',
    '{"seen":1e300,"kinds":["images_info"],"capacity":100}',
    '{"seen":-1,"kinds":["images_info"],"capacity":100}',
]
#: Said just now, and of no use all the same.
FRESH_GARBAGE = [
    '"kinds":7,"capacity":100',
    '"kinds":null',
    '"kinds":[[],{},null,NaN,7,true],"capacity":100',
    '"kinds":["images_info"]',
    '"kinds":["images_info"],"capacity":"many"',
    '"kinds":["images_info"],"capacity":{}',
    '"kinds":["images_info"],"capacity":NaN',
    '"kinds":["images_info"],"capacity":1e999',
    '"kinds":["images_info"],"capacity":-50',
    '"capacity":100',
]


async def test_the_dead_and_garbage_do_not_count(queue: Queue) -> None:
    """They are removed; what cannot be told from a consumer adds no room."""
    dead = json.dumps({"seen": now_ms() - 60_000, "kinds": [KIND], "capacity": 50})
    for number, text in enumerate([dead, *GARBAGE]):
        await queue.do("HSET", keys.CONSUMERS, f"odd-{number}", text)
    await queue.do("HSET", keys.CONSUMERS, b"\xff\x00", b"\xff\x00")
    assert await alive(queue, "a", kinds=[KIND], capacity=4) == [4, 0]
    assert await queue.do("HKEYS", keys.CONSUMERS) == ["a"]
    await age(queue)
    for number, text in enumerate(FRESH_GARBAGE):
        await queue.do("HSET", keys.CONSUMERS, f"odd-{number}", f'{{"seen":{now_ms()},{text}}}')
    assert await alive(queue, "a", kinds=[KIND], capacity=4) == [4, 0]
    assert await queue.do("GET", keys.CAPACITY + KIND) == "4"


async def names(queue: Queue) -> list[str]:
    found = await queue.redis.execute_command("XINFO CONSUMERS", SHARDS, keys.GROUP)
    return sorted(one["name"].decode() for one in found)


async def test_names_with_entries_pending_are_never_removed(queue: Queue) -> None:
    """The entries would go with them. Without any they go when long idle, or at their own wish."""
    job = await queue.begun(2)
    holding, idle = await queue.read(consumer="holding"), await queue.read(consumer="idle")
    await queue.commit(idle[0], job, 1)
    assert await queue.run("sweep", [SHARDS], 3_600_000, "") == 0
    assert await names(queue) == ["holding", "idle"]
    assert await queue.run("sweep", [SHARDS], 3_600_000, "holding") == 0
    assert await queue.run("sweep", [SHARDS], 3_600_000, "idle") == 1
    assert await queue.run("sweep", [SHARDS], 3_600_000, "idle") == 0
    await queue.do("XGROUP CREATECONSUMER", SHARDS, keys.GROUP, "late")
    await wait_for(lambda: queue.run("sweep", [SHARDS], 1, ""))  # by the clock of Redis
    assert await names(queue) == ["holding"]
    assert await queue.pending() == [(holding[0], "holding", 1)]


async def test_a_stream_that_is_not_there_has_no_names(queue: Queue) -> None:
    """Nor one without the group."""
    await queue.do("DEL", SHARDS)
    assert await queue.run("sweep", [SHARDS], 0, "") == 0
    await queue.do("XADD", SHARDS, "*", "foo", "bar")
    assert await queue.run("sweep", [SHARDS], 0, "") == 0
