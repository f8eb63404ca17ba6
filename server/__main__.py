"""`python -m server`: settings, logs, serve until SIGTERM, SIGINT or SIGHUP. Imports late, on
purpose: a child of the process pool looks at its parent's main module.
"""

from __future__ import annotations

if __name__ == "__main__":
    from workers.interrupts import leave_at_once

    leave_at_once()  # while all else is imported; the loop has a handler of its own

import argparse
import asyncio
import errno
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from server.companions import Companions
    from server.settings import ServerSettings


async def _serve(settings: ServerSettings) -> None:
    from server.companions import companions
    from workers.stopping import asked_to_end

    stop = asyncio.Event()
    with asked_to_end(stop.set):  # also while the pool starts
        async with companions(settings, stop) as beside:
            if not stop.is_set():
                await _listen(beside, stop)


async def _listen(beside: Companions, stop: asyncio.Event) -> None:
    import json
    import logging

    from aiohttp import web

    from server.app import create_runner

    logger = logging.getLogger("server")
    settings = beside.settings
    runner = create_runner(settings)
    await runner.setup()
    try:
        site = web.TCPSite(runner, settings.host, settings.port, backlog=1024)
        await site.start()
        host, port = runner.addresses[0][:2]
        url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        keyed = settings.key is not None
        told = {"action": "serving", "url": url, "port": port, "key": keyed}
        logger.info("serving", extra=told)
        if settings.open and not keyed:
            logger.warning(
                "OPEN: there is no key, whoever can reach this address may use the service",
                extra={"action": "open", "url": url},
            )
        beside.begin()
        # One line for whoever started this, who may have asked for any free port.
        print(json.dumps({"ready": True, "url": url, **beside.told}), flush=True)  # noqa: T201
        await stop.wait()
        logger.info("stopping", extra={"action": "stopping"})
        beside.let_go()
    finally:
        await runner.cleanup()
    logger.info("stopped", extra={"action": "stopped"})


def main() -> int:
    """Run the server; returns the exit code."""
    import os

    parser = argparse.ArgumentParser(
        prog="python -m server", description="Serve until SIGTERM or Ctrl-C. Settings: CENSUS_*."
    )
    parser.add_argument("--show-settings", action="store_true", help="print them and exit")
    arguments = parser.parse_args()

    import uvloop

    from server.settings import ServerSettings
    from workers import logs
    from workers.descriptors import raise_descriptors
    from workers.environment import read_settings, show_settings, unknown_names
    from workers.errors import EmbeddedRedisError, RedisMissing, SettingsError
    from workers.tracing.switch import traced

    try:
        settings = read_settings(ServerSettings)
    except SettingsError as exc:
        print(exc, file=sys.stderr)  # noqa: T201 - logging is not set up yet
        return 2
    if arguments.show_settings:
        print(show_settings(settings))  # noqa: T201 - the answer
        for sentence in unknown_names(ServerSettings, os.environ):
            print(sentence, file=sys.stderr)  # noqa: T201
        return 0
    raise_descriptors()
    logs.set_up(settings.log_level, settings.log_format)
    import logging

    for sentence in unknown_names(ServerSettings, os.environ):
        logging.getLogger("server").warning(sentence, extra={"action": "unknown_setting"})
    if not settings.data_root.exists():
        logging.getLogger("server").warning(
            "the data root does not exist: no manifest by name is found",
            extra={"action": "no_data_root", "path": str(settings.data_root)},
        )
    try:
        with (
            traced("imagecensus-server"),
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            runner.run(_serve(settings))
    except EmbeddedRedisError as exc:
        logging.getLogger("server").error(  # noqa: TRY400 - the sentence is enough
            "there is no Redis for jobs", extra={"action": "no_redis", "reason": str(exc)}
        )
        return 2 if isinstance(exc, RedisMissing) else 1
    except OSError as exc:
        extra = {"action": "cannot_serve", "reason": str(exc)}
        if exc.errno == errno.EADDRINUSE:
            other = 5071 if settings.port != 5071 else 5072
            extra["advice"] = (
                f"port {settings.port} is taken, maybe by another server of this kind (on macOS"
                f" AirPlay has 5000): take another one, as CENSUS_PORT={other}"
            )
        logging.getLogger("server").error(  # noqa: TRY400 - the sentence is enough
            "cannot serve on CENSUS_HOST and CENSUS_PORT", extra=extra
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
