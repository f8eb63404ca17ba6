"""`python -m workers`: a consumer, until SIGTERM, SIGINT or SIGHUP. Imports late, on purpose: a
child of the process pool looks at its parent's main module.
"""

from __future__ import annotations

if __name__ == "__main__":
    from workers.interrupts import leave_at_once

    leave_at_once()  # while all else is imported; the loop has a handler of its own

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workers.settings import WorkSettings


async def _work(
    settings: WorkSettings, kinds: Sequence[str], arguments: argparse.Namespace
) -> None:
    import logging

    from workers.stopping import asked_to_end

    stop = asyncio.Event()
    with asked_to_end(stop.set):  # also while the pool starts
        if arguments.until_stdin_closes:
            asyncio.get_running_loop().add_reader(sys.stdin.fileno(), _closed, stop)
        await _consume(settings, kinds, stop, intake=not arguments.no_intake)
    logging.getLogger("workers").info("stopped", extra={"action": "stopped"})


async def _consume(
    settings: WorkSettings, kinds: Sequence[str], stop: asyncio.Event, *, intake: bool
) -> None:
    import json
    import logging

    from workers.engine import open_engine
    from workers.jobs.connection import shown_url
    from workers.jobs.consumer import open_consumer
    from workers.metrics.listening import serving_metrics

    async with (
        open_engine(settings) as engine,
        open_consumer(engine, kinds=kinds, intake=intake) as consumer,
    ):
        with serving_metrics(settings, engine) as metrics_url:

            def ready() -> None:
                redis = shown_url(settings)
                said = {"action": "consuming", "consumer": consumer.name, "redis": redis}
                logging.getLogger("workers").info("consuming", extra=said)
                told = {"ready": True, "consumer": consumer.name}
                if metrics_url is not None:
                    told["metrics"] = metrics_url
                # One line for whoever started this.
                print(json.dumps(told), flush=True)  # noqa: T201

            stopping = asyncio.create_task(stop.wait())
            stopping.add_done_callback(lambda _: consumer.stop())
            try:
                await consumer.run(ready)
            finally:
                stopping.cancel()


def _closed(stop: asyncio.Event) -> None:
    """Whoever holds the other end of our input said something, or is gone."""
    if not os.read(sys.stdin.fileno(), 1024):
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        stop.set()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m workers",
        description="Do jobs until SIGTERM or Ctrl-C, as one of any number of consumers on any"
        " number of hosts. Settings: CENSUS_*, of which CENSUS_REDIS_URL says where the jobs are.",
    )
    parser.add_argument("--kinds", help="comma list of what to do, as in images_info; default: all")
    parser.add_argument(
        "--no-intake",
        action="store_true",
        help="only run shards, which carry their rows: for hosts that do not see the manifests",
    )
    parser.add_argument("--show-settings", action="store_true", help="print them and exit")
    parser.add_argument(
        "--until-stdin-closes",
        action="store_true",
        help="stop as well when standard input ends: with the process that holds it",
    )
    return parser


def main() -> int:
    """Run a consumer; returns the exit code."""
    parser = _parser()
    arguments = parser.parse_args()

    import uvloop
    from pydantic import SecretStr

    from workers import logs
    from workers.descriptors import raise_descriptors
    from workers.environment import read_settings, show_settings, unknown_names
    from workers.errors import SettingsError
    from workers.jobs import keys
    from workers.jobs.home import running_url
    from workers.settings import OF_SERVER, WorkSettings
    from workers.tracing.switch import traced

    kinds = [kind.strip() for kind in (arguments.kinds or ",".join(keys.KINDS)).split(",")]
    if unknown := [kind for kind in kinds if kind not in keys.KINDS]:
        parser.error(f"--kinds: {unknown[0]!r} is none of {', '.join(keys.KINDS)}")
    try:
        settings = read_settings(WorkSettings)
    except SettingsError as exc:
        print(exc, file=sys.stderr)  # noqa: T201 - logging is not set up yet
        return 2
    if arguments.show_settings:
        print(show_settings(settings))  # noqa: T201 - the answer
        return 0
    if settings.redis_url is None:
        url = running_url(settings.var)
        if url is None:
            print(  # noqa: T201
                "set CENSUS_REDIS_URL: a server without it brings a Redis and a consumer of its"
                f" own, and none runs below CENSUS_VAR={settings.var}",
                file=sys.stderr,
            )
            return 2
        settings = settings.model_copy(update={"redis_url": SecretStr(url)})
    raise_descriptors()
    logs.set_up(settings.log_level, settings.log_format)
    import logging

    for sentence in unknown_names(WorkSettings, os.environ, besides=OF_SERVER):
        logging.getLogger("workers").warning(sentence, extra={"action": "unknown_setting"})
    with (
        traced("imagecensus-consumer"),
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        runner.run(_work(settings, kinds, arguments))
    return 0


if __name__ == "__main__":
    sys.exit(main())
