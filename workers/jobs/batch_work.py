"""What `batch_predict` makes of the rows of a shard, which are whole batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from imaging.facts import Failure
from workers.batches.assembly import Prepared, batch_rows, cancelled
from workers.batches.predicting import predict_batch
from workers.batches.recipe import Recipe
from workers.batches.records import BatchRecord, BatchRow
from workers.engine import Engine
from workers.jobs.collecting import collect, given
from workers.jobs.leases import Held
from workers.jobs.quarantine import Quarantine
from workers.manifest.rows import Row
from workers.options import BatchOptions
from workers.pipeline import predict_batches, prepare_rows
from workers.repeats import Known

__all__ = ["BatchWork"]


class BatchWork:
    """`batch_predict`."""

    def __init__(self, engine: Engine, options: BatchOptions, recipe: Recipe, known: Known) -> None:
        self._engine = engine
        self._options = options
        self._recipe = recipe
        self._known = known

    @property
    def software(self) -> Mapping[str, str]:
        """Versions of what the predictions depend on."""
        told: Mapping[str, str] = self._recipe.provenance()["software"]
        return told

    async def records(self, held: Held, rows: Sequence[Row]) -> list[BatchRecord]:
        """A record for each batch. Raises PredictorLost and PredictorAway."""
        opening = predict_batches(
            self._engine, given(rows), self._options, self._recipe, self._known
        )
        return await collect(held, opening)

    async def suspected(
        self, held: Held, rows: Sequence[Row], quarantine: Quarantine
    ) -> list[BatchRecord]:
        """The same. It is fetching and decoding that is watched: predictors have the pool's walls.

        Batches are the same as ever, only their rows are prepared a few at a time, each fetched for
        itself.
        """
        none = self._engine.repeats.none()

        async def look(some: Sequence[Row]) -> list[Prepared]:
            opening = prepare_rows(self._engine, given(some), self._options, self._recipe, none)
            return await collect(held, opening)

        records: list[BatchRecord] = []
        for batch, of_batch in self._batches(rows):
            room = await self._engine.arrays.wait(len(of_batch) * self._recipe.row_bytes)
            try:
                found = await quarantine.run(of_batch, look, _failed)
                found.sort(key=lambda prepared: prepared.index)
                if not found:
                    continue  # the job is cancelled
                if held.over:
                    records.append(self._record(batch, cancelled(found)))
                else:
                    predicting = predict_batch(self._engine, self._recipe, batch, found)
                    records.append(await predicting)
            finally:
                room.release()
        return records

    def given_up(self, rows: Sequence[Row], failure: Failure) -> list[BatchRecord]:
        """The failure for each row of each batch."""
        return [
            self._record(batch, batch_rows([_failed(row, failure) for row in of_batch], ()))
            for batch, of_batch in self._batches(rows)
        ]

    def _record(self, batch: int, rows: Sequence[BatchRow]) -> BatchRecord:
        return BatchRecord(batch, self._recipe.resize.size, self._recipe.about.name, rows)

    def _batches(self, rows: Sequence[Row]) -> Iterator[tuple[int, list[Row]]]:
        for batch, of_batch in groupby(rows, lambda row: row.index // self._recipe.batch_size):
            yield batch, list(of_batch)


def _failed(row: Row, failure: Failure) -> Prepared:
    return Prepared(row, None, row.problem or failure)
