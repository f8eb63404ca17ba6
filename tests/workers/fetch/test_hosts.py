"""Hosts: permits, silence, and what is remembered of them."""

from __future__ import annotations

import pytest

from imaging.facts import ErrorCode
from workers.fetch import hosts as module
from workers.fetch.hosts import PROBE_SECONDS, SILENT_AFTER, Host, Hosts
from workers.fetch.targets import Origin

ORIGIN = Origin("h.example", 80)


def hosts(*trusted: str) -> Hosts:
    return Hosts(permits=4, most_permits=64, trusted=frozenset(trusted))


def silent(times: int = SILENT_AFTER, *, now: float = 100.0) -> Host:
    """A host that timed out so often."""
    host = Host(ORIGIN, 4)
    for _ in range(times):
        host.heard(silent=True, now=now)
    return host


def test_a_host_is_silent_after_eight_timeouts_in_a_row() -> None:
    """Seven are none; an answer between starts anew."""
    assert not silent(SILENT_AFTER - 1).refuses(100.0)
    assert silent().refuses(100.0)
    broken = silent(SILENT_AFTER - 1)
    broken.heard(silent=False, now=100.0)
    broken.heard(silent=True, now=100.0)
    assert not broken.refuses(100.0)


def test_silence_counts_only_where_nobody_was_answered() -> None:
    """A timeout of an attempt that began before another was answered says nothing of the host."""
    host = Host(ORIGIN, 4)
    host.heard(silent=False, now=100.0, since=99.0)
    for _ in range(2 * SILENT_AFTER):
        host.heard(silent=True, now=105.0, since=99.5)
    assert host.timeouts == 0
    assert not host.refuses(105.0)
    for _ in range(SILENT_AFTER):
        host.heard(silent=True, now=110.0, since=100.0)
    assert host.refuses(110.0)


def test_one_download_probes_every_so_often() -> None:
    """One and no more each time; an answer to it ends the silence."""
    host = silent(now=100.0)
    due = 100.0 + PROBE_SECONDS
    assert host.refuses(due - 0.1)
    assert not host.refuses(due)
    assert host.refuses(due)
    host.heard(silent=True, now=due + 5)
    assert host.refuses(due + PROBE_SECONDS - 0.1)
    assert not host.refuses(due + PROBE_SECONDS)
    host.heard(silent=False, now=due + PROBE_SECONDS)
    assert not host.refuses(due + PROBE_SECONDS)
    assert host.timeouts == 0


def test_rows_of_a_silent_host_say_so() -> None:
    """The code of a timeout, and why there was none of their own."""
    failure = silent().silence()
    assert failure.code is ErrorCode.TIMEOUT
    assert failure.retryable
    assert "silent" in failure.message


@pytest.mark.parametrize(
    ("trusted", "permits"),
    [((), 4), (("h.example",), 64), (("h.example:80",), 64), (("h.example:81",), 4), (("h",), 4)],
)
def test_permits(trusted: tuple[str, ...], permits: int) -> None:
    """Trusted hosts, by name or by name and port, may have every connection there is."""
    assert hosts(*trusted).get(ORIGIN).permits == permits


def test_a_host_is_known_while_somebody_needs_it() -> None:
    """By one object; forgotten when nobody waits for it."""
    known = hosts()
    host = known.get(ORIGIN)
    host.lines = 1
    assert known.get(ORIGIN) is host
    known.tidy(host)
    assert len(known) == 1
    host.lines, host.busy = 0, 1
    known.tidy(host)
    assert len(known) == 1
    host.busy = 0
    known.tidy(host)
    assert len(known) == 0


def test_timeouts_are_remembered_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of hosts nobody waits for: a hundred thousand dead ones do not fill the memory."""
    monkeypatch.setattr(module, "_REMEMBERED", 10)
    known = hosts()
    needed = known.get(Origin("needed", 80))
    needed.lines = 1
    for n in range(100):
        host = known.get(Origin(f"{n}.example", 80))
        host.heard(silent=True, now=0.0)
        known.tidy(host)
    assert len(known) <= 11
    assert known.get(Origin("needed", 80)) is needed
    assert known.get(Origin("99.example", 80)).timeouts == 1
