"""Estimates from made-up answers: right about as often as they say, and never nonsense."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaging.facts import ErrorCode, Failure
from scripts.cli.samples.allotment import allot
from scripts.cli.samples.effort import Effort
from scripts.cli.samples.estimating import estimate, proportion, total
from scripts.cli.samples.outlook import percent
from scripts.cli.samples.paces import slowest
from scripts.cli.samples.sampled import Tally
from scripts.cli.samples.strata import Stratum
from workers.fetch.targets import Origin
from workers.records import Answered, Fetch
from workers.settings import WorkSettings

NO_EFFORT = Effort(0.0, 0.0)


def tally(
    answers: int, *, ms: float = 100.0, size: int = 1000, failing: str | None = None
) -> Tally:
    """So many answers alike."""
    told = Tally()
    failure = None if failing is None else Failure(ErrorCode(failing))
    for index in range(answers):
        fetch = Fetch(bytes=size, attempts=1, requests=2, ms=ms)
        told.add(Answered(index, "http://h.example/", failure, fetch))
    return told


def of_host(name: str, rows: int, leading: int = 0) -> Stratum:
    """A stratum of one host."""
    return Stratum(Origin(name, 80), rows, 1, (), leading)


def settings(**given: Any) -> WorkSettings:
    """Sixteen connections, four to a host."""
    return WorkSettings(max_connections=16, max_connections_per_host=4, pool_slots=1, **given)


@st.composite
def parts(draw: st.DrawFn) -> list[tuple[int, int, int]]:
    """(rows, looked at, so) of some strata."""
    found = []
    for size in draw(st.lists(st.integers(1, 100_000), max_size=8)):
        looked = draw(st.integers(0, min(size, 200)))
        found.append((size, looked, draw(st.integers(0, looked))))
    return found


@given(parts())
def test_sound(strata: list[tuple[int, int, int]]) -> None:
    """A share is between what was seen to be so and what may be, for every sample there is."""
    low, about, high = proportion(strata)
    assert 0 <= low <= about <= high <= 1
    rows = sum(size for size, _, _ in strata)
    so = sum(hits for _, _, hits in strata)
    assert so <= high * rows + 1e-6
    if rows and all(size == looked for size, looked, _ in strata):
        assert low == high == pytest.approx(so / rows)
    told = total([(size, looked, 7 * looked, 49 * looked) for size, looked, _ in strata])
    assert told.low <= told.about <= told.high


@pytest.mark.parametrize(
    ("sizes", "shares"),
    [
        ([100_000], [0.02]),
        ([80_000, 15_000, 5_000], [0.01, 0.5, 0.97]),
        ([50_000, *[400] * 50], [0.05, *[0.0, 1.0] * 25]),
        ([900, 80, 20], [0.3, 0.0, 1.0]),
    ],
)
def test_coverage(sizes: list[int], shares: list[float]) -> None:
    """Nineteen times in twenty the truth is in the range, whatever hosts are like."""
    dice = random.Random(7)
    rows, inside, width, tries = sum(sizes), 0, 0.0, 400
    so = [round(size * share) for size, share in zip(sizes, shares, strict=True)]
    counts = allot(sizes, sizes, 200)
    for _ in range(tries):
        hits = [
            sum(number < hit for number in dice.sample(range(size), count))
            for size, hit, count in zip(sizes, so, counts, strict=True)
        ]
        low, _, high = proportion(list(zip(sizes, counts, hits, strict=True)))
        inside += low <= sum(so) / rows <= high
        width += high - low
    assert inside / tries > 0.92
    assert width / tries < 0.12  # and it says something


def test_by_rows() -> None:
    """A stratum counts by the rows it has, not by those that were looked at."""
    assert proportion([(900, 10, 0), (100, 10, 10)]).about == pytest.approx(0.1)
    assert total([(900, 10, 0, 0), (100, 10, 50, 250)]).about == pytest.approx(500)


def test_never() -> None:
    """None of two hundred is not never: three divided by two hundred, about."""
    low, about, high = proportion([(1_000_000, 200, 0)])
    assert (low, about) == (0, 0)
    assert 0.012 < high < 0.022


def test_whole() -> None:
    """Strata count by their rows, bad rows as they were counted."""
    told = estimate([(9_000, tally(90)), (900, tally(9, failing="timeout"))], {"bad_url": 100})
    assert told.rows == 10_000
    assert told.bytes == (9_900_000, 9_900_000, 9_900_000)
    assert told.requests.about == 19_800
    assert told.failed.about == pytest.approx(0.10)
    assert list(told.reasons) == ["timeout", "bad_url"]
    assert told.reasons["timeout"].low < 0.09 < told.reasons["timeout"].high
    assert told.reasons["bad_url"] == (0.01, 0.01, 0.01)


def test_nothing() -> None:
    """No rows, no answers, bad rows only: nothing is divided by."""
    assert estimate([], {}).rows == 0
    unknown = estimate([(10, Tally())], {})
    assert (unknown.failed.low, unknown.failed.high) == (0, 1)
    bad = estimate([], {"bad_row": 3})
    assert bad.failed == bad.reasons["bad_row"] == (1, 1, 1)
    early = estimate([(100, tally(10)), (100, Tally())], {})
    assert early.bytes.about == 200_000


def test_bound_by_a_host() -> None:
    """The host whose rows take longest: its connections, or all where it is trusted."""
    found = [(of_host("a.example", 4_000), tally(40)), (of_host("b.example", 100), tally(10))]
    pace = slowest(settings(), found, reading=0.1, effort=NO_EFFORT)
    assert pace.seconds == pytest.approx(4_000 * 0.1 / 4)
    assert pace.says == "a.example:80 (4,000 rows, 4 at a time)"
    trusted = settings(trusted_hosts="a.example")
    assert slowest(trusted, found, reading=0.1, effort=NO_EFFORT).seconds < 30


def test_bound_by_connections() -> None:
    """Many hosts together, of which none is large."""
    found = [(of_host(f"h{number}.example", 100), tally(5)) for number in range(40)]
    pace = slowest(settings(), found, reading=0.1, effort=NO_EFFORT)
    assert (pace.bound, pace.seconds) == ("connections", pytest.approx(4_000 * 0.1 / 16))


def test_bound_by_the_machine() -> None:
    """What the sample cost of the processors, rows of the whole times."""
    found = [(of_host("a.example", 1_000), tally(100, ms=1.0))]
    pace = slowest(settings(), found, reading=5.0, effort=Effort(1.0, 0.0))
    assert (pace.bound, pace.seconds) == ("processor", pytest.approx(15.0))
    pool = slowest(settings(), found, reading=0.0, effort=Effort(1.0, 10.0))
    assert (pool.bound, pool.seconds) == ("pool", pytest.approx(100.0))


def test_bound_by_the_order() -> None:
    """Host behind host takes the sum of their times, and shuffled the longest of them."""
    found = [(of_host(f"h{number}.example", 1_000, 1_000), tally(9)) for number in range(3)]
    pace = slowest(settings(), found, reading=0.1, effort=NO_EFFORT)
    assert (pace.bound, pace.seconds) == ("order", pytest.approx(75.0))
    assert pace.shuffled == pytest.approx(25.0)


def test_silent_host() -> None:
    """A host that never answers costs some timeouts, not one for each of a million rows."""
    dead = tally(6, ms=30_000.0, failing="timeout")
    found = [
        (of_host("dead.example", 1_000_000, 1_000_000), dead),
        (of_host("a.example", 9), tally(9)),
    ]
    pace = slowest(settings(), found, reading=0.1, effort=NO_EFFORT)
    assert pace.seconds < 300
    assert pace.says == "dead.example:80, which does not answer (1,000,000 rows)"


def test_warm() -> None:
    """Rows that find a connection say how long a row takes, once they are enough."""
    told = tally(4, ms=300.0)
    assert told.seconds == pytest.approx(0.3)
    for index in range(8):
        fetch = Fetch(attempts=1, requests=1, ms=100.0)
        told.add(Answered(index, None, None, fetch), warm=True)
    assert told.seconds == pytest.approx(0.1)


@given(st.floats(0, 1), st.floats(0, 1))
def test_percent(one: float, other: float) -> None:
    """What is printed is not narrower than what was reckoned."""
    low, high = sorted((one, other))
    told = proportion([(1, 1, 1)])._replace(low=low, about=low, high=high)
    if low == high:
        return
    printed = [float(part) for part in percent(told).removesuffix(" %").split("–")]
    assert printed[0] <= low * 100 + 1e-9
    assert printed[1] >= min(100, high * 100) - 1e-9
