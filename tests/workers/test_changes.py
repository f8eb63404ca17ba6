"""What changed since an earlier census: every rule, and what comes near it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaging.facts import ErrorCode, Failure, ImageInfo
from workers.changes import COMPARED, Change, Earlier, carried, earlier_of, judge_change, same_tag
from workers.records import Fetch, Record

HEADER = ImageInfo(
    "JPEG", (800, 600), image_mode="RGB", orientation=1, animated=False, image_size=120345
)
FULL = HEADER._replace(
    sha256="00" * 32,
    phash="0123456789abcdef",
    frames=1,
    has_icc=False,
    sharpness=1.5,
    brightness=2.5,
    contrast=3.5,
    colourfulness=4.5,
)
OLD, NEW = "Wed, 01 Jan 2025 00:00:00 GMT", "Thu, 02 Jan 2025 00:00:00 GMT"
TIMEOUT = Failure(ErrorCode.TIMEOUT)
GONE = Failure(ErrorCode.HTTP_STATUS, "404 Not Found", 404)


def fetched(
    etag: str | None = None, last_modified: str | None = None, status: int | None = 206
) -> Fetch:
    """An answer with these validators."""
    return Fetch(status=status, etag=etag, last_modified=last_modified)


def judged(
    then: ImageInfo | Failure,
    now: ImageInfo | Failure,
    before: tuple[str | None, str | None] = (None, None),
    after: tuple[str | None, str | None] = (None, None),
    **more: Any,
) -> tuple[str | None, Mapping[str, Any]]:
    """The verdict and what it is for; *before* and *after* are an entity tag and a date."""
    change = judge_change(Earlier(then, *before), now, fetched(*after), **more)
    assert (change.kept is not None) == (change.verdict is None)
    return change.verdict, change.what


UNCHANGED: tuple[str, dict[str, Any]] = ("unchanged", {})


@pytest.mark.parametrize("then", [HEADER, FULL])
def test_304_is_unchanged(then: ImageInfo) -> None:
    """Whatever its validators are: the host was asked about those of before."""
    before = Earlier(then, '"a"', OLD)
    assert judge_change(before, then, fetched('"b"', NEW, status=304)) == Change("unchanged")


@pytest.mark.parametrize("name", COMPARED)
def test_any_fact_that_differs_is_a_change(name: str) -> None:
    """Named with both, though the validators are the same."""
    others: dict[str, Any] = {
        "image_dimension": (1, 2),
        "animated": True,
        "has_icc": True,
        "orientation": 6,
    }
    other: Any = others.get(name, "other" if isinstance(getattr(FULL, name), str) else 7)
    now = FULL._replace(**{name: other})
    if name != "sha256":
        now = now._replace(sha256=None)
    verdict, what = judged(FULL, now, ('"a"', OLD), ('"a"', OLD))
    assert (verdict, dict(what)) == ("changed", {name: (getattr(FULL, name), other)})


@pytest.mark.parametrize("name", COMPARED)
def test_fact_that_is_not_known_of_both_is_no_change(name: str) -> None:
    """Not looked at is not different."""
    if name == "image_format":
        return  # always known
    nothing: dict[str, Any] = {name: None}
    unknown = FULL._replace(**nothing)
    assert judged(FULL, unknown) == UNCHANGED
    assert judged(unknown, FULL) == UNCHANGED


@pytest.mark.parametrize("name", ["phash", "sharpness", "brightness", "contrast", "colourfulness"])
def test_measures_are_not_compared(name: str) -> None:
    """Another version may take them otherwise."""
    other: Any = "ffff" if name == "phash" else 99.0
    assert judged(FULL, FULL._replace(**{name: other})) == UNCHANGED


def test_the_same_bytes_are_unchanged_whatever_else_is_said() -> None:
    """A file that was only touched; facts that this version reads otherwise."""
    now = FULL._replace(orientation=6)
    assert judged(FULL, now, ('"a"', OLD), ('"b"', NEW)) == UNCHANGED
    verdict, what = judged(FULL, FULL._replace(sha256="11" * 32), ('"a"', OLD), ('"a"', OLD))
    assert (verdict, list(what)) == ("changed", ["sha256"])


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (('"a"', None), ('"a"', None), []),
        (('"a"', OLD), ('"a"', NEW), []),
        (('W/"a"', None), ('W/"a"', None), []),
        (('W/"a"', None), ('"a"', None), []),
        (('"a"', OLD), ('"b"', OLD), []),
        ((None, OLD), ('"b"', OLD), []),
        (('"a"', None), ('"b"', None), ["etag"]),
        (('"a"', None), ('"A"', None), ["etag"]),
        (('"a"', OLD), ('"b"', None), ["etag"]),
        (('"a"', OLD), ('"b"', NEW), ["etag", "last_modified"]),
        (('"a"', OLD), (None, NEW), ["last_modified"]),
        ((None, OLD), (None, NEW), ["last_modified"]),
        ((None, OLD), ('"a"', NEW), ["last_modified"]),
        ((None, None), ('"a"', NEW), []),
        (('"a"', OLD), (None, None), []),
        (('"a"', None), (None, NEW), []),
        ((None, None), (None, None), []),
    ],
)
def test_validators_decide_where_the_facts_are_the_same(
    before: tuple[str | None, str | None], after: tuple[str | None, str | None], told: list[str]
) -> None:
    """One that is the same vouches for the file; of those that differ each is told."""
    verdict, what = judged(HEADER, HEADER, before, after)
    assert (verdict, list(what)) == ("changed" if told else "unchanged", told)
    pairs = dict(zip(("etag", "last_modified"), zip(before, after, strict=True), strict=True))
    assert dict(what) == {name: pairs[name] for name in told}


def test_tags_are_compared_weakly() -> None:
    """As RFC 9110 has it; of nothing nothing is the same."""
    assert same_tag('W/"1"', '"1"')
    assert not same_tag('"1"', '"2"')
    assert not same_tag(None, None)
    assert not same_tag('"1"', None)


#: What becomes of a picture that was there, by the failure it has now.
LOST: dict[ErrorCode, str | None] = {
    **dict.fromkeys(ErrorCode),
    ErrorCode.DNS_NOT_FOUND: "gone",
    ErrorCode.HTTP_STATUS: "gone",
    ErrorCode.BAD_REDIRECT: "gone",
    ErrorCode.TOO_MANY_REDIRECTS: "gone",
    ErrorCode.EMPTY_BODY: "gone",
    ErrorCode.NOT_AN_IMAGE: "gone",
    ErrorCode.UNSUPPORTED_FORMAT: "changed",
    ErrorCode.TRUNCATED_IMAGE: "changed",
    ErrorCode.CORRUPT_IMAGE: "changed",
    ErrorCode.TOO_MANY_PIXELS: "changed",
    ErrorCode.TOO_MANY_SCANS: "changed",
}


@pytest.mark.parametrize("code", list(ErrorCode))
def test_failure_of_a_picture_that_was_there(code: ErrorCode) -> None:
    """Every code; what is not judged keeps what it was compared with."""
    now = GONE if code is ErrorCode.HTTP_STATUS else Failure(code)
    verdict, what = judged(FULL, now)
    assert verdict == LOST[code]
    assert dict(what) == ({"error": (None, code.value)} if verdict else {})


@pytest.mark.parametrize(
    ("status", "verdict"),
    [(400, "gone"), (403, "gone"), (410, "gone"), (302, "gone")]
    + [(status, None) for status in (304, 408, 425, 429, 500, 503)],
)
def test_status_of_a_picture_that_was_there(status: int, verdict: str | None) -> None:
    """Those worth asking again for say nothing, nor does a 304 to no condition."""
    assert judged(HEADER, Failure(ErrorCode.HTTP_STATUS, "", status))[0] == verdict


def test_what_only_decoding_can_tell_is_no_change_of_a_header() -> None:
    """The picture may always have been so; one that was decoded before was not."""
    for code, verdict in LOST.items():
        deeper = None if verdict == "changed" else verdict
        assert judged(HEADER, Failure(code), full=True)[0] == deeper, code
        assert judged(FULL, Failure(code), full=True)[0] == verdict, code
        assert judged(HEADER, Failure(code))[0] == verdict, code


def test_failure_that_is_over() -> None:
    """Told with the code it had."""
    assert judged(GONE, HEADER) == ("changed", {"error": ("http_status", None)})
    assert judged(TIMEOUT, FULL) == ("changed", {"error": ("timeout", None)})


@pytest.mark.parametrize("code", [ErrorCode.CORRUPT_IMAGE, ErrorCode.TOO_MANY_PIXELS])
def test_failure_of_decoding_is_not_over_when_nothing_is_decoded(code: ErrorCode) -> None:
    """The same file by its validators, of which only the header was looked at."""
    then = Failure(code)
    assert judged(then, HEADER, ('"a"', None), ('"a"', None)) == (None, {})
    assert judged(then, HEADER, (None, OLD), (None, OLD)) == (None, {})
    over = ("changed", {"error": (code.value, None)})
    assert judged(then, HEADER, ('"a"', None), ('"b"', None)) == over
    assert judged(then, HEADER) == over
    assert judged(then, FULL, ('"a"', None), ('"a"', None)) == over
    page = Failure(ErrorCode.NOT_AN_IMAGE)
    assert judged(page, HEADER, ('"a"', None), ('"a"', None))[0] == "changed"


def test_failure_after_a_failure() -> None:
    """The same again, also one that passes; another; one that says nothing."""
    gone = Failure(ErrorCode.HTTP_STATUS, "410 Gone", 410)
    assert judged(GONE, Failure(ErrorCode.HTTP_STATUS, "other words", 404)) == UNCHANGED
    assert judged(TIMEOUT, TIMEOUT) == UNCHANGED
    assert judged(GONE, gone) == ("changed", {"http_status": (404, 410)})
    assert judged(GONE, Failure(ErrorCode.TLS)) == ("changed", {"error": ("http_status", "tls")})
    for code in (
        *(code for code in ErrorCode if code.retryable),
        ErrorCode.CANCELLED,
        ErrorCode.INTERNAL,
        ErrorCode.BLOCKED_ADDRESS,
        ErrorCode.WORKER_DIED,
        ErrorCode.DECODE_TIMEOUT,
    ):
        assert judged(GONE, Failure(code)) == (None, {}), code
    assert judged(GONE, Failure(ErrorCode.HTTP_STATUS, "", 503)) == (None, {})


def test_row_that_was_not_fetched() -> None:
    """There is no `fetch` to look at."""
    bad = Failure(ErrorCode.BAD_URL)
    assert judge_change(Earlier(bad, None, None), bad, None) == Change("unchanged")
    assert judge_change(Earlier(HEADER, None, None), HEADER, None) == Change("unchanged")


def test_unchanged_facts_are_carried_over() -> None:
    """All that was known and not looked at; what is known now is told as it is now."""
    before = Earlier(FULL, None, None)
    assert carried(before, HEADER) == FULL
    assert carried(before, HEADER._replace(image_size=None)) == FULL
    other = HEADER._replace(orientation=6)
    assert carried(before, other) == FULL._replace(orientation=6)
    assert carried(Earlier(HEADER, None, None), FULL) == FULL
    assert carried(before, GONE) == GONE
    assert carried(Earlier(GONE, None, None), HEADER) == HEADER


def read(record: Record) -> Earlier | None:
    """What is read of a record's line."""
    return earlier_of(json.loads(record.line()))


@pytest.mark.parametrize("outcome", [HEADER, FULL, GONE, Failure(ErrorCode.TLS, "expired")])
def test_record_is_read_as_it_was(outcome: ImageInfo | Failure) -> None:
    """Facts of either depth, failures, validators, where it was found, the opt-out."""
    fetch = Fetch(etag='"x"', last_modified=OLD, final_url="https://h/b", opt_out="noai")
    found = read(Record(0, "0", "https://h/a", outcome, fetch))
    assert found is not None
    assert found == Earlier(outcome, '"x"', OLD, "https://h/b", "noai")
    assert type(found.outcome) is type(outcome)
    assert read(Record(0, "0", "u", outcome)) == Earlier(outcome, None, None)


@pytest.mark.parametrize("code", [ErrorCode.BAD_ROW, ErrorCode.CANCELLED, ErrorCode.INTERNAL])
def test_row_that_was_not_answered_is_not_compared(code: ErrorCode) -> None:
    """There is nothing to compare with."""
    assert read(Record(0, "0", None, Failure(code))) is None


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"type": "batch", "image_info": {"image_format": "PNG"}},
        {"type": "image"},
        {"type": "image", "image_info": None, "error": None},
        {"type": "image", "image_info": []},
        {"type": "image", "image_info": {"image_format": None}},
        {"type": "image", "image_info": None, "error": "gone"},
        {"type": "image", "image_info": None, "error": {"code": "of a later version"}},
        {"type": "image", "image_info": None, "error": {"code": ["timeout"]}},
    ],
)
def test_record_of_no_use(record: dict[str, Any]) -> None:
    """None, and no exception."""
    assert earlier_of(record) is None


@pytest.mark.parametrize("wrong", [[800], [800, "600"], [800, 600.5], [True, 1], "800x600", 7])
def test_fact_that_is_none_is_not_known(wrong: object) -> None:
    """The others are used."""
    info = {"image_format": "PNG", "image_dimension": wrong, "image_size": "7", "animated": 1}
    found = earlier_of({"type": "image", "image_info": info, "fetch": {"etag": 7}})
    assert found == Earlier(ImageInfo("PNG", None), None, None)


def test_whole_number_may_be_a_measure() -> None:
    """Other writers of JSON leave the `.0` away."""
    info = {"image_format": "PNG", "sha256": "00", "sharpness": 3}
    found = earlier_of({"type": "image", "image_info": info})
    assert found is not None
    assert isinstance(found.outcome, ImageInfo)
    assert found.outcome.sharpness == 3.0
    assert type(found.outcome.sharpness) is float


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda values: (
        st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=5), values, max_size=3)
    ),
    max_leaves=5,
)


@given(
    st.dictionaries(
        st.sampled_from(
            ["image_info", "error", "fetch", "change", "before", "image_format", "code"]
        ),
        JSON,
    )
)
def test_any_record_is_read_or_of_no_use(record: dict[str, Any]) -> None:
    """Never an exception."""
    found = earlier_of({**record, "type": "image"})
    assert found is None or isinstance(found, Earlier)


def test_row_that_was_not_judged_keeps_what_it_was_compared_with() -> None:
    """So a host that was silent in one census has its changes told by the next."""
    before = Earlier(FULL, '"a"', OLD, "https://h/b", "noai")
    change = judge_change(before, TIMEOUT, fetched())
    record = Record(0, "0", "https://h/a", TIMEOUT, Fetch(), change=change)
    assert read(record) == before
    again = judge_change(before, TIMEOUT, fetched())
    assert read(Record(0, "0", "https://h/a", TIMEOUT, Fetch(), change=again)) == before
    failed = judge_change(Earlier(GONE, None, None), TIMEOUT, fetched())
    assert read(Record(0, "0", "u", TIMEOUT, Fetch(), change=failed)) == Earlier(GONE, None, None)


def test_row_that_is_gone_is_compared_as_gone() -> None:
    """What it had been is no longer looked for."""
    change = judge_change(Earlier(FULL, '"a"', OLD), GONE, fetched())
    assert read(Record(0, "0", "u", GONE, Fetch(), change=change)) == Earlier(GONE, None, None)


def test_documented_rules_are_those_of_the_code() -> None:
    """docs/re-census.md has a row for every code, with what it means for a picture that was there,
    and names every fact that is compared.
    """
    page = (Path(__file__).parents[2] / "docs" / "re-census.md").read_text(encoding="utf-8")
    rows: dict[str, str] = {}
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `") and len(cells) == 2:
            rows |= dict.fromkeys((name.strip(" `") for name in cells[0].split(",")), cells[1])
    for code in ErrorCode:
        assert rows[code.value].startswith(f"`{LOST[code] or 'null'}`"), code
    assert set(rows) == {code.value for code in ErrorCode}
    for name in COMPARED:
        assert f"`{name}`" in page, name
