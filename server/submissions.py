"""Requests that become jobs: taken in whole, handed to Redis, answered at once."""

from __future__ import annotations

import asyncio
import hashlib
import os
import uuid
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web

from server import keys
from server.job_requests import ledger_of, links, wrong
from server.problems import RequestError
from server.recipes import recipe_of
from server.requests import read_request, refuse_unreadable
from server.uploads import receive_kept
from workers.asked import ASKED, Asked, InfoRequest
from workers.jobs.fields import BadEntry, Job, parse_entry
from workers.jobs.ledger import Ledger
from workers.jobs.patience import RedisAway
from workers.jobs.refusals import (
    IntakeExhausted,
    JobExpired,
    JobUnknown,
    OtherRequest,
    RedisBroken,
)
from workers.jobs.states import JobState
from workers.manifest.addresses import is_url, shown_manifest
from workers.manifest.files import open_below
from workers.manifest.kept import KeptUpload, remove_upload
from workers.manifest.kinds import kind_of_name
from workers.manifest.opening import read_address
from workers.options import BatchOptions
from workers.tracing import spans

__all__ = ["batch_predict_async", "images_info_async"]

HEADER = "Idempotency-Key"
LONGEST_KEY = 255


async def images_info_async(request: web.Request) -> web.Response:
    """`POST /api/v1/images_info_async`: 202 with the job."""
    return await _async(request, "images_info")


async def batch_predict_async(request: web.Request) -> web.Response:
    """`POST /api/v1/batch_predict_async`: 202 with the job."""
    return await _async(request, "batch_predict")


async def _async(request: web.Request, kind_of_job: str) -> web.Response:
    ledger = ledger_of(request)
    token = _token(request)
    asked, kind = await read_request(request, ASKED[kind_of_job])
    _refuse_ordered(asked)
    _refuse_changes(asked)
    options = asked.options()
    if isinstance(options, BatchOptions):  # consumers look again, at what they have
        await recipe_of(request, options)
    if kind is None:
        job, fingerprint = _named(request, kind_of_job, asked)
        job = replace(job, traceparent=spans.traceparent())  # no part of what tells it from others
        return _accepted(await _to_its_end(_submit(ledger, job, token, fingerprint)))
    refuse_unreadable(kind, 415, "Content-Type")
    await ledger.check()  # before all of it is taken in for nothing
    async with receive_kept(request, kind) as upload:
        root = Path(request.app[keys.SETTINGS].data_root)
        bare = Job(kind_of_job, options)
        return _accepted(await _to_its_end(_submit_upload(ledger, root, upload, bare, token)))


def _named(request: web.Request, kind_of_job: str, asked: Asked) -> tuple[Job, str]:
    """The job of a JSON body, and what tells it from others. Raises RequestError."""
    settings = request.app[keys.SETTINGS]
    root = Path(settings.data_root)
    if asked.filepath is not None:
        if is_url(asked.filepath):  # whether it is there is seen by the consumer that reads it
            read_address(settings, asked.filepath)
        else:
            os.close(open_below(root, asked.filepath))
        refuse_unreadable(kind_of_name(shown_manifest(asked.filepath)), 422, "filepath")
    job = Job(kind_of_job, asked.options(), asked.filepath, None, asked.images)
    try:
        entry = job.entry()
    except TypeError as exc:
        told = "a row is nested too deep"
        raise RequestError(422, f"images: {told}", fields=[("images", told)]) from exc
    written = {name.encode(): _bytes(said) for name, said in entry.items()}
    try:
        parse_entry(written, root)  # as consumers do, who would put it to the dead letters
    except BadEntry as exc:
        if job.images is None:
            raise RequestError(422, str(exc)) from exc
        told = "more than a job takes at once: send the rows as a manifest"
        raise RequestError(413, told, detail=f"{told} ({exc})") from exc
    return job, _fingerprint(entry)


async def _submit(ledger: Ledger, job: Job, token: str, fingerprint: str) -> str:
    submitted = await ledger.submit(job, token, fingerprint)
    if not submitted.new:
        await _found(ledger, submitted.job)
    return submitted.job


async def _submit_upload(
    ledger: Ledger, root: Path, upload: KeptUpload, bare: Job, token: str
) -> str:
    """Keep the upload and hand the job in. No job is without its file.

    The file is removed only where the job surely was not taken: else consumers remove what is old
    and named by no job.
    """
    fingerprint = _fingerprint({**bare.entry(), "kind of upload": f"{upload.kind} {upload.sha256}"})
    # The same request again, after an answer that was lost, has its file under the same name.
    stem = hashlib.sha256(f"{token} {fingerprint}".encode()).hexdigest()[:32]
    name = await upload.keep(stem)
    try:
        job = replace(bare, upload=name, traceparent=spans.traceparent())
        submitted = await ledger.submit(job, token, fingerprint)
    except (OtherRequest, IntakeExhausted):
        remove_upload(root, name)
        raise
    if not submitted.new:
        try:
            before = await _found(ledger, submitted.job)
        except (RequestError, JobExpired):
            remove_upload(root, name)
            raise
        if before is not None and before.upload != name:  # it was split, from the first of them
            remove_upload(root, name)
    return submitted.job


async def _found(ledger: Ledger, job: str) -> JobState | None:
    """A job that was handed in before; None where Redis does not tell.

    Raises RequestError (410) and JobExpired where there is none any more: the client must not be
    sent to nowhere for as long as its key is known.
    """
    try:
        return await ledger.state(job)
    except JobUnknown as exc:
        told = "the job of this key was removed"
        raise RequestError(410, told, fields=[(HEADER, told)]) from exc
    except (RedisAway, RedisBroken):
        return None


async def _to_its_end(work: Coroutine[Any, Any, str]) -> str:
    """Do *work* whole, also when the client leaves meanwhile: never a file without its job."""
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # nobody is there to be told
        raise


def _accepted(job: str) -> web.Response:
    spans.note({"imagecensus.job": job})
    there = links(job)
    body = {"ok": "Processing Images", "job": job, "links": there}
    return web.Response(
        status=202,
        body=orjson.dumps(body),
        content_type="application/json",
        headers={"Location": there["self"]},
    )


def _token(request: web.Request) -> str:
    """What a request is known by when it is sent again. Raises RequestError (400)."""
    given = request.headers.getall(HEADER, [])
    if not given:
        return uuid.uuid4().hex
    key = given[0]
    good = key.isascii() and key.isprintable() and 1 <= len(key) <= LONGEST_KEY
    if len(given) > 1 or not good:
        raise wrong(HEADER, f"give one, of 1 to {LONGEST_KEY} printable ASCII characters")
    return hashlib.sha256(key.encode()).hexdigest()


def _fingerprint(entry: Mapping[str, str | bytes]) -> str:
    """The same for the same request."""
    digest = hashlib.sha256()
    for name, value in sorted(entry.items()):
        said = _bytes(value)
        digest.update(f"{name} {len(said)} ".encode() + said)
    return digest.hexdigest()


def _bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value


def _refuse_ordered(asked: Asked) -> None:
    if asked.ordered:
        told = "records of a job come as they are recorded: sort by index"
        raise RequestError(422, f"ordered: {told}", fields=[("ordered", told)])


def _refuse_changes(asked: Asked) -> None:
    if isinstance(asked, InfoRequest) and asked.changes:
        told = "what has changed is told by a stream: ask images_info"
        raise RequestError(422, f"changes: {told}", fields=[("changes", told)])
