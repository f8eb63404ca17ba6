"""A row that a predictor cannot take costs only itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from imaging.facts import ErrorCode, Failure
from imaging.predictors.about import Layout
from imaging.predictors.careful import predict
from tests.imaging.predictors.pictures import Batch, flat


class Greys:
    """Answers with the first byte of each row; the rows of the bad ids make it fail."""

    name, size = "greys", None

    def __init__(
        self,
        bad: Sequence[str] = (),
        fail: Callable[[], Any] | None = None,
        layout: Layout = Layout.NCHW,
    ) -> None:
        self.bad, self.fail, self.layout = set(bad), fail, layout
        self.calls: list[list[str]] = []
        self.shapes: list[tuple[int, ...]] = []

    def __call__(self, batch: Batch, ids: Sequence[str]) -> Sequence[Any]:
        assert len(batch) == len(ids)
        self.calls.append(list(ids))
        self.shapes.append(batch.shape)
        assert batch.flags.c_contiguous
        if not self.bad.isdisjoint(ids):
            assert self.fail is not None
            return self.fail()
        return [int(row.flat[0]) for row in batch]


def greys(count: int) -> tuple[Batch, list[str]]:
    """As many pictures, the first grey 0, the next 1, …"""
    return flat(*[(level,) * 3 for level in range(count)], size=(3, 2)), [
        f"id{level}" for level in range(count)
    ]


def raising(error: BaseException) -> Callable[[], Any]:
    def fail() -> Any:
        raise error

    return fail


def test_good_batch_is_one_call() -> None:
    """In the order of rows, with the ids beside them."""
    batch, ids = greys(5)
    predictor = Greys()

    assert predict(predictor, batch, ids) == [0, 1, 2, 3, 4]
    assert predictor.calls == [ids]


def test_no_rows_are_no_call() -> None:
    """A batch of which nothing could be decoded."""
    predictor = Greys()

    assert predict(predictor, np.zeros((0, 3, 64, 64), np.uint8), []) == []
    assert predictor.calls == []


def test_ids_are_as_many_as_rows() -> None:
    """A caller's mistake is not the predictor's."""
    batch, ids = greys(3)
    with pytest.raises(ValueError, match="3 pictures with 2 ids"):
        predict(Greys(), batch, ids[:2])


@pytest.mark.parametrize("count", [1, 2, 3, 7, 32, 33])
@pytest.mark.parametrize(
    "chosen",
    [
        lambda _: {0},
        lambda n: {n - 1},
        lambda n: {n // 2},
        lambda n: {0, n - 1},
        lambda n: set(range(n)),
    ],
    ids=["first", "last", "middle", "both-ends", "all"],
)
def test_only_offending_rows_fail(count: int, chosen: Callable[[int], set[int]]) -> None:
    """Wherever they are; every other row has the value it would have had."""
    batch, ids = greys(count)
    bad = chosen(count)
    predictor = Greys([ids[place] for place in bad], raising(ValueError("no")))

    answer = predict(predictor, batch, ids)

    failure = Failure(ErrorCode.PREDICTOR_FAILED, "ValueError: no")
    assert answer == [failure if place in bad else place for place in range(count)]


@pytest.mark.parametrize("place", range(64))
def test_one_offender_takes_few_calls(place: int) -> None:
    """Two for each halving, not one for each row."""
    batch, ids = greys(64)
    predictor = Greys([ids[place]], raising(ValueError()))

    predict(predictor, batch, ids)

    assert len(predictor.calls) == 1 + 2 * 6


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (MemoryError(), "MemoryError"),
        (SystemExit(3), "SystemExit: 3"),
        (RecursionError("deep"), "RecursionError: deep"),
        (GeneratorExit(), "GeneratorExit"),
        (ValueError("two\nlines\t here"), "ValueError: two lines here"),
        (ValueError("lone \ud800 half"), "ValueError: lone \\ud800 half"),
    ],
)
def test_whatever_is_raised_is_told_on_one_line(error: BaseException, message: str) -> None:
    """And ends nothing."""
    batch, ids = greys(2)

    answer = predict(Greys(["id1"], raising(error)), batch, ids)

    assert answer == [0, Failure(ErrorCode.PREDICTOR_FAILED, message)]


def test_long_texts_are_cut() -> None:
    """Also of an error that cannot say what it is."""

    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    batch, ids = greys(1)
    (long,) = predict(Greys(ids, raising(ValueError("\udfff" * 10**6))), batch, ids)
    (mute,) = predict(Greys(ids, raising(Mute())), batch, ids)

    assert len(long.message) == 300
    assert long.message.encode().endswith("…".encode())
    assert mute.message == "Mute"


def test_interrupt_is_not_held_back() -> None:
    """Ctrl-C is not a property of a row."""
    batch, ids = greys(2)
    with pytest.raises(KeyboardInterrupt):
        predict(Greys(["id1"], raising(KeyboardInterrupt())), batch, ids)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ([], "the predictor returned 0 values, not 1"),
        ([1] * 5, "the predictor returned 5 values, not 1"),
        (None, "the predictor returned NoneType, not a list"),
        ({"a": 1}, "the predictor returned dict, not a list"),
        ({1}, "the predictor returned set, not a list"),
        ("a", "the predictor returned str, not a list"),
        (b"a", "the predictor returned bytes, not a list"),
        (iter([1]), "the predictor returned list_iterator, not a list"),
        (np.array(3), "TypeError: iteration over a 0-d array"),
    ],
)
def test_wrong_answer_fails_the_rows_it_is_given_for(answer: Any, message: str) -> None:
    """One value per row in a list; what only looks like one is not taken apart."""
    batch, ids = greys(3)

    found = predict(Greys(["id2"], lambda: answer), batch, ids)

    assert found == [0, 1, Failure(ErrorCode.PREDICTOR_FAILED, message)]


@pytest.mark.parametrize("made", [tuple, np.array, list])
def test_rows_of_any_sequence(made: Callable[[list[int]], Any]) -> None:
    """A tuple or an array is as good as a list."""

    class Predictor(Greys):
        def __call__(self, batch: Batch, ids: Sequence[str]) -> Sequence[Any]:
            return made(list(super().__call__(batch, ids)))

    assert predict(Predictor(), *greys(3)) == [0, 1, 2]


@pytest.mark.parametrize("layout", Layout)
def test_predictor_may_write_over_its_batch(layout: Layout) -> None:
    """Neither its halves nor anybody else sees it."""

    class Scribbler(Greys):
        def __call__(self, batch: Batch, ids: Sequence[str]) -> Sequence[Any]:
            values = [int(row.flat[0]) for row in batch]
            batch[:] = 99
            if isinstance(ids, list):
                ids[:] = ["gone"] * len(ids)
            if 2 in values:
                raise ValueError
            return values

    batch, ids = greys(4)
    before, ids_before = batch.copy(), list(ids)
    batch.flags.writeable = False  # as it comes out of a pickle

    answer = predict(Scribbler(layout=layout), batch, ids)

    assert answer == [0, 1, Failure(ErrorCode.PREDICTOR_FAILED, "ValueError"), 3]
    assert (batch == before).all()
    assert ids == ids_before


def test_layout_is_the_predictors() -> None:
    """NHWC pictures are turned, pixel by pixel."""

    class Whole(Greys):
        def __call__(self, batch: Batch, ids: Sequence[str]) -> Sequence[Any]:
            super().__call__(batch, ids)
            return list(batch)

    batch = np.arange(2 * 3 * 4 * 5, dtype=np.uint8).reshape(2, 3, 4, 5)
    predictor = Whole(layout=Layout.NHWC)

    rows = predict(predictor, batch, ["a", "b"])

    assert predictor.shapes == [(2, 4, 5, 3)]
    for n, c, y, x in np.ndindex(*batch.shape):
        assert rows[n][y, x, c] == batch[n, c, y, x]


def test_answer_that_raises_when_it_is_read() -> None:
    """A list of the predictor's own kind."""

    class Broken(list[int]):
        def __iter__(self) -> Iterator[int]:
            raise OSError("gone")

    answer = predict(Greys(["id0"], lambda: Broken([1])), *greys(2))

    assert answer == [Failure(ErrorCode.PREDICTOR_FAILED, "OSError: gone"), 1]
