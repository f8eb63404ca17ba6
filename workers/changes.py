"""What an earlier census found, and what a later one finds changed. Pure decisions.

    earlier_of    a record line, read again   → Earlier
    judge_change  Earlier and what came now   → Change
    carried       facts of both               → what the new record tells

`fetch.conditions` asks hosts whether a picture has changed; what their answers mean is said here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from imaging.facts import ErrorCode, Failure, ImageInfo, Stage
from workers.outcomes import read_outcome, typed

if TYPE_CHECKING:
    from workers.records import Fetch

__all__ = [
    "COMPARED",
    "UNJUDGED",
    "Change",
    "Earlier",
    "carried",
    "earlier_of",
    "judge_change",
    "same_tag",
]

#: Facts by which a picture is told from another. The measures are derived, and not compared.
COMPARED = (
    "image_size",
    "image_dimension",
    "image_format",
    "image_mode",
    "orientation",
    "animated",
    "sha256",
    "frames",
    "has_icc",
)

#: Of the census, not of the row: a row that ended so was not answered.
_NO_ANSWERS = frozenset({ErrorCode.BAD_ROW, ErrorCode.CANCELLED, ErrorCode.INTERNAL})
#: An answer of the host, for good: there is no picture at this URL any more.
_GONE = frozenset(
    {
        ErrorCode.DNS_NOT_FOUND,
        ErrorCode.HTTP_STATUS,
        ErrorCode.BAD_REDIRECT,
        ErrorCode.TOO_MANY_REDIRECTS,
        ErrorCode.EMPTY_BODY,
        ErrorCode.NOT_AN_IMAGE,
    }
)
#: These tell of this machine and its settings, not of the picture.
_OURS = frozenset(
    {
        *_NO_ANSWERS,
        ErrorCode.BLOCKED_ADDRESS,
        ErrorCode.DECODE_TIMEOUT,
        ErrorCode.WORKER_DIED,
    }
)
#: An answer to a condition; where none was set, it says nothing.
_NOT_MODIFIED = 304


class Earlier(NamedTuple):
    """One row as an earlier census recorded it."""

    outcome: ImageInfo | Failure
    etag: str | None  #: as the host sent it
    last_modified: str | None
    final_url: str | None = None  #: where redirects led
    opt_out: str | None = None  #: the rule by which its host opted out of machine learning


class Change(NamedTuple):
    """What became of a row since an earlier census."""

    verdict: str | None  #: unchanged, changed, gone; None where it cannot be told
    what: Mapping[str, tuple[Any, Any]] = {}  #: by name: (before, now)
    kept: Earlier | None = None  #: of a row not judged: what the next census compares with


#: Of a row that no earlier census answered.
UNJUDGED = Change(None)
_UNCHANGED = Change("unchanged")


def earlier_of(record: dict[str, Any]) -> Earlier | None:
    """What an `image` record, as parsed JSON of any depth, says of its row.

    Of a row that a re-census could not judge that is what it was compared with. None where the
    record is of no use: of another type, of a row that was not read or cut off, damaged.
    """
    if record.get("type") != "image":
        return None
    kept = record.get("before")
    if record.get("change") is None and isinstance(kept, dict):
        record = kept
    outcome = read_outcome(record)
    if outcome is None or (isinstance(outcome, Failure) and outcome.code in _NO_ANSWERS):
        return None
    fetch = record.get("fetch")
    said = fetch if isinstance(fetch, dict) else {}
    names = ("etag", "last_modified", "final_url", "opt_out")
    return Earlier(outcome, *(typed(said.get(name), str) for name in names))


def judge_change(
    before: Earlier, outcome: ImageInfo | Failure, fetch: Fetch | None, *, full: bool = False
) -> Change:
    """What changed between *before* and *outcome*, which was looked for at *full* depth or not.

    Facts then, facts now; the first rule that holds:
        304, to a condition                             unchanged
        sha256 of both, the same                        unchanged: the same bytes
        a fact of `COMPARED` known of both, different   changed, by each such fact
        ETag of both, the same (weak or strong)         unchanged
        Last-Modified of both, the same                 unchanged: hosts behind a balancer
                                                        have entity tags of their own
        ETag or Last-Modified of both, different        changed, by each that is
        else                                            unchanged, as far as is known
    Facts then, a failure now:
        retryable, or of this machine                   not judged
        an answer that there is no picture              gone, by `error`; 304 unasked: not judged
        another of the image stage                      changed, by `error`; not judged where
                                                        only *full* depth can tell it: then it
                                                        was the header alone
        else (tls, too_large, opted_out, …)             not judged
    A failure then:
        facts now                                       changed, by `error`; not judged where
                                                        decoding failed, the header alone was
                                                        looked at now, and a validator is the same
        the same failure, by code and status            unchanged
        another, retryable or of this machine           not judged
        another                                         changed, by `error` or `http_status`
    """
    if isinstance(before.outcome, Failure):
        return _recovered(before, before.outcome, outcome, fetch)
    if isinstance(outcome, Failure):
        return _lost(before, outcome, deeper=full and before.outcome.sha256 is None)
    return _compared(before, before.outcome, outcome, fetch)


def carried(before: Earlier, outcome: ImageInfo | Failure) -> ImageInfo | Failure:
    """What an unchanged row's record tells: besides *outcome* what was known *before* alone."""
    then = before.outcome
    if isinstance(then, Failure) or isinstance(outcome, Failure):
        return outcome
    missing = {
        name: value
        for name, value in then._asdict().items()
        if value is not None and getattr(outcome, name) is None
    }
    return outcome._replace(**missing) if missing else outcome


def same_tag(one: str | None, other: str | None) -> bool:
    """Whether two entity tags are of files as good as the same: RFC 9110's weak comparison."""
    if one is None or other is None:
        return False
    return one.removeprefix("W/") == other.removeprefix("W/")


def _compared(before: Earlier, then: ImageInfo, now: ImageInfo, fetch: Fetch | None) -> Change:
    if fetch is not None and fetch.status == _NOT_MODIFIED:
        return _UNCHANGED
    hashed = then.sha256 is not None and now.sha256 is not None
    if hashed and then.sha256 == now.sha256:
        return _UNCHANGED
    what = _differing({name: (getattr(then, name), getattr(now, name)) for name in COMPARED})
    if not what and fetch is not None:
        what = _validators(before, fetch)
    return Change("changed", what) if what else _UNCHANGED


def _validators(before: Earlier, fetch: Fetch) -> dict[str, tuple[Any, Any]]:
    """Those that differ; none where one of them vouches for the file."""
    if _vouched(before, fetch):
        return {}
    return _differing(
        {
            "etag": (before.etag, fetch.etag),
            "last_modified": (before.last_modified, fetch.last_modified),
        }
    )


def _vouched(before: Earlier, fetch: Fetch) -> bool:
    """Whether a validator says that the file is the same."""
    dated = before.last_modified is not None and before.last_modified == fetch.last_modified
    return dated or same_tag(before.etag, fetch.etag)


def _differing(pairs: dict[str, tuple[Any, Any]]) -> dict[str, tuple[Any, Any]]:
    return {
        name: (old, new)
        for name, (old, new) in pairs.items()
        if old is not None and new is not None and old != new
    }


def _lost(before: Earlier, now: Failure, *, deeper: bool) -> Change:
    unasked = now.http_status == _NOT_MODIFIED
    if now.retryable or now.code in _OURS or unasked:
        return Change(None, kept=before)
    what = {"error": (None, now.code.value)}
    if now.code in _GONE:
        return Change("gone", what)
    if now.code.stage is Stage.IMAGE and not deeper:
        return Change("changed", what)
    return Change(None, kept=before)


def _recovered(
    before: Earlier, then: Failure, outcome: ImageInfo | Failure, fetch: Fetch | None
) -> Change:
    if not isinstance(outcome, Failure):
        decoding = then.code.stage is Stage.IMAGE and then.code is not ErrorCode.NOT_AN_IMAGE
        if decoding and outcome.sha256 is None and fetch is not None and _vouched(before, fetch):
            return Change(None, kept=before)
        return Change("changed", {"error": (then.code.value, None)})
    if (then.code, then.http_status) == (outcome.code, outcome.http_status):
        return _UNCHANGED
    if outcome.retryable or outcome.code in _OURS:
        return Change(None, kept=before)
    if then.code is outcome.code:
        return Change("changed", {"http_status": (then.http_status, outcome.http_status)})
    return Change("changed", {"error": (then.code.value, outcome.code.value)})
