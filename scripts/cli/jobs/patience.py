"""How long a server that does not answer is asked again."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable

from scripts.cli.jobs.door import Unanswered

__all__ = ["GoneError", "Patience"]

FIRST_SECONDS = 0.2
LONGEST_SECONDS = 5.0
#: A server that asks for more than that is not waited for so long at once.
LONGEST_ASKED = 60.0
#: Nobody listening at first is a wrong address, or no server, rather than one that restarts.
NOBODY_SECONDS = 3.0


class GoneError(Exception):
    """It was asked long enough; the message is what it came to last."""


class Patience:
    """Lets failures pass for so many seconds in a row, and begins anew with each success."""

    def __init__(self, seconds: float, say: Callable[[str], None]) -> None:
        """*say* tells, once for each row of failures, that there is one."""
        self._seconds = seconds
        self._say = say
        self._since: float | None = None
        self._pause = FIRST_SECONDS
        self._met = False

    def meet(self) -> None:
        """There is a server, whatever comes of it."""
        self._met = True

    def renew(self) -> None:
        """Something came."""
        self.meet()
        self._since, self._pause = None, FIRST_SECONDS

    async def rest(self, failure: Unanswered) -> None:
        """Wait before the next try. Raises GoneError where it was tried long enough."""
        now = time.monotonic()
        first = self._since is None
        self._since = now if self._since is None else self._since
        seconds = self._seconds
        if failure.refused and not self._met:
            seconds = min(seconds, NOBODY_SECONDS)
        left = self._since + seconds - now
        asked = min(failure.after or 0.0, LONGEST_ASKED)
        if left <= 0 or asked > left:
            raise GoneError(str(failure)) from failure
        if first:
            self._say(f"{failure}; it is asked again for {seconds:g} seconds")
        await asyncio.sleep(min(max(self._pause * random.uniform(0.7, 1.0), asked), left))
        self._pause = min(2 * self._pause, LONGEST_SECONDS)
