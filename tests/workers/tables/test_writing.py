"""Tables as pandas and DuckDB open them: types, values, nulls, row groups, whatever a line says."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from imaging.facts import ErrorCode, Failure, ImageInfo
from workers.batches.records import BatchRecord, BatchRow
from workers.changes import Change, Earlier
from workers.errors import ResultError, TableError
from workers.lines import start_line
from workers.records import Fetch, Record
from workers.summary import Summary
from workers.tables import formats, writing
from workers.tables.columns import COLUMNS
from workers.tables.formats import Format, format_of_name
from workers.tables.writing import open_table

PICTURE = ImageInfo("JPEG", (800, 600), "RGB", 6, False, 2**40)
FULL = PICTURE._replace(
    sha256="ab" * 32,
    phash="0123456789abcdef",
    frames=1,
    has_icc=True,
    sharpness=12.5,
    brightness=100.0,
    contrast=3.25,
    colourfulness=0.0,
)
FETCH = Fetch(206, 16384, 1, 2, 31.26, "content_range", "https://h/b", "image/jpeg", '"e"', "Wed")
GONE = Failure(ErrorCode.HTTP_STATUS, "404 Not Found", 404)

RECORDS = [
    Record(0, "a", "https://h/a", PICTURE, FETCH),
    Record(1, "NA", 'https://h/ä,"q"\nline\rend', GONE, Fetch(404, attempts=1, requests=1)),
    Record(
        2,
        "",
        "https://h/c",
        FULL,
        Fetch(200, 5, 1, 1, 1.0, same_as=0, suspect_placeholder=True, opt_out="noai"),
        thumbnail="data:image/webp;base64,AAAA",
        extra=b'{"price":"1,5","ean":123456789012345678901234567890}',
    ),
    Record(3, "3", None, Failure(ErrorCode.BAD_ROW, "no url")),
    Record(
        4,
        "4",
        "https://h/d",
        PICTURE,
        FETCH,
        change=Change("changed", {"image_size": (1, 2)}),
    ),
    Record(
        5, "5", "https://h/e", GONE, FETCH, change=Change(None, kept=Earlier(PICTURE, None, None))
    ),
]
START = start_line(kind="images_info", manifest="images.tsv", options={})
BATCH = BatchRecord(
    7,
    (64, 64),
    "cats",
    [
        BatchRow(14, "a", "https://h/a", b'{"scores":{"cat":0.25}}', position=0),
        BatchRow(15, "b", "https://h/b", GONE),
        BatchRow(16, "c", "https://h/c", b"null", position=1, extra=b'{"x":"y"}'),
    ],
    pixels=b'"' + b"A" * 5000 + b'"',
)


def line_of(index: int = 0, **said: Any) -> bytes:
    """A record somebody wrote by hand."""
    return json.dumps({"type": "image", "index": index, "id": str(index), **said}).encode()


def table_of(form: Format, lines: bytes, kind: str = "images_info") -> bytes:
    """A whole table, as the bytes of its file."""
    table = open_table(form, kind)
    table.write(lines)
    table.finish(START, Summary(rows=6).line(seconds=1.0))
    told = table.take()
    table.close()
    return told


def frame_of(lines: bytes, kind: str = "images_info") -> pd.DataFrame:
    """The same, opened by pandas."""
    return pd.read_parquet(io.BytesIO(table_of(Format.PARQUET, lines, kind)))


def plain(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Its rows, null as None."""
    return [
        {name: None if pd.isna(value) else value for name, value in row.items()}
        for row in frame.to_dict("records")
    ]


def test_each_column_has_its_type_whatever_stands_in_it() -> None:
    """Of six rows and of none: pandas and Arrow see the types that are written down."""
    for kind, columns in COLUMNS.items():
        body = table_of(Format.PARQUET, b"", kind)
        schema = parquet.read_schema(io.BytesIO(body))
        assert schema.names == [column.name for column in columns]
        assert [str(type_) for type_ in schema.types] == [column.arrow for column in columns]
        frame = pd.read_parquet(io.BytesIO(body))
        assert list(map(str, frame.dtypes)) == [column.dtype for column in columns]
        assert len(frame) == 0
    lines = b"".join(record.line() for record in RECORDS)
    frame = frame_of(lines)
    assert list(map(str, frame.dtypes)) == [column.dtype for column in COLUMNS["images_info"]]


def test_values_and_nulls_are_those_of_the_records() -> None:
    """Every member of a record has its column; what is not known is null."""
    rows = plain(frame_of(b"".join(record.line() for record in RECORDS)))

    assert [row["index"] for row in rows] == [0, 1, 2, 3, 4, 5]
    assert {name for name, value in rows[0].items() if value is not None} == {
        *("index", "id", "url", "image_size", "image_width", "image_height", "image_format"),
        *("image_mode", "orientation", "animated", "fetch_status", "fetch_bytes", "fetch_attempts"),
        *("fetch_requests", "fetch_ms", "fetch_size_source", "fetch_final_url", "fetch_etag"),
        *("fetch_content_type", "fetch_last_modified", "fetch_suspect_placeholder"),
    }
    first, gone, full, bad, changed, unjudged = rows
    assert (first["image_size"], first["image_width"], first["image_height"]) == (2**40, 800, 600)
    assert (first["orientation"], first["animated"]) == (6, False)
    assert (first["fetch_ms"], first["fetch_requests"]) == (31.3, 2)
    assert first["fetch_suspect_placeholder"] is False
    assert (gone["id"], gone["url"]) == ("NA", RECORDS[1].url)
    assert (gone["error"], gone["error_stage"], gone["error_message"]) == (
        "http_status",
        "fetch",
        "404 Not Found",
    )
    assert (gone["http_status"], gone["retryable"], gone["image_size"]) == (404, False, None)
    assert full["id"] == ""
    assert (full["sha256"], full["has_icc"], full["sharpness"]) == ("ab" * 32, True, 12.5)
    assert (full["fetch_same_as"], full["fetch_suspect_placeholder"]) == (0, True)
    assert (full["fetch_opt_out"], full["thumbnail"]) == ("noai", "data:image/webp;base64,AAAA")
    assert full["extra"] == '{"price":"1,5","ean":123456789012345678901234567890}'
    assert (bad["url"], bad["fetch_suspect_placeholder"]) == (None, None)
    assert (changed["change"], changed["changed"]) == ("changed", '{"image_size":[1,2]}')
    assert unjudged["change"] is None
    assert json.loads(unjudged["before"])["image_info"]["image_format"] == "JPEG"


def test_predictions_are_a_row_each() -> None:
    """What its batch says stands in each row; arrays do not; null is a prediction, too."""
    one, gone, null = plain(frame_of(BATCH.line(), "batch_predict"))

    assert [row["index"] for row in (one, gone, null)] == [14, 15, 16]
    assert (one["batch"], one["predictor"], one["position"]) == (7, "cats", 0)
    assert one["prediction"] == '{"scores":{"cat":0.25}}'
    assert (gone["prediction"], gone["position"], gone["http_status"]) == (None, None, 404)
    assert (null["prediction"], null["extra"]) == ("null", '{"x":"y"}')


def test_duckdb_opens_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line; of Parquet with the types, of CSV with what DuckDB takes them for."""
    lines = b"".join(record.line() for record in RECORDS)
    monkeypatch.chdir(tmp_path)
    for form in Format:
        Path(f"facts.{form}").write_bytes(table_of(form, lines))
    asked = "select index, url, image_width, http_status, retryable from 'facts.{}' order by index"
    for form in Format:
        told = duckdb.sql(asked.format(form)).fetchall()
        assert told[:2] == [
            (0, "https://h/a", 800, None, None),
            (1, RECORDS[1].url, None, 404, False),
        ]
        assert [row[0] for row in told] == list(range(6))
    described = duckdb.sql("describe from 'facts.parquet'").fetchall()
    types = {"int64": "BIGINT", "int32": "INTEGER", "int16": "SMALLINT", "int8": "TINYINT"}
    types |= {"double": "DOUBLE", "bool": "BOOLEAN", "string": "VARCHAR"}
    assert [(name, type_) for name, type_, *_ in described] == [
        (column.name, types[column.arrow]) for column in COLUMNS["images_info"]
    ]


def test_csv_keeps_each_row_a_row() -> None:
    """Line breaks of both kinds, quotes and commas in cells: as RFC 4180, ended by line feeds."""
    body = table_of(Format.CSV, b"".join(record.line() for record in RECORDS))

    header, first, *_ = body.decode().split("\n")
    assert header == ",".join(column.name for column in COLUMNS["images_info"])
    assert first.startswith("0,a,https://h/a,1099511627776,800,600,JPEG,RGB,6,False,,,")
    types = {column.name: column.dtype for column in COLUMNS["images_info"]}
    frame = pd.read_csv(io.BytesIO(body), dtype=types, keep_default_na=False, na_values=[""])
    expected = frame_of(b"".join(record.line() for record in RECORDS))
    expected.loc[2, "id"] = pd.NA  # CSV does not tell "" from null
    pd.testing.assert_frame_equal(frame, expected)


@pytest.mark.parametrize("form", list(Format))
def test_odd_values_are_null_or_text_and_one_row_stays_one(form: Format) -> None:
    """Numbers beyond a type, other types, members that are no objects, surrogates, NUL."""
    lines = [
        line_of(
            0,
            url=["no", "text"],
            image_info={
                "image_size": 2**63,
                "image_dimension": [2**31, "x"],
                "image_format": 5,
                "orientation": 300,
                "animated": 1,
                "sharpness": 10**400,
                "brightness": 7,
                "frames": 1.0,
                "contrast": "high",
            },
            error="gone",
            fetch=[1],
        ),
        line_of(1, url="https://h/\ud800x\udcff", extra={"\ud800": "\ud83d\ude00"}),
        line_of(2, url="a\0b", image_info={"image_dimension": [1, 2, 3]}, error={"code": None}),
        line_of(3, url=None, extra={"n": float("nan")}, fetch={"same_as": True, "ms": -0.5}),
        line_of(4, url="u", image_info={"image_size": True, "image_dimension": {"0": 3}}),
    ]
    body = table_of(form, b"\n".join(lines))
    if form is Format.CSV:
        types = {column.name: column.dtype for column in COLUMNS["images_info"]}
        rows = plain(pd.read_csv(io.BytesIO(body), dtype=types))
    else:
        rows = plain(pd.read_parquet(io.BytesIO(body)))

    assert [row["index"] for row in rows] == list(range(5))
    odd, text, nul, none, flag = rows
    known = {name: value for name, value in odd.items() if value is not None}
    assert known == {
        "index": 0,
        "id": "0",
        "url": '["no","text"]',
        "image_format": "5",
        "brightness": 7.0,
    }
    assert text["url"] == "https://h/\ufffdx\ufffd"
    assert json.loads(text["extra"]) == {"\ufffd": "\U0001f600"}
    assert nul["url"] == ("a\ufffdb" if form is Format.CSV else "a\0b")
    assert (nul["image_width"], nul["error"]) == (None, None)
    assert (none["url"], none["fetch_same_as"], none["fetch_ms"]) == (None, None, -0.5)
    assert (flag["image_size"], flag["image_width"]) == (None, None)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"{", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 2000 + b"]" * 2000, "not JSON"),
        (b"[]", "no type"),
        (b'{"type":1}', "no type"),
        (b'{"type":"image","index":"1"}', "index"),
        (b'{"type":"image"}', "index"),
        (b'{"type":"batch","rows":[{"index":1}]}', "batch"),
        (b'{"type":"summary"}', "summary"),
    ],
)
def test_what_is_no_record_is_an_error(line: bytes, told: str) -> None:
    """And nothing else: a row without its index is nobody's."""
    table = open_table(Format.CSV, "images_info")

    with pytest.raises(ResultError, match=told):
        table.write(line)


@pytest.mark.parametrize("form", list(Format))
def test_row_groups_come_while_it_grows(form: Format, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes are there to be taken long before the end; each group has its rows."""
    monkeypatch.setattr(writing, "GROUP_ROWS", 100)
    table = open_table(form, "images_info")
    assert table.take().startswith(b"PAR1" if form is Format.PARQUET else b"index,id,url,")
    parts = []
    for index in range(250):
        table.write([Record(index, str(index), f"https://h/{index}", PICTURE, FETCH).line()])
        parts.append(table.take())
    assert [number for number, part in enumerate(parts) if part] == [99, 199]
    table.finish(START, None)
    table.close()
    if form is Format.CSV:
        assert b"".join(parts).count(b"\n") == 200
        assert table.take().count(b"\n") == 50
    else:
        file = parquet.ParquetFile(io.BytesIO(b"PAR1" + b"".join(parts) + table.take()))
        groups = [file.metadata.row_group(number) for number in range(file.num_row_groups)]
        assert [group.num_rows for group in groups] == [100, 100, 50]
        assert groups[0].column(0).compression == "ZSTD"
        assert file.read()["index"].to_pylist() == list(range(250))


def test_long_texts_make_smaller_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded by text, not by rows alone."""
    monkeypatch.setattr(writing, "GROUP_CHARACTERS", 100_000)
    picture = "data:" + "A" * 30_000
    lines = b"".join(
        Record(index, "", "u", PICTURE, thumbnail=picture).line() for index in range(9)
    )
    file = parquet.ParquetFile(io.BytesIO(table_of(Format.PARQUET, lines)))

    assert [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)] == [4, 4, 1]


def test_a_parquet_file_tells_whether_it_is_complete() -> None:
    """By the lines around the records it was made of."""
    body = table_of(Format.PARQUET, RECORDS[0].line())
    told = parquet.read_metadata(io.BytesIO(body)).metadata

    assert json.loads(told[b"imagecensus.start"]) == json.loads(START)
    assert json.loads(told[b"imagecensus.summary"])["complete"] is True
    table = open_table(Format.PARQUET, "images_info")
    table.finish(START, None)
    told = parquet.read_metadata(io.BytesIO(table.take())).metadata
    assert b"imagecensus.summary" not in told


def test_one_that_is_let_go_is_no_parquet_file(tmp_path: Path) -> None:
    """Without its footer nothing opens it; and nothing more is written."""
    path = tmp_path / "facts.parquet"
    with path.open("wb") as file:
        table = open_table(Format.PARQUET, "images_info", file)
        table.write(RECORDS[0].line())
        table.flush()
        size = file.tell()
        table.close()
        assert file.tell() == size
    with pytest.raises(pa.ArrowInvalid):
        parquet.read_table(path)


@pytest.mark.parametrize("form", list(Format))
def test_a_full_disk_is_told_as_it_is(form: Format) -> None:
    """The error of the file, and none when the table is let go."""
    with Path("/dev/full").open("wb", buffering=0) as full:
        with pytest.raises(OSError, match="No space"):
            open_table(form, "images_info", full)
        kept = _Filling(full)
        table = open_table(form, "images_info", kept)
        table.write(RECORDS[0].line())
        kept.full = True
        with pytest.raises(OSError, match="No space"):
            table.finish(START, None)
        table.close()


class _Filling(io.BytesIO):
    """Takes bytes until it is *full*, then passes them on to where there is no space."""

    def __init__(self, disk: io.RawIOBase) -> None:
        super().__init__()
        self.disk = disk
        self.full = False

    def write(self, data: Any) -> int:
        """As a disk does."""
        return self.disk.write(data) or 0 if self.full else super().write(data)


def test_the_name_tells_the_format() -> None:
    """By its ending, in any case; a name that is all ending has none."""
    assert format_of_name("a/facts.parquet") is Format.PARQUET
    assert format_of_name("facts.b.CSV") is Format.CSV
    for name in ("facts.ndjson", "facts", "parquet", ".csv", "a.csv/b", "facts.csv.gz", ""):
        assert format_of_name(name) is None


def test_without_the_extra_it_is_said_what_to_install() -> None:
    """In a process that cannot import pandas: a sentence, and nothing else needs it."""
    program = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("pandas", "pyarrow"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Blocked())
from workers.errors import TableError
from workers.tables.formats import Format
from workers.tables.writing import open_table
try:
    open_table(Format.CSV, "images_info")
except TableError as exc:
    print(exc)
"""
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )

    assert told.stdout == "tables need the extra parquet: pip install 'imagecensus[parquet]'\n"
    assert issubclass(TableError, Exception)
    assert formats.check_writable() is None
