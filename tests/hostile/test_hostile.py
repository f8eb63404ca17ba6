"""Every hostile host, file and URL at once, between good rows, through `python -m server`."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.hostile.cases import DEPTHS, HOSTILE, TLS, URLS, WRITTEN, Case, page
from tests.hostile.conftest import GOOD, TIMEOUT_SECONDS, Outcome

ROOT = Path(__file__).parents[2]


def judge(outcome: Outcome, case: Case) -> None:
    """At both depths: one record, with a code that the page gives, in its time."""
    for depth in DEPTHS:
        [record] = outcome.of(case.name, depth)
        error = record.get("error")
        if error is None:
            assert record["image_info"]["image_format"], record
            assert case.allows(depth, "ok", None), (depth, record)
        else:
            assert record["image_info"] is None
            assert case.allows(depth, error["code"], error.get("http_status")), (depth, record)
            assert len(error["message"].splitlines()) == 1
            assert len(error["message"]) <= 250
        taken = (record.get("fetch") or {}).get("ms", 0)
        assert taken < 10_000 * TIMEOUT_SECONDS, record


@pytest.mark.parametrize("case", HOSTILE, ids=str)
def test_hostile(outcome: Outcome, case: Case) -> None:
    """What the picture host does below `/hostile/<name>`."""
    judge(outcome, case)


@pytest.mark.parametrize("case", TLS, ids=str)
def test_tls(outcome: Outcome, case: Case) -> None:
    """Each fails for a reason of its own, the good one beside them does not."""
    judge(outcome, case)


def test_tls_reasons(outcome: Outcome) -> None:
    """The message tells an expired certificate from one of another host or authority."""
    told = {
        case.name: record["error"]["message"]
        for case in TLS
        for record in outcome.of(case.name, "header")
        if record.get("error")
    }

    assert "expired" in told["tls-expired"]
    assert "mismatch" in told["tls-wrong-host"]
    assert "self-signed" in told["tls-self-signed"]
    assert "issuer" in told["tls-unknown-authority"]


@pytest.mark.parametrize("name", URLS)
def test_url(outcome: Outcome, name: str) -> None:
    """A URL that is none, or leads to nobody."""
    judge(outcome, WRITTEN[name])


def test_good_rows_do_not_notice(outcome: Outcome) -> None:
    """Each is there once, with facts, beside every misdeed at the same host."""
    for depth in DEPTHS:
        good = outcome.of(GOOD, depth)
        assert len(good) == outcome.good_rows
        assert [record for record in good if record.get("error")] == []


def test_every_row_has_one_record(outcome: Outcome) -> None:
    """None is lost, none is doubled, and the summary counts as we do."""
    for depth in DEPTHS:
        start, *records, summary = outcome.lines[depth]
        assert (start["type"], summary["type"]) == ("start", "summary")
        assert Counter(record["index"] for record in records) == Counter(range(outcome.rows))
        assert (summary["rows"], summary["complete"]) == (outcome.rows, True)
        failed = Counter(
            record["error"]["code"] for record in records if record.get("error") is not None
        )
        assert summary["errors"] == failed
        assert "internal" not in failed


def test_nothing_that_must_not_be_told(outcome: Outcome) -> None:
    """A URL's password stands neither in a record nor in the log, and nothing raised."""
    [record] = outcome.of("url-password", "header")
    assert record["url"].startswith("http://127.0.0.1:")
    assert record.get("error") is None
    assert "hunter2" not in outcome.text
    assert [line for line in outcome.logged if line["level"] in ("error", "critical")] == []


def test_processes_are_the_same_as_before(outcome: Outcome) -> None:
    """No bomb killed a process that decodes, and none is left over."""
    assert outcome.children_after == outcome.children_before


def test_page_and_host_have_the_same_names() -> None:
    """A misdeed without a line on the page would not be tested, and the other way round."""
    listed = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "picture_host.py"), "--list-hostile"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout.splitlines()

    assert [line.split()[0] for line in listed] == [case.name for case in HOSTILE]
    assert len(WRITTEN) == len(list(page.written()))
    assert set(URLS) == {name for name in WRITTEN if name.startswith("url-")}
