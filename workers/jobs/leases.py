"""What this process holds of the streams, and the heartbeat that keeps it.

Only what is held is renewed: an entry whose delivery got lost on its way here ages, and is claimed
by anyone when its lease ran out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from workers.jobs.patience import RedisAway
from workers.jobs.streams import Entry, Streams

__all__ = ["Held", "Leases"]

#: How soon a cancellation is heard of, at the latest.
BEAT_SECONDS = 1.0


class Held:
    """One entry being worked on."""

    def __init__(self, stream: str, entry: Entry) -> None:
        self.stream = stream
        self.entry = entry
        self.job: str | None = None  #: once it is known
        self.lost = False  #: somebody else has it; what is recorded first counts
        self.over = False  #: the job was cancelled or deleted
        self.on_over: Callable[[], None] | None = None  #: called when that is heard

    def hear(self, state: str) -> None:
        """Take note of the state of the job."""
        if state in ("cancelled", "gone") and not self.over:
            self.over = True
            if self.on_over is not None:
                self.on_over()


class Leases:
    """All entries held."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams
        self._held: dict[str, dict[str, Held]] = {}

    def count(self, stream: str) -> int:
        """How many entries of a stream are held."""
        return len(self._held.get(stream, ()))

    def has(self, stream: str, entry: str) -> bool:
        """Whether an entry is being worked on here already (its lease ran out meanwhile)."""
        return entry in self._held.get(stream, ())

    def most_deliveries(self, stream: str) -> int:
        """Of the entries of a stream that are held, of the one that was given out most often."""
        return max((one.entry.deliveries for one in self._held.get(stream, {}).values()), default=0)

    def hold(self, stream: str, entry: Entry) -> Held:
        """Keep the lease of an entry from now on, until it is let go."""
        held = Held(stream, entry)
        self._held.setdefault(stream, {})[entry.id] = held
        return held

    def let_go(self, held: Held) -> None:
        """Renew it no longer."""
        self._held[held.stream].pop(held.entry.id, None)

    async def beat(self, lease_seconds: float) -> None:
        """Renew all leases in time, for ever."""
        pause = min(BEAT_SECONDS, lease_seconds / 4)
        while True:
            with suppress(RedisAway):
                await self._renew()
            await asyncio.sleep(pause)

    async def _renew(self) -> None:
        for stream, of_stream in list(self._held.items()):  # streams may join meanwhile
            held = list(of_stream.values())
            if not held:
                continue
            jobs = list({one.job for one in held if one.job is not None})
            told = await self._streams.beat(stream, [one.entry.id for one in held], jobs)
            for one in held:
                one.lost = one.entry.id in told.lost
                if one.job is not None and one.job in told.states:
                    one.hear(told.states[one.job])
