"""Result files looked through: cut anywhere, damaged, put together wrongly."""

from __future__ import annotations

import io
import json
import random

import pytest

from imaging.facts import ErrorCode, Failure
from tests.workers.results.made import BATCHES, FACTS, START, batch, fact, file_of, summary_of
from workers.batches.records import BatchRecord
from workers.errors import ResultError
from workers.lines import encode_line
from workers.records import Record
from workers.results.survey import Survey, records, survey
from workers.summary import progress_line


def looked(text: bytes) -> Survey:
    """What is found in a file of these bytes."""
    return survey(io.BytesIO(text))


def answered(text: bytes) -> list[int]:
    """The rows that whole lines of *text* answer."""
    rows: list[int] = []
    for line in text[: text.rfind(b"\n") + 1].splitlines(keepends=True)[1:]:
        said = json.loads(line)
        found = said["rows"] if said["type"] == "batch" else [said]
        rows += [row["index"] for row in found if said["type"] != "summary"]
    return sorted(rows)


@pytest.mark.parametrize("text", [FACTS, BATCHES])
def test_a_whole_file(text: bytes) -> None:
    """Every row is done, the counts are those of its summary, which is not part of `end`."""
    found = looked(text)

    assert found.start is not None
    assert found.start["kind"] == "images_info"
    assert found.whole
    assert (found.odd, found.torn, found.twice, found.cancelled) == (False, False, None, 0)
    assert list(found.done) == answered(text)
    assert found.told is not None
    counted = found.summary
    assert found.told["rows"] == counted.rows == len(found.done)
    assert found.told["errors"] == counted.errors
    assert text is BATCHES or found.told["bytes"] == counted.bytes  # batches do not tell them
    assert text[found.end :].startswith(b'{"type":"summary"')
    assert found.size == len(text)


@pytest.mark.parametrize("text", [FACTS, BATCHES])
def test_cut_at_any_byte(text: bytes) -> None:
    """It is never an error; done are the records that stand before the cut, and nothing else."""
    rows: list[int] = []
    for length in range(len(text)):
        found = looked(text[:length])

        if text[:length].endswith(b"\n"):
            rows = answered(text[:length])
        assert text[: found.end].endswith(b"\n") or found.end == 0
        assert found.end <= length
        assert (found.start is not None) == (length >= len(START))
        assert list(found.done) == rows
        assert not found.whole
        assert found.torn == (length not in (0, found.end))


@pytest.mark.parametrize("tail", [b"\0", b"\0" * 5000, b"\xc3", b"{", b"x" * 70_000])
def test_what_a_machine_leaves_when_its_power_goes(tail: bytes) -> None:
    """Zero bytes or rubbish at the end, without a line break, is nothing."""
    for text in (START, FACTS[: FACTS.index(b"\n", len(START)) + 1]):
        found = looked(text + tail)
        assert (found.end, found.torn) == (len(text), True)
    for length in range(len(START)):
        assert looked(START[:length] + b"\0" * 99).start is None


def test_a_last_line_that_is_whole_and_broken() -> None:
    """Is as good as torn: what it may have been is asked for again."""
    head = b"".join([START, fact(0).line(), fact(1).line()])
    for line in (
        b"{}\n",
        b"\n",
        b"\0\0\n",
        fact(2).line()[:30] + b"\n",
        fact(2).line().replace(b'"http_status"', b'"no_such_error"'),
        batch(1).line().replace(b'"timeout"', b'"no_such_error"'),
        b'{"type":"image","id":"2"}\n',
    ):
        found = looked(head + line)
        assert (found.end, list(found.done), found.torn) == (len(head), [0, 1], True)
        assert found.summary.rows == 2


def test_something_behind_the_summary() -> None:
    """It is no summary then, and what is behind it is nothing either."""
    head = FACTS[: FACTS.rindex(b"\n", 0, -1) + 1]
    for tail in (b"\0\0", fact(9).line(), summary_of(fact(0)), START):
        found = looked(FACTS + tail)
        assert (found.told, found.end, found.torn, found.whole) == (None, len(head), True, False)
        assert len(found.done) == 9
    with pytest.raises(ResultError, match=r"^line 12: there is more behind the summary"):
        looked(FACTS + fact(9).line() + fact(10).line())


def test_rows_that_were_cancelled_are_no_answers() -> None:
    """Nor is a batch with such a row in it."""
    cut = Record(1, "1", "http://a.test/1", Failure(ErrorCode.CANCELLED))
    rows = [*batch(1).rows[:2], batch(0).rows[2]]
    spoiled = BatchRecord(1, (8, 8), "none", rows)
    text = file_of(fact(0), cut, fact(2)).replace(b'"complete":true', b'"complete":false')
    of_batch = spoiled.line().replace(b'"http_status"', b'"cancelled"')

    found = looked(text)
    assert list(found.done) == [0, 2]
    assert (found.odd, found.cancelled, found.whole) == (True, 1, False)
    assert found.summary.rows == 2
    assert [record.index for record in records(io.BytesIO(text), found.end)] == [0, 2]
    everything = records(io.BytesIO(text), found.end, cancelled=True)
    assert [record.index for record in everything] == [0, 1, 2]
    found = looked(START + batch(0).line() + of_batch)
    assert list(found.done) == [0, 1, 2, 3]
    assert found.cancelled == 3


def test_a_row_that_is_there_twice() -> None:
    """The first counts, and it is told."""
    found = looked(b"".join([START, fact(4).line(), fact(3).line(), fact(4).line()]))
    assert (found.twice, found.odd, found.summary.rows) == (4, True, 2)
    assert not looked(file_of(fact(0), fact(0))).whole


def test_progress_lines_are_passed_over() -> None:
    """They stand in streams and in the results of jobs."""
    line = progress_line(looked(FACTS).summary, cursor="7-1")
    found = looked(FACTS.replace(fact(2).line(), line + fact(2).line()))
    assert found.odd
    assert found.whole


def test_a_summary_that_does_not_add_up() -> None:
    """Such a file is not whole, whatever it says."""
    found = looked(FACTS.replace(fact(5).line(), b""))
    assert found.complete
    assert not found.whole


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"id\turl\n1\thttp://a.test/\n", "not a result file: its first line is not JSON"),
        (b"http://a.test/1", "not a result file"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "not a result file"),
        (b"PAR1\x15\x04", "not a result file"),
        (b"\0" * 50 + b"\n", "not a result file"),
        (b"\n" + START, "not a result file"),
        (fact(0).line(), "its first line is no start line"),
        (b'{"url":"http://a.test"}\n', "it has no type"),
        (b"[1]\n", "it has no type"),
        (b'{"type":"start","schema":1}\n', "its first line is no start line"),
        (b'{"type":"start","schema":9,"kind":"images_info"}\n', "another version"),
        (b'{"type":"start"}', "its first line is no start line"),
    ],
)
def test_what_is_no_result_file(text: bytes, told: str) -> None:
    """Is said to be none; unless it may be the beginning of one."""
    if text == b'{"type":"start"}':
        assert looked(text).start is None
        return
    with pytest.raises(ResultError, match=told):
        looked(text)


def test_damage_in_the_middle_is_told_with_its_line() -> None:
    """Bytes turned at random: it is an error that names the line, or a record that is still one."""
    dice = random.Random(11)
    refused = 0
    for _ in range(3000):
        text = bytearray(dice.choice([FACTS, BATCHES]))
        for _ in range(dice.choice([1, 1, 3, 40])):
            text[dice.randrange(len(START), len(text))] = dice.randrange(256)
        try:
            found = looked(bytes(text))
        except ResultError as exc:
            assert str(exc).startswith("line ")  # noqa: PT017 - most are none
            refused += 1
            continue
        assert len(found.done) == found.summary.rows
        again = records(io.BytesIO(bytes(text)), found.end)
        rows = [row["index"] for record in again for row in record.rows]
        assert len(rows) >= len(found.done)
    assert refused > 1000


@pytest.mark.parametrize(
    "change",
    [
        {"index": "0"},
        {"index": True},
        {"index": -1},
        {"index": 2**40},
        {"index": 1.0},
        {"id": 7},
        {"id": ["a"]},
        {"url": {"a": 1}},
        {"error": {"code": ["timeout"]}},
        {"error": "timeout"},
        {"error": {"code": "no_such_error"}},
        {"type": "start"},
        {"type": 5},
    ],
)
def test_values_that_no_record_has(change: dict[str, object]) -> None:
    """Of another type than ours: the line is named."""
    line = encode_line(json.loads(fact(0).line()) | change)
    with pytest.raises(ResultError, match=r"^line 2: "):
        looked(START + line + fact(1).line())


def test_odd_values_beside_what_counts() -> None:
    """Are as good as not there."""
    said = json.loads(fact(2).line())
    said["fetch"] = {"bytes": "many", "requests": None, "final_url": 3, "size_source": []}
    said["error"] |= {"http_status": "404", "message": None}
    found = looked(START + encode_line(said) + fact(1).line())
    assert (found.summary.failed, found.summary.bytes) == (1, 101)


def test_a_name_that_is_no_unicode() -> None:
    """What the standard library wrote, it reads."""
    start = encode_line(json.loads(START) | {"manifest": "caf\udce9.tsv"})
    found = looked(start + fact(0).line())
    assert found.start is not None
    assert found.start["manifest"] == "caf\udce9.tsv"


def test_a_line_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Is not read into memory whole."""
    monkeypatch.setattr("workers.results.survey.MAX_RECORD_BYTES", 1000)
    with pytest.raises(ResultError, match="a line of more than 1000 bytes"):
        looked(START + b"x" * 5000)
