"""One batch and a predictor in the pool: the rows that it cannot take fail, and no others.

What raises is halved where it raises, in the child. What ends the child or takes too long is halved
here: each half has a child of its own to end. That costs time for each try: so many, and no more.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from imaging.facts import ErrorCode, Failure
from workers.batches.assembly import Prepared, batch_rows
from workers.batches.recipe import Recipe
from workers.batches.records import BatchRecord
from workers.engine import Engine
from workers.errors import PredictorAway, PredictorLost
from workers.options import Pixels
from workers.pool import entries
from workers.pool.supervisor import PoolClosedError

__all__ = ["predict_batch"]

logger = logging.getLogger(__name__)

#: A batch may have so many calls that end their process, each of which is tried twice; then what is
#: left of it fails as one.
MOST_DEATHS = 32
#: And so many times the timeout: enough to find one row in the largest batch.
MOST_TIMEOUTS = 12
#: A model is dear to load: a child that has it may end a batch that nobody waits for any more.
LEAVE_SECONDS = 5.0


async def predict_batch(
    engine: Engine, recipe: Recipe, batch: int, prepared: Sequence[Prepared]
) -> BatchRecord:
    """Predict the decoded rows of a batch in one call, and put its record together.

    Raises:
        PredictorLost: the predictor is not the one any more that *recipe* has.
        PredictorAway: a process could not load it just now.
    """
    decoded = [one for one in prepared if not isinstance(one.outcome, Failure)]
    pictures = [one.outcome for one in decoded if isinstance(one.outcome, bytes)]
    values: list[bytes | Failure]
    if recipe.asks and decoded:
        asking = _Asking(engine, recipe, [one.row.id for one in decoded], pictures)
        values = await asking.ask(0, len(decoded))
    else:
        values = [b"{}"] * len(decoded)
    pixels = None
    if recipe.pixels is not Pixels.NONE:
        pixels = await _written(engine, recipe, b"".join(pictures))
    rows = batch_rows(prepared, values)
    return BatchRecord(batch, recipe.resize.size, recipe.about.name, rows, pixels)


class _Asking:
    """The predictions of one batch."""

    def __init__(
        self, engine: Engine, recipe: Recipe, ids: Sequence[str], pictures: Sequence[bytes]
    ) -> None:
        self._engine = engine
        self._recipe = recipe
        self._ids = ids
        self._pictures = pictures
        self._deaths = self._timeouts = 0
        self._given_up: Failure | None = None

    async def ask(self, first: int, end: int) -> list[bytes | Failure]:
        """The values of some of its rows."""
        if self._given_up is not None:
            return [self._given_up] * (end - first)
        found = await self._called(first, end)
        if isinstance(found, entries.Predicted):
            return found.values
        if isinstance(found, entries.Lost):
            raise PredictorLost(f"the predictor {self._recipe.spec.name} is gone: {found.reason}")
        timed_out = found.code is ErrorCode.DECODE_TIMEOUT
        self._timeouts += timed_out
        self._deaths += 1
        failure = self._failure(found, timed_out=timed_out)
        if self._deaths >= MOST_DEATHS or self._timeouts >= MOST_TIMEOUTS:
            self._given_up = failure
        if end - first == 1 or self._given_up or found.code is ErrorCode.INTERNAL:
            return [failure] * (end - first)
        half = (first + end) // 2
        return [*await self.ask(first, half), *await self.ask(half, end)]

    async def _called(self, first: int, end: int) -> entries.Predicted | entries.Lost | Failure:
        """One call of the pool. A death tries a second time by itself: it may be another's."""
        item = entries.Batch(list(self._ids[first:end]), b"".join(self._pictures[first:end]))
        try:
            loaded, found = await self._run(item)
            if isinstance(loaded, Failure):  # its process may be spoiled: the next one is another
                loaded, found = await self._run(item)
        except PoolClosedError:
            raise
        except Exception:  # a bug: its rows have an answer all the same
            logger.exception("a batch was not predicted", extra={"action": "predict_failed"})
            return Failure(ErrorCode.INTERNAL, "no process to predict it")
        if isinstance(loaded, Failure):
            told = loaded.message or loaded.code.sentence
            name = self._recipe.spec.name
            raise PredictorAway(f"the predictor {name} could not be loaded: {told}")
        answer: entries.Predicted | entries.Lost | Failure = found
        return answer

    async def _run(self, item: entries.Batch) -> list[Any]:
        """What loading the predictor came to, and what it says."""
        engine, recipe = self._engine, self._recipe
        async with engine.calls[recipe.spec.name], engine.pool.slot() as slot:
            return await slot.run(
                entries.predict_item,
                [None, item],
                recipe.spec,
                recipe.about,
                recipe.resize.size,
                timed=engine.instruments.timings.predict,
                item_timeout=engine.settings.predict_timeout,
                leave=LEAVE_SECONDS,
            )

    def _failure(self, found: Failure, *, timed_out: bool) -> Failure:
        if found.code is ErrorCode.INTERNAL:
            return found
        if timed_out:
            seconds = self._engine.settings.predict_timeout
            return Failure(
                ErrorCode.PREDICTOR_FAILED, f"the predictor took more than {seconds:g} s"
            )
        return Failure(ErrorCode.PREDICTOR_FAILED, f"predicting it failed: {found.message}")


async def _written(engine: Engine, recipe: Recipe, pictures: bytes) -> bytes:
    """The array as JSON. A child may die of it as of anything; then it is told as missing."""
    async with engine.pool.slot() as slot:
        (found,) = await slot.run(entries.write_item, [pictures], recipe.resize.size, recipe.pixels)
    return b"null" if isinstance(found, Failure) else bytes(found)
