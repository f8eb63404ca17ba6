"""Whose turn it is: permits for each host, connections shared by streams, silence, closing."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import cast

import pytest

from imaging.facts import ErrorCode, Failure, ImageInfo
from tests.asserts import wait_until
from tests.picture_hosts import PictureHost
from tests.workers.fetch.downloading import failure, fetching, info, resolving
from tests.workers.fetch.pictures import SMALL
from workers.fetch import hosts, retries
from workers.fetch.lanes import Lane, Outcome, Ticket, Verdict
from workers.fetch.targets import Target, parse_target
from workers.fetch.turns import Turns
from workers.manifest.rows import Row
from workers.metrics.instruments import Instruments
from workers.settings import WorkSettings

SettingsOf = Callable[..., WorkSettings]
Attempt = Callable[[Ticket], Awaitable[Verdict]]

FACTS = ImageInfo("PNG", (1, 1))


class Rig:
    """Lanes over one `Turns`, whose attempts are the test's; notes what happens."""

    def __init__(self, *, connections: int = 8, per_host: int = 4, trusted: str = "") -> None:
        instruments = Instruments()
        self.outcomes = instruments.downloads.outcomes
        self.turns = Turns(
            connections=connections,
            per_host=per_host,
            trusted=frozenset(trusted.split()),
            instruments=instruments,
        )
        self.busy: Counter[str] = Counter()  # by host, and "" for all
        self.peak: Counter[str] = Counter()
        self.order: list[str] = []  # of attempts: their URLs
        self.done: dict[str, Outcome] = {}

    def lane(self, attempt: Attempt, *, timeout: float = 30.0) -> Lane:
        """A lane whose attempts are counted while they run."""

        async def counted(ticket: Ticket) -> Verdict:
            names = ("", ticket.target.origin.host)
            self.order.append(ticket.row.url or "")
            self.busy.update(names)
            for name in names:
                self.peak[name] = max(self.peak[name], self.busy[name])
            try:
                return await attempt(ticket)
            finally:
                self.busy.subtract(names)

        return self.turns.open_lane(counted, self._done, timeout=timeout)

    def _done(self, ticket: Ticket, outcome: Outcome) -> None:
        assert ticket.row.url not in self.done, "done twice"
        self.done[cast(str, ticket.row.url)] = outcome

    def add(self, lane: Lane, *urls: str) -> None:
        for url in urls:
            target = cast(Target, parse_target(url))
            self.turns.add(Ticket(lane, Row(0, "0", url), target))

    async def finished(self, count: int) -> None:
        await wait_until(lambda: len(self.done) >= count)

    def check_nothing_left(self) -> None:
        """All permits are back, no host is known, no task is there."""
        assert self.turns.busy == 0
        assert len(self.turns._hosts) == 0
        assert not self.turns._parked
        assert +self.busy == Counter()


async def soon(ticket: Ticket) -> Verdict:
    """An attempt that takes a turn of the loop."""
    await asyncio.sleep(0)
    return Verdict(FACTS)


async def never(ticket: Ticket) -> Verdict:
    """An attempt that ends when it is cancelled."""
    await asyncio.Event().wait()
    raise AssertionError


def urls(host: str, count: int) -> list[str]:
    return [f"http://{host}/{n}" for n in range(count)]


async def test_permits_and_connections_are_bounded() -> None:
    """No host has more than its permits, all together no more than the connections."""
    rig = Rig(connections=8, per_host=3)
    lane = rig.lane(soon)
    for n in range(20):
        rig.add(lane, *urls(f"h{n}", 10))
    await rig.finished(200)
    assert rig.peak.pop("") == 8
    assert max(rig.peak.values()) == 3
    assert set(rig.done.values()) == {FACTS}
    await rig.turns.close_lane(lane)
    await wait_until(lambda: rig.turns.busy == 0)
    rig.check_nothing_left()


async def test_tasks_are_never_more_than_connections() -> None:
    """Rows that wait cost no task."""
    rig = Rig(connections=5, per_host=5)
    lane = rig.lane(never)
    rig.add(lane, *urls("a", 100), *urls("b", 100))
    await asyncio.sleep(0)
    assert rig.turns.busy == 5
    assert len(await rig.turns.close_lane(lane)) == 5
    rig.check_nothing_left()


async def test_trusted_hosts_may_have_every_connection() -> None:
    """By name or by name and port."""
    rig = Rig(connections=8, per_host=2, trusted="a b:81")
    lane = rig.lane(soon)
    rig.add(lane, *urls("a", 50), *urls("b:81", 50), *urls("b:82", 50))
    await rig.finished(150)
    assert rig.peak["a"] > 2
    assert rig.peak[""] == 8
    rig = Rig(connections=8, per_host=2, trusted="b:81")
    lane = rig.lane(soon)
    rig.add(lane, *urls("b", 50))
    await rig.finished(50)
    assert rig.peak["b"] == 2


async def test_rows_of_a_host_keep_their_order() -> None:
    """First come, first served."""
    rig = Rig(per_host=1)
    lane = rig.lane(soon)
    rig.add(lane, *urls("a", 50))
    await rig.finished(50)
    assert rig.order == urls("a", 50)


async def test_hosts_of_a_lane_take_turns() -> None:
    """A thousand rows of one host do not stand before one of another."""
    rig = Rig(connections=2, per_host=2)
    lane = rig.lane(soon)
    rig.add(lane, *urls("a", 1000), *urls("b", 1))
    await wait_until(lambda: "http://b/0" in rig.done)
    assert rig.order.index("http://b/0") < 20
    await rig.turns.close_lane(lane)


async def test_one_slow_host_does_not_delay_the_others() -> None:
    """Its permits are all it can hold."""
    rig = Rig(connections=8, per_host=4)

    async def attempt(ticket: Ticket) -> Verdict:
        return await (never if ticket.target.origin.host == "hole" else soon)(ticket)

    lane = rig.lane(attempt)
    rig.add(lane, *urls("hole", 100), *[url for n in range(10) for url in urls(f"h{n}", 20)])
    await rig.finished(200)
    assert rig.peak["hole"] == 4
    assert not any("hole" in url for url in rig.done)
    assert len(await rig.turns.close_lane(lane)) == 4
    rig.check_nothing_left()


async def test_lanes_share_connections_fairly() -> None:
    """A late stream gets its half as connections come free, whatever the first has queued."""
    rig = Rig(connections=4, per_host=100)
    gates: dict[str, asyncio.Event] = {}

    async def gated(ticket: Ticket) -> Verdict:
        await gates.setdefault(ticket.row.url or "", asyncio.Event()).wait()
        return Verdict(FACTS)

    first, second = rig.lane(gated), rig.lane(gated)
    rig.add(first, *urls("a", 100))
    rig.add(second, *urls("b", 100))
    await wait_until(lambda: rig.busy["a"] == 4)
    assert (first.held, second.held) == (4, 0)
    for count in range(1, 60):
        oldest = next(url for url in rig.order if not gates[url].is_set())
        gates[oldest].set()
        await rig.finished(count)
        await wait_until(lambda: rig.busy[""] == 4)
        if count >= 2:
            assert first.held == second.held == 2
    await rig.turns.close_lane(first)
    await wait_until(lambda: second.held == 4)  # and all of them once the first is gone
    await rig.turns.close_lane(second)
    rig.check_nothing_left()


async def test_lanes_share_the_permits_of_a_host() -> None:
    """Permits are the host's, not the stream's."""
    rig = Rig(connections=16, per_host=4)
    one, two = rig.lane(soon), rig.lane(soon)
    rig.add(one, *[f"http://a/one/{n}" for n in range(100)])
    rig.add(two, *[f"http://a/two/{n}" for n in range(100)])
    await rig.finished(200)
    assert rig.peak["a"] == 4
    early = [url for url in rig.order[:100] if "/two/" in url]
    assert 30 < len(early) < 70


async def test_closing_a_lane_frees_everything() -> None:
    """What is under way is cancelled, what waits is dropped, the other lane goes on."""
    rig = Rig(connections=8, per_host=4)
    stuck, fine = rig.lane(never), rig.lane(soon)
    rig.add(stuck, *[url for n in range(5) for url in urls(f"h{n}", 10)])
    await wait_until(lambda: rig.busy[""] == 8)
    rig.add(fine, *urls("h0", 20), *urls("other", 20))
    begun = await rig.turns.close_lane(stuck)
    assert len(begun) == 8
    assert all(ticket.deadline for ticket in begun)
    await rig.finished(40)
    assert all(outcome == FACTS for outcome in rig.done.values())
    await rig.turns.close_lane(fine)
    assert await rig.turns.close_lane(fine) == []
    await wait_until(lambda: rig.turns.busy == 0)
    rig.check_nothing_left()


async def test_lane_closed_before_a_task_took_its_first_step() -> None:
    """Permits granted to tasks that never ran come back too."""
    rig = Rig(connections=8, per_host=4)
    lane = rig.lane(soon)
    rig.add(lane, *urls("a", 10), *urls("b", 10))
    begun = await rig.turns.close_lane(lane)
    assert len(begun) == 8
    assert rig.order == []
    rig.check_nothing_left()
    again = rig.lane(soon)
    rig.add(again, *urls("a", 10))
    await rig.finished(10)
    assert rig.peak["a"] == 4


@pytest.mark.parametrize(
    "verdict",
    [
        Verdict(FACTS),
        Verdict(Failure(ErrorCode.CONNECT), again=0.0),
        Verdict(Failure(ErrorCode.HTTP_STATUS), onward=cast(Target, parse_target("http://b/"))),
    ],
)
async def test_what_ends_at_the_moment_its_lane_is_closed_ends_once(verdict: Verdict) -> None:
    """It has its outcome, or is cut off: counted as one of them, and never begun again."""
    rig = Rig()

    async def late(ticket: Ticket) -> Verdict:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return verdict
        raise AssertionError

    lane = rig.lane(late)
    rig.add(lane, "http://a/0")
    await wait_until(lambda: rig.busy["a"] == 1)
    begun = await rig.turns.close_lane(lane)

    assert len(begun) + len(rig.done) == 1
    assert bool(rig.done) == (verdict.outcome is FACTS)
    counted = {outcome: count for outcome, count in rig.outcomes.items() if count}
    assert counted == ({"ok": 1} if rig.done else {"cancelled": 1})
    assert not lane.resting
    rig.check_nothing_left()


async def test_closing_while_resting() -> None:
    """A row that waits for its next attempt has begun: it is told, and its timer is gone."""
    rig = Rig()

    async def again(ticket: Ticket) -> Verdict:
        return Verdict(Failure(ErrorCode.CONNECT), again=10.0)

    lane = rig.lane(again)
    rig.add(lane, *urls("a", 3))
    await wait_until(lambda: len(lane.resting) == 3 and not rig.turns.busy)
    assert len(await rig.turns.close_lane(lane)) == 3
    assert not lane.resting
    rig.check_nothing_left()
    assert rig.done == {}


async def test_no_permit_is_held_while_resting() -> None:
    """Others have their turn meanwhile; afterwards it goes before the rows that wait."""
    rig = Rig(connections=1, per_host=1)
    tried: Counter[str] = Counter()

    async def second_time(ticket: Ticket) -> Verdict:
        url = ticket.row.url or ""
        tried[url] += 1
        await asyncio.sleep(0.002)
        if url.endswith("/0") and tried[url] == 1:
            return Verdict(Failure(ErrorCode.CONNECT), again=0.03)
        return Verdict(FACTS)

    lane = rig.lane(second_time)
    rig.add(lane, *urls("a", 60))
    await rig.finished(60)
    again = rig.order.index("http://a/0", 1)
    assert 1 < again < 60
    assert rig.order[:again] + rig.order[again + 1 :] == urls("a", 60)
    assert set(rig.done.values()) == {FACTS}


async def test_row_whose_time_ends_before_it_may_try_again() -> None:
    """It fails with what its last attempt came to, and the host is not held for silent."""
    rig = Rig(connections=1, per_host=1)
    go = asyncio.Event()

    async def attempt(ticket: Ticket) -> Verdict:
        if ticket.row.url == "http://a/0":
            return Verdict(Failure(ErrorCode.HTTP_STATUS, "503 Busy", 503), again=0.01)
        await go.wait()
        return Verdict(FACTS)

    lane = rig.lane(attempt, timeout=0.1)
    rig.add(lane, *urls("a", 2))
    await wait_until(lambda: rig.order == urls("a", 2))
    loop = asyncio.get_running_loop()
    over = loop.time() + 0.15
    await wait_until(lambda: loop.time() > over)
    go.set()
    await rig.finished(2)
    assert failure(rig.done["http://a/0"]).http_status == 503
    assert rig.order == urls("a", 2)


async def test_deadline_is_set_once_by_the_first_permit() -> None:
    """Waiting before it costs nothing; later attempts get no new one."""
    rig = Rig(connections=1, per_host=1)
    deadlines: dict[str, list[float]] = {}

    async def attempt(ticket: Ticket) -> Verdict:
        known = deadlines.setdefault(ticket.row.url or "", [])
        known.append(ticket.deadline)
        await asyncio.sleep(0.02)
        return Verdict(FACTS) if len(known) == 2 else Verdict(Failure(ErrorCode.CONNECT), again=0.0)

    lane = rig.lane(attempt, timeout=30.0)
    rig.add(lane, *urls("a", 2))
    await rig.finished(2)
    (first, again), (second, _) = deadlines["http://a/0"], deadlines["http://a/1"]
    assert first == again < second


async def test_attempt_that_raises_is_internal_and_its_permit_comes_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A bug of ours costs that row only."""
    rig = Rig(per_host=1)

    async def attempt(ticket: Ticket) -> Verdict:
        if ticket.row.url == "http://a/0":
            raise KeyError("a bug")
        return Verdict(FACTS)

    lane = rig.lane(attempt)
    rig.add(lane, *urls("a", 3))
    await rig.finished(3)
    assert failure(rig.done["http://a/0"]).code is ErrorCode.INTERNAL
    assert rig.done["http://a/2"] == FACTS
    assert [record.__dict__["action"] for record in caplog.records] == ["fetch_bug"]


async def test_ten_thousand_origins_leave_nothing_behind() -> None:
    """A manifest of all the world's hosts does not fill the memory."""
    rig = Rig(connections=50, per_host=2)
    lane = rig.lane(soon)
    for n in range(10_000):
        rig.add(lane, f"http://h{n}.example/")
        if n % 500 == 0:
            await asyncio.sleep(0)
    await rig.finished(10_000)
    await wait_until(lambda: rig.turns.busy == 0)
    assert not lane.lines
    assert not lane.ready
    rig.check_nothing_left()


async def test_silent_host_fails_at_once_after_eight_timeouts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Then one row probes it now and then; an answer opens it again."""
    monkeypatch.setattr(hosts, "PROBE_SECONDS", 1.0)
    rig = Rig(connections=2, per_host=1)
    answers = False

    async def attempt(ticket: Ticket) -> Verdict:
        if answers:
            return Verdict(FACTS)
        return Verdict(Failure(ErrorCode.TIMEOUT, "its own"), silent=True)

    lane = rig.lane(attempt)
    rig.add(lane, *urls("a", 100))
    await rig.finished(100)
    assert rig.order == urls("a", 8)
    said = Counter(failure(outcome).message for outcome in rig.done.values())
    assert said["its own"] == 8
    assert said.total() == 100
    assert all("silent" in message for message in said if message != "its own")

    loop = asyncio.get_running_loop()
    due = loop.time() + 1.0
    await wait_until(lambda: loop.time() > due)
    rig.add(lane, *[f"http://a/probe/{n}" for n in range(10)])
    await rig.finished(110)
    assert len(rig.order) == 9

    answers = True
    due = loop.time() + 1.0
    await wait_until(lambda: loop.time() > due)
    rig.add(lane, *[f"http://a/open/{n}" for n in range(10)])
    await rig.finished(120)
    assert [rig.done[f"http://a/open/{n}"] for n in range(10)] == [FACTS] * 10


async def test_permits_are_respected_by_real_downloads(
    host: PictureHost, settings_of: SettingsOf
) -> None:
    """As the host itself counts them; trusted ones are spared nothing."""
    settings = settings_of(max_connections=12, max_connections_per_host=3)
    wanted = [f"{host}/slow/10/{SMALL}?{n}" for n in range(60)]
    async with fetching(settings) as fetch:
        outcomes = await fetch(*wanted)
    assert {info(outcome).image_format for outcome in outcomes} == {"JPEG"}
    assert host.counts()["in_flight_peak"] == 3
    host.reset()
    trusted = settings_of(
        max_connections=12, max_connections_per_host=3, trusted_hosts=f"127.0.0.1:{host.port}"
    )
    async with fetching(trusted) as fetch:
        await fetch(*wanted)
    assert host.counts()["in_flight_peak"] == 12


async def test_black_hole_among_good_hosts(
    host: PictureHost, settings_of: SettingsOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows of the others do not wait for it, and its own rows do not time out one by one."""
    monkeypatch.setattr(retries, "_FIRST_WAIT", 0.005)
    settings = settings_of(
        max_connections=8,
        max_connections_per_host=4,
        read_timeout=3,
        retries=0,
        allow_networks="127.0.0.0/8",
    )
    hole = f"http://127.0.0.1:{host.port}/silent"
    good = [f"http://localhost.example:{host.port}/{SMALL}?{n}" for n in range(200)]
    names = resolving({"localhost.example": ["127.0.0.1"]})
    async with fetching(settings, resolver=names) as fetch:
        bad = asyncio.create_task(fetch(*[f"{hole}/{n}" for n in range(200)]))
        await wait_until(lambda: fetch.turns.busy == 4)
        outcomes = await fetch(*good)
        assert not bad.done()
        assert {info(outcome).image_format for outcome in outcomes} == {"JPEG"}
        codes = {failure(outcome).code for outcome in await bad}
    assert codes == {ErrorCode.TIMEOUT}
    asked = [request for request in host.requests() if "silent" in request["target"]]
    assert 8 <= len(asked) <= 8 + 3  # those under way when the eighth timed out
