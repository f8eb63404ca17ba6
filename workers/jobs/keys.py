"""The names of everything in Redis. All share one slot through the tag, so that a script may touch
them together on a cluster too.
"""

from __future__ import annotations

import re

__all__ = [
    "CAPACITY",
    "CONSUMERS",
    "COUNTED",
    "DEAD",
    "GROUP",
    "INDEX",
    "INTAKE",
    "KINDS",
    "RUNNING",
    "TOTALS",
    "fence",
    "input_of",
    "is_job_id",
    "job",
    "marks",
    "member",
    "of_job",
    "once",
    "open_jobs",
    "results",
    "shards",
]

GROUP = "census"
INTAKE = "census:jobs"

_TAG = "{census:jobs}"
INDEX = f"{_TAG}:index"
DEAD = f"{_TAG}:dead"
CONSUMERS = f"{_TAG}:consumers"
CAPACITY = f"{_TAG}:capacity:"
#: What all jobs add up to, and the set of those that run: scripts that begin, record or end jobs
#: take both behind their other keys.
TOTALS = f"{_TAG}:totals"
RUNNING = f"{_TAG}:running"
COUNTED = (TOTALS, RUNNING)

#: What a job may be.
KINDS = ("images_info", "batch_predict")

_JOB_ID = re.compile(r"(0|[1-9]\d{0,19})-(0|[1-9]\d{0,19})\Z", re.ASCII)
_MOST = 2**64 - 1


def is_job_id(text: str) -> bool:
    """Whether *text* is an id as Redis gives them to the entries of a stream."""
    return _JOB_ID.match(text) is not None and all(int(part) <= _MOST for part in text.split("-"))


def job(job_id: str) -> str:
    """The hash of a job."""
    return f"{_TAG}:job:{job_id}"


def results(job_id: str) -> str:
    """The stream of its recorded shards."""
    return f"{_TAG}:results:{job_id}"


def input_of(job_id: str) -> str:
    """The hash of rows that wait to be recorded, by shard."""
    return f"{_TAG}:input:{job_id}"


def fence(job_id: str) -> str:
    """The bitmap of recorded shards."""
    return f"{_TAG}:fence:{job_id}"


def marks(job_id: str) -> str:
    """The hash of rows that were under way when a consumer died, in quarantine."""
    return f"{_TAG}:marks:{job_id}"


def of_job(job_id: str) -> list[str]:
    """All keys of a job, in the order scripts take them."""
    return [job(job_id), results(job_id), input_of(job_id), fence(job_id), marks(job_id)]


def shards(kind: str) -> str:
    """The stream of shards of a kind that are not recorded yet."""
    return f"{_TAG}:shards:{kind}"


def open_jobs(kind: str) -> str:
    """The set of jobs of a kind that are being split."""
    return f"{_TAG}:open:{kind}"


def once(token: str) -> str:
    """What a submission was answered with."""
    return f"{_TAG}:once:{token}"


def member(job_id: str) -> str:
    """A job in the index: written so that text sorts as the ids do."""
    milliseconds, _, sequence = job_id.partition("-")
    return f"{milliseconds:>020}-{sequence:>020}"
