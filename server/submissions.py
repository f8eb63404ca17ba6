"""Requests that become jobs: taken in whole, handed to Redis, answered at once."""

from __future__ import annotations

import asyncio
import hashlib
import os
import uuid
from pathlib import Path

import orjson
from aiohttp import web

from server import keys
from server.job_requests import ledger_of, links, wrong
from server.problems import RequestError
from server.requests import MANIFEST_TYPES, read_json, read_query, refuse_unreadable
from server.uploads import receive_kept
from workers.asked import InfoRequest
from workers.jobs.fields import MAX_IMAGES, Job
from workers.jobs.ledger import Ledger
from workers.jobs.refusals import JobUnknown
from workers.manifest.files import open_below
from workers.manifest.kept import KeptUpload, remove_upload
from workers.manifest.kinds import kind_of_name

__all__ = ["images_info_async"]

HEADER = "Idempotency-Key"
LONGEST_KEY = 255


async def images_info_async(request: web.Request) -> web.Response:
    """`POST /api/v1/images_info_async`: 202 with the job."""
    ledger = ledger_of(request)
    token = _token(request)
    kind = MANIFEST_TYPES.get(request.content_type)
    if kind is None:
        job, fingerprint = _named(request, await read_json(request))
        return _accepted(await _to_its_end(_submit(ledger, job, token, fingerprint)))
    asked = read_query(request)
    _refuse_ordered(asked)
    refuse_unreadable(kind, 415, "Content-Type")
    await ledger.check()  # before all of it is taken in for nothing
    async with receive_kept(request, kind) as upload:
        root = Path(request.app[keys.SETTINGS].data_root)
        return _accepted(await _to_its_end(_submit_upload(ledger, root, upload, asked, token)))


def _named(request: web.Request, asked: InfoRequest) -> tuple[Job, str]:
    """The job of a JSON body, and what tells it from others. Raises RequestError."""
    _refuse_ordered(asked)
    if asked.filepath is not None:
        root = Path(request.app[keys.SETTINGS].data_root)
        os.close(open_below(root, asked.filepath))
        refuse_unreadable(kind_of_name(asked.filepath), 422, "filepath")
    job = Job("images_info", asked.options(), asked.filepath, None, asked.images)
    try:
        entry = job.entry()
    except TypeError as exc:
        told = "a row is nested too deep"
        raise RequestError(422, f"images: {told}", fields=[("images", told)]) from exc
    if len(entry.get("images", b"")) > MAX_IMAGES:
        raise RequestError(413, "more than a job takes at once: send the rows as a manifest")
    return job, _fingerprint(job, orjson.dumps([asked.filepath, asked.images]))


async def _submit_upload(
    ledger: Ledger, root: Path, upload: KeptUpload, asked: InfoRequest, token: str
) -> str:
    """Keep the upload and hand the job in: both, or neither."""
    bare = Job("images_info", asked.options())
    fingerprint = _fingerprint(bare, f"{upload.kind} {upload.sha256}".encode())
    # The same request again, after an answer that was lost, has the file under the same name.
    stem = hashlib.sha256(f"{token} {fingerprint}".encode()).hexdigest()[:32]
    name = await upload.keep(stem)
    job = Job(bare.kind, bare.options, upload=name)
    try:
        submitted = await ledger.submit(job, token, fingerprint)
        if not submitted.new and not await _waits_for(ledger, submitted.job, name):
            remove_upload(root, name)
    except BaseException:
        remove_upload(root, name)
        raise
    return submitted.job
