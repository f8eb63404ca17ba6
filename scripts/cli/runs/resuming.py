"""Going on with a run that was cut: what its file holds, and whether that is still of the manifest.

A file whose manifest has the same stamp (time of change and size, or what the host says) is gone on
with. Otherwise every recorded row is compared with the manifest as it is now.
"""

from __future__ import annotations

import asyncio
import sys
from array import array
from collections.abc import AsyncGenerator, Callable, Iterator, MutableMapping, MutableSequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import orjson

from scripts.cli.exits import Refused
from scripts.cli.files.result_file import ResultFile
from scripts.cli.runs import work
from workers.errors import ResultError
from workers.flow import shown_url
from workers.lines import encode_line, encode_value
from workers.manifest.rows import Row
from workers.results.indexes import Indexes
from workers.results.survey import Survey, records, survey

__all__ = ["LENIENT", "check_same", "look", "reconcile"]

#: Options that may be others when a run is gone on with: they change no record.
LENIENT = ("limit", "ordered", "timeout")

Rows = Callable[[], AsyncGenerator[Row, None]]


async def look(file: ResultFile) -> Survey:
    """What stands in *file*. Raises Refused where it is not one of ours."""

    try:
        with file.reading() as opened:  # closed below a thread that is waited for no more, it ends
            return await asyncio.to_thread(survey, opened)
    except ResultError as exc:
        raise Refused(f"{file.path}: {exc}; it is left as it is") from exc


def check_same(
    file: ResultFile, start: dict[str, Any], kind: str, given: dict[str, Any]
) -> dict[str, Any]:
    """The options a file was begun with, those *given* among them where they may differ.

    Raises:
        Refused: it is of another kind of run, or begun with other options.
    """
    if start["kind"] != kind:
        told = f"{file.path} holds {start['kind']}, not {kind}"
        raise Refused(f"{told}: it is gone on with by the command that began it")
    begun = start.get("options")
    if not isinstance(begun, dict):
        raise Refused(f"{file.path}: its start line has no options")
    asked = orjson.loads(encode_value(work.ask(kind, given).options().json()))
    for name in given:
        if name not in LENIENT and begun.get(name) != asked[name]:
            told = f"{file.path} was begun with {name} {begun.get(name)!r}, not {asked[name]!r}"
            raise Refused(f"{told}: leave that option out, or name another file")
    kept = {name: value for name, value in begun.items() if name not in LENIENT}
    return kept | {name: given[name] for name in LENIENT if name in given}


@dataclass(slots=True)
class _Differences:
    """Between the rows recorded and those of the manifest as it is now."""

    met: Indexes = field(default_factory=Indexes)  #: recorded rows that the manifest has
    changed: Indexes = field(default_factory=Indexes)  #: of these, with another id or URL
    first: Row | None = None  #: of these, as it is now
    rows: int = 0  #: of the manifest
    gone: int = 0  #: recorded rows that are not in it


async def reconcile(
    file: ResultFile,
    found: Survey,
    start: dict[str, Any],
    rows: Rows,
    *,
    force: bool,
    say: Callable[[str], None],
) -> Survey:
    """Make *file* one to write on, once it is cut at `end`: each row is in it once, and is still
    one of the manifest.

    *start* is what its first line is to say, *rows* reads the manifest from its beginning.

    Raises:
        Refused: the manifest changed since, and not *force*; there are rows beyond the limit.
    """
    begun = found.start or {}
    drop = Indexes()
    anew = _other_limit(file, found, begun, start)
    rows_now = None
    if not _same_manifest(begun, start):
        differs = await _differences(file, found, rows)
        told = list(_told(file, found, begun, start, differs))
        if told and not force:
            as_it_was = (
                "" if differs.changed or differs.gone else "; the recorded rows are as they were"
            )
            raise Refused(
                f"{start.get('manifest')} is not what {file.path} was begun with: "
                f"{'; '.join(told)}{as_it_was}. --force goes on with it as it is now"
            )
        for sentence in told:
            say(f"the manifest changed: {sentence}")
        drop, rows_now = differs.changed, differs.rows
        anew = anew or bool(told)
        if differs.gone:
            for index in found.done:
                if index not in differs.met:
                    drop.add(index)
    if start["kind"] == "batch_predict" and (anew or rows_now is not None or not found.complete):
        await asyncio.to_thread(_drop_short, file, found, start["options"], rows_now, drop)
    if anew or drop or (found.odd and not found.whole):
        await asyncio.to_thread(_rewrite, file, found, start if anew else begun, drop)
        return await look(file)
    return found


def _same_manifest(begun: dict[str, Any], start: dict[str, Any]) -> bool:
    """Whether nothing needs to be compared: files of one size may be of one second, so the name
    counts as well.
    """
    names = ("manifest", "manifest_stamp")
    return bool(start.get("manifest_stamp")) and all(
        begun.get(name) == start[name] for name in names
    )


def _other_limit(
    file: ResultFile, found: Survey, begun: dict[str, Any], start: dict[str, Any]
) -> bool:
    """Whether there are to be other rows than those it was begun for. Raises Refused where it has
    too many.
    """
    was, limit = begun["options"].get("limit"), start["options"]["limit"]
    if was == limit or (was is None and found.whole):
        return False
    if limit is not None and found.done.end > limit:
        told = f"{file.path} has rows beyond the first {limit:,}"
        raise Refused(f"{told}: raise --limit, or leave it out")
    return True


def _drop_short(
    file: ResultFile, found: Survey, options: dict[str, Any], rows: int | None, drop: Indexes
) -> None:
    """Batches that end where the manifest, or the limit, does so no more: they are made again, as
    a run of its own would make them. *rows* are those of the manifest, if that is known.
    """
    size, limit = options["batch_size"], options["limit"]
    end = min(sys.maxsize if most is None else most for most in (rows, limit))
    with file.reading() as opened:
        for record in records(opened, found.end):
            if record.width < min(size, end - record.index // size * size):
                for row in record.rows:
                    drop.add(row["index"])


def _rewrite(file: ResultFile, found: Survey, start: dict[str, Any], drop: Indexes) -> None:
    def lines() -> Iterator[bytes]:
        seen = Indexes()
        yield encode_line(start)
        with file.reading() as opened:
            for record in records(opened, found.end):
                indexes = [row["index"] for row in record.rows]
                if not any(index in drop or index in seen for index in indexes):
                    for index in indexes:
                        seen.add(index)
                    yield record.text

    file.replace(lines())


async def _differences(file: ResultFile, found: Survey, rows: Rows) -> _Differences:
    prints = await asyncio.to_thread(_fingerprints, file, found)
    differs = _Differences()
    async with aclosing(rows()) as reading:
        async for row in reading:
            differs.rows = max(differs.rows, row.index + 1)
            if row.index in found.done:
                differs.met.add(row.index)
                if prints[row.index] != hash((row.id, shown_url(row))):
                    differs.changed.add(row.index)
                    differs.first = differs.first or row
    differs.gone = len(found.done) - len(differs.met)
    return differs


def _fingerprints(
    file: ResultFile, found: Survey
) -> MutableSequence[int] | MutableMapping[int, int]:
    """Of each row recorded, what its id and URL come to."""
    prints: MutableSequence[int] | MutableMapping[int, int] = {}
    if found.done.end <= 8 * len(found.done):
        prints = array("q", bytes(8 * found.done.end))
    with file.reading() as opened:
        for record in records(opened, found.end):
            for row in record.rows:
                prints[row["index"]] = hash((row.get("id"), row.get("url")))
    return prints


def _told(
    file: ResultFile,
    found: Survey,
    begun: dict[str, Any],
    start: dict[str, Any],
    differs: _Differences,
) -> Iterator[str]:
    """What changed, in sentences; none where it only has another date."""
    before, now = begun.get("manifest_bytes"), start.get("manifest_bytes")
    if before is not None and now is not None and before != now:
        yield f"it had {before:,} bytes and has {now:,}"
    if (row := differs.first) is not None:
        was = _recorded(file, found, row.index)
        more = len(differs.changed) - 1
        others = (
            f", and {more:,} more {'rows differ' if more > 1 else 'row differs'}" if more else ""
        )
        yield f"row {row.index} was {was} and is {_shown(row.id, shown_url(row))}{others}"
    if differs.gone:
        several = "recorded rows are" if differs.gone > 1 else "recorded row is"
        yield f"{differs.gone:,} {several} not in it any more"
    total = (found.told or {}).get("rows") if found.complete else None
    limited = (begun.get("options") or {}).get("limit") is not None
    if type(total) is int and not limited and differs.rows > total:
        yield f"it had {total:,} rows and has {differs.rows:,}"


def _recorded(file: ResultFile, found: Survey, index: int) -> str:
    with file.reading() as opened:
        for record in records(opened, found.end):
            for row in record.rows:
                if row["index"] == index:
                    return _shown(str(row.get("id")), row.get("url"))
    return "another"


def _shown(identity: str, url: str | None) -> str:
    return repr(f"{identity[:100]} {(url or 'a bad row')[:200]}")
