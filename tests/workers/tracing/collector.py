"""A collector of spans as small as one can be: what is sent to it by OTLP over HTTP, decoded."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any, NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

__all__ = ["Collector", "Sent", "collecting"]


class Sent(NamedTuple):
    """A span as it came."""

    service: str
    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    failed: bool
    began: int
    ended: int
    facts: dict[str, Any]


class Collector:
    """What came so far."""

    def __init__(self, port: int) -> None:
        self.endpoint = f"http://127.0.0.1:{port}"
        self.refuses = False
        self.asked: list[dict[str, str]] = []  #: header fields, in lower case
        self._spans: list[Sent] = []
        self._lock = Lock()

    @property
    def spans(self) -> list[Sent]:
        """All of them."""
        with self._lock:
            return list(self._spans)

    def named(self, start: str, trace_id: str | None = None) -> list[Sent]:
        """Those whose name begins so, of one trace if it is said."""
        return [
            one
            for one in self.spans
            if one.name.startswith(start) and trace_id in (None, one.trace_id)
        ]

    def take(self, headers: dict[str, str], body: bytes) -> int:
        """One request; the status to answer."""
        if headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        with self._lock:
            self.asked.append(headers)
            if self.refuses:
                return 503
            self._spans += _read(body)
        return 200


def _read(body: bytes) -> Iterator[Sent]:
    for of_resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        service = _facts(of_resource.resource.attributes)["service.name"]
        for of_scope in of_resource.scope_spans:
            for one in of_scope.spans:
                yield Sent(
                    service,
                    one.name,
                    one.SpanKind.Name(one.kind).removeprefix("SPAN_KIND_"),
                    one.trace_id.hex(),
                    one.span_id.hex(),
                    one.parent_span_id.hex(),
                    one.status.code == one.status.STATUS_CODE_ERROR,
                    one.start_time_unix_nano,
                    one.end_time_unix_nano,
                    _facts(one.attributes),
                )


def _facts(pairs: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in pairs}


class _Handler(BaseHTTPRequestHandler):
    """Answers `POST /v1/traces`."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        assert self.path == "/v1/traces"
        status = self.server.collector.take(headers, body)  # type: ignore[attr-defined]
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nobody reads it."""


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector on a free port."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        server.collector = collector = Collector(server.server_port)  # type: ignore[attr-defined]
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()
