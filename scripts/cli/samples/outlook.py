"""What a sample says of the whole, as text for people that programs can look through."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap

from scripts.cli.progress import bytes_of, duration
from scripts.cli.runs.plan import Plan
from scripts.cli.samples.estimating import Estimate, Range
from scripts.cli.samples.paces import Pace
from scripts.cli.samples.sampled import Sampled, Tally
from scripts.cli.samples.strata import MOST_HOSTS, Strata, Stratum
from workers.diagnosis import diagnose

__all__ = ["Outlook", "percent"]

_WIDTH = 80
_LABEL = 12
_HOST = 38
_MOST_HOSTS_TOLD = 8
_MOST_REASONS = 12
#: A smaller share of repeated URLs changes nothing.
_REPEATED = 0.05
#: What to do with a file of records, which a sample has not.
_NO_FILE = "retryable"
#: How the options of the settings are called.
_SETTINGS = {
    "max_connections": "--connections",
    "max_connections_per_host": "--per-host",
    "models_dir": "--models",
}


@dataclass(frozen=True, slots=True)
class Outlook:
    """All there is to tell."""

    plan: Plan
    strata: Strata
    sampled: Sampled
    parts: Sequence[tuple[Stratum, Tally]]
    estimate: Estimate
    pace: Pace
    seconds: float  #: that the sample took
    reason: str | None  #: why it ended early, if it did

    def text(self) -> str:
        """Lines of at most 80 columns, but for commands and names that are longer."""
        strata = self.strata
        if not strata.rows:
            return f"{self.plan.manifest}: no rows, there is nothing to ask for\n"
        lines = [f"{self.plan.manifest}: {_several(strata.rows, 'row')} of {self._hosts()}"]
        answers = sum(tally.answers for _, tally in self.parts)
        lines += _said("sample", self._sample(answers))
        if answers or not strata.asked:
            lines += self._totals(answers)
        lines += self._mix()
        if strata.asked:
            lines += self._table()
        lines += self._findings()
        lines += self._how_to_begin()
        return "\n".join(lines) + "\n"

    def _hosts(self) -> str:
        hosts = self.strata.hosts
        if hosts is None:
            return f"more than {MOST_HOSTS:,} hosts"
        return _several(hosts, "host") if hosts else "no host"

    def _sample(self, answers: int) -> str:
        strata = self.strata
        if not strata.asked:
            return "nothing was asked for: no row has a URL that can be"
        if not answers and self.reason is not None:
            return f"no row had its answer before it ended ({self.reason}): nothing can be said"
        took = duration(self.seconds) if self.seconds >= 10 else f"{self.seconds:.1f} s"
        which = "all rows" if answers == strata.asked else _several(answers, "row")
        told = f"{which} asked for in {took}"
        if self.reason is not None:
            told += f"; it ended early ({self.reason}), so this rests on what came until then"
        elif answers < strata.asked and answers < 30:
            told += "; so few say little"
        return told

    def _totals(self, answers: int) -> Iterator[str]:
        estimate, pace = self.estimate, self.pace
        about = "" if answers == self.strata.asked else "about "
        soon = pace.seconds < 1
        told = "less than a second" if soon else f"about {duration(pace.seconds)}"
        yield from _said("time", f"{told}, bound by {pace.says}")
        if pace.shuffled is not None:
            yield from _said("", f"shuffled (shuf, sort -R) about {duration(pace.shuffled)}")
        yield from _said("requests", f"{about}{_roughly(estimate.requests.about, about)}")
        low, middle, high = (bytes_of(max(0, round(one))) for one in estimate.bytes)
        within = "" if low == high else f" ({low} to {high})"
        yield from _said("received", f"{about}{middle}{within}")
        failed = estimate.failed
        if failed.exact:
            rows = f"{round(failed.about * estimate.rows):,}"
        else:
            about, rows = "about ", _rows(failed, estimate.rows)
        none = "; none of the sample did" if answers and not failed.about else ""
        yield from _said("failures", f"{about}{percent(failed)} of the rows: {rows}{none}")
        # (Of an earlier result each row is asked about for itself.)
        if (share := self.strata.repeated) >= _REPEATED and not self.plan.options.get("changes"):
            yield from _said(
                "repeated",
                f"about {_share(share)} of the rows have the URL of an earlier one: while it is"
                " remembered it is not asked for again, which is not reckoned with here",
            )

    def _mix(self) -> Iterator[str]:
        reasons = self.estimate.reasons
        if not reasons:
            return
        yield ""
        yield f"{'failures by code':<28}{'share':<22}rows"
        for name, share in list(reasons.items())[:_MOST_REASONS]:
            code = name.replace("http_", "http_status ", 1) if name[5:].isdecimal() else name
            rows = f"{round(share.about * self.estimate.rows):,}"
            if not share.exact:
                rows = _rows(share, self.estimate.rows)
            yield f"  {code:<26}{percent(share):<22}{rows}"
        if (more := len(reasons) - _MOST_REASONS) > 0:
            yield f"  {_several(more, 'code')} more"

    def _table(self) -> Iterator[str]:
        yield ""
        yield f"{'hosts':<{_HOST}}{'rows':>13}{'asked':>8}{'failed':>8}{'a row':>13}"
        shown = sorted(self.parts, key=lambda part: (part[0].origin is None, -part[0].rows))
        alone = [part for part in shown if part[0].origin is not None]
        for stratum, tally in [*alone[:_MOST_HOSTS_TOLD], *shown[len(alone) :]]:
            failed = _share(tally.failed / tally.answers) if tally.answers else "-"
            pause = f"{tally.seconds * 1000:,.0f} ms" if tally.tried else "-"
            name = _shortened(stratum.name)
            told = f"{stratum.rows:>13,}{tally.answers:>8,}{failed:>8}{pause:>13}"
            yield f"  {name:<{_HOST - 2}}{told}"
        if (more := len(alone) - _MOST_HOSTS_TOLD) > 0:
            yield f"  {_several(more, 'host')} more, each with rows in the sample"

    def _findings(self) -> Iterator[str]:
        silent = [stratum.name for stratum, tally in self.parts if tally.silent]
        told = [one.says for one in diagnose(self.sampled) if one.rule != _NO_FILE]
        if silent:
            names = ", ".join(silent[:3]) + (f" and {len(silent) - 3:,} more" * (len(silent) > 3))
            told.append(
                f"No answer in time came from {names}: of a host that stays silent, rows fail"
                " without being asked for, and take no time."
            )
        if told:
            yield ""
            yield "what the sample says"
        for sentence in told:
            yield from _wrapped(sentence, "  ", "  ")

    def _how_to_begin(self) -> Iterator[str]:
        if not self.strata.asked:
            return
        yield ""
        yield f"{'to begin':<{_LABEL}}{_command(self.plan)}"
        yield from _said("", "--max-bytes or --max-seconds end it early, --resume goes on")


def percent(share: Range) -> str:
    """`4.1–7.2 %`, `0–1.9 %`, `12.5 %`: rounded so that it is not narrower."""
    high = share.high * 100
    if share.exact:
        return f"{_plain(high, 1 if high >= 1 or not high else 3)} %"
    digits = 0 if high >= 20 else 1 if high >= 1 else 2
    unit = 10**digits
    low = math.floor(share.low * 100 * unit) / unit
    return f"{_plain(low, digits)}–{_plain(min(100.0, math.ceil(high * unit) / unit), digits)} %"


def _share(share: float) -> str:
    return f"{share * 100:.0f} %"


def _plain(value: float, digits: int) -> str:
    told = f"{value:.{digits}f}"
    return told.rstrip("0").rstrip(".") if "." in told else told


def _rows(share: Range, rows: int) -> str:
    low, high = math.floor(share.low * rows), math.ceil(share.high * rows)
    down, up = _unit(low, 2), _unit(high, 2)
    return f"{low // down * down:,}–{min(rows, -(-high // up) * up):,}"


def _unit(count: int, digits: int) -> int:
    """Of the last of so many digits."""
    return int(10 ** max(0, len(str(count)) - digits))


def _roughly(count: float, about: str) -> str:
    unit = _unit(int(count), 3) if about else 1
    return f"{round(count / unit) * unit:,}"


def _several(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _shortened(name: str) -> str:
    most = _HOST - 3
    return name if len(name) <= most else f"…{name[1 - most :]}"


def _said(label: str, text: str) -> list[str]:
    return _wrapped(text, f"{label:<{_LABEL}}", " " * _LABEL)


def _wrapped(text: str, first: str, others: str) -> list[str]:
    return wrap(
        text,
        _WIDTH,
        initial_indent=first,
        subsequent_indent=others,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _command(plan: Plan) -> str:
    """How the whole is begun, with the options of the sample."""
    words = ["imagecensus", plan.command, plan.manifest]
    out = "facts.ndjson" if plan.command == "info" else "seen.ndjson"
    words += ["-o", "again.ndjson" if Path(plan.manifest).name == out else out]
    for name, value in plan.options.items():
        words.append(f"--{name.replace('_', '-')}")
        if value is not True:
            words.append(f"{value:g}" if isinstance(value, float) else str(value))
    for name, value in plan.settings.items():
        if name in _SETTINGS:
            words += [_SETTINGS[name], str(value)]
        elif name == "allow_networks":
            words += [word for one in value.split(",") for word in ("--allow", one.strip())]
    return shlex.join(words)
