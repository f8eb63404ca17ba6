"""A consumer's metrics over HTTP, where CENSUS_METRICS_PORT asks for it: from a thread of its own.

(A server has `/metrics` on its port, and needs none of this.)
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from prometheus_client import start_http_server

from workers.engine import Engine
from workers.metrics.encoding import readable
from workers.metrics.of_engine import EngineMetrics
from workers.metrics.registry import new_registry
from workers.settings import WorkSettings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["serving_metrics"]

logger = logging.getLogger(__name__)


@contextmanager
def serving_metrics(settings: WorkSettings, engine: Engine) -> Iterator[str | None]:
    """Serve the metrics of *engine*; yields their URL, None where they are not served.

    An address that cannot be listened on is logged, and no reason not to work.
    """
    if settings.metrics_port is None:
        yield None
        return
    host, port = settings.metrics_host, settings.metrics_port
    registry = new_registry(EngineMetrics(engine))
    try:
        door, thread = start_http_server(port, addr=host, registry=registry)
    except OSError as exc:
        logger.error(  # noqa: TRY400 - the sentence is enough
            "cannot serve metrics on CENSUS_METRICS_HOST and CENSUS_METRICS_PORT",
            extra={"action": "no_metrics", "reason": str(exc)},
        )
        yield None
        return
    app = door.get_app()
    assert app is not None  # noqa: S101 - it was started with one
    door.set_app(_understood(app))
    host = f"[{host}]" if ":" in host else host
    url = f"http://{host}:{door.server_port}/metrics"
    logger.info("serving metrics", extra={"action": "serving_metrics", "url": url})
    try:
        yield url
    finally:
        door.shutdown()
        door.server_close()
        thread.join()


def _understood(app: WSGIApplication) -> WSGIApplication:
    """*app*, told only of texts that it can write."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["HTTP_ACCEPT"] = readable(environ.get("HTTP_ACCEPT", ""))
        return app(environ, start_response)

    return answer
