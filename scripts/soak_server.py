"""`python -m server` that tells how many tasks it has: SIGUSR1 writes the number to a file.

    python scripts/soak_server.py FILE

Started by `scripts/soak.py`; everything else is as `python -m server`.
"""

import asyncio
import runpy
import signal
import sys
from pathlib import Path


def main() -> None:
    """Serve until told to end."""
    file = Path(sys.argv.pop(1))
    signal.signal(
        signal.SIGUSR1, lambda *_: file.write_text(str(len(asyncio.all_tasks())), encoding="ascii")
    )
    runpy.run_module("server", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
