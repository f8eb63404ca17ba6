"""From a sample by strata to the whole: totals and shares, each with how far it may be off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import sqrt
from typing import NamedTuple

from scripts.cli.samples.sampled import Tally

__all__ = ["Estimate", "Range", "estimate", "proportion", "total"]

#: Of a normal distribution, nineteen in twenty are no further from the middle.
_Z = 1.96


class Range(NamedTuple):
    """What something is about, and within what it is, nineteen times in twenty."""

    low: float
    about: float
    high: float

    @property
    def exact(self) -> bool:
        """Whether it was counted, not estimated."""
        return self.low == self.high


NOTHING = Range(0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Estimate:
    """Of a whole manifest. Shares are those of all its rows, 0 to 1."""

    rows: int
    bytes: Range = NOTHING
    requests: Range = NOTHING
    failed: Range = NOTHING
    reasons: dict[str, Range] = field(default_factory=dict)  #: the most frequent first


def estimate(strata: Sequence[tuple[int, Tally]], bad: dict[str, int]) -> Estimate:
    """From the rows of each stratum and what came of its sample; *bad* rows were all counted.

    A stratum without an answer (the sample ended early) is taken to be as all others are.
    """
    asked = sum(size for size, _ in strata)
    known = sum(bad.values())
    rows = asked + known
    if not rows:
        return Estimate(0)
    counted = {reason: _exactly(count / rows) for reason, count in bad.items()}
    if not any(tally.answers for _, tally in strata):
        most = 1.0 if asked else known / rows
        return Estimate(rows, failed=Range(known / rows, known / rows, most), reasons=counted)

    def share(hits: Sequence[int], more: int = 0) -> Range:
        """Of all rows, by the *hits* among each stratum's answers; *more* were counted."""
        of_asked = proportion(
            [(size, tally.answers, so) for (size, tally), so in zip(strata, hits, strict=True)]
        )
        return Range(*((more + part * asked) / rows for part in of_asked))

    tallies = [tally for _, tally in strata]
    reasons = dict(counted)
    for name in {name for tally in tallies for name in tally.reasons}:
        reasons[name] = share([tally.reasons[name] for tally in tallies], bad.get(name, 0))
    return Estimate(
        rows,
        total([(size, one.answers, one.bytes, one.bytes_squared) for size, one in strata]),
        total([(size, one.answers, one.requests, one.requests_squared) for size, one in strata]),
        share([tally.failed for tally in tallies], known),
        dict(sorted(reasons.items(), key=lambda one: (-one[1].about, one[0]))),
    )


def _exactly(value: float) -> Range:
    return Range(value, value, value)


def proportion(strata: Sequence[tuple[int, int, int]]) -> Range:
    """The share of rows that are so, from (rows, of these looked at, of these so) of each stratum.

    The variance is that of a stratified sample. In each stratum it is reckoned with a share that
    is drawn a little towards that of all, as one of none in three rows does not mean never; the
    range is Wilson's, with the number of rows of a simple sample of that variance. What was seen
    limits it: a row that is so stays so.
    """
    rows = sum(size for size, _, _ in strata)
    looked, so = sum(one[1] for one in strata), sum(one[2] for one in strata)
    if not rows or not looked:
        return Range(0.0, 0.0, 1.0)
    middle = (so + 0.5) / (looked + 1)
    about = drawn = variance = 0.0
    for size, count, hits in strata:
        weight = size / rows
        about += weight * (hits / count if count else so / looked)
        near = (hits + middle) / (count + 1)
        drawn += weight * near
        unseen = 1 - count / size if size else 0.0
        variance += weight**2 * unseen * near * (1 - near) / max(1, count)
    if variance <= 0:
        return _exactly(about)
    worth = drawn * (1 - drawn) / variance
    wide = 1 + _Z**2 / worth
    centre = (about + _Z**2 / (2 * worth)) / wide
    half = _Z / wide * sqrt(max(0.0, about * (1 - about)) / worth + (_Z / (2 * worth)) ** 2)
    low = max(centre - half, so / rows)
    high = min(centre + half, 1 - (looked - so) / rows)
    return Range(max(0.0, min(low, about)), about, min(1.0, max(high, about)))


def total(strata: Sequence[tuple[int, int, int, int]]) -> Range:
    """The sum over all rows, from (rows, of these looked at, their sum, that of the squares)."""
    looked = sum(one[1] for one in strata)
    if not looked:
        return NOTHING
    summed = sum(one[2] for one in strata)
    mean = summed / looked
    # Of all: where a stratum has one row.
    spread = max(0.0, sum(one[3] for one in strata) / looked - mean**2)
    about = variance = 0.0
    for size, count, part, squares in strata:
        about += size * (part / count if count else mean)
        inside = max(0.0, (squares - part**2 / count) / (count - 1)) if count > 1 else spread
        variance += size**2 * (1 - count / size if size else 0.0) * inside / max(1, count)
    half = _Z * sqrt(variance)
    return Range(max(float(summed), about - half), about, about + half)
