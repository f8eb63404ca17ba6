"""`info` and `predict`: a plan carried out. What goes wrong becomes a sentence and an exit code."""

from __future__ import annotations

import asyncio
import os
import sys

import uvloop

from scripts.cli import exits
from scripts.cli.exits import Finished, Refused
from scripts.cli.files.outputs import is_table
from scripts.cli.files.result_file import CannotWrite
from scripts.cli.files.standard_output import BrokenOutput
from scripts.cli.runs.plan import Plan
from scripts.cli.runs.redo import redo
from scripts.cli.runs.whole import count_all
from scripts.cli.samples.sampling import sample
from scripts.cli.saying import say
from scripts.cli.terminating import until_terminated
from workers import logs
from workers.descriptors import raise_descriptors
from workers.environment import read_settings
from workers.errors import ManifestNotFound, SettingsError, TableError, WorkError
from workers.interrupts import end_in_order
from workers.settings import WorkSettings
from workers.tables import frames
from workers.tables.formats import check_writable
from workers.tracing import spans
from workers.tracing.switch import traced

__all__ = ["run"]


def run(plan: Plan) -> int:
    """Carry out *plan*; returns the exit code."""
    _hold_standard_descriptors()
    try:
        settings = read_settings(WorkSettings, **plan.settings)
        _set_up_logs(settings)
        raise_descriptors()
        if is_table(plan.out):
            check_writable()
            frames.load()
        with traced("imagecensus-command"):
            end_in_order()
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                return runner.run(until_terminated(_run(plan, settings)))
    except Finished as exc:
        if not plan.quiet:
            say(str(exc))
        return exits.DONE
    except (Refused, SettingsError, ManifestNotFound, TableError) as exc:
        say(str(exc))
        return exits.REFUSED
    except (CannotWrite, WorkError) as exc:
        say(str(exc))
        return exits.FAILED
    except BrokenOutput:
        return exits.BROKEN_PIPE
    except KeyboardInterrupt:  # before, or behind, what is ended in order
        return exits.INTERRUPTED


async def _run(plan: Plan, settings: WorkSettings) -> int:
    with spans.span(f"imagecensus {plan.command}"):
        if plan.sample is not None:
            return await sample(plan, settings)
        if plan.only is not None:
            return await redo(plan, settings)
        return await count_all(plan, settings)


def _hold_standard_descriptors() -> None:
    """What is opened later must not come by the number of an output that was closed."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w")


def _set_up_logs(settings: WorkSettings) -> None:
    """Of the work only what is wrong: the rest is told by the figures, and by the summary."""
    given = "log_level" in settings.model_fields_set
    logs.set_up(settings.log_level if given else "error", settings.log_format)
