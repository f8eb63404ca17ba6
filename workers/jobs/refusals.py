"""Why a job cannot be handed in, looked at or changed, as whoever asked is told."""

from __future__ import annotations

from workers.errors import WorkError
from workers.jobs import keys

__all__ = [
    "IntakeExhausted",
    "JobExpired",
    "JobOver",
    "JobUnknown",
    "OtherRequest",
    "RedisBroken",
]


class JobUnknown(WorkError):
    """There is no such job. *refused* is why the entry of this id did not become one."""

    def __init__(self, job: str, refused: str | None = None) -> None:
        told = f"there is no job {job[:50]!r}"
        if refused is not None:
            told = f"the entry {job[:50]} was refused: {refused}; it lies in {keys.DEAD}"
        super().__init__(told)


class JobExpired(WorkError):
    """There was one, and its time is over."""

    def __init__(self, job: str) -> None:
        super().__init__(f"the job {job} is no longer kept (CENSUS_RESULT_TTL)")


class JobOver(WorkError):
    """It ended before it could be cancelled."""

    def __init__(self, job: str, state: str) -> None:
        super().__init__(f"the job {job} is {state[:40]} already")


class OtherRequest(WorkError):
    """The same token came with another request."""

    def __init__(self) -> None:
        super().__init__("this Idempotency-Key was used for another request")


class IntakeExhausted(WorkError):
    """Somebody added an entry with the greatest id there is: none comes behind it."""

    def __init__(self) -> None:
        super().__init__(
            "no entry can be added to census:jobs, as one had the greatest id there is:"
            ' docs/redis.md, "By hand", has the command that mends it'
        )


class RedisBroken(WorkError):
    """A key holds what this service did not write there; asking again does not help."""
