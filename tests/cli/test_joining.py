"""Lines put together from answers that were cut anywhere, and where a file was left off."""

from __future__ import annotations

import io
import json
import random

import orjson
import pytest

from scripts.cli.exits import Refused
from scripts.cli.jobs.joining import Joined, NoResults
from scripts.cli.jobs.left_off import left_off

JOB = "5-0"


def answer(shards: list[list[int]], behind: int, size: int) -> bytes:
    """What a server gives out behind a cursor, which it tells behind every *size* shards."""
    lines: list[dict[str, object]] = [{"type": "start", "job": JOB}]
    for at in range(behind, len(shards), size):
        for shard in shards[at : at + size]:
            lines += [{"type": "image", "index": index} for index in shard]
        there = min(at + size, len(shards))
        lines.append({"type": "progress", "done": 0, "failed": 0, "cursor": f"8-{there}"})
    lines.append({"type": "summary", "complete": True})
    return b"".join(orjson.dumps(line) + b"\n" for line in lines)


@pytest.mark.parametrize("seed", range(40))
def test_cut_anywhere_it_is_one_answer(seed: int) -> None:
    """Every line once and in order, however it is cut, and in whatever groups it comes again.

    What stands in front of a cursor that was given out is all that the cursor covers: a file that
    ends there can be gone on with.
    """
    dice = random.Random(seed)
    shards = [list(range(at, at + 5)) for at in range(0, 100, 5)]
    joined, out = Joined(JOB), b""
    while joined.summary is None:
        behind = 0 if joined.cursor is None else int(joined.cursor.partition("-")[2])
        text = answer(shards, behind, dice.choice([1, 2, 3]))
        joined.connected()
        end = dice.randrange(len(text) + 400)
        for at in range(0, min(end, len(text)), 97):
            out += joined.take(text[at : min(end, at + 97)])

    lines = [json.loads(line) for line in (out + joined.last).splitlines()]
    assert [line["index"] for line in lines if "index" in line] == list(range(100))
    assert [line["type"] for line in lines if "index" not in line].count("start") == 1
    assert lines[-1]["type"] == "summary"
    for place, line in enumerate(lines):
        if line["type"] == "progress":
            count = sum("index" in before for before in lines[:place])
            assert count == 5 * int(line["cursor"].partition("-")[2])
    cursors = [line["cursor"] for line in lines if line["type"] == "progress"]
    assert len(cursors) == len(set(cursors))


@pytest.mark.parametrize(
    "text",
    [
        b'{"type":"start","job":"6-0"}\n',
        b'{"type":"start","job":null}\n',
        b'{"type":"image","index":0}\n',
        b"<html>\n",
        b'[{"type":"start"}]\n',
        b'{"type":"start","job":"5-0"}\n{"type":"summary"}\n{"type":"image","index":0}\n',
    ],
)
def test_what_is_no_answer_of_this_job(text: bytes) -> None:
    """Is not given out."""
    joined = Joined(JOB)
    joined.connected()

    with pytest.raises(NoResults):
        joined.take(text)


@pytest.mark.parametrize("block", [7, 64, 1024 * 1024])
@pytest.mark.parametrize("records", [0, 1, 30])
def test_where_a_file_was_left_off(
    monkeypatch: pytest.MonkeyPatch, block: int, records: int
) -> None:
    """Behind its last whole cursor, in whatever blocks it is read."""
    monkeypatch.setattr("scripts.cli.jobs.left_off._BLOCK", block)
    start = b'{"type":"start","schema":1,"job":"5-0"}\n'
    # A name may look like a cursor; it is not at the beginning of a line.
    record = (
        b'{"type":"image","index":0,"id":"\\n{\\"type\\":\\"progress\\",\\"cursor\\":\\"1-1\\"}"}\n'
    )
    held = start + records * record
    progress = b'{"type":"progress","done":1,"failed":0,"cursor":"7-3"}\n'
    odd = b'{"type":"progress","done":1,"failed":0}\n'
    summary = b'{"type":"summary","complete":%s,"cursor":"7-9"}\n'

    none = left_off(io.BytesIO(held + record[:-9]))
    some = left_off(io.BytesIO(held + progress + records * record + odd + progress[:-1]))
    part = left_off(io.BytesIO(held + progress + summary % b"false"))
    whole = left_off(io.BytesIO(held + progress + summary % b"true"))

    assert (none.job, none.cursor, none.end) == (JOB, None, len(start))
    assert (some.cursor, some.end, some.complete) == ("7-3", len(held + progress), False)
    assert (part.cursor, part.end, part.complete) == ("7-9", len(held + progress), False)
    assert whole.complete


@pytest.mark.parametrize(
    "held",
    [
        b"id,url\n",
        b'{"type":"start","job":null}\n',
        b'{"type":"start","job":"5-0"}\n{"type":"summary","cursor":"1-1"}\n{"type":"image"}\n',
    ],
)
def test_what_is_no_file_of_results(held: bytes) -> None:
    """Is refused, whoever made it."""
    with pytest.raises(Refused):
        left_off(io.BytesIO(held))
