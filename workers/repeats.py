"""The same URL once: what a run knows of the URLs it asked for.

Rows whose URL is under way wait for it, those that come later are answered from what is kept: for
each row its own record, for each URL one download. What is kept is bounded for all runs together,
and what was let go is simply fetched again. The shards of a job that a process runs are one run.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import replace
from hashlib import blake2b
from typing import Any, NamedTuple, Protocol

from imaging.examine import Examined
from imaging.facts import ErrorCode, Failure
from workers.fetch.lanes import Lane, Ticket
from workers.fetch.targets import Target
from workers.manifest.rows import Row
from workers.placeholders import Placeholders
from workers.records import Fetch

__all__ = ["Answer", "Follower", "Follows", "Known", "Repeats", "url_key"]

#: Of answers kept, all runs of a process together.
MOST_BYTES = 64 * 1024**2
#: What one takes, besides what it is of any length.
ANSWER_BYTES = 1024
#: When there are too many, so large a part goes at once: who holds most is looked up seldom.
_SPARE_PART = 64
#: Jobs whose answers are kept for their next shard, at most.
MOST_JOBS = 64

DEFAULT_PORTS = {"http": 80, "https": 443}

#: What says nothing of the URL: a later row is worth a download of its own.
_PASSING = (ErrorCode.CANCELLED, ErrorCode.INTERNAL, ErrorCode.WORKER_DIED)


def url_key(text: str, target: Target) -> bytes:
    """What *text*, the URL of a row, asks for, in 16 bytes: what is sent decides, not the spelling.

    (Most are spelled as they are sent; this is done for every row.)
    """
    url, (host, port) = target
    if "#" in text or not text.startswith((f"https://{host}/", f"http://{host}/")):
        user = "".join(url.raw_authority.rpartition("@")[:2])
        place = host if port == DEFAULT_PORTS[url.scheme] else f"{host}:{port}"
        text = f"{url.scheme}://{user}{place}{url.raw_path_qs}"
    return blake2b(text.encode(), digest_size=16).digest()


class Answer(NamedTuple):
    """What a URL came to, as it was told of the row that it was fetched for."""

    #: Of that row. (A tuple, as one is made for every row.)
    index: int  # type: ignore[assignment]
    fetch: Fetch
    outcome: Any  #: an ImageInfo, what the pool made of the body, or a Failure
    weight: int = 0  #: bytes it takes, about

    def again(self, index: int) -> Fetch:
        """The `fetch` of row *index* that has this answer: nothing was sent for it, unless it is
        that row itself, whose record was lost.
        """
        if index == self.index:
            return replace(self.fetch)
        return replace(self.fetch, bytes=0, attempts=0, requests=0, ms=0.0, same_as=self.index)


class Follows(Protocol):
    """A flow, as its rows wait for those of others."""

    halted: bool  #: it begins nothing any more

    def follow(self, row: Row, target: Target, key: bytes, answer: Answer) -> None:
        """Take the answer that a row of it waited for. Does not raise."""
        ...

    def lead(self, row: Row, target: Target, key: bytes, followers: list[Follower]) -> None:
        """Fetch for a row that waited, and for *followers*: who did it does not any more."""
        ...


class Follower(NamedTuple):
    """A row that waits, and whose it is."""

    flow: Follows
    row: Row
    target: Target


class Known:
    """What one run knows. `Repeats` makes it."""

    def __init__(self, repeats: Repeats | None) -> None:
        """Without *repeats* nothing is kept, and each row is fetched for itself."""
        self.weight = 0  #: of the answers kept
        self._shares = repeats is not None
        self._repeats = repeats
        self._answers: OrderedDict[bytes, Answer] = OrderedDict()
        self._under_way: dict[bytes, Ticket] = {}
        self.placeholders = Placeholders()  #: of this run alone: what others saw changes nothing

    @property
    def answers(self) -> int:
        """How many are kept."""
        return len(self._answers)

    def find(self, key: bytes) -> Answer | Ticket | None:
        """What is known of a URL: what it came to, or who fetches it and may be joined."""
        if (ticket := self._under_way.get(key)) is not None:
            return ticket
        if (answer := self._answers.get(key)) is not None:
            self._answers.move_to_end(key)
        return answer

    def begin(self, ticket: Ticket) -> None:
        """A URL that was not known is going to be fetched."""
        if self._shares:
            self._under_way[ticket.key] = ticket

    def settle(self, ticket: Ticket, outcome: Any) -> None:
        """Answer those that waited for a ticket that came to *outcome*, and keep it for others."""
        key, fetch = ticket.key, ticket.fetch
        if self._under_way.get(key) is not ticket:
            return  # it was fetched for itself
        del self._under_way[key]
        weight = _weight(fetch, outcome)
        answer = Answer(ticket.row.index, fetch, outcome, weight)
        # Of a silent host nothing was asked: it may have found its voice when the next row comes.
        passing = type(outcome) is Failure and outcome.code in _PASSING
        repeats = self._repeats
        if repeats is not None and fetch.attempts and not passing:
            self._answers[key] = answer
            self.weight += weight
            repeats.held += weight
            if self.weight == weight:
                repeats.holding.add(self)
            if repeats.held > repeats.most_bytes:
                repeats.evict()
        for flow, row, target in ticket.followers or ():
            flow.follow(row, target, key, answer)

    def leave(self, flow: Follows, lane: Lane) -> list[tuple[Row, Fetch]]:
        """A flow of this run ends, whatever it has under way; it is halted.

        Others that waited for it go on by themselves. Returned are its rows that waited for what
        was begun, by whomever.
        """
        waited: list[tuple[Row, Fetch]] = []
        heirs: list[tuple[bytes, list[Follower]]] = []
        for key, ticket in list(self._under_way.items()):
            followers = ticket.followers or []
            others = [follower for follower in followers if follower.flow is not flow]
            if ticket.deadline and len(others) < len(followers):  # it was begun
                answer = Answer(ticket.row.index, ticket.fetch, None)
                mine = [follower.row for follower in followers if follower.flow is flow]
                waited += [(row, answer.again(row.index)) for row in mine]
            ticket.followers = others
            if ticket.lane is lane:
                del self._under_way[key]
                heirs.append((key, others))
        for key, others in heirs:
            # A flow that is halted is about to leave as well, and has no record of what waits.
            willing = [follower for follower in others if not follower.flow.halted]
            if willing:
                first = willing.pop(0)
                first.flow.lead(first.row, first.target, key, willing)
        return waited

    def evict(self) -> int:
        """Let go of what was not asked for longest. Returns its weight."""
        _, answer = self._answers.popitem(last=False)
        self.weight -= answer.weight
        return answer.weight

    def close(self) -> None:
        """Forget all answers: the run is over. Who still waits is answered."""
        if self._repeats is not None:
            self._repeats.closed(self)
        self._repeats = None
        self._answers.clear()
        self.weight = 0


class Repeats:
    """The runs of a process, and the bound they share."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self.held = 0  #: bytes of answers kept
        self.most_bytes = most_bytes
        self.holding: set[Known] = set()  #: runs of which any are
        self._jobs: OrderedDict[Hashable, Known] = OrderedDict()

    def run(self) -> Known:
        """For a run of its own. Whoever asked closes it."""
        return Known(self)

    def of_job(self, job: Hashable) -> Known:
        """What is known in a job, or in another run of many parts; forgotten in its time."""
        known = self._jobs.get(job)
        if known is None:
            known = self._jobs[job] = Known(self)
            if len(self._jobs) > MOST_JOBS:
                self._jobs.popitem(last=False)[1].close()
        else:
            self._jobs.move_to_end(job)
        return known

    def none(self) -> Known:
        """For rows of which each is to be fetched for itself, as one may end this process."""
        return Known(None)

    def evict(self) -> None:
        """Too much is kept: the run that holds most lets go."""
        aim = self.most_bytes - self.most_bytes // _SPARE_PART
        while self.held > aim:
            most = max(self.holding, key=lambda one: one.weight)
            while self.held > aim and most.answers:
                self.held -= most.evict()

    def closed(self, known: Known) -> None:
        """A run is over."""
        self.holding.discard(known)
        self.held -= known.weight


def _weight(fetch: Fetch, outcome: Any) -> int:
    weight = ANSWER_BYTES + len(fetch.etag or "") + len(fetch.last_modified or "")
    weight += len(fetch.content_type or "") + len(fetch.final_url or "")
    if type(outcome) is bytes:
        weight += len(outcome)
    elif type(outcome) is Examined:
        weight += len(outcome.thumbnail or "")
    return weight
