"""Rows → records: what a stream, or a shard, comes to, on one screen.

    inspect_rows      a Record for each row              images_info
    prepare_rows      a Prepared for each row            batch_predict, as far as the pixels
    predict_batches   a BatchRecord for each batch       batch_predict

Each is a `flow`: fed, fetched and decoded within one window. Batches are assembled by index, so the
same manifest makes the same batches whatever comes first; each is predicted as soon as it is whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeVar

from imaging.examine import Examined
from imaging.facts import ImageInfo
from workers.batches.assembly import Assembly, Prepared, cancelled
from workers.batches.predicting import predict_batch
from workers.batches.recipe import Recipe
from workers.batches.records import BatchRecord
from workers.changes import UNJUDGED, carried, judge_change
from workers.decoding import Entry
from workers.engine import Engine
from workers.fetch.targets import Target
from workers.flow import Flow, shown_url, usual_window
from workers.manifest.rows import Row
from workers.options import BatchOptions, InfoOptions
from workers.outbox import Outbox, Placed
from workers.pool import entries
from workers.records import Fetch, Record
from workers.repeats import Known

__all__ = [
    "Inspection",
    "Prediction",
    "Preparation",
    "inspect_rows",
    "predict_batches",
    "prepare_rows",
]

R = TypeVar("R", bound=Placed)


def inspect_rows(
    engine: Engine, rows: AsyncIterator[Row], options: InfoOptions, known: Known | None = None
) -> AbstractAsyncContextManager[Flow[Record]]:
    """Look at every row. Leaving the context cancels what is still under way.

    *known*, here and below, is given where the rows are a part of a run only.
    """
    return _opened(lambda: Inspection(engine, rows, options, known))


def prepare_rows(
    engine: Engine,
    rows: AsyncIterator[Row],
    options: BatchOptions,
    recipe: Recipe,
    known: Known | None = None,
) -> AbstractAsyncContextManager[Flow[Prepared]]:
    """Fetch and decode every row, and go no further. Whoever takes them has room for the arrays."""
    return _opened(lambda: Preparation(engine, rows, options, recipe, known))


def predict_batches(
    engine: Engine,
    rows: AsyncIterator[Row],
    options: BatchOptions,
    recipe: Recipe,
    known: Known | None = None,
) -> AbstractAsyncContextManager[Flow[BatchRecord]]:
    """Predict every batch. Leaving the context cancels what is still under way."""
    return _opened(lambda: Prediction(engine, rows, options, recipe, known))


@asynccontextmanager
async def _opened(make: Callable[[], Flow[R]]) -> AsyncIterator[Flow[R]]:
    flow = make()
    try:
        yield flow.start()
    finally:
        await flow.close()


class Inspection(Flow[Record]):
    """Rows → facts."""

    def __init__(
        self,
        engine: Engine,
        rows: AsyncIterator[Row],
        options: InfoOptions,
        known: Known | None = None,
    ) -> None:
        examine = Entry(entries.examine_item, (engine.limits, options.thumbnail))
        super().__init__(
            engine,
            rows,
            outbox=Outbox(usual_window(engine), ordered=options.ordered),
            entry=examine if options.needs_body else None,
            timeout=options.timeout,
            known=known,
        )
        self._options = options

    def _judge(self, target: Target, key: bytes, fetch: Fetch, outcome: Any) -> None:
        info = outcome.info if isinstance(outcome, Examined) else outcome
        if isinstance(info, ImageInfo):
            placeholders, host = self._known.placeholders, target.origin.host
            if placeholders.suspects(key, host, fetch.final_url, info):
                fetch.suspect_placeholder = True

    def _answer(self, row: Row, fetch: Fetch | None, outcome: Any) -> None:
        thumbnail = change = None
        if isinstance(outcome, Examined):
            outcome, thumbnail = outcome.info, outcome.thumbnail
        if row.before is not None:
            change = judge_change(row.before, outcome, fetch, full=self._options.needs_body)
            if change.verdict == "unchanged":
                outcome = carried(row.before, outcome)
        elif self._options.changes:
            change = UNJUDGED
        shown, extra = shown_url(row), row.extra
        self._outbox.put(Record(row.index, row.id, shown, outcome, fetch, thumbnail, extra, change))


class Preparation(Flow[Prepared]):
    """Rows → pixels."""

    def __init__(
        self,
        engine: Engine,
        rows: AsyncIterator[Row],
        options: BatchOptions,
        recipe: Recipe,
        known: Known | None = None,
    ) -> None:
        super().__init__(
            engine,
            rows,
            outbox=Outbox(recipe.window(usual_window(engine)), ordered=False),
            entry=_prepare(engine, recipe),
            timeout=options.timeout,
            known=known,
        )

    def _answer(self, row: Row, fetch: Fetch | None, outcome: Any) -> None:
        self._outbox.put(Prepared(row, fetch, outcome))


class Prediction(Flow[BatchRecord]):
    """Rows → batches → predictions."""

    def __init__(
        self,
        engine: Engine,
        rows: AsyncIterator[Row],
        options: BatchOptions,
        recipe: Recipe,
        known: Known | None = None,
    ) -> None:
        super().__init__(
            engine,
            rows,
            outbox=Outbox(recipe.window(usual_window(engine)), ordered=options.ordered),
            entry=_prepare(engine, recipe),
            timeout=options.timeout,
            known=known,
        )
        self._recipe = recipe
        self._assemblies: dict[int, Assembly] = {}  # until they have their record
        # So many of its batches wait for the pool at once, lest a small request with the same
        # predictor come behind a whole window of them.
        self._turns = asyncio.Semaphore(engine.pool.size)

    async def _together(self) -> AsyncGenerator[Sequence[Row], None]:
        """Batches. One is begun when all its rows are there: what it holds until it is predicted
        must not wait for a client that sends slowly, or does not read.
        """
        batch: list[Row] = []
        size = self._recipe.batch_size
        try:
            async for row in self._rows:
                if batch and row.index // size != batch[0].index // size:
                    yield batch  # rows that are done already were left out
                    batch = []
                batch.append(row)
                if (row.index + 1) % size == 0:
                    yield batch
                    batch = []
        except Exception:  # what was read before has its answer
            if batch:
                yield batch
            raise
        if batch:
            yield batch

    async def _admit(self, rows: Sequence[Row]) -> None:
        recipe, batch = self._recipe, rows[0].index // self._recipe.batch_size
        room = await self._engine.arrays.wait(len(rows) * recipe.row_bytes)
        self._assemblies[batch] = Assembly(batch, len(rows), room)
        await super()._admit(rows)

    def _answer(self, row: Row, fetch: Fetch | None, outcome: Any) -> None:
        assembly = self._assemblies[row.index // self._recipe.batch_size]
        assembly.put(Prepared(row, fetch, outcome))
        if assembly.whole and not self.halted:
            self._run(self._predict(assembly))

    async def _predict(self, assembly: Assembly) -> None:
        rows = assembly.in_order()
        async with self._turns:
            record = await predict_batch(self._engine, self._recipe, assembly.batch, rows)
        del self._assemblies[assembly.batch]
        assembly.room.release()
        self._outbox.put(record)

    def _cut(self) -> None:
        size, predictor = self._recipe.resize.size, self._recipe.about.name
        for assembly in self._assemblies.values():
            if rows := cancelled(assembly.in_order()):
                self._outbox.put(BatchRecord(assembly.batch, size, predictor, rows))

    async def close(self) -> None:
        """Cancel everything; nothing is recorded any more."""
        try:
            await super().close()
        finally:
            for assembly in self._assemblies.values():
                assembly.room.release()
            self._assemblies.clear()


def _prepare(engine: Engine, recipe: Recipe) -> Entry:
    return Entry(entries.prepare_item, (engine.limits, recipe.resize))
