"""The set of row numbers, beside one of Python's."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from workers.results.indexes import Indexes

_NUMBERS = st.one_of(st.integers(0, 40), st.integers(4000, 9000), st.integers(0, 2**40 - 1))


@given(st.lists(st.tuples(st.booleans(), _NUMBERS), max_size=60))
def test_as_a_set_has_it(steps: list[tuple[bool, int]]) -> None:
    """Put in, taken out, counted, looked for, gone through in order."""
    ours, theirs = Indexes(), set[int]()
    for put, number in steps:
        if put:
            assert ours.add(number) == (number not in theirs)
            theirs.add(number)
        else:
            ours.discard(number)
            theirs.discard(number)
    assert list(ours) == sorted(theirs)
    assert len(ours) == len(theirs)
    assert all(number in ours for number in theirs)
    assert all((number in ours) == (number in theirs) for _, number in steps)
    assert ours.first_missing() == next(n for n in range(len(theirs) + 1) if n not in theirs)


def test_the_first_that_is_missing() -> None:
    """Behind whole blocks too."""
    ours = Indexes()
    for number in range(10_000):
        ours.add(number)
    assert (ours.first_missing(), ours.end) == (10_000, 10_000)
    ours.discard(8191)
    assert (ours.first_missing(), ours.end) == (8191, 10_000)
