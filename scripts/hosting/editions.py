"""Pictures that were replaced or removed since the host began: for those who look again."""

from collections import Counter
from collections.abc import Mapping, Sequence

from hosting.pictures import CONTENT_TYPES, MADE_AT, Picture, choose, picture

DAY_SECONDS = 86_400


class Editions:
    """What a rest of a target answers with by now."""

    def __init__(self) -> None:
        self._changes: Counter[str] = Counter()
        self._removed: set[str] = set()

    def change(self, rest: str) -> None:
        """Put another picture there, of a later date."""
        self._removed.discard(rest)
        self._changes[rest] += 1

    def remove(self, rest: str) -> None:
        """Take it away."""
        self._removed.add(rest)

    def picture(
        self, rest: str, shelf: Mapping[str, Picture], names: Sequence[str]
    ) -> Picture | None:
        """The picture that *rest* chooses; None where it was removed."""
        if rest in self._removed:
            return None
        name = choose(rest, names)
        if not (times := self._changes.get(rest, 0)):
            return shelf[name]
        other = shelf[names[(names.index(name) + times) % len(names)]]
        kind = CONTENT_TYPES["." + other.name.rpartition(".")[2].lower()]
        return picture(other.name, other.data, kind, MADE_AT + times * DAY_SECONDS)
