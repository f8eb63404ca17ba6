"""What is told at the end of a run, and the exit code it has."""

from __future__ import annotations

import signal

from scripts.cli import exits
from scripts.cli.progress import Figures, bytes_of, duration, failures
from scripts.cli.runs.census import Census
from scripts.cli.runs.plan import Plan
from scripts.cli.saying import say
from workers.diagnosis import diagnose
from workers.summary import Summary

__all__ = ["code_of", "end"]

_SIGNALS = {signal.SIGINT: exits.INTERRUPTED, signal.SIGTERM: exits.TERMINATED}
#: How a reason begins that is no failure, but what was asked for.
_ON_PURPOSE = "budget: "


def end(plan: Plan, census: Census, figures: Figures, summary: Summary, reason: str | None) -> int:
    """Tell what it came to, and why it ended early where it did; returns the exit code."""
    if not plan.quiet:
        seconds = census.seconds
        told = [
            f"{summary.rows:,} rows: {summary.ok:,} ok, {failures(summary.errors)}",
            f"{census.answered:,} of them in {duration(seconds)}"
            if census.answered != summary.rows
            else f"in {duration(seconds) if seconds >= 10 else f'{seconds:.2f} s'}",
            f"{bytes_of(figures.bytes)} received",
        ]
        if figures.saved:
            told.append(f"{bytes_of(figures.saved)} saved by ranges")
        if summary.changes:
            told += [f"{count:,} {name}" for name, count in summary.changes.most_common()]
        say("; ".join(told))
        for finding in diagnose(summary):
            say(f"  {finding.says}")
    if reason is not None:
        say(f"not complete: {reason}{_how_to_go_on(plan)}")
    return code_of(plan, census, summary, reason)


def _how_to_go_on(plan: Plan) -> str:
    if plan.out is None or plan.only is not None:
        return "; the same command goes on" if plan.only is not None else ""
    return f"; {plan.out} is kept, the same command with --resume goes on"


def code_of(plan: Plan, census: Census, summary: Summary, reason: str | None) -> int:
    """The exit code of a run that ended for this *reason*, or is complete."""
    if reason is None:
        return exits.ROWS_FAILED if plan.strict and summary.failed else exits.DONE
    if census.signal is not None:
        return _SIGNALS[signal.Signals(census.signal)]
    return exits.PARTIAL if reason.startswith(_ON_PURPOSE) else exits.FAILED
