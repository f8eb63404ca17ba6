"""A job → its shards, fed into Redis no further ahead than there are consumers for.

The entry of the job stays leased while it is split, so the job of a splitter that died is claimed
by another, which goes on behind the last row that was fed.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from pathlib import Path

from workers.errors import ManifestError, ManifestNotFound
from workers.jobs.feeding import Feed, NotOurs, Opened
from workers.jobs.fields import Job
from workers.jobs.leases import Held
from workers.jobs.shards import MAX_SHARDS
from workers.manifest.addresses import is_url
from workers.manifest.files import upload_source
from workers.manifest.objects import inline_rows
from workers.manifest.opening import NamedSource, open_source
from workers.manifest.reading import read_rows
from workers.manifest.rows import Resume, Row
from workers.options import BatchOptions, Pixels
from workers.settings import WorkSettings

__all__ = ["split_job"]

logger = logging.getLogger(__name__)

#: The rows of a shard are at most about so much text, however few they are then.
SHARD_BYTES = 4 * 1024 * 1024
#: And those of a batch, which stay together, never more.
LARGEST_BATCH = 32 * 1024 * 1024
#: The lines of a shard whose batches have their arrays in them are at most about so long.
LINES_BYTES = 8 * 1024 * 1024
#: Of a list, which writes up to three digits and a comma for each byte; base64 takes less.
BYTES_PER_LEVEL = 4
#: Where the predictor says the size, which who splits need not have: none is larger, as a rule.
USUAL_SIDE = 256
#: A host that does not give a manifest just now is asked again so often, some fifteen seconds.
TRIES = 5
#: So many consumers died without getting a row further: it is the manifest.
MOST_DEATHS = 20


async def split_job(settings: WorkSettings, feed: Feed, job: Job, held: Held) -> str | None:
    """Split a job whole. What is wrong with its manifest fails the job, and says so in it.

    Returns why it failed, or None.

    Raises:
        NotOurs: it ended meanwhile, or somebody else splits it on.
        RedisAway: the time for it was over.
    """
    opened = await feed.open(job, held.entry.deliveries)
    failed: str | None = None
    try:
        if opened.deaths >= MOST_DEATHS:
            told = f"{opened.deaths} consumers died splitting it behind row {opened.rows}"
            raise ManifestError(told)
        if job.images is not None:
            await _feed_rows(settings, feed, job, _inline(job, opened.rows), dict)
            await feed.seal(settings.result_ttl, {})
        else:
            await _split_file(settings, feed, job, opened, held.entry.id)
    except ManifestError as exc:
        if held.lost:  # whoever has it now may be able to read on
            raise NotOurs from exc
        failed = str(exc)
        await feed.fail(failed, settings.result_ttl)
    if job.upload is not None:
        remove_upload(settings, job.upload)
    return failed


async def _split_file(
    settings: WorkSettings, feed: Feed, job: Job, opened: Opened, job_id: str
) -> None:
    async with _opened(settings, job, opened, job_id) as source:
        if opened.stamp not in ("", source.stamp):
            raise ManifestError(f"the manifest changed after row {opened.rows} was read")
        if opened.rows and source.stamp is None:
            why = "its host tells no version of it (ETag, Last-Modified)"
            raise ManifestError(f"the manifest cannot be read on after row {opened.rows}: {why}")

        def about() -> dict[str, str | int]:  # rows a plain file may have in all are estimated
            size = {"size": source.size} if source.plain and source.size is not None else {}
            return {"stamp": source.stamp or ""} | size

        after = Resume(opened.rows, opened.offset) if opened.rows else None
        limit = job.options.limit
        rows = read_rows(
            source, kind=job.manifest_kind, limit=limit, extra=job.options.extra, after=after
        )
        await _feed_rows(settings, feed, job, rows, about)
        told: dict[str, str | int] = {}
        if limit is None:
            sha256 = source.sha256 if after is None else await source.whole_sha256()
            if sha256 is not None:
                told["manifest_sha256"] = sha256
        await feed.seal(settings.result_ttl, told)


@asynccontextmanager
async def _opened(
    settings: WorkSettings, job: Job, opened: Opened, job_id: str
) -> AsyncIterator[NamedSource]:
    """The manifest. Raises ManifestError with what to do about it.

    Clients of the service read that: which host and folder it was is in the log only.
    """
    root = Path(settings.data_root)
    async with AsyncExitStack() as stack:
        try:
            source: NamedSource
            if job.upload is not None:
                most = int(settings.max_body_bytes)
                source = file = upload_source(root, job.upload, max_bytes=most)
                stack.callback(file.close)
            else:
                opening = open_source(settings, job.filepath or "", retries=TRIES)
                source = await stack.enter_async_context(opening)
        except ManifestNotFound as exc:
            told = {"job": job_id, "manifest": job.manifest, "data_root": str(root)}
            logger.warning("a manifest is not there", extra={"action": "no_manifest", **told})
            raise ManifestError(_missing(job, opened, root, str(exc))) from exc
        yield source


def _missing(job: Job, opened: Opened, root: Path, told: str) -> str:
    """What to say of a manifest that is not found, of which *told* was said."""
    if is_url(job.filepath or ""):
        on = f"the manifest cannot be read on after row {opened.rows}: " if opened.rows else ""
        return f"{on}{told} (asked by the consumer that took the job)"
    if opened.rows:
        return f"the manifest is gone after row {opened.rows} was read"
    where = "the CENSUS_DATA_ROOT of the consumer that took it"
    hint = "consumers that do not see the manifests are started with --no-intake"
    if not root.is_dir():
        return f"{where} is not there; {hint}"
    what = "uploaded manifest" if job.upload is not None else f"{job.filepath!r}"
    return f"there is no {what[:300]} below {where}; {hint}"


async def _feed_rows(
    settings: WorkSettings,
    feed: Feed,
    job: Job,
    rows: AsyncGenerator[Row, None],
    about: Callable[[], dict[str, str | int]],
) -> None:
    """Rows → shards, in order. What was read before an error is fed all the same."""
    shard: list[Row] = []
    size = shards = 0
    together, most = job.batch_size, rows_of_shard(settings, job)

    async def give() -> None:
        nonlocal size, shards
        shards += 1
        if shards > MAX_SHARDS:
            raise ManifestError(f"the manifest has more than {MAX_SHARDS} shards of rows")
        given, size = shard.copy(), 0
        shard.clear()
        await feed.feed(given, most_bytes=int(settings.max_redis_results), about=about())

    try:
        async with aclosing(rows):
            async for row in rows:
                shard.append(row)
                size += len(row.url or "") + len(row.id) + len(row.extra or b"")
                if size > LARGEST_BATCH:
                    told = (
                        f"{len(shard)} rows that stay together are more than {LARGEST_BATCH} bytes"
                    )
                    shard.clear()
                    raise ManifestError(f"{told}: take a smaller batch_size")
                # By its index: a shard that an error cut short may have ended within a batch.
                whole = (row.index + 1) % together == 0
                if whole and (len(shard) + together > most or size >= SHARD_BYTES):
                    await give()
    except ManifestError:
        if shard:
            await give()
        raise
    if shard:
        await give()


def rows_of_shard(settings: WorkSettings, job: Job) -> int:
    """How many rows are leased and recorded together: whole batches, one at least."""
    options, most = job.options, settings.shard_rows
    if isinstance(options, BatchOptions) and options.pixels is not Pixels.NONE:
        width, height = options.size or (USUAL_SIDE, USUAL_SIDE)
        most = min(most, LINES_BYTES // (BYTES_PER_LEVEL * 3 * width * height))
    return max(1, most // job.batch_size) * job.batch_size


async def _inline(job: Job, begun: int) -> AsyncGenerator[Row, None]:
    options = job.options
    for row in inline_rows(job.images or [], limit=options.limit, extra=options.extra):
        if row.index >= begun:
            yield row


def remove_upload(settings: WorkSettings, name: str) -> None:
    """A manifest that came over HTTP has served."""
    with suppress(OSError):
        (Path(settings.data_root) / ".uploads" / name).unlink(missing_ok=True)
