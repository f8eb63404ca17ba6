"""The environment → spans that are made and sent, or nothing: not even a library is imported then.

What the SDK of OpenTelemetry reads (`OTEL_*`) it reads itself; only whether to start it is decided
here, and which exporter it is given.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from workers.errors import WorkError
from workers.tracing import spans
from workers.tracing.exporting import Exporting, Libraries, Sending

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource

__all__ = ["asked", "traced"]

logger = logging.getLogger(__name__)

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
#: The first is what the extra brings.
_OTLP = {"http/protobuf": "otlp_proto_http", "grpc": "otlp_proto_grpc"}


class NoExporter(WorkError):
    """What is named is not installed; the message says what is."""


def asked(environ: Mapping[str, str]) -> bool:
    """Whether spans are to be made, by the variables that every SDK of OpenTelemetry reads."""
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    if environ.get("OTEL_TRACES_EXPORTER", "").strip():
        return bool(_named(environ))
    return any(environ.get(name, "").strip() for name in _ENDPOINTS)


@contextmanager
def traced(service: str) -> Iterator[None]:
    """Have what runs inside make spans where the environment asks for it; send the last at the end.

    *service* is what this process is called where `OTEL_SERVICE_NAME` says nothing else. What is
    wrong with the environment is logged, and nothing is traced: it is no reason not to work.
    """
    if not asked(os.environ):
        yield
        return
    try:
        sending = _start(service, os.environ)
    except ImportError as exc:
        missing = {"action": "traces_off", "missing": exc.name or str(exc)}
        logger.warning(
            "OTEL_* ask for traces, which need the extra otel: pip install 'imagecensus[otel]'",
            extra=missing,
        )
        yield
        return
    except Exception as exc:  # whatever a library makes of its variables
        extra = {"action": "traces_off", "reason": f"{type(exc).__name__}: {exc}"[:300]}
        logger.warning("OTEL_* ask for traces and cannot be followed", extra=extra)
        yield
        return
    logger.info("spans are made and sent", extra={"action": "traces_on"})
    try:
        yield
    finally:
        spans.use(None)
        sending.end()


def _start(service: str, environ: Mapping[str, str]) -> Sending:
    """Raises ImportError without the extra."""
    libraries = Libraries()  # from here on: a sampler that is not known is told by a line of theirs
    try:
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        exporters = [Exporting(_exporter(name), libraries) for name in _named(environ)]
        provider = TracerProvider(resource=_resource(service), shutdown_on_exit=False)
        for exporter in exporters:
            provider.add_span_processor(BatchSpanProcessor(exporter))  # type: ignore[arg-type]
    except BaseException:
        libraries.close()
        raise
    spans.use(provider.get_tracer("imagecensus"))
    return Sending(provider.shutdown, exporters, libraries)


def _named(environ: Mapping[str, str]) -> list[str]:
    """Exporters by the names that they are installed under."""
    said = environ.get("OTEL_TRACES_EXPORTER", "").strip() or "otlp"
    names = [name for part in said.split(",") if (name := part.strip()) not in ("", "none")]
    protocol = next((told for one in _PROTOCOLS if (told := environ.get(one, "").strip())), "")
    otlp = _OTLP.get(protocol or next(iter(_OTLP)), protocol)
    return [otlp if name == "otlp" else name for name in names]


def _exporter(name: str) -> object:
    group = entry_points(group="opentelemetry_traces_exporter")
    found = next(iter(group.select(name=name)), None)
    if found is None:
        known = ", ".join(sorted(group.names)) or "none"
        raise NoExporter(f"there is no exporter {name[:40]!r} here; installed are: {known}")
    exporter: object = found.load()()
    return exporter


def _resource(service: str) -> Resource:
    """Who sends them: as the environment says, else by the name of the program."""
    from opentelemetry.sdk.resources import Resource

    said = Resource.create()
    ours = Resource({"host.name": socket.gethostname(), "process.pid": os.getpid()}).merge(said)
    if str(ours.attributes["service.name"]).startswith("unknown_service"):
        ours = ours.merge(Resource({"service.name": service}))
    return ours
