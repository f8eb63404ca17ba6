"""Blame without processes: from chunks and deaths to one result per item."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaging.facts import ErrorCode, Failure
from workers.pool.blame import Blame, Death

TIMEOUT = Death(position=1, exit_code=1, traceback="Timeout (0:00:01)!\nThread …")


def test_culprit_is_tried_alone_before_it_is_blamed() -> None:
    """One death may be another's doing; the second, alone, is its own."""
    blame = Blame(3)
    assert blame.next_chunk() == [0, 1, 2]
    blame.died([0, 1, 2], Death(position=1, exit_code=-11))
    assert blame.next_chunk() == [1]
    blame.died([1], Death(position=0, exit_code=-11))
    assert blame.next_chunk() == [0, 2]
    blame.answered([0, 2], "ac")
    assert blame.next_chunk() is None
    message = "the process ended by signal 11 (SIGSEGV)"
    assert blame.results == ["a", Failure(ErrorCode.WORKER_DIED, message), "c"]


def test_victim_of_a_neighbour_is_acquitted() -> None:
    """An item that comes through alone has its value, though a child once died under it."""
    blame = Blame(2)
    blame.next_chunk()
    blame.died([0, 1], Death(position=1))
    assert blame.next_chunk() == [1]
    blame.answered([1], "b")
    assert blame.next_chunk() == [0]
    blame.answered([0], "a")
    assert blame.results == ["a", "b"]


def test_timeout_is_not_tried_again() -> None:
    """The watchdog knows its item: a second try would only double the time."""
    blame = Blame(3)
    blame.next_chunk()
    blame.died([0, 1, 2], TIMEOUT)
    assert blame.results[1].code is ErrorCode.DECODE_TIMEOUT
    assert blame.next_chunk() == [0, 2]


def test_unknown_culprit_is_searched_by_halves() -> None:
    """Without last words nobody is accused until one item is left."""
    blame = Blame(4)
    blame.next_chunk()
    blame.died([0, 1, 2, 3], Death(position=-1))
    assert [blame.next_chunk(), blame.next_chunk()] == [[0, 1], [2, 3]]


@pytest.mark.parametrize(
    ("death", "code", "word"),
    [
        (Death(exit_code=3), ErrorCode.WORKER_DIED, "exit code 3"),
        (Death(exit_code=-9), ErrorCode.WORKER_DIED, "signal 9 (SIGKILL)"),
        (Death(exit_code=-99), ErrorCode.WORKER_DIED, "signal 99"),
        (Death(), ErrorCode.WORKER_DIED, "without a word"),
        (Death(out_of_memory=True), ErrorCode.WORKER_DIED, "memory"),
        (Death(stuck=True), ErrorCode.DECODE_TIMEOUT, "longer than allowed"),
        (TIMEOUT, ErrorCode.DECODE_TIMEOUT, "longer than allowed"),
    ],
)
def test_failure_tells_the_manner_of_death(death: Death, code: ErrorCode, word: str) -> None:
    """A record says as much as is known, and no more."""
    assert death.failure.code is code
    assert word in death.failure.message


@given(
    killers=st.sets(st.integers(0, 15)),
    sizes=st.integers(0, 16),
    silent=st.booleans(),
    strays=st.lists(st.integers(0, 40), max_size=3, unique=True),
)
def test_every_item_has_its_own_result(
    killers: set[int], sizes: int, silent: bool, strays: list[int]
) -> None:
    """Whoever kills, with or without last words: exactly the killers fail.

    Up to three deaths come from outside as well, at any time; of those only one that hits the
    same item twice may cost it its value.
    """
    blame = Blame(sizes)
    stray_hits: dict[int, int] = {}
    tries = 0
    while (chunk := blame.next_chunk()) is not None:
        tries += 1
        assert tries < 200
        if tries in strays:
            stray_hits[chunk[0]] = stray_hits.get(chunk[0], 0) + 1
            blame.died(chunk, Death(position=0))
            continue
        deadly = [place for place, item in enumerate(chunk) if item in killers]
        if deadly:
            blame.died(chunk, Death(position=-1 if silent else deadly[0]))
        else:
            blame.answered(chunk, [str(item) for item in chunk])
    for item, result in enumerate(blame.results):
        if item in killers:
            assert isinstance(result, Failure)
        elif stray_hits.get(item, 0) < 2:
            assert result == str(item)
