"""What a summary says of its counts: situations and their sentences, and near misses."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaging.facts import ErrorCode, Failure, ImageInfo
from workers.diagnosis import MOST_FINDINGS, RULES, diagnose
from workers.evidence import share
from workers.hosts_counted import HostCount, HostsCounted, Reason
from workers.records import Fetch, Record
from workers.summary import Summary

PICTURE = ImageInfo("JPEG", (8, 6))
#: So many rows, for a code, a status, `ok` or `placeholder`, spread over so many hosts or at one.
Some = tuple[int, "str | int", "int | str"]


def summed(situation: Iterable[Some]) -> Summary:
    """What a run with these rows, one kind after the other, adds up to."""
    summary, index = Summary(), 0
    for rows, what, hosts in situation:
        for number in range(rows):
            host = hosts if isinstance(hosts, str) else f"h{number % hosts}.example"
            fetch = Fetch(suspect_placeholder=what == "placeholder")
            outcome: ImageInfo | Failure = PICTURE
            if isinstance(what, int):
                outcome = Failure(ErrorCode.HTTP_STATUS, "", what)
            elif what not in ("ok", "placeholder"):
                outcome = Failure(ErrorCode(what))
            summary.count(Record(index, str(index), f"https://{host}/{index}", outcome, fetch))
            index += 1
    return summary


def said(*situation: Some) -> dict[str, str]:
    """The findings, by rule."""
    found = diagnose(summed(situation))
    assert len({finding.rule for finding in found}) == len(found)
    return {finding.rule: finding.says for finding in found}


SITUATIONS: list[tuple[list[Some], dict[str, str]]] = [
    (
        [(5005, "dns_not_found", "img.example")],
        {
            "unknown_hosts": "The host name img.example does not exist (dns_not_found, all 5,005"
            " rows): mistyped, given up, or known to another resolver only."
        },
    ),
    (
        [(1204, "dns_temporary", 97), (91, 404, 97), (500, "ok", 97)],
        {
            "resolver": "93 % of the failures are dns_temporary: the resolver, not the links.",
            "retryable": "1,204 of 1,295 failures may pass: run them again with --only retryable.",
        },
    ),
    (
        [(60, "dns_temporary", "a.example"), (500, "ok", 9)],
        {
            "resolver": "a.example cannot be looked up now (60 rows, all the failures): its name"
            " servers, or the resolver here.",
            "retryable": "All 60 failures may pass: run them again with --only retryable.",
        },
    ),
    (
        [(5005, "dns_not_found", 12)],
        {
            "unknown_hosts": "No host name was found (dns_not_found, all 5,005 rows, at 12 hosts):"
            " no network here, or names that only an internal resolver knows."
        },
    ),
    (
        [(300, "dns_not_found", 40), (9000, "ok", 9)],
        {
            "unknown_hosts": "All 300 failures name hosts that do not exist, at 40 hosts"
            " (dns_not_found): asking again will hardly help."
        },
    ),
    (
        [(300, "connect", 9), (100, "timeout", 9), (5, "bad_row", "x")],
        {
            "no_network": "No host could be reached (400 rows, 99 % of the failures, at 9 hosts):"
            " no network here, or a firewall between.",
            "retryable": "400 of 405 failures may pass: run them again with --only retryable.",
        },
    ),
    (
        [(40_000, "ok", "cdn.example"), (1204, 429, "cdn.example"), (90, 404, 9)],
        {
            "rate_limited": "cdn.example answers 429 since row 40,000 (1,204 rows, 93 % of the"
            " failures): it limits how often it is asked; lower CENSUS_MAX_CONNECTIONS_PER_HOST.",
            "retryable": "1,204 of 1,294 failures may pass: run them again with --only retryable.",
        },
    ),
    (
        [(6, 503, "a.example"), (6, 429, "a.example"), (6, 429, "b.example"), (9, "ok", 3)],
        {
            "rate_limited": "a.example answers 429 and 503 (12 rows, 67 % of the failures), as does"
            " 1 other host: it limits how often it is asked; lower"
            " CENSUS_MAX_CONNECTIONS_PER_HOST.",
            "retryable": "All 18 failures may pass: run them again with --only retryable.",
        },
    ),
    (
        [(10, "ok", 3), (30, 403, "a.example"), (10, "tls", "b.example")],
        {
            "refused": "a.example answers 403 since row 10 (30 rows, 75 % of the failures): it"
            " wants a key, a Referer, or another User-Agent than ours (CENSUS_USER_AGENT).",
            "tls": "10 rows failed in TLS, all at b.example: a certificate that expired, is for"
            " another name, or is signed by nobody known.",
        },
    ),
    (
        [(30, 500, "a.example"), (30, "ok", 3)],
        {
            "host_failing": "a.example answers 500 (30 rows, all the failures): an error on its"
            " side; ask again later.",
            "retryable": "All 30 failures may pass: run them again with --only retryable.",
        },
    ),
    (
        [(30, "timeout", "a.example"), (30, "ok", 3), (20, "connect", "b.example")],
        {
            "host_silent": "a.example does not answer in time (30 rows, 60 % of the failures): it"
            " is down, or slower than CENSUS_TIMEOUT allows.",
            "host_closed": "b.example takes no connection since row 60 (20 rows): it is down, or"
            " does not want to be asked from here.",
            "retryable": "All 50 failures may pass: run them again with --only retryable.",
        },
    ),
    (
        [(412, "timeout", 100), (3000, "ok", 3)],
        {
            "slow_line": "All 412 failures are timeouts, at 100 hosts: the line may be full; lower"
            " CENSUS_MAX_CONNECTIONS or raise CENSUS_TIMEOUT.",
            "retryable": "All 412 failures may pass: run them again with --only retryable.",
        },
    ),
    (
        [(50, "tls", 5), (50, "ok", 3)],
        {
            "tls": "50 rows failed in TLS, at 5 hosts: are the clock and the CA store of this"
            " machine right?"
        },
    ),
    (
        [(60, "bad_url", "x"), (400, "bad_row", "x"), (40, "ok", 3)],
        {
            "manifest": "92 % of the rows cannot be asked for as they stand (400 bad_row, 60"
            " bad_url): is `url` the right column, is what separates columns that of the format"
            " (tabs in TSV, commas in CSV), do URLs begin with http:// or https://?"
        },
    ),
    (
        [(12, "blocked_address", "10.0.0.5:81"), (50, "ok", 3)],
        {
            "blocked_address": "12 rows lead to addresses that are not public, all at 10.0.0.5:81"
            " (blocked_address): CENSUS_ALLOW_NETWORKS opens a network that you trust."
        },
    ),
    (
        [(50, 404, 9), (12, 410, 9), (38, "corrupt_image", 9), (500, "ok", 3)],
        {
            "gone": "62 % of the failures are 404 or 410, at 9 hosts: these links are gone, asking"
            " again will not help."
        },
    ),
    (
        [(50, "not_an_image", "a.example"), (1, "not_an_image", "b.example"), (500, "ok", 3)],
        {
            "pages": "51 rows are answered with something that is no picture, most at a.example"
            " (not_an_image): a page for what is gone, to log in or to consent? Open one in a"
            " browser."
        },
    ),
    (
        [(6, "too_large", 3), (7, "too_many_pixels", 3), (8, "opted_out", 3), (20, "ok", 3)],
        {
            "opted_out": "8 rows opt out of machine learning, at 3 hosts: CENSUS_OPT_OUT says what"
            " is done with such.",
            "too_many_pixels": "7 rows have more pixels than CENSUS_MAX_PIXELS allows, at 3 hosts:"
            " raise it to decode them.",
            "too_large": "6 rows are larger than CENSUS_MAX_IMAGE_BYTES allows, at 3 hosts:"
            " raise it to have them.",
        },
    ),
    (
        [(5, "worker_died", 3), (6, "decode_timeout", 3), (7, "predictor_failed", 3)],
        {
            "predictor_failed": "7 rows made the predictor raise an error, at 3 hosts"
            " (predictor_failed): their records say which; CENSUS_PREDICT_TIMEOUT where it took too"
            " long.",
            "decode_timeout": "6 rows took longer to decode than CENSUS_DECODE_TIMEOUT, at 3 hosts:"
            " raise it, or lower CENSUS_POOL_SLOTS where the processors are busy.",
            "worker_died": "5 rows ended the process that decoded them, at 3 hosts (worker_died):"
            " CENSUS_POOL_MEMORY may be too little, or the machine's memory.",
        },
    ),
    (
        [(8, "unsupported_format", 2), (8, "ok", 2)],
        {
            "unsupported_format": "8 rows are pictures of formats that are not decoded, at 2 hosts"
            " (unsupported_format); header depth may tell their facts, and HEIF needs its extra."
        },
    ),
    (
        [(40, "placeholder", "a.example"), (9, "placeholder", "b.example"), (900, "ok", 3)],
        {
            "placeholders": "40 pictures of a.example look the same as many others there: a"
            " placeholder for what is gone? 1 other host too."
        },
    ),
    (
        [(300, "http_protocol", "a.example"), (20, "empty_body", 9), (900, "ok", 3)],
        {
            "one_host": "94 % of the failures are at a.example: http_protocol, the answer is not"
            " valid HTTP."
        },
    ),
    (
        [(30, "corrupt_image", "a.example"), (25, "truncated_image", "a.example")],
        {
            "one_host": "All 55 failures are at a.example: for several reasons, most often"
            " corrupt_image, the picture is damaged."
        },
    ),
    (
        [(1, "internal", 3), (900, "ok", 3)],
        {
            "internal": "1 row met an error of the census itself (internal): a bug; please report"
            " it, with what the log says."
        },
    ),
]


@pytest.mark.parametrize(
    ("situation", "expected"), SITUATIONS, ids=lambda one: next(iter(one), None) and str(one)[:40]
)
def test_a_situation_is_told(situation: list[Some], expected: dict[str, str]) -> None:
    """With these sentences, in this order, and no others."""
    assert list(said(*situation).items()) == list(expected.items())


def test_every_rule_has_its_situation() -> None:
    """No row of the table that is never tried; names are what may stand in JSON and URLs."""
    names = [rule.name for rule in RULES]
    assert set(names) == {name for _, expected in SITUATIONS for name in expected}
    assert len(names) == len(set(names))
    assert all(re.fullmatch("[a-z_]+", name) for name in names)


MISSES: list[list[Some]] = [
    [],
    [(5005, "ok", 3)],
    # The sample: 26 rows of one host, five failures, each of its own kind.
    [
        (21, "ok", "127.0.0.1:8800"),
        *[(1, code, "127.0.0.1:8800") for code in ("bad_scheme", "bad_row", "blocked_address")],
        *[(1, 404, "127.0.0.1:8800"), (1, "not_an_image", "127.0.0.1:8800")],
    ],
    [(4, "dns_not_found", "a.example"), (4, 429, "a.example")],
    [(4, "connect", 4)],
    [(4, "bad_url", "x")],
    [(100, "bad_url", "x"), (5000, "ok", 3)],
    [(9, "cancelled", "a.example"), (50, "ok", 3)],
    [(9, "placeholder", 3), (50, "ok", 3)],
    [(24, 404, 3), (76, "corrupt_image", 9)],
    [(20, "corrupt_image", "a.example"), (20, "truncated_image", "a.example")],
    [(79, "http_protocol", "a.example"), (21, "corrupt_image", "b.example")],
]


@pytest.mark.parametrize("situation", MISSES, ids=lambda one: str(one)[:40])
def test_a_near_miss_is_not_told(situation: list[Some]) -> None:
    """Too few, or too small a part: silence."""
    assert said(*situation) == {}


@pytest.mark.parametrize(
    ("rule", "situation"),
    [
        ("resolver", [(49, "dns_temporary", 9), (51, 404, 9)]),
        ("unknown_hosts", [(24, "dns_not_found", 9), (76, 404, 9)]),
        ("no_network", [(89, "connect", 9), (11, "ok", 9)]),
        ("no_network", [(89, "connect", 2)]),
        ("slow_line", [(100, "timeout", 9), (9, "ok", 9)]),
        ("rate_limited", [(100, 429, 50)]),
        ("rate_limited", [(5, 429, "a.example"), (96, 404, 9)]),
        ("retryable", [(5, 500, 5), (96, 404, 9)]),
        ("one_host", [(100, 429, "a.example"), (9, "ok", 3)]),
        ("one_host", [(100, 404, "a.example"), (9, "ok", 3)]),
    ],
)
def test_one_rule_keeps_silent(rule: str, situation: list[Some]) -> None:
    """Just below its threshold, or where another has told of the same rows."""
    assert rule not in said(*situation)


def test_at_most_six_and_what_to_do_is_the_last() -> None:
    """Nine things are wrong; the bug is told first, the rest by how many rows they are about."""
    found = said(
        (1, "internal", 3),
        *[(20, 403, "a.example"), (19, 429, "b.example"), (18, "tls", 3)],
        *[(17, "too_large", 3), (16, "opted_out", 3), (15, "blocked_address", 3)],
        *[(14, "not_an_image", 3), (13, "too_many_pixels", 3)],
    )
    assert list(found) == ["internal", "refused", "rate_limited", "tls", "too_large", "retryable"]
    assert len(found) == MOST_FINDINGS


def test_a_lower_bound_says_so() -> None:
    """Hosts that failed before were let go of: this one may have been among them."""
    others: list[Some] = [(1, "connect", f"h{number}.example") for number in range(400)]
    found = said(*others, (1000, 429, "cdn.example"), (9000, "ok", 3))
    assert found["rate_limited"].startswith(
        "cdn.example answers 429 since row 400 or before (at least 1,000 rows, 71 %"
    )
    assert "one_host" not in found


def test_a_share_is_never_rounded_to_all_or_nothing() -> None:
    """99.96 % is not 100 %."""
    assert share(9996, 10_000) == "over 99 %"
    assert share(1, 10_000) == "under 1 %"
    assert [share(part, 200) for part in (2, 3, 199, 198, 200)] == [
        *("1 %", "2 %", "over 99 %", "99 %", "100 %")
    ]
    found = said((2999, "dns_temporary", 9), (1, 404, 9))
    assert found["resolver"].startswith("Over 99 % of the failures")


def test_the_summary_has_it_behind_the_counts() -> None:
    """As objects; and where there is nothing to say, no key."""
    line = json.loads(summed([(50, 404, "a.example"), (50, "ok", 3)]).line(seconds=1))
    assert line["diagnosis"] == [
        {
            "rule": "gone",
            "says": "All 50 failures are 404 or 410, all at a.example: these links are gone, asking"
            " again will not help.",
        }
    ]
    assert list(line)[4:8] == ["errors", "http_statuses", "bytes", "diagnosis"]
    assert "diagnosis" not in json.loads(summed([(50, "ok", 3)]).line(seconds=1))


COUNTS = st.integers(0, 10**18)
NAMES = st.sampled_from([*ErrorCode, "many", "http_404", "", "a\nb"])
REASONS = st.sampled_from([*ErrorCode, "http_404", "http_429", "http_503", "http_9"])
HOSTS = st.builds(
    HostCount,
    first=COUNTS,
    failed=COUNTS,
    placeholders=COUNTS,
    at_least=st.booleans(),
    reasons=st.dictionaries(REASONS.map(str), st.builds(Reason, COUNTS, COUNTS), max_size=8),
)


@given(
    st.builds(
        Summary,
        rows=COUNTS,
        ok=COUNTS,
        errors=st.dictionaries(NAMES.map(str), COUNTS).map(Counter),
        http_statuses=st.dictionaries(
            st.sampled_from(["404", "429", "503", "None", "²", "a\nb"]), COUNTS
        ).map(Counter),
        hosts=st.builds(
            HostsCounted,
            st.dictionaries(st.sampled_from(["a", "{b}", "%s", "x" * 100]), HOSTS),
            st.booleans(),
        ),
    )
)
def test_whatever_is_counted_can_be_told(summary: Summary) -> None:
    """Also counts that cannot be, as somebody wrote them into Redis: lines, never an error."""
    found = diagnose(summary)
    assert len(found) <= MOST_FINDINGS
    assert {finding.rule for finding in found} <= {rule.name for rule in RULES}
    for finding in found:
        assert finding.says.isprintable()
        assert len(finding.says) < 500
        assert "{" not in finding.says.replace("{b}", "")
    assert json.loads(summary.line(seconds=1))["rows"] == summary.rows


def test_every_rule_is_documented() -> None:
    """docs/errors.md names each rule of the table, in its order, and no other."""
    text = (Path(__file__).parents[2] / "docs" / "errors.md").read_text(encoding="utf-8")
    _, _, section = text.partition("\n## What the summary says of them\n")
    assert re.findall(r"^- `([a-z_]+)`", section, re.MULTILINE) == [rule.name for rule in RULES]
