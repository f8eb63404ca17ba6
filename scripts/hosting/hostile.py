"""Everything a host can do wrong on purpose, by name: `/hostile/<name>/…`.

The picture is chosen by what follows the name, as everywhere. `python scripts/picture_host.py
--list-hostile` prints the names with a sentence each; docs/hostile-inputs.md says what the census
makes of them.
"""

from collections.abc import Mapping

from hosting import bombs, breaks, claims, codings, framing, heads, mazes
from hosting.misdeed import Misdeed

MISDEEDS: Mapping[str, Misdeed] = {
    **framing.MISDEEDS,
    **heads.MISDEEDS,
    **claims.MISDEEDS,
    **codings.MISDEEDS,
    **mazes.MISDEEDS,
    **breaks.MISDEEDS,
    **bombs.MISDEEDS,
}


def listing() -> str:
    """One line for each name, for people."""
    width = max(map(len, MISDEEDS))
    return "\n".join(f"{name:{width}}  {misdeed.says}" for name, misdeed in MISDEEDS.items())
