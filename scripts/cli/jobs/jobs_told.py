"""The state of jobs in words. What a server sends is shown, never obeyed: no control characters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from scripts.cli.progress import bytes_of, duration

__all__ = ["ended_line", "findings", "job_lines", "list_lines", "plain", "rows_told"]

_MOST_CODES = 20


def plain(value: object) -> str:
    """Text that a terminal shows and does not obey."""
    return "".join(
        sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in str(value)
    )


def rows_told(state: dict[str, Any]) -> str:
    """`1,200 of ~5,005 rows`."""
    rows = _dict(state, "rows")
    done, total, expected = (_number(rows, name) for name in ("done", "total", "expected"))
    if total is not None:
        return f"{done or 0:,} of {total:,} rows"
    return f"{done or 0:,} of ~{expected:,} rows" if expected is not None else f"{done or 0:,} rows"


def job_lines(state: dict[str, Any]) -> Iterator[str]:
    """One job, for people: a line for each thing there is to say."""
    rows = _dict(state, "rows")
    yield f"job       {plain(state.get('id'))}"
    yield f"kind      {plain(state.get('kind'))}"
    paused = ", paused" if state.get("paused") else ""
    yield f"state     {plain(state.get('state'))}{paused}"
    if state.get("reason"):
        yield f"reason    {plain(state['reason'])}"
    if state.get("manifest") is not None:
        yield f"manifest  {plain(state['manifest'])}"
    yield f"rows      {rows_told(state)}"
    yield f"failed    {_number(rows, 'failed') or 0:,}"
    for code, count in list(_dict(state, "errors").items())[:_MOST_CODES]:
        yield f"  {plain(code)} {plain(count)}"
    if received := _number(state, "bytes"):
        yield f"received  {bytes_of(received)}"
    if state.get("state") == "running":
        yield f"rate      {state.get('rate')} rows/s"
        if isinstance(eta := state.get("eta_seconds"), int | float):
            yield f"eta       {duration(eta)}"
    for name in ("created", "started", "finished"):
        if state.get(name) is not None:
            yield f"{name:<9} {plain(state[name])}"
    yield from (f"note      {said}" for said in findings(state))


def findings(state: dict[str, Any]) -> Iterator[str]:
    """What the server thinks is going on, where it does."""
    found = state.get("diagnosis")
    for finding in found if isinstance(found, list) else ():
        if isinstance(finding, dict) and finding.get("says"):
            yield plain(finding["says"])


def ended_line(state: dict[str, Any]) -> str:
    """What a job came to, in one sentence."""
    rows = _dict(state, "rows")
    failed = _number(rows, "failed") or 0
    told = f"{plain(state.get('state'))}: {rows_told(state)}, {failed:,} failed"
    if errors := _dict(state, "errors"):
        named = [f"{plain(code)} {plain(count)}" for code, count in errors.items()]
        told += f" ({', '.join(named[:_MOST_CODES])})"
    return f"{told}: {plain(state['reason'])}" if state.get("reason") else told


def list_lines(page: dict[str, Any]) -> Iterator[str]:
    """The jobs of a page, newest first, one a line."""
    jobs = page.get("jobs")
    for state in jobs if isinstance(jobs, list) else ():
        failed = _number(_dict(state, "rows"), "failed") or 0
        parts = [state.get("id"), f"{state.get('state')!s:<9}", f"{state.get('kind')!s:<13}"]
        told = f"{rows_told(state)}, {failed:,} failed"
        yield plain("  ".join([*map(str, parts), told, str(state.get("manifest") or "")])).rstrip()


def _dict(state: dict[str, Any], name: str) -> dict[str, Any]:
    value = state.get(name)
    return value if isinstance(value, dict) else {}


def _number(state: dict[str, Any], name: str) -> int | None:
    value = state.get(name)
    return value if type(value) is int else None
