"""What work costs the processors, in this process and in those below it."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from scripts.cli.samples.effort import Effort, cores

SECONDS = 0.3
#: Busy for a while, then one more below it as well; each says so, and waits.
BUSY = f"""
import subprocess, sys, time
while time.process_time() < {SECONDS}:
    pass
if len(sys.argv) == 1:
    again = [sys.executable, "-c", sys.orig_argv[2], "below"]
    below = subprocess.Popen(again, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    below.stdout.readline()
print(flush=True)
sys.stdin.read()
"""


def test_own() -> None:
    """Seconds of work of this process are its own."""
    before = Effort.now()
    end = time.process_time() + SECONDS
    while time.process_time() < end:
        pass
    spent = Effort.now().since(before)
    assert spent.own >= SECONDS * 0.9
    assert spent.children < SECONDS / 2
    assert cores() >= 1


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell")
def test_children() -> None:
    """Those of processes below it are counted while they live, and theirs."""
    before = Effort.now()
    command = [sys.executable, "-c", BUSY]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        living = Effort.now().since(before)
        process.kill()
    gone = Effort.now().since(before)
    assert living.children >= 2 * SECONDS * 0.9
    assert gone.children >= SECONDS * 0.9
    assert living.own < SECONDS
