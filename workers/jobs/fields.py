"""A job ↔ the fields of its entry in the intake, as people write them with redis-cli."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson
from pydantic import ValidationError

from workers.asked import ASKED, InfoRequest, wrong_fields
from workers.errors import WorkError
from workers.jobs import keys
from workers.manifest.addresses import is_url, parse_address, shown_manifest
from workers.manifest.kinds import Kind, kind_of_name
from workers.manifest.objects import MAX_INLINE_ROWS
from workers.options import BatchOptions, Options, text_of
from workers.tracing.traceparent import HEADER, Traceparent, read_traceparent

__all__ = ["BadEntry", "Cancel", "Job", "parse_entry", "raw_text"]

#: What lies in the folder of uploads: a name of ours, and how the manifest is written.
UPLOAD = re.compile(r"[0-9a-f]{32}\.(?:" + "|".join(Kind) + r")\Z")

#: More fields than a request has; a job with its options has some ten.
MAX_FIELDS = 32
#: More characters, or more objects and lists, of inline rows are not read.
MAX_IMAGES = 16 * 1024 * 1024
MAX_CONTAINERS = 300_000
#: Of an entry that is not understood so much is kept for a person to read.
RAW_FIELDS = 16
RAW_BYTES = 256


class BadEntry(WorkError):
    """An entry that is no request; the message says why to whoever reads the dead letters."""


@dataclass(frozen=True, slots=True)
class Cancel:
    """`kind cancel job <id>`."""

    job: str


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be done: one manifest, by name, uploaded or inline, and options."""

    kind: str
    options: Options
    filepath: str | None = None  #: a manifest below the data root or its URL, or …
    upload: str | None = None  #: … the name of one that came over HTTP, or …
    images: Sequence[Any] | None = None  #: … the rows themselves
    traceparent: Traceparent | None = None  #: the span it was handed in by

    @property
    def manifest(self) -> str | None:
        """As the `start` line names it."""
        if self.upload is not None:
            return "upload"
        return shown_manifest(self.filepath) if self.filepath is not None else None

    @property
    def manifest_kind(self) -> Kind | None:
        """How the manifest is written, where its name says so."""
        if self.upload is not None:
            return Kind(self.upload.rpartition(".")[2])
        return kind_of_name(self.manifest) if self.manifest is not None else None

    def entry(self) -> dict[str, str | bytes]:
        """The fields that say this, for the intake."""
        fields: dict[str, str | bytes] = {"kind": self.kind}
        if self.filepath is not None:
            fields["filepath"] = self.filepath
        if self.upload is not None:
            fields["upload"] = self.upload
        if self.images is not None:
            fields["images"] = orjson.dumps(self.images)
        plain = type(self.options)().json()
        for name, value in self.options.json().items():
            if value != plain[name]:
                fields[name] = text_of(value)
        if self.traceparent is not None:
            fields[HEADER] = str(self.traceparent)
        return fields

    @property
    def batch_size(self) -> int:
        """Rows that stay together."""
        return self.options.batch_size if isinstance(self.options, BatchOptions) else 1

    def head(self) -> dict[str, str | bytes]:
        """The fields of its hash that come from the request."""
        fields: dict[str, str | bytes] = {
            "kind": self.kind,
            "manifest": self.manifest or "",
            "options": orjson.dumps(self.options.json()),
        }
        if self.upload is not None:
            fields["upload"] = self.upload
        if self.traceparent is not None:
            fields[HEADER] = str(self.traceparent)
        return fields


def parse_entry(fields: Mapping[bytes, bytes], root: Path) -> Job | Cancel:
    """What an entry of the intake asks for; *root* is the data root of this process.

    Raises:
        BadEntry: it is no request, or not one that can be a job.
    """
    if len(fields) > MAX_FIELDS:
        raise BadEntry(f"{len(fields)} fields; no request has so many")
    said: dict[str, str] = {}
    traceparent = None
    for name, value in fields.items():
        if name.strip() == HEADER.encode():  # one that cannot be read is no reason not to do a job
            traceparent = read_traceparent(value)
            continue
        try:
            said[name.decode().strip()] = value.decode()
        except UnicodeDecodeError:
            shown = name[:40].decode(errors="backslashreplace")
            raise BadEntry(f"the field {shown!r} is not UTF-8") from None
    kind = said.pop("kind", None)
    if kind is None:
        raise BadEntry(
            "there is no field kind; give kind images_info or batch_predict, and filepath or images"
        )
    if kind == "cancel":
        return _cancel(said)
    if kind not in keys.KINDS:
        raise BadEntry(f"kind {kind[:40]!r} is none of {', '.join((*keys.KINDS, 'cancel'))}")
    return replace(_job(kind, said, root), traceparent=traceparent)


def _cancel(said: dict[str, str]) -> Cancel:
    job = said.pop("job", "")
    if not keys.is_job_id(job):
        raise BadEntry("cancel: give job and the id of one, as in: kind cancel job 1763848000000-0")
    if said:
        raise BadEntry(f"cancel takes no field {next(iter(said))[:40]!r}")
    return Cancel(job)


def _job(kind: str, said: dict[str, str], root: Path) -> Job:
    upload = said.pop("upload", None)
    if upload is not None and not UPLOAD.match(upload):
        raise BadEntry("upload: this is for manifests that came over HTTP; give filepath")
    data: dict[str, Any] = dict(said)
    if "images" in data:
        data["images"] = _images(said["images"])
    try:
        asked = ASKED[kind].model_validate(data)
    except ValidationError as exc:
        told = "; ".join(f"{name}: {sentence}" for name, sentence in wrong_fields(exc))
        raise BadEntry(told[:1000]) from exc
    if asked.ordered:
        raise BadEntry("ordered: records of a job are recorded as they come; sort them by index")
    if isinstance(asked, InfoRequest) and asked.changes:
        raise BadEntry("changes: what has changed is told by streams, not by jobs")
    given = [one for one in (asked.filepath, asked.images, upload) if one is not None]
    if len(given) != 1:
        raise BadEntry("give filepath or images" + (", only one of them" if given else ""))
    if asked.filepath is not None and (problem := _misplaced(asked.filepath, root)):
        raise BadEntry(f"filepath: {problem}")
    return Job(kind, asked.options(), asked.filepath, upload, asked.images)


def _images(text: str) -> list[Any]:
    if len(text) > MAX_IMAGES or text.count("{") + text.count("[") > MAX_CONTAINERS:
        raise BadEntry("images: larger than is read at once: name a manifest by filepath")
    try:
        images = orjson.loads(text)
    except orjson.JSONDecodeError as exc:
        raise BadEntry(f"images: not JSON: {exc.msg}") from exc
    if not isinstance(images, list):
        raise BadEntry('images: give a JSON array, as in ["https://example.org/1.jpg"]')
    if len(images) > MAX_INLINE_ROWS:
        raise BadEntry(f"images: more than {MAX_INLINE_ROWS} rows: name a manifest by filepath")
    return images


def _misplaced(filepath: str, root: Path) -> str | None:
    """Why a path does not lie below the data root, or what is wrong with a URL.

    Whether that is opened is for the settings of the consumer to say, and for the job to tell.
    """
    if is_url(filepath):
        return _wrong(filepath)
    parts = [part for part in filepath.split("/") if part]
    if not parts or "\0" in filepath:
        return "not a path"
    base = os.path.abspath(root).rstrip("/") + "/"  # noqa: PTH100 - the root may be a link
    if filepath.startswith("/") and not filepath.startswith(base):
        return f"{filepath[:200]!r} is not below CENSUS_DATA_ROOT"
    if any(part.startswith(".") for part in parts):
        return "no part of it may begin with a dot; it is read below CENSUS_DATA_ROOT"
    return None


def _wrong(url: str) -> str | None:
    try:
        return parse_address(url).odd
    except ValueError as exc:
        return str(exc)


def raw_text(fields: Mapping[bytes, bytes]) -> str:
    """An entry as it was, cut where it is long, for the dead letters."""
    told = [f"{_shown(name)} {_shown(value)}" for name, value in list(fields.items())[:RAW_FIELDS]]
    if len(fields) > RAW_FIELDS:
        told.append(f"… {len(fields) - RAW_FIELDS} more fields")
    return "; ".join(told)


def _shown(value: bytes) -> str:
    shown = value[:RAW_BYTES].decode(errors="backslashreplace")
    return shown if len(value) <= RAW_BYTES else f"{shown}… ({len(value)} bytes)"
