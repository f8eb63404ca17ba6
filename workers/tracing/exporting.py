"""Spans sent to a collector that may be away: told once, waited for by nobody.

The libraries log each try that fails, for ever, with what the collector is called. Here it is one
line when it begins, and one when it is over.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from threading import Thread
from typing import Any

__all__ = ["Exporting", "Libraries", "Sending"]

logger = logging.getLogger(__name__)

#: What is left when the process ends is sent in so many seconds, or lost.
LAST_SECONDS = 1.0
#: What is given up then has so long to notice.
NOTICE_SECONDS = 0.25

_EXPORTERS = "opentelemetry.exporter"
_QUEUE = "opentelemetry.sdk._shared_internal"
#: It logs a list of header fields that it cannot read, the key to the collector among them.
_FIELDS = "opentelemetry.util.re"


class Libraries(logging.Handler):
    """Hears what the libraries log, and passes on what is not of a failing collector."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.sending = False  #: something was to be sent
        self.failing = False
        self.ending = False
        self._root = logging.getLogger("opentelemetry")
        self._root.addHandler(self)
        self._root.propagate = False

    def emit(self, record: logging.LogRecord) -> None:
        """One record of theirs."""
        if self.ending:
            return  # whoever traces now hears it too
        if record.name.startswith(_EXPORTERS):
            if self.sending:
                self.fails(_words(record))
            else:
                odd = {"action": "traces_odd", "reason": _words(record)}
                logger.warning("a part of OTEL_* cannot be followed; the rest is", extra=odd)
        elif record.name == _FIELDS:
            extra = {"action": "traces_headers"}
            logger.warning(
                "a part of OTEL_*_HEADERS is not name=value, and is left out", extra=extra
            )
        elif not (record.name.startswith(_QUEUE) and self.failing):
            logging.getLogger().handle(record)

    def fails(self, how: str) -> None:
        """The collector does not take spans."""
        if self.ending or self.failing:
            return
        self.failing = True
        extra = {"action": "traces_failing", "how": how}
        logger.warning("the collector takes no spans; they are lost until it does", extra=extra)

    def works(self) -> None:
        """It does."""
        if self.failing:
            self.failing = False
            logger.info("the collector takes spans again", extra={"action": "traces_sent"})

    def close(self) -> None:
        """Hear no more."""
        self._root.removeHandler(self)
        self._root.propagate = not any(isinstance(one, Libraries) for one in self._root.handlers)
        super().close()


class Exporting:
    """An exporter as the SDK uses it, with its success seen."""

    def __init__(self, exporter: Any, libraries: Libraries) -> None:
        self._exporter = exporter
        self._libraries = libraries

    def export(self, spans: Sequence[Any]) -> Any:
        """Send some; tries for as long as OTEL_EXPORTER_OTLP_TIMEOUT says."""
        self._libraries.sending = True
        result = self._exporter.export(spans)
        if result.name == "SUCCESS":
            self._libraries.works()
        else:
            self._libraries.fails("no success")
        return result

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Nothing is held here."""
        done: bool = self._exporter.force_flush(timeout_millis)
        return done

    def shutdown(self) -> None:
        """Try nothing again."""
        self._exporter.shutdown()


class Sending:
    """What sends the spans of this process."""

    def __init__(
        self, shutdown: Callable[[], None], exporters: Sequence[Exporting], libraries: Libraries
    ) -> None:
        self._shutdown = shutdown
        self._exporters = exporters
        self._libraries = libraries

    def end(self) -> None:
        """Send what is left if that can be done at once. A collector that is away delays no end."""
        if self._libraries.failing:
            self._give_up()
        ending = Thread(target=self._last, name="last-spans", daemon=True)
        ending.start()
        ending.join(LAST_SECONDS)
        if ending.is_alive():
            self._libraries.fails("not in time")
            self._give_up()
            ending.join(NOTICE_SECONDS)

    def _last(self) -> None:
        try:
            self._shutdown()
        finally:
            self._libraries.close()  # until then what they say is heard, and not passed on

    def _give_up(self) -> None:
        self._libraries.ending = True
        for exporter in self._exporters:
            exporter.shutdown()


def _words(record: logging.LogRecord) -> str:
    """What was logged, but for what errors say: the address, which may have a key in it."""
    args = record.args if isinstance(record.args, tuple) else ()
    shown = tuple(type(one).__name__ if isinstance(one, Exception) else one for one in args)
    return (record.msg % shown if shown else str(record.msg))[:200]
