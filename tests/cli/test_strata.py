"""A manifest by host, in bounded room, and how a sample is divided among the hosts."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from scripts.cli.samples.allotment import allot
from scripts.cli.samples.distinct import Distinct
from scripts.cli.samples.strata import HELD_FOR_EACH, Strata, Stratum
from workers.manifest.rows import Row, bad_row

SIZES = st.lists(st.integers(1, 10_000), max_size=30)


def counted(urls: list[str], sample: int, *, window: int = 64, most_hosts: int = 100) -> Strata:
    """Strata of rows with these URLs."""
    strata = Strata(sample, window=window, most_hosts=most_hosts)
    for index, url in enumerate(urls):
        strata.add(Row(index, str(index), url))
    return strata


def held(parts: list[Stratum]) -> list[list[int]]:
    """The rows that each stratum holds."""
    return [[one.row.index for one in part.held] for part in parts]


@given(SIZES, st.integers(0, 400), st.data())
def test_divided(sizes: list[int], sample: int, data: st.DataObject) -> None:
    """The sample is given out whole as far as there are rows, to none more than it has."""
    most = [data.draw(st.integers(0, min(size, 500))) for size in sizes]
    shares = allot(sizes, most, sample)
    assert sum(shares) == min(sample, sum(most))
    assert all(share <= room for share, room in zip(shares, most, strict=True))
    assert shares == allot(sizes, most, sample)


@given(SIZES, st.integers(1, 400))
def test_in_proportion(sizes: list[int], sample: int) -> None:
    """Each has one, the largest before the smaller ones; a larger stratum never has less."""
    shares = allot(sizes, sizes, sample)
    if sample >= len(sizes):
        assert all(shares)
    largest_first = sorted(zip(sizes, shares, strict=True), key=lambda one: -one[0])
    by_size = [share for _, share in largest_first]
    for larger, smaller in pairwise(by_size):
        assert larger >= smaller - 1  # of the same size one may have one more
    assert allot([9_000, 900, 100], [9_000, 900, 100], 100) == [90, 9, 1]
    assert allot([5, 1], [5, 1], 100) == [5, 1]


@given(st.lists(st.integers(0, 40), min_size=1, max_size=400), st.integers(1, 60))
def test_bounded(hosts: list[int], sample: int) -> None:
    """Every row is counted in one stratum, and few are held, however many hosts there are."""
    urls = [f"http://h{host}.example/{row}" for row, host in enumerate(hosts)]
    strata = counted(urls, sample, most_hosts=16)
    parts = strata.strata()
    assert sum(part.rows for part in parts) == strata.rows == len(urls)
    assert all(part.held for part in parts)
    holding = [index for part in held(parts) for index in part]
    assert len(holding) == len(set(holding)) <= HELD_FOR_EACH * sample + sample // 2
    for part in parts:
        assert len(part.held) <= part.rows
        if part.origin is not None:
            assert {one.row.url.split("/")[2] for one in part.held if one.row.url} == {
                part.origin.host
            }
    assert held(parts) == held(counted(urls, sample, most_hosts=16).strata())
    if sample >= len(urls):
        assert len(holding) == len(urls)


def test_from_everywhere() -> None:
    """What is held of a host is of its rows without regard to where they stand."""
    urls = [f"http://{'big' if row % 10 else 'small'}.example/{row}" for row in range(50_000)]
    big, small = counted(urls, 500).strata()
    assert (big.rows, small.rows) == (45_000, 5_000)
    assert 1700 < len(big.held) < 1900
    for part in (big, small):
        tenths = Counter(one.row.index // 5_000 for one in part.held)
        assert min(tenths.values()) > len(part.held) / 10 * 0.6
        first = [one.row.index for one in part.held[: len(part.held) // 4]]
        assert 20_000 < sum(first) / len(first) < 30_000


def test_small_hosts() -> None:
    """A host of a few rows among very many has one to be asked for."""
    urls = [f"http://big.example/{row}" for row in range(20_000)]
    urls[10_000:10_000] = [f"http://tiny{host}.example/" for host in range(5)]
    parts = counted(urls, 20).strata()
    assert [part.rows for part in parts] == [20_000, 1, 1, 1, 1, 1]
    assert [len(part.held) for part in parts[1:]] == [1] * 5


def test_late_and_large() -> None:
    """A host that comes when there is no room for more is counted by itself all the same."""
    urls = [f"http://h{host}.example/" for host in range(1_000)]
    urls += [f"http://late.example/{row}" for row in range(3_000)]
    strata = counted(urls, 10, most_hosts=50)
    parts = strata.strata()
    assert (parts[0].name, parts[0].rows) == ("late.example:80", 3_000)
    assert parts[-1].name == "other hosts"
    assert strata.hosts is None


def test_come_again() -> None:
    """Rows of a host that was let go of, and came again, stay where they were counted."""
    urls = ["http://again.example/0", *(f"http://h{host}.example/" for host in range(60))]
    urls += [f"http://again.example/{row}" for row in range(1, 40)]
    again, *_, others = counted(urls, 100, most_hosts=20).strata()
    assert (again.name, again.rows) == ("again.example:80", 39)
    assert [min(part) for part in held([again, others])] == [61, 0]


def test_order() -> None:
    """Of rows that come host by host, it is known that each has whole windows to itself."""
    hosts = ["a.example", "b.example"]
    behind = [f"http://{host}/{row}" for host in hosts for row in range(640)]
    mixed = [f"http://{host}/{row}" for row in range(640) for host in hosts]
    assert [part.leading for part in counted(behind, 10).strata()] == [640, 640]
    assert sum(part.leading for part in counted(mixed, 10).strata()) == 640


def test_bad_rows() -> None:
    """What cannot be asked for is counted by its reason, and held in proportion."""
    strata = Strata(10, window=64)
    for index in range(100):
        strata.add(Row(index, "", f"https://h.example/{index}"))
    strata.add(bad_row(100, 0, "no"))
    for index, url in enumerate(("ftp://h.example/", "", "http://h.example:99999/"), 101):
        strata.add(Row(index, "", url))
    assert strata.bad == {"bad_row": 1, "bad_scheme": 1, "bad_url": 2}
    assert (strata.rows, strata.asked, strata.hosts) == (104, 100, 1)
    assert len(strata.bad_rows()) == 1


def test_one_name() -> None:
    """Hosts are those that are dialled: spelling, user names and paths make no others."""
    urls = [
        "http://H.example/a b",
        "http://h.example",
        "http://u:p@h.example:80/x",
        "http://h.example./",
    ]
    parts = counted([*urls, "https://h.example/"], 10).strata()
    assert [(part.name, part.rows) for part in parts] == [("h.example:80", 4), ("h.example:443", 1)]


def test_repeated() -> None:
    """Different URLs are counted, exactly while they are few, else about."""
    few, many = Distinct(), Distinct()
    for number in range(1_000):
        few.add(f"{number % 300}")
    assert few.count == 300
    for number in range(40_000):
        many.add(f"{number % 20_000}")
    assert 18_500 < many.count < 21_500
    urls = [f"http://h.example/{row // 4}" for row in range(800)]
    assert counted(urls, 10).repeated == 0.75
