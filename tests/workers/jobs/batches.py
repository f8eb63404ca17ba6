"""Jobs of batches: how they are asked for, what was recorded of them, and how they fail."""

from __future__ import annotations

from typing import Any

import orjson

from tests.workers.jobs.queues import Queue
from tests.workers.jobs.running import until_over
from workers.jobs import keys

__all__ = ["COLOURS", "KIND", "STREAM", "condemned", "in_batches", "shards_of"]

KIND = "batch_predict"
STREAM = keys.shards(KIND)

#: Asks for two rows a batch, and the model of `models_folder`.
COLOURS: dict[str, Any] = {"kind": KIND, "batch_size": 2, "predictor": "colours", "size": 8}

Batches = list[tuple[int, list[int]]]


async def shards_of(queue: Queue, job: str) -> list[Batches]:
    """What was recorded together: in each shard the batches, each with the indexes of its rows."""
    shards = []
    for _, fields in await queue.results(job):
        records = map(orjson.loads, fields["lines"].splitlines())
        shards.append(
            sorted(
                (record["batch"], [row["index"] for row in record["rows"]]) for record in records
            )
        )
    return sorted(shards)


def in_batches(rows: int, batch: int, shard: int) -> list[Batches]:
    """So many rows in batches of *batch*, so many batches in a shard."""
    indexes = list(range(rows))
    batches = [(at // batch, indexes[at : at + batch]) for at in range(0, rows, batch)]
    return [batches[at : at + shard] for at in range(0, len(batches), shard)]


async def condemned(queue: Queue, job: str) -> str:
    """Wait until a job failed and nothing of it is left to be done; the reason."""
    told = await until_over(queue, job, "failed")
    assert (await queue.length(STREAM), await queue.pending(STREAM)) == (0, [])
    assert (await queue.length(keys.INTAKE), await queue.pending(keys.INTAKE)) == (0, [])
    assert await queue.do("SCARD", keys.open_jobs(KIND)) == 0
    assert all(seconds > 0 for seconds in (await queue.there(job)).values())
    assert await queue.dead() == []
    assert "paused" not in told
    return told["reason"]
