"""Break what may break and see that no row is lost. Started by `scripts/chaos`.

    chaos --short                       a little of the most important, in half a minute
    chaos                               every scenario at length, the storm last
    chaos --only F1,F3 --seed 7         these, with other chances
    chaos --kinds batch_predict         with jobs of this kind only
    chaos --only storm --rows 100000 --kills 200

Starts a Redis of its own, a picture host and consumers as processes, and ends all of them. It tells
lost, duplicated, unexpected and recovered rows, and ends with 1 unless the first three are none and
everything else holds that docs/reliability.md promises.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # tests and scripts are no part of the package

from scripts.bench_processes import running  # noqa: E402
from scripts.chaotic.crashes import (  # noqa: E402
    aof_cut,
    consumers_frozen,
    consumers_killed,
    redis_killed,
    storm,
)
from scripts.chaotic.endings import consumers_stopped, job_cancelled  # noqa: E402
from scripts.chaotic.forgery import forged_entries  # noqa: E402
from scripts.chaotic.pictures import MADE, Foretold  # noqa: E402
from scripts.chaotic.poison import poison_rows  # noqa: E402
from scripts.chaotic.proxy import broken_way  # noqa: E402
from scripts.chaotic.stage import Setting  # noqa: E402
from scripts.chaotic.troubles import redis_in_trouble  # noqa: E402
from scripts.chaotic.unread import results_unread  # noqa: E402
from scripts.chaotic.verdict import Verdict  # noqa: E402
from workers.errors import RedisMissing  # noqa: E402
from workers.jobs import keys  # noqa: E402
from workers.jobs.binary import find_server  # noqa: E402

__all__ = ["SCENARIOS", "main", "options"]

SCENARIOS = {
    "F1": consumers_killed,
    "F2": consumers_frozen,
    "F3": redis_killed,
    "F4": aof_cut,
    "F6": poison_rows,
    "F7": forged_entries,
    "F8": broken_way,
    "F9": redis_in_trouble,
    "F10": consumers_stopped,
    "F11": results_unread,
    "F19": job_cancelled,
    "storm": storm,
}
#: What a short run has time for; F1, F2, F3 and F7 are in the storm.
SHORT = ("storm", "F9", "F10", "F19")


def options(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="chaos", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--only", metavar="NAMES", help=f"comma list of {', '.join(SCENARIOS)}")
    add("--kinds", metavar="NAMES", help=f"comma list of {', '.join(keys.KINDS)} (all of them)")
    add("--short", action="store_true", help="a little of the most important")
    add("--seed", type=int, default=0, metavar="N", help="of all chance (%(default)s)")
    add("--rows", type=int, metavar="N", help="of the storm, at least (20000; short 200)")
    add("--kills", type=int, metavar="N", help="of consumers in it, at least (50; short 2)")
    add("--minutes", type=float, default=20.0, metavar="N", help="of it, at most (%(default)s)")
    add("--redis-server", type=Path, metavar="PATH", help="else the one on PATH or in .venv")
    chosen = parser.parse_args(arguments)
    chosen.names = chosen.only.split(",") if chosen.only else SHORT if chosen.short else SCENARIOS
    if unknown := [name for name in chosen.names if name not in SCENARIOS]:
        parser.error(f"--only: {unknown[0]!r} is none of {', '.join(SCENARIOS)}")
    chosen.kinds = tuple(chosen.kinds.split(",")) if chosen.kinds else keys.KINDS
    if unknown := [kind for kind in chosen.kinds if kind not in keys.KINDS]:
        parser.error(f"--kinds: {unknown[0]!r} is none of {', '.join(keys.KINDS)}")
    return chosen


def main(arguments: list[str] | None = None) -> int:
    """Run the scenarios; returns the exit code."""
    chosen = options(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # through every `finally`
    try:
        binary = chosen.redis_server or find_server()
    except RedisMissing as exc:
        print(exc, file=sys.stderr)
        return 2
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    host = [sys.executable, str(ROOT / "scripts/picture_host.py"), "--made", str(MADE)]
    total = Verdict()
    with running(host) as (_, url):
        setting = Setting(
            binary=binary,
            folder=folder,
            host=url,
            foretold=Foretold(),
            seed=chosen.seed,
            kinds=chosen.kinds,
            short=chosen.short,
            rows=chosen.rows or (200 if chosen.short else 20_000),
            kills=chosen.kills or (2 if chosen.short else 50),
            minutes=chosen.minutes,
        )
        for name in chosen.names:
            begun = time.monotonic()
            verdict = SCENARIOS[name](setting)
            print(f"{verdict.line(name)}; {time.monotonic() - begun:.1f} s", flush=True)
            for problem in verdict.problems:
                print(f"    {problem}", flush=True)
            total.add(verdict)
    print(total.line("all"))
    if total.holds:
        folder.rmdir()
    return 0 if total.holds else 1


if __name__ == "__main__":
    sys.exit(main())
