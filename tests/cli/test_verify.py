"""Whether a result file is whole, as `verify` says."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
import zstandard

from scripts.cli.files.verifying import verify
from tests.workers.results.made import BATCHES, FACTS, START, batch, fact, file_of, summary_of
from workers.batches.records import BatchRecord

TWICE = BatchRecord(0, (8, 8), "none", [batch(0).rows[0], batch(0).rows[0]])


@pytest.mark.parametrize("text", [FACTS, BATCHES, file_of()])
@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstandard.ZstdCompressor().compress])
def test_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: bytes, pack: type) -> None:
    """Exit 0; compressed ones are read as well."""
    path = tmp_path / "facts.ndjson"
    path.write_bytes(pack(text))
    assert verify(path, quiet=False) == 0
    assert f"{path} is whole: " in capsys.readouterr().err
    assert verify(path, quiet=True) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"", "it is empty"),
        (START[:40], "not even its first line is whole"),
        (FACTS[:-1], "it was cut: its last line is not whole"),
        (FACTS[: FACTS.rindex(b"\n", 0, -1) + 1], "there is no summary"),
        (FACTS + b"\0\0", "it was cut"),
        (FACTS + START, "it was cut"),
        (FACTS.replace(fact(5).line(), b""), "row 5 has no record"),
        (FACTS.replace(fact(5).line(), b""), "its summary says rows 9, its records add up to 8"),
        (FACTS.replace(fact(8).line(), b""), "its summary says failed 3, its records add up to 2"),
        (FACTS.replace(fact(1).line(), fact(0).line()), "row 0 has more than one record"),
        (FACTS.replace(b'"complete":true', b'"complete":false'), "it is not complete"),
        (
            START + fact(0).line() + summary_of(fact(0), reason="interrupted"),
            "it is not complete: interrupted",
        ),
        (FACTS.replace(b'"timeout","stage"', b'"cancelled","stage"'), "1 rows were cancelled"),
        (FACTS.replace(b"404 Not Found", b'404 "Not Found'), "line 5: not JSON"),
        (b"http://a.test/\n", "not a result file"),
        (START.replace(b"images_info", b"imagex_info"), "not a result file"),
        (START + TWICE.line() + summary_of(TWICE), "line 2: a batch that has a row twice"),
        (START + batch(0, 1025).line() + summary_of(), "line 2: a batch of more than 1024 rows"),
        (START + summary_of(reason="\x1b]0;title\x07"), "not complete: \ufffd]0;title\ufffd"),
    ],
)
def test_not_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: bytes, told: str
) -> None:
    """Exit 1, and what is missing."""
    path = tmp_path / "facts.ndjson"
    path.write_bytes(text)
    assert verify(path, quiet=True) == 1
    assert f"{path}: " in (err := capsys.readouterr().err)
    assert told in err


def test_what_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 2: nothing was looked at."""
    (cut := tmp_path / "cut.gz").write_bytes(gzip.compress(FACTS)[:-20])
    for path in (tmp_path, tmp_path / "nothing", cut):
        assert verify(path, quiet=False) == 2
        assert f"cannot read {path}: " in capsys.readouterr().err


def test_a_damaged_gzip(tmp_path: Path) -> None:
    """Whichever bit it is: a sentence, and no traceback."""
    packed = bytearray(gzip.compress(FACTS))
    path = tmp_path / "facts.ndjson.gz"
    for at in range(12, len(packed), 7):
        path.write_bytes(packed[:at] + bytes([packed[at] ^ 16]) + packed[at + 1 :])
        assert verify(path, quiet=True) in (0, 1, 2)
