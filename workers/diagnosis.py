"""What the counts of a run mean, in plain words: one table of rules.

What is not at least five rows, and a twentieth of the failures, is chance: nothing is said of it.
`docs/errors.md` has each rule with its condition and what to do.
"""

from __future__ import annotations

from typing import NamedTuple

from imaging.facts import ErrorCode
from workers import causes
from workers.evidence import Counted, Evidence
from workers.hosts_counted import HTTP

__all__ = ["MOST_FINDINGS", "RULES", "Finding", "Rule", "diagnose"]

MOST_FINDINGS = 6
#: When a finding is told: what is wrong with all of a run, with a part of it, what to do.
WHOLE, PART, LAST = range(3)


class Finding(NamedTuple):
    """One thing to be said of a run."""

    rule: str  #: its name in the table
    says: str  #: one line of text


class Rule(NamedTuple):
    """A row of the table."""

    name: str
    when: int
    tell: causes.Tell
    reasons: causes.Reasons = frozenset()  #: what it tells of, unless an earlier rule did


def diagnose(counted: Counted) -> list[Finding]:
    """What is to be said of a run, the most telling first; nothing where all is well."""
    evidence = Evidence(counted)
    found: list[tuple[int, int, Finding]] = []
    for rule in RULES:
        if rule.reasons and rule.reasons <= evidence.explained:
            continue
        if (told := rule.tell(evidence, rule.reasons)) is not None:
            evidence.explained |= rule.reasons
            found.append((rule.when, -told.rows, Finding(rule.name, told.says)))
    findings = [finding for _, _, finding in sorted(found, key=lambda one: one[:2])]
    # What is left out is not the last, which is what to do.
    return [*findings[: MOST_FINDINGS - 1], *findings[MOST_FINDINGS - 1 :][-1:]]


def _codes(*codes: ErrorCode) -> causes.Reasons:
    return frozenset(code.value for code in codes)


def _statuses(*statuses: int) -> causes.Reasons:
    return frozenset(f"{HTTP}{status}" for status in statuses)


#: In the order in which they are asked.
RULES = (
    Rule("internal", WHOLE, causes.internal, _codes(ErrorCode.INTERNAL)),
    Rule(
        "manifest",
        WHOLE,
        causes.manifest,
        _codes(ErrorCode.BAD_ROW, ErrorCode.BAD_URL, ErrorCode.BAD_SCHEME),
    ),
    Rule("resolver", WHOLE, causes.resolver, _codes(ErrorCode.DNS_TEMPORARY)),
    Rule("unknown_hosts", WHOLE, causes.unknown_hosts, _codes(ErrorCode.DNS_NOT_FOUND)),
    Rule("no_network", WHOLE, causes.no_network, _codes(ErrorCode.CONNECT, ErrorCode.TIMEOUT)),
    Rule("slow_line", PART, causes.slow_line, _codes(ErrorCode.TIMEOUT)),
    Rule(
        "rate_limited",
        PART,
        causes.at_host(
            "answers {statuses}",
            "it limits how often it is asked; lower CENSUS_MAX_CONNECTIONS_PER_HOST",
        ),
        _statuses(429, 503),
    ),
    Rule(
        "refused",
        PART,
        causes.at_host(
            "answers {statuses}",
            "it wants a key, a Referer, or another User-Agent than ours (CENSUS_USER_AGENT)",
        ),
        _statuses(401, 403),
    ),
    Rule(
        "host_failing",
        PART,
        causes.at_host("answers {statuses}", "an error on its side; ask again later"),
        _statuses(*range(500, 503), *range(504, 600)),
    ),
    Rule(
        "host_silent",
        PART,
        causes.at_host(
            "does not answer in time", "it is down, or slower than CENSUS_TIMEOUT allows"
        ),
        _codes(ErrorCode.TIMEOUT),
    ),
    Rule(
        "host_closed",
        PART,
        causes.at_host("takes no connection", "it is down, or does not want to be asked from here"),
        _codes(ErrorCode.CONNECT),
    ),
    Rule(
        "blocked_address",
        PART,
        causes.of_all(
            "{rows} lead to addresses that are not public{where} (blocked_address):"
            " CENSUS_ALLOW_NETWORKS opens a network that you trust."
        ),
        _codes(ErrorCode.BLOCKED_ADDRESS),
    ),
    Rule(
        "gone",
        PART,
        causes.of_all(
            "{part} are 404 or 410{where}: these links are gone, asking again will not help.",
            least=25,
        ),
        _statuses(404, 410),
    ),
    Rule(
        "pages",
        PART,
        causes.of_all(
            "{rows} are answered with something that is no picture{where} (not_an_image): a page"
            " for what is gone, to log in or to consent? Open one in a browser."
        ),
        _codes(ErrorCode.NOT_AN_IMAGE),
    ),
    Rule("tls", PART, causes.tls, _codes(ErrorCode.TLS)),
    Rule(
        "too_large",
        PART,
        causes.of_all(
            "{rows} are larger than CENSUS_MAX_IMAGE_BYTES allows{where}: raise it to have them."
        ),
        _codes(ErrorCode.TOO_LARGE),
    ),
    Rule(
        "too_many_pixels",
        PART,
        causes.of_all(
            "{rows} have more pixels than CENSUS_MAX_PIXELS allows{where}: raise it to decode them."
        ),
        _codes(ErrorCode.TOO_MANY_PIXELS),
    ),
    Rule(
        "unsupported_format",
        PART,
        causes.of_all(
            "{rows} are pictures of formats that are not decoded{where} (unsupported_format);"
            " header depth may tell their facts, and HEIF needs its extra."
        ),
        _codes(ErrorCode.UNSUPPORTED_FORMAT),
    ),
    Rule(
        "opted_out",
        PART,
        causes.of_all(
            "{rows} opt out of machine learning{where}: CENSUS_OPT_OUT says what is done with such."
        ),
        _codes(ErrorCode.OPTED_OUT),
    ),
    Rule(
        "worker_died",
        PART,
        causes.of_all(
            "{rows} ended the process that decoded them{where} (worker_died): CENSUS_POOL_MEMORY"
            " may be too little, or the machine's memory."
        ),
        _codes(ErrorCode.WORKER_DIED),
    ),
    Rule(
        "decode_timeout",
        PART,
        causes.of_all(
            "{rows} took longer to decode than CENSUS_DECODE_TIMEOUT{where}: raise it, or lower"
            " CENSUS_POOL_SLOTS where the processors are busy."
        ),
        _codes(ErrorCode.DECODE_TIMEOUT),
    ),
    Rule(
        "predictor_failed",
        PART,
        causes.of_all(
            "{rows} made the predictor raise an error{where} (predictor_failed): their records say"
            " which; CENSUS_PREDICT_TIMEOUT where it took too long."
        ),
        _codes(ErrorCode.PREDICTOR_FAILED),
    ),
    Rule("placeholders", PART, causes.placeholders),
    Rule("one_host", PART, causes.one_host),
    Rule("retryable", LAST, causes.retryable),
)
