"""Spans of what is done here. Until `use` is called there are none, and asking for one costs next
to nothing; which trace the work belongs to is known all the same, for log lines and jobs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Literal

from workers.tracing.traceparent import Traceparent

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Tracer

__all__ = ["Fact", "Here", "fail", "here", "logged", "name", "note", "span", "traceparent", "use"]

Fact = str | bool | int | float
Kind = Literal["INTERNAL", "SERVER", "CLIENT", "CONSUMER"]

_NO_FACTS: Mapping[str, Fact] = {}

_tracer: Tracer | None = None
_given: ContextVar[Traceparent | None] = ContextVar("given", default=None)


def use(tracer: Tracer | None) -> None:
    """Have *tracer* make the spans of this process from now on; None: nobody."""
    global _tracer
    _tracer = tracer


@contextmanager
def span(
    name: str,
    facts: Mapping[str, Fact] = _NO_FACTS,
    *,
    kind: Kind = "INTERNAL",
    parent: Traceparent | None = None,
) -> Iterator[None]:
    """What is done inside is one span, the child of *parent* or of the span around it.

    Log lines inside have its `trace_id`. An exception that leaves it is told by its name alone: its
    words may hold what no log may.
    """
    if _tracer is None and parent is None:
        yield
        return
    from structlog.contextvars import bound_contextvars  # a tenth of a second of every command

    reset = _given.set(parent) if parent is not None else None
    try:
        with _begun(name, facts, kind, parent), bound_contextvars(**logged()):
            try:
                yield
            except BaseException as exc:
                fail(type(exc).__name__)
                raise
    finally:
        if reset is not None:
            _given.reset(reset)


@contextmanager
def _begun(
    name: str, facts: Mapping[str, Fact], kind: Kind, parent: Traceparent | None
) -> Iterator[None]:
    if _tracer is None:
        yield
        return
    from opentelemetry.trace import SpanKind

    with _tracer.start_as_current_span(
        name,
        context=None if parent is None else _context(parent),
        kind=SpanKind[kind],
        attributes=facts,
        record_exception=False,
        set_status_on_exception=False,
    ):
        yield


def note(facts: Mapping[str, Fact]) -> None:
    """Say more of the span around here."""
    if _tracer is not None:
        from opentelemetry.trace import get_current_span

        get_current_span().set_attributes(facts)


def name(text: str) -> None:
    """Call the span around here otherwise."""
    if _tracer is not None:
        from opentelemetry.trace import get_current_span

        get_current_span().update_name(text)


def fail(why: str) -> None:
    """Say that the span around here is of something that failed; *why* is one of a few words."""
    if _tracer is not None:
        from opentelemetry.trace import StatusCode, get_current_span

        current = get_current_span()
        current.set_attribute("error.type", why)
        current.set_status(StatusCode.ERROR)


def traceparent() -> Traceparent | None:
    """Where the work here belongs: the span around it, or the one it was given by its caller."""
    if _tracer is not None:
        from opentelemetry.trace import get_current_span

        current = get_current_span().get_span_context()
        if current.is_valid:
            flags = f"{current.trace_flags:02x}"
            return Traceparent(f"{current.trace_id:032x}", f"{current.span_id:016x}", flags)
    return _given.get()


def logged() -> dict[str, str]:
    """What log lines say of it."""
    found = traceparent()
    return {} if found is None else {"trace_id": found.trace_id}


class Here:
    """A span that is recorded, and under which others may be put from anywhere."""

    def __init__(self, tracer: Tracer, context: Context) -> None:
        self._tracer = tracer
        self._context = context

    def add(
        self,
        name: str,
        facts: Mapping[str, Fact],
        *,
        kind: Kind,
        began: int,
        ended: int,
        failed: str | None = None,
    ) -> None:
        """Put one there that is over. Times are nanoseconds since 1970; *failed* as in `fail`."""
        from opentelemetry.trace import SpanKind, StatusCode

        one = self._tracer.start_span(
            name, self._context, kind=SpanKind[kind], attributes=facts, start_time=began
        )
        if failed is not None:
            one.set_attribute("error.type", failed)
            one.set_status(StatusCode.ERROR)
        one.end(ended)


def here() -> Here | None:
    """The span around here; None where there is none, or none that is recorded."""
    if _tracer is None:
        return None
    from opentelemetry.trace import get_current_span, set_span_in_context

    current = get_current_span()
    return Here(_tracer, set_span_in_context(current)) if current.is_recording() else None


def _context(parent: Traceparent) -> Any:
    from opentelemetry.trace import (
        NonRecordingSpan,
        SpanContext,
        TraceFlags,
        set_span_in_context,
    )

    trace_id, span_id, flags = (int(part, 16) for part in parent)
    remote = SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(flags))
    return set_span_in_context(NonRecordingSpan(remote))
