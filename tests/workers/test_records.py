"""Records, the summary and the one line codec."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaging.facts import ErrorCode, Failure, ImageInfo
from workers.changes import Change, Earlier
from workers.lines import encode_line, start_line
from workers.options import Depth, InfoOptions
from workers.records import Fetch, Record
from workers.summary import Summary, progress_line

HEADER = ImageInfo(
    "JPEG", (800, 600), image_mode="RGB", orientation=1, animated=False, image_size=120345
)
FULL = HEADER._replace(
    sha256="00" * 32,
    phash="0123456789abcdef",
    frames=1,
    has_icc=False,
    sharpness=1.5,
    brightness=2.5,
    contrast=3.5,
    colourfulness=4.5,
)
FETCH = Fetch(
    status=200,
    bytes=16384,
    attempts=1,
    requests=1,
    ms=31.24,
    size_source="content_range",
    content_type="image/jpeg",
    etag='"x"',
)


def told(record: Record) -> dict[str, Any]:
    """The object a record's line holds."""
    line = record.line()
    assert line.endswith(b"}\n")
    assert line.count(b"\n") == 1
    found: dict[str, Any] = json.loads(line)
    return found


def test_line_of_facts() -> None:
    """As the contract has it, in its order."""
    line = Record(0, "17", "https://h/a", HEADER, FETCH).line()
    assert line == (
        b'{"type":"image","index":0,"id":"17","url":"https://h/a","image_info":{"image_size":120345,'
        b'"image_dimension":[800,600],"image_format":"JPEG","image_mode":"RGB","orientation":1,'
        b'"animated":false},"fetch":{"status":200,"bytes":16384,"attempts":1,"requests":1,"ms":31.2,'
        b'"size_source":"content_range","final_url":null,"content_type":"image/jpeg",'
        b'"etag":"\\"x\\"","last_modified":null}}\n'
    )


def test_line_of_a_failure() -> None:
    """No facts, an error with its stage, and `http_status` only where there is one."""
    failure = Failure(ErrorCode.HTTP_STATUS, "404 Not Found", 404)
    line = told(Record(1, "18", "https://h/b", failure, FETCH))
    assert list(line) == ["type", "index", "id", "url", "image_info", "error", "fetch"]
    assert line["image_info"] is None
    assert line["error"] == {
        "code": "http_status",
        "stage": "fetch",
        "message": "404 Not Found",
        "http_status": 404,
        "retryable": False,
    }
    bad = told(Record(2, "2", None, Failure(ErrorCode.BAD_ROW)))
    assert bad["url"] is None
    assert bad["fetch"] is None
    assert bad["error"]["message"] == ErrorCode.BAD_ROW.sentence
    assert "http_status" not in bad["error"]


def test_full_depth_adds_its_facts() -> None:
    """Measures and hashes stand in `image_info`, a thumbnail beside it."""
    line = told(Record(0, "0", "https://h/a", FULL, FETCH, "data:image/webp;base64,AA"))
    assert list(line["image_info"])[6:] == [
        "sha256",
        "phash",
        "frames",
        "has_icc",
        "sharpness",
        "brightness",
        "contrast",
        "colourfulness",
    ]
    assert line["thumbnail"] == "data:image/webp;base64,AA"
    assert "sha256" not in told(Record(0, "0", "https://h/a", HEADER, FETCH))["image_info"]


def test_change_stands_before_the_fetch() -> None:
    """What differs with both values; nothing of it where no earlier census was there."""
    what = {"image_dimension": ((800, 600), (1, 2)), "etag": ('"a"', '"b"')}
    line = told(Record(0, "0", "u", HEADER, FETCH, change=Change("changed", what)))
    assert list(line)[4:] == ["image_info", "change", "changed", "fetch"]
    assert line["change"] == "changed"
    assert line["changed"] == {"image_dimension": [[800, 600], [1, 2]], "etag": ['"a"', '"b"']}
    same = told(Record(0, "0", "u", HEADER, FETCH, change=Change("unchanged")))
    assert (same["change"], "changed" in same, "before" in same) == ("unchanged", False, False)
    assert not {"change", "changed"} & told(Record(0, "0", "u", HEADER, FETCH)).keys()


def test_row_that_was_not_judged_says_what_it_was_compared_with() -> None:
    """As much of the earlier record as the next census needs."""
    timeout = Failure(ErrorCode.TIMEOUT)
    kept = Earlier(HEADER, '"x"', None, "https://h/b", "X-Robots-Tag: noai")
    line = told(Record(0, "0", "u", timeout, FETCH, change=Change(None, kept=kept)))
    assert list(line)[4:] == ["image_info", "error", "change", "before", "fetch"]
    assert line["change"] is None
    assert line["before"] == {
        "image_info": told(Record(0, "0", "u", HEADER))["image_info"],
        "fetch": {
            "final_url": "https://h/b",
            "etag": '"x"',
            "last_modified": None,
            "opt_out": "X-Robots-Tag: noai",
        },
    }
    gone = Earlier(Failure(ErrorCode.TLS, "expired"), None, None)
    line = told(Record(0, "0", "u", timeout, change=Change(None, kept=gone)))
    assert line["before"]["image_info"] is None
    assert line["before"]["error"]["code"] == "tls"
    assert "opt_out" not in line["before"]["fetch"]


@pytest.mark.parametrize("verdict", ["unchanged", "changed", "gone", None])
def test_change_is_counted(verdict: str | None) -> None:
    """By its verdict; a row not judged is not."""
    summary = Summary()
    summary.count(Record(0, "0", "u", HEADER, FETCH, change=Change(verdict)))
    summary.count(Record(1, "1", "u", HEADER, FETCH))
    assert dict(summary.changes) == ({verdict: 1} if verdict else {})


def test_other_columns_stand_beside_the_facts() -> None:
    """As they were given; also on a line that cannot be written the fast way."""
    passed = b'{"n":1.5,"t":["x"]}'
    for identity in ("0", "\ud800"):
        line = told(Record(0, identity, "u", HEADER, FETCH, None, passed))
        assert line["extra"] == {"n": 1.5, "t": ["x"]}
    assert "extra" not in told(Record(0, "0", "u", HEADER, FETCH))
    assert b"extra" not in Record(0, "0", "u", HEADER, FETCH, None, passed).keyed()


@pytest.mark.parametrize("code", list(ErrorCode))
def test_every_code_makes_a_line(code: ErrorCode) -> None:
    """With its stage, a sentence and whether asking again may help."""
    error = told(Record(0, "0", "u", Failure(code)))["error"]
    assert (error["code"], error["stage"]) == (code.value, code.stage.value)
    assert error["message"]
    assert error["retryable"] is code.retryable


@given(st.text(), st.text() | st.none(), st.text())
def test_any_text_makes_one_line(identity: str, url: str | None, message: str) -> None:
    """Line breaks of all kinds, NULs and quotes are escaped, and come back as they were."""
    record = Record(5, identity, url, Failure(ErrorCode.BAD_URL, message))
    found = told(record)
    assert (found["id"], found["url"]) == (identity, url)
    pair = json.loads(b"{" + record.keyed() + b"}")
    assert list(pair) == [identity]


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb"])
def test_lone_surrogates_make_a_line(text: str) -> None:
    """A JSON body may hold them: they are written escaped, in both kinds of answer."""
    record = Record(0, text, text, Failure(ErrorCode.BAD_URL, text), Fetch(etag=text))
    assert record.line().isascii()
    assert told(record)["id"] == text
    assert list(json.loads(b"{" + record.keyed() + b"}")) == [text]


def test_integers_beyond_64_bits_make_a_line() -> None:
    """Ids of a JSON body are any size."""
    assert json.loads(encode_line({"id": 1 << 70})) == {"id": 1 << 70}


def test_keyed_as_the_predecessor_answered() -> None:
    """Exactly three facts, or an empty string and a sentence."""
    pair = json.loads(b"{" + Record(0, "17", "https://h/a", FULL, FETCH).keyed() + b"}")
    assert pair == {
        "17": {
            "url": "https://h/a",
            "image_info": {
                "image_size": 120345,
                "image_dimension": [800, 600],
                "image_format": "JPEG",
            },
        }
    }
    failed = Record(1, "18", "https://h/b", Failure(ErrorCode.TIMEOUT)).keyed()
    assert json.loads(b"{" + failed + b"}") == {
        "18": {"url": "https://h/b", "image_info": "", "error": ErrorCode.TIMEOUT.sentence}
    }
    assert b"\n" not in failed


def test_summary_adds_up() -> None:
    """Rows, what failed and why, statuses, bytes of all attempts."""
    summary = Summary()
    for outcome in (
        HEADER,
        Failure(ErrorCode.HTTP_STATUS, "", 404),
        Failure(ErrorCode.HTTP_STATUS, "", 404),
        Failure(ErrorCode.HTTP_STATUS, "", 503),
        Failure(ErrorCode.DNS_NOT_FOUND),
    ):
        summary.count(Record(0, "0", "u", outcome, FETCH))
    summary.count(Record(0, "0", None, Failure(ErrorCode.BAD_ROW)))
    line = json.loads(summary.line(seconds=2.12345, manifest_sha256="ab"))
    assert line == {
        "type": "summary",
        "rows": 6,
        "ok": 1,
        "failed": 5,
        "errors": {"http_status": 3, "dns_not_found": 1, "bad_row": 1},
        "http_statuses": {"404": 2, "503": 1},
        "bytes": 5 * 16384,
        "seconds": 2.123,
        "manifest_sha256": "ab",
        "complete": True,
    }
    assert json.loads(progress_line(summary)) == {"type": "progress", "done": 6, "failed": 5}
    partial = json.loads(summary.line(seconds=0, reason="cancelled"))
    assert (partial["complete"], partial["reason"]) == (False, "cancelled")


def test_start_line() -> None:
    """Kind, manifest and options as they were understood."""
    options = InfoOptions(depth=Depth.FULL, limit=5)
    line = json.loads(start_line(kind="images_info", manifest="a.tsv", options=options.json()))
    assert (line["type"], line["schema"], line["job"]) == ("start", 1, None)
    assert line["options"]["depth"] == "full"
    assert line["options"]["limit"] == 5


@pytest.mark.parametrize(
    ("options", "whole"),
    [
        (InfoOptions(), False),
        (InfoOptions(depth=Depth.FULL), True),
        (InfoOptions(thumbnail=64), True),
    ],
)
def test_what_needs_whole_files(options: InfoOptions, whole: bool) -> None:
    """Full depth, and a thumbnail at any depth."""
    assert options.needs_body is whole


def test_records_pickle() -> None:
    """They may cross a process."""
    record = Record(0, "17", "https://h/a", FULL, FETCH, "data:")
    assert pickle.loads(pickle.dumps(record)) == record  # noqa: S301 - our own
    failed = Record(0, "17", None, Failure(ErrorCode.HTTP_STATUS, "x", 404))
    assert pickle.loads(pickle.dumps(failed)) == failed  # noqa: S301
