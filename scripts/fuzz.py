"""Damage pictures and see that the walker, or with --pool the process pool, takes it.

  fuzz.py --executions 1000000 --seed 1 --seconds 600     the walker
  fuzz.py --pool --executions 20000 --seconds 600         the pool, at full depth

Starts from the tests' samples and ends by itself: exit code 0 if nothing was found. `--only N` runs
one mutant of a seed again. Findings are told once for each kind; `--save FOLDER` keeps their files.
"""

from __future__ import annotations

import argparse
import asyncio
import faulthandler
import logging
import random
import resource
import sys
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # the tests' samples are no part of the package

from scripts.fuzzing.mutants import Mutants  # noqa: E402
from scripts.fuzzing.pooling import through_the_pool  # noqa: E402
from scripts.fuzzing.seeds import format_of, seeds  # noqa: E402
from scripts.fuzzing.walking import Finding, compare, minimise, walk  # noqa: E402

__all__ = ["Walker", "main", "options"]

#: One mutant in so many is shown to Pillow too, which takes ten times as long.
COMPARED = 8
#: So many of each kind are made smaller and saved.
KEPT = 2


def main(arguments: list[str] | None = None) -> int:
    """Run as the options say; returns the exit code."""
    chosen = options(arguments)
    try:
        files = seeds(chosen.formats)
    except ValueError as exc:
        print(exc, file=sys.stderr)
        return 2
    mutants = Mutants(chosen.seed, files)
    faulthandler.enable()
    logging.getLogger("PIL").setLevel(logging.CRITICAL)  # it complains of damaged files
    if chosen.pool:
        return _pool(chosen, mutants)
    # Decoders behind Pillow's `open` believe what a header claims.
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, hard))
    return Walker(chosen, mutants).run()


def options(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="fuzz.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--executions", type=int, default=100_000, metavar="N", help="mutants (%(default)s)")
    add("--seed", type=int, default=0, metavar="N", help="of all chance (%(default)s)")
    add("--seconds", type=float, default=600, metavar="S", help="at most (%(default)s)")
    add("--formats", nargs="+", metavar="NAME", help="only samples of these: jpeg tiff avif …")
    add("--pool", action="store_true", help="decode in the process pool instead")
    add("--only", type=int, metavar="N", help="this mutant alone, checked in every way")
    add("--save", type=Path, metavar="FOLDER", help="keep what was found, made smaller")
    return parser.parse_args(arguments)


class Walker:
    """One run over the walker: counts, the slowest, and each kind of finding."""

    def __init__(self, options: argparse.Namespace, mutants: Mutants) -> None:
        self._options = options
        self._mutants = mutants
        self._runs: Counter[str] = Counter()
        self._agreed: Counter[str] = Counter()
        self._found: Counter[tuple[str, str, str]] = Counter()
        self._slowest = (0.0, 0)

    def run(self) -> int:
        """All mutants, or as many as fit the time."""
        until = time.monotonic() + self._options.seconds
        only = self._options.only
        numbers = range(self._options.executions) if only is None else [only]
        for number in numbers:
            if number % 64 == 0 and time.monotonic() > until:
                break
            self._one(number, compared=only is not None or number % COMPARED == 0)
        self._report()
        return 1 if self._found else 0

    def _one(self, number: int, *, compared: bool) -> None:
        name, data = self._mutants.make(number)
        first = random.Random(number).choice((16, 64, 512, 4096, 16_384))
        self._runs[format_of(name)] += 1
        finding, seconds = walk(data, first)
        self._slowest = max(self._slowest, (seconds, number))
        if finding is None and compared:
            answer = compare(data)
            if isinstance(answer, str):
                self._agreed[answer] += 1
            elif answer is not None:
                finding = answer
        if finding is not None:
            self._keep(number, name, data, first, finding)

    def _keep(self, number: int, name: str, data: bytes, first: int, finding: Finding) -> None:
        key = finding.kind, finding.detail, format_of(name)
        self._found[key] += 1
        if self._found[key] > KEPT:
            return
        print(f"{number} {name}: {finding.kind}: {finding.detail}: {finding.told[:300]}")
        if self._options.save is None:
            return

        def still(shorter: bytes) -> bool:
            again = walk(shorter, first)[0] or compare(shorter)
            return isinstance(again, Finding) and (again.kind, again.detail) == key[:2]

        self._options.save.mkdir(parents=True, exist_ok=True)
        stem = f"{finding.kind}-{format_of(name)}-{self._options.seed}-{number}"
        (self._options.save / f"{stem}.bin").write_bytes(data)
        (self._options.save / f"{stem}-least.bin").write_bytes(minimise(data, still))

    def _report(self) -> None:
        print(f"{self._runs.total()} executions: {_counted(self._runs)}")
        print(f"as Pillow says: {self._agreed.total()}: {_counted(self._agreed)}")
        seconds, number = self._slowest
        print(f"slowest: {seconds * 1000:.1f} ms, mutant {number}")
        for (kind, detail, fmt), count in self._found.most_common():
            print(f"{count} x {fmt}: {kind}: {detail}")
        print(f"{self._found.total()} findings of {len(self._found)} kinds")


def _pool(options: argparse.Namespace, mutants: Mutants) -> int:
    outcomes = asyncio.run(through_the_pool(mutants, options.executions, options.seconds))
    print(f"{outcomes.codes.total()} items: {_counted(outcomes.codes)}")
    for number, what in outcomes.findings[:50]:
        name, data = mutants.make(number)
        print(f"{number} {name}: {what}")
        if options.save is not None:
            options.save.mkdir(parents=True, exist_ok=True)
            (options.save / f"pool-{options.seed}-{number}.bin").write_bytes(data)
    print(f"{outcomes.deaths} processes died; every slot answers: {outcomes.alive}")
    print(f"{len(outcomes.findings)} findings")
    return 1 if outcomes.findings or not outcomes.alive else 0


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.most_common())


if __name__ == "__main__":
    sys.exit(main())
