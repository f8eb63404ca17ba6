"""What the process does that reads a Parquet file: standard input → lines on standard output.

A line is `[id, url, extra, problem]` for each row, `extra` being JSON as text. The last one is
`{"rows": n}` or `{"error": why}`; without it the process died. A blank line says nothing but that
it lives. Reading is within bounds of memory.

The arguments: the row to begin with, the row to end before or -1, and `extra` or nothing.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from uuid import UUID

import orjson

from workers.manifest.lines import MAX_LINE_BYTES
from workers.manifest.rows import extra_json

if TYPE_CHECKING:
    import pyarrow
    from pyarrow.parquet import ParquetFile

__all__ = ["main"]

#: What reading may take above the process as it starts.
MEMORY_BYTES = 1024 * 1024 * 1024
#: Of rows at a time, and of bytes of a column.
_BATCH_ROWS = 256
_BUFFER_BYTES = 1024 * 1024


def main() -> None:
    """Read standard input to its end. The last line says what came of it."""
    rows, limit, extra = int(sys.argv[1]), int(sys.argv[2]), "extra" in sys.argv[3:]
    out = sys.stdout.buffer
    try:
        os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"  # others reserve a gigabyte at once
        import pyarrow as pa
        import pyarrow.parquet as pq

        pa.set_cpu_count(1)
        pa.set_io_thread_count(1)
        _bound_memory()
        file = pq.ParquetFile(
            sys.stdin.buffer, buffer_size=_BUFFER_BYTES, pre_buffer=False, memory_map=False
        )
        for lines in _batches(file, rows, extra):
            if limit >= 0:
                lines = lines[: limit - rows]
            out.write(b"".join(lines))
            rows += len(lines)
            if not lines:  # rows that are passed over: a blank line says that it goes on
                out.write(b"\n")
                out.flush()
            if rows == limit:
                break
        last: dict[str, Any] = {"rows": rows}
    except BrokenPipeError:
        return
    except BaseException as exc:
        last = {"error": _sentence(exc)}
    _say(out, last)


def _say(out: BinaryIO, last: dict[str, Any]) -> None:
    out.write(orjson.dumps(last, option=orjson.OPT_APPEND_NEWLINE))
    out.flush()


def _sentence(exc: BaseException) -> str:
    if isinstance(exc, MemoryError):
        return "it needs more memory than is given"
    text = " ".join(str(exc).split()).encode(errors="replace").decode()
    return text[:300] or type(exc).__name__


def _bound_memory() -> None:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except OSError:  # not on Linux
        return
    bound = pages * resource.getpagesize() + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (bound, bound))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _batches(file: ParquetFile, begin: int, extra: bool) -> Iterator[list[bytes]]:
    """The rows from *begin* on, as lines, a batch at a time."""
    names = [field.name for field in file.schema_arrow]
    folded = [name.strip().lower() for name in names]
    if "url" not in folded:
        told = ", ".join(names[:20])
        raise ValueError(f"it has no column url, only: {told}" if told else "it has no columns")
    url = names[folded.index("url")]
    identity = names[folded.index("id")] if "id" in folded else None
    others = [
        field.name
        for field in file.schema_arrow
        if extra and field.name not in (url, identity) and not _holds_binary(field.type)
    ]
    wanted = [url, *([identity] if identity is not None else []), *others]
    groups, passed_over = _groups(file, begin)
    for batch in file.iter_batches(
        _BATCH_ROWS, row_groups=groups, columns=wanted, use_threads=False
    ):
        if passed_over:
            batch, passed_over = batch[passed_over:], max(0, passed_over - batch.num_rows)
        columns = {
            name: _values(batch.column(at))
            for at, name in reversed(list(enumerate(batch.schema.names)))
        }
        ids = columns[identity] if identity is not None else [None] * batch.num_rows
        passed = [columns[name] for name in others]
        yield [
            _line(
                ids[at],
                columns[url][at],
                {name: column[at] for name, column in zip(others, passed, strict=True)}
                if extra
                else None,
            )
            for at in range(batch.num_rows)
        ]


def _groups(file: ParquetFile, begin: int) -> tuple[list[int], int]:
    """The row groups from that of the row *begin* on, and how many rows stand before it there."""
    for at in range(file.num_row_groups):
        count = file.metadata.row_group(at).num_rows
        if begin < count:
            return list(range(at, file.num_row_groups)), begin
        begin -= count
    if begin:
        raise ValueError("it has fewer rows than were read of it before")
    return [], 0


def _holds_binary(kind: pyarrow.DataType) -> bool:
    """Whether there are bytes in it that are not text, at any depth."""
    from pyarrow import types

    if types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind):
        return True
    if types.is_dictionary(kind):
        return _holds_binary(kind.value_type)
    return any(_holds_binary(kind.field(at).type) for at in range(kind.num_fields))


def _values(column: pyarrow.Array) -> list[Any]:
    try:
        found: list[Any] = column.to_pylist()
    except Exception:
        return [_value(scalar) for scalar in column]
    return found


def _value(scalar: pyarrow.Scalar) -> Any:
    """One value; as far as it can be told: text may not be UTF-8, a date beyond the calendar."""
    try:
        return scalar.as_py()
    except UnicodeDecodeError:
        return scalar.as_buffer().to_pybytes()
    except Exception:
        return None


def _line(identity: Any, url: Any, others: dict[str, Any] | None) -> bytes:
    known, problem, extra = "", None, None
    try:
        known = _identity(identity)
        url = _url(url)
        if others is not None:
            extra = extra_json(others).decode()
    except ValueError as exc:
        problem, url = str(exc), None
    line = orjson.dumps([known, url, extra, problem], option=orjson.OPT_APPEND_NEWLINE)
    if len(line) > MAX_LINE_BYTES:
        told = f"the row is longer than {MAX_LINE_BYTES} bytes"
        return orjson.dumps([known[:200], None, None, told], option=orjson.OPT_APPEND_NEWLINE)
    return line


def _url(value: Any) -> str:
    if isinstance(value, bytes):  # text that was written without saying so
        return value.decode()  # UnicodeDecodeError is a ValueError that says enough
    if isinstance(value, str):
        return value
    raise ValueError("no url" if value is None else "url is not text")


def _identity(value: Any) -> str:
    """The id as text; none where there is none."""
    if value is None or (isinstance(value, float) and isnan(value)):
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, int | float | Decimal | date | UUID) and not isinstance(value, bool):
        return str(value)
    raise ValueError("id is neither text nor a number")


if __name__ == "__main__":
    main()
