"""Cancelling a job, from whichever door it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from workers.jobs import keys
from workers.jobs.connection import Redis
from workers.jobs.fields import BadEntry, Cancel, parse_entry
from workers.jobs.scripts import Script

__all__ = ["cancel_job"]

_CANCEL = Script("cancel")


async def cancel_job(redis: Redis, job: str, *, root: Path, ttl: int) -> str:
    """Cancel *job*; may be asked again. Raises what the client raises.

    Returns:
        `cancelled`; or the state it ended in before; or `unknown`.
    """
    kind, head = await _about(redis, job, root)
    said = [part for pair in head.items() for part in pair]
    named = [*keys.of_job(job), keys.INTAKE, keys.INDEX, keys.open_jobs(kind), keys.shards(kind)]
    named += keys.COUNTED
    answer, *told = await _CANCEL(redis, named, job, keys.member(job), ttl, *said)
    if answer == b"FINAL":
        return str(told[0].decode(errors="replace"))
    return "cancelled" if answer == b"OK" else "unknown"


async def _about(redis: Redis, job: str, root: Path) -> tuple[str, Mapping[str, str | bytes]]:
    """The kind of a job, and of one that nobody has taken yet the head it would get."""
    kind = await redis.execute_command("HGET", keys.job(job), "kind")
    if kind is not None:
        return kind.decode(errors="replace"), {}
    found = await redis.execute_command("XRANGE", keys.INTAKE, job, job)
    created = {"created": f"{int(job.partition('-')[0]) / 1000:.3f}"}
    try:
        asked = parse_entry(found[0][1] if found else {}, root)
    except BadEntry:
        return keys.KINDS[0], {"kind": "", "manifest": "", **created}
    if isinstance(asked, Cancel):
        return keys.KINDS[0], {"kind": "", "manifest": "", **created}
    return asked.kind, {**asked.head(), **created}
