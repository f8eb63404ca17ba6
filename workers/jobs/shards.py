"""A shard: consecutive rows that are leased and recorded together ↔ the text that carries them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import orjson

from imaging.facts import ErrorCode, Failure
from workers.errors import WorkError
from workers.jobs import keys
from workers.manifest.rows import Row

__all__ = ["BadShard", "NotYet", "Place", "dump_rows", "load_rows", "place_of"]

#: A fence has a bit for each; Redis counts bits up to here.
MAX_SHARDS = 2**31

_CODES = {code.value: code for code in ErrorCode}


class BadShard(WorkError):
    """What stands in Redis is no shard of ours."""


class NotYet(WorkError):
    """A shard that this version cannot run; its lease runs out, and another may."""


class Place(NamedTuple):
    """Which shard of which job."""

    job: str
    shard: int


def place_of(fields: Mapping[bytes, bytes]) -> Place:
    """What an entry in the stream of shards names. Raises BadShard."""
    job = fields.get(b"job", b"").decode(errors="replace")
    number = fields.get(b"shard", b"")
    if not keys.is_job_id(job):
        raise BadShard("the field job is not the id of a job; jobs are added to census:jobs")
    if not number.isdigit() or len(number) > 10 or int(number) >= MAX_SHARDS:
        raise BadShard("the field shard is not the number of one; jobs are added to census:jobs")
    return Place(job, int(number))


def dump_rows(rows: Sequence[Row]) -> bytes:
    """The rows as JSON: index, id, url, what is wrong with it (code, message), other columns."""
    return orjson.dumps(
        [
            (
                row.index,
                row.id,
                row.url,
                None if row.problem is None else (row.problem.code.value, row.problem.message),
                None if row.extra is None else row.extra.decode(),
            )
            for row in rows
        ]
    )


def load_rows(text: bytes) -> list[Row]:
    """The rows again, but for where they end in the manifest. Raises BadShard."""
    try:
        rows = [
            Row(
                index,
                identity,
                url,
                0,
                None if problem is None else Failure(_CODES[problem[0]], problem[1]),
                None if extra is None else extra.encode(),
            )
            for index, identity, url, problem, extra in orjson.loads(text)
        ]
        ordered = all(before.index < row.index for before, row in pairwise(rows))
    except (ValueError, TypeError, AttributeError, LookupError) as exc:
        raise BadShard(f"the rows of the shard cannot be read: {str(exc)[:100]}") from exc
    if not (ordered and all(type(row.index) is int for row in rows)):
        raise BadShard("the rows of the shard cannot be read: they are not in order")
    return rows
