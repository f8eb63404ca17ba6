"""What is told of a job: its fields in Redis, which anybody may have written, as values."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson

from workers.hosts_counted import HostsCounted
from workers.jobs import keys
from workers.jobs.fields import Job
from workers.summary import Summary

__all__ = ["JobState", "of_entry", "of_hash", "place"]

STATES = ("queued", "running", "done", "failed", "cancelled")
FINAL = frozenset({"done", "failed", "cancelled"})

#: Nothing recorded for so long, and there is no rate of late.
QUIET_SECONDS = 30.0

_PAUSED = (
    "as many results as CENSUS_MAX_REDIS_RESULTS allows wait to be read; it goes on when some are"
    " released: DELETE /api/v1/jobs/{id}?through=<cursor>"
)
_NUMBER = re.compile(rb"\d{1,18}")
_TIME = re.compile(rb"\d{1,11}(\.\d{1,6})?")


def place(cursor: str) -> tuple[int, int]:
    """Where a cursor, or an id, stands among others."""
    milliseconds, _, sequence = cursor.partition("-")
    return int(milliseconds), int(sequence)


@dataclass(frozen=True, slots=True)
class JobState:
    """One job at one moment. Times are seconds since 1970; None is unknown."""

    id: str
    kind: str
    state: str  #: one of STATES
    manifest: str | None
    options: dict[str, Any]
    now: float  #: by the clock of Redis
    created: float | None = None
    started: float | None = None
    finished: float | None = None
    summary: Summary = field(default_factory=Summary)  #: of rows recorded
    total: int | None = None  #: rows, once all of the manifest was read
    expected: int | None = None  #: rows, from how much of it was read
    released: str | None = None  #: the cursor through which results were released
    released_rows: int = 0
    rate: float = 0.0  #: rows a second, of late
    paused: bool = False
    failure: str | None = None  #: why it failed
    manifest_sha256: str | None = None
    settled: bool = False  #: it ended, and nothing will be recorded any more
    upload: str | None = None  #: the file kept for it, until it is split
    provenance: dict[str, Any] | None = None  #: what predictions are made with

    @property
    def seconds(self) -> float:
        """From start to end, or so far."""
        if self.started is None:
            return 0.0
        return max(0.0, (self.finished or self.now) - self.started)

    @property
    def eta(self) -> float | None:
        """Seconds until all rows are recorded, at the rate of late."""
        rows = self.total if self.total is not None else self.expected
        if self.state != "running" or rows is None or not self.rate:
            return None
        return max(0, rows - self.summary.rows) / self.rate

    @property
    def reason(self) -> str | None:
        """Why it failed, or why it waits."""
        return _PAUSED.format(id=self.id) if self.paused else self.failure

    def json(self) -> dict[str, Any]:
        """As clients get it."""
        eta = self.eta
        provenance = {} if self.provenance is None else {"provenance": self.provenance}
        return {
            "id": self.id,
            "kind": self.kind,
            "state": self.state,
            "manifest": self.manifest,
            "options": self.options,
            "created": _rfc3339(self.created),
            "started": _rfc3339(self.started),
            "finished": _rfc3339(self.finished),
            "rows": {
                "total": self.total,
                "expected": self.expected,
                "done": self.summary.rows,
                "ok": self.summary.ok,
                "failed": self.summary.failed,
            },
            "errors": dict(self.summary.errors.most_common()),
            "http_statuses": dict(self.summary.http_statuses.most_common()),
            "bytes": self.summary.bytes,
            "diagnosis": self.summary.diagnosis(),
            "rate": round(self.rate, 1),
            "eta_seconds": None if eta is None else round(eta, 1),
            "paused": self.paused,
            "reason": self.reason,
            "released": self.released,
            "manifest_sha256": self.manifest_sha256,
            **provenance,
        }


def of_entry(job_id: str, job: Job, now: float) -> JobState:
    """A job that nobody has taken yet."""
    return JobState(
        id=job_id,
        kind=job.kind,
        state="queued",
        manifest=job.manifest,
        options=job.options.json(),
        now=now,
        created=_created(job_id),
        upload=job.upload,
    )


def of_hash(job_id: str, fields: Mapping[bytes, bytes], now: float) -> JobState:
    """A job that was begun. Raises ValueError where the fields are not those of one."""
    state = _text(fields, b"state") or ""
    if state not in STATES:
        raise ValueError(f"its state is {state[:40]!r}")
    summary = Summary(_number(fields, b"rows"), _number(fields, b"ok"), _number(fields, b"bytes"))
    summary.errors = _counts(fields, b"error:")
    summary.http_statuses = _counts(fields, b"status:")
    summary.hosts = HostsCounted.read(fields.get(b"hosts", b""))
    shards = [_number(fields, name) for name in (b"fed", b"done", b"dropped")]
    released = _text(fields, b"released")
    rows = _NUMBER.fullmatch(fields.get(b"total", b""))
    sha256 = _text(fields, b"manifest_sha256") or ""
    running = state == "running"
    return JobState(
        id=job_id,
        kind=_text(fields, b"kind") or keys.KINDS[0],
        state=state,
        manifest=_text(fields, b"manifest"),
        options=_options(fields.get(b"options", b"")),
        now=now,
        created=_time(fields, b"created") or _created(job_id),
        started=_time(fields, b"started"),
        finished=_time(fields, b"finished"),
        summary=summary,
        total=int(rows[0]) if rows is not None else None,
        expected=_expected(fields) if running and rows is None else None,
        released=released if released is not None and keys.is_job_id(released) else None,
        released_rows=_number(fields, b"released_rows"),
        rate=_rate(fields, summary.rows, now) if running else 0.0,
        paused=running and fields.get(b"paused") == b"1",
        failure=_text(fields, b"reason") if state == "failed" else None,
        manifest_sha256=sha256 if re.fullmatch("[0-9a-f]{64}", sha256) else None,
        settled=state in FINAL and shards[1] + shards[2] >= shards[0],
        # Later a file of that name is another's: of the same request, handed in again.
        upload=_text(fields, b"upload") if running and rows is None else None,
        provenance=_provenance(fields),
    )


def _expected(fields: Mapping[bytes, bytes]) -> int | None:
    """Rows there may be, while a plain file is read: as many a byte as in what was read."""
    size, offset = _number(fields, b"size"), _number(fields, b"offset")
    if not size or not 0 < offset <= size:
        return None
    rows = _number(fields, b"rows_fed") * size // offset
    limit = _options(fields.get(b"options", b"")).get("limit")
    return min(rows, limit) if isinstance(limit, int) else rows


def _rate(fields: Mapping[bytes, bytes], rows: int, now: float) -> float:
    since, last = _time(fields, b"rate_at"), _time(fields, b"last_at")
    if since is None or last is None or now - last > QUIET_SECONDS:
        return 0.0
    # Shorter than the scripts' interval it would tell chance.
    return max(0, rows - _number(fields, b"rate_rows")) / max(1.0, now - since)


def _counts(fields: Mapping[bytes, bytes], prefix: bytes) -> Counter[str]:
    found = {
        name.removeprefix(prefix).decode(errors="replace")[:100]: _number(fields, name)
        for name in fields
        if name.startswith(prefix)
    }
    return Counter(found)


def _provenance(fields: Mapping[bytes, bytes]) -> dict[str, Any] | None:
    """What predictions were made with, with every version of software that took part."""
    if not (told := _options(fields.get(b"provenance", b""))):
        return None
    versions: dict[str, set[str]] = {}
    for one in _counts(fields, b"software:"):
        name, _, version = one.partition(" ")
        versions.setdefault(name, set()).add(version)
    if versions:
        told["software"] = {name: ", ".join(sorted(versions[name])) for name in sorted(versions)}
    return told


def _options(said: bytes) -> dict[str, Any]:
    """A JSON object; empty where it is none."""
    try:
        options = orjson.loads(said)
        orjson.dumps(options)  # what is nested deeper than it writes cannot be answered
    except (orjson.JSONDecodeError, TypeError):
        return {}
    return options if isinstance(options, dict) else {}


def _text(fields: Mapping[bytes, bytes], name: bytes) -> str | None:
    return fields.get(name, b"").decode(errors="replace") or None


def _number(fields: Mapping[bytes, bytes], name: bytes) -> int:
    said = fields.get(name, b"")
    return int(said) if _NUMBER.fullmatch(said) else 0


def _time(fields: Mapping[bytes, bytes], name: bytes) -> float | None:
    said = fields.get(name, b"")
    return float(said) if _TIME.fullmatch(said) else None


def _created(job_id: str) -> float:
    return place(job_id)[0] / 1000


def _rfc3339(seconds: float | None) -> str | None:
    if seconds is None or seconds >= 2**37:  # beyond the year 6000 there are no dates of ours
        return None
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
