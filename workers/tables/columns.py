"""The columns of each kind of table: always the same, whatever was asked for and found.

A column is named for the member of the record that it holds; members of `fetch` carry that name in
front, so that none is taken for another.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["COLUMNS", "Column"]

#: How pandas holds what Arrow calls so. All of these know a null that is not a value.
_DTYPES = {
    "int8": "Int8",
    "int16": "Int16",
    "int32": "Int32",
    "int64": "Int64",
    "double": "Float64",
    "bool": "boolean",
    "string": "string",
}


class Column(NamedTuple):
    """One column of a table."""

    name: str
    type: str  #: of Arrow, or `json`: a text that is JSON
    member: str  #: of the record, with dots; `line.` before those of the line that a batch is

    @property
    def nullable(self) -> bool:
        """Whether there may be no value. Each row has an index."""
        return self.name != "index"

    @property
    def arrow(self) -> str:
        """Its type in Arrow, and in the Parquet file."""
        return "string" if self.type == "json" else self.type

    @property
    def dtype(self) -> str:
        """Its type in pandas."""
        return _DTYPES[self.arrow] if self.nullable else self.arrow


_ROW = (
    Column("index", "int64", "index"),
    Column("id", "string", "id"),
    Column("url", "string", "url"),
)
_ERROR = (
    Column("error", "string", "error.code"),
    Column("error_stage", "string", "error.stage"),
    Column("error_message", "string", "error.message"),
    Column("http_status", "int16", "error.http_status"),
    Column("retryable", "bool", "error.retryable"),
)
_EXTRA = Column("extra", "json", "extra")

#: By kind of work, in the order they stand in.
COLUMNS: dict[str, tuple[Column, ...]] = {
    "images_info": (
        *_ROW,
        Column("image_size", "int64", "image_info.image_size"),
        Column("image_width", "int32", "image_info.image_dimension.0"),
        Column("image_height", "int32", "image_info.image_dimension.1"),
        Column("image_format", "string", "image_info.image_format"),
        Column("image_mode", "string", "image_info.image_mode"),
        Column("orientation", "int8", "image_info.orientation"),
        Column("animated", "bool", "image_info.animated"),
        Column("sha256", "string", "image_info.sha256"),
        Column("phash", "string", "image_info.phash"),
        Column("frames", "int32", "image_info.frames"),
        Column("has_icc", "bool", "image_info.has_icc"),
        Column("sharpness", "double", "image_info.sharpness"),
        Column("brightness", "double", "image_info.brightness"),
        Column("contrast", "double", "image_info.contrast"),
        Column("colourfulness", "double", "image_info.colourfulness"),
        *_ERROR,
        Column("fetch_status", "int16", "fetch.status"),
        Column("fetch_bytes", "int64", "fetch.bytes"),
        Column("fetch_attempts", "int32", "fetch.attempts"),
        Column("fetch_requests", "int32", "fetch.requests"),
        Column("fetch_ms", "double", "fetch.ms"),
        Column("fetch_size_source", "string", "fetch.size_source"),
        Column("fetch_final_url", "string", "fetch.final_url"),
        Column("fetch_content_type", "string", "fetch.content_type"),
        Column("fetch_etag", "string", "fetch.etag"),
        Column("fetch_last_modified", "string", "fetch.last_modified"),
        Column("fetch_opt_out", "string", "fetch.opt_out"),
        Column("fetch_same_as", "int64", "fetch.same_as"),
        Column("fetch_suspect_placeholder", "bool", "fetch.suspect_placeholder"),
        Column("change", "string", "change"),
        Column("changed", "json", "changed"),
        Column("before", "json", "before"),
        Column("thumbnail", "string", "thumbnail"),
        _EXTRA,
    ),
    "batch_predict": (
        *_ROW,
        Column("batch", "int64", "line.batch"),
        Column("position", "int32", "position"),
        Column("predictor", "string", "line.predictor"),
        Column("prediction", "json", "prediction"),
        *_ERROR,
        _EXTRA,
    ),
}
