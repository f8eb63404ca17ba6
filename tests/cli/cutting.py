"""A way to a server that cuts connections, as proxies and networks do."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

__all__ = ["Cutting", "cutting"]

BLOCK = 4096


class Cutting:
    """Listens on `url`; connection *n* is cut once `after[n]` bytes of answers went through it.

    Beyond the last of them connections are left alone. `count` is how many there were.
    """

    def __init__(self, port: int, after: list[int]) -> None:
        self._port = port
        self._after = after
        self.count = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client = self._listening.accept()[0]
                left = self._after[self.count] if self.count < len(self._after) else None
                self.count += 1
                server = socket.create_connection(("127.0.0.1", self._port))
                for source, target, most in ((client, server, None), (server, client, left)):
                    threading.Thread(
                        target=self._pass_on, args=(source, target, most), daemon=True
                    ).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, most: int | None) -> None:
        with suppress(OSError):
            while data := source.recv(BLOCK if most is None else min(BLOCK, most)):
                target.sendall(data)
                if most is not None and (most := most - len(data)) <= 0:
                    break
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
                end.close()


@contextmanager
def cutting(port: int, *after: int) -> Iterator[Cutting]:
    """A way to the server at *port* of this machine."""
    way = Cutting(port, list(after))
    try:
        yield way
    finally:
        way.close()
