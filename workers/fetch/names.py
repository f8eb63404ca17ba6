"""Host names → addresses, in threads of their own, remembering what could not be found.

Look-ups of dead names take seconds each; in the event loop's shared threads a few of them would
hold up everything else that uses those.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import threading
from collections import OrderedDict
from contextlib import suppress
from time import monotonic
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

from workers.metrics.histogram import Histogram

__all__ = ["CachedFailures", "ThreadedNames"]

_Infos = list[tuple[Any, ...]]

_THREADS = 32
_REMEMBERED = 10_000
#: Nothing is learnt of a name where this machine has nothing left to look it up with.
_OURS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN})
_FORGET_AFTER = 60.0  # seconds; as long as a good answer is kept


class ThreadedNames(AbstractResolver):
    """The system's resolver, `getaddrinfo`, in threads that hold up nobody's exit."""

    def __init__(self) -> None:
        self._threads = asyncio.Semaphore(_THREADS)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Every address of *host*. Raises OSError (`socket.gaierror`)."""
        await self._threads.acquire()
        loop = asyncio.get_running_loop()
        found: asyncio.Future[_Infos] = loop.create_future()

        def look_up() -> None:
            infos, error = _Infos(), None
            try:
                infos = socket.getaddrinfo(
                    host, port, family, socket.SOCK_STREAM, 0, socket.AI_ADDRCONFIG
                )
            except (OSError, UnicodeError) as exc:
                error = _out_of_descriptors() or exc
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(self._tell, found, infos, error)

        try:
            threading.Thread(target=look_up, name="names", daemon=True).start()
        except RuntimeError:  # no more threads
            self._threads.release()
            raise OSError(errno.EAGAIN, "no thread to look it up") from None
        infos = await found
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=port,
                family=kind,
                proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _, protocol, _, address in infos
        ]

    def _tell(self, found: asyncio.Future[_Infos], infos: _Infos, error: Exception | None) -> None:
        self._threads.release()
        if found.done():  # cancelled meanwhile
            return
        if error is not None:
            found.set_exception(error)
        else:
            found.set_result(infos)

    async def close(self) -> None:
        """Nothing to close: look-ups under way end by themselves, heard by nobody."""


def _out_of_descriptors() -> OSError | None:
    """The system's resolver calls every name unknown where it can open nothing to look it up."""
    try:
        socket.socket().close()
    except OSError as exc:
        return exc if exc.errno in _OURS else None
    return None


class CachedFailures(AbstractResolver):
    """Another resolver whose failures are given again, for a minute, without asking."""

    def __init__(self, inner: AbstractResolver, looking_up: Histogram | None = None) -> None:
        """*looking_up* is told how long each look-up took, whatever came of it."""
        self._inner = inner
        self._looking_up = looking_up or Histogram()
        # Not the error itself: its traceback holds every frame it came through.
        self._failed: OrderedDict[str, tuple[float, type[OSError], Any]] = OrderedDict()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """As the inner resolver. Raises OSError, possibly a remembered one."""
        now = asyncio.get_running_loop().time()
        remembered = self._failed.get(host)
        if remembered is not None:
            if now < remembered[0]:
                _, kind, arguments = remembered
                raise kind(*arguments)
            del self._failed[host]
        began = monotonic()
        try:
            found = await self._inner.resolve(host, port, family)
            if not found:
                raise socket.gaierror(socket.EAI_NONAME, "the name has no address")
        except OSError as exc:
            if exc.errno in _OURS and not isinstance(exc, socket.gaierror):
                raise
            self._failed[host] = (now + _FORGET_AFTER, type(exc), exc.args)
            while len(self._failed) > _REMEMBERED:
                self._failed.popitem(last=False)
            raise
        finally:
            self._looking_up.observe(monotonic() - began)
        return found

    async def close(self) -> None:
        """Close the inner resolver."""
        await self._inner.close()
