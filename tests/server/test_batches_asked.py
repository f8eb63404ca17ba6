"""`batch_predict`: what is refused, by its name, before any line; and requests that become jobs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.imaging.predictors import models
from tests.picture_hosts import PictureHost
from tests.server.recording import JOBS, Queue
from tests.server.serving import BATCH, TSV, Served
from workers.asked import BatchRequest
from workers.jobs.fields import Job, parse_entry

pytestmark = pytest.mark.asyncio(loop_scope="session")

Serve = Callable[..., Awaitable[Served]]

KEYED = {"Accept": "application/json"}
SIDES = "give two whole numbers from 1 to 4096"

#: An option, and what is said of it.
WRONG = [
    ({"batch_size": -1}, "batch_size", "greater than or equal to 0"),
    ({"batch_size": 1025}, "batch_size", "less than or equal to 1024"),
    ({"batch_size": "abc"}, "batch_size", "integer"),
    ({"batch_size": 2.5}, "batch_size", "integer"),
    ({"batch_size": True}, "batch_size", "give a number"),
    ({"batch_size": None}, "batch_size", "integer"),
    ({"size": 0}, "size", SIDES),
    ({"size": 10000}, "size", SIDES),
    ({"size": -64}, "size", SIDES),
    ({"size": [64, 0]}, "size", SIDES),
    ({"size": [1, 2, 3]}, "size", SIDES),
    ({"size": [64, 64.5]}, "size", SIDES),
    ({"size": [True, 64]}, "size", SIDES),
    ({"size": {}}, "size", SIDES),
    ({"size": "axb"}, "size", "give [width, height], a number, or text as 224x224"),
    ({"size": "64x"}, "size", "give [width, height]"),
    ({"fit": "cover"}, "fit", "'stretch', 'pad' or 'crop'"),
    ({"filter": "cubic"}, "filter", "'bicubic'"),
    ({"pixels": "png"}, "pixels", "'npy'"),
    ({"matte": "blue"}, "matte", "give a colour"),
    ({"matte": [256, 0, 0]}, "matte", "give a colour"),
    ({"timeout": 601}, "timeout", "less than or equal to 600"),
    ({"limit": -1}, "limit", "greater than or equal to 0"),
    ({"depth": "full"}, "depth", "no such option"),
    ({"thumbnail": 96}, "thumbnail", "no such option"),
    ({"predictor": "cats"}, "predictor", "known: appearance, none"),
    ({"predictor": ""}, "predictor", "known: appearance, none"),
    ({"predictor": "../none"}, "predictor", "known: appearance, none"),
    ({"predictor": "x" * 65}, "predictor", "at most 64"),
    ({"predictor": 7}, "predictor", "string"),
    ({"batch_size": 1024, "size": 2048}, "size", "take smaller batches"),
    ({"batch_size": 32, "size": 512, "pixels": "npy"}, "size", "with pixels it may have 16777216"),
    ({"batch_size": 1024, "size": 74, "pixels": "list"}, "size", "take smaller batches"),
]


@pytest.mark.parametrize(("options", "field", "told"), WRONG, ids=lambda part: str(part)[:40])
@pytest.mark.parametrize("path", [BATCH, f"{BATCH}_async"])
async def test_what_is_wrong_is_named(
    queue: Queue, path: str, options: dict[str, Any], field: str, told: str
) -> None:
    """422 with the option and a sentence; nothing is handed in."""
    problem = (await queue.served.ask(path, json={"images": ["foo"], **options})).problem(422)

    assert [wrong["field"] for wrong in problem["errors"]] == [field]
    assert told in problem["errors"][0]["detail"]
    assert problem["error"].startswith(f"{field}: ")
    assert await queue.entries() == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"batch_size": "many"}, "batch_size"),
        ({"size": "axb"}, "size"),
        ({"size": "0x5"}, "size"),
        ({"size": "99999"}, "size"),
        ({"predictor": "cats"}, "predictor"),
        ({"filepath": "images.tsv"}, "filepath"),
        ({"sise": "64"}, "sise"),
    ],
)
async def test_what_is_wrong_in_a_query_is_named(
    served: Served, query: dict[str, str], field: str
) -> None:
    """Of a manifest that is the body, which then is not waited for."""
    async with served.talk() as talk:
        asked = "&".join(f"{name}={value}" for name, value in query.items())
        await talk.ask(f"{BATCH}?{asked}", length=1_000_000, Content_Type=TSV["Content-Type"])
        status, _ = await talk.head()
        said = await talk.until(b"}]}")

    assert status == 422
    assert f'"field":"{field}"'.encode() in said


@pytest.mark.parametrize(
    ("options", "read"),
    [
        ({"batch_size": 0}, {"batch_size": 32}),
        ({"batch_size": "7"}, {"batch_size": 7}),
        ({"batch_size": 1024, "size": 16}, {"batch_size": 1024, "size": [16, 16]}),
        ({"size": 4096, "batch_size": 1}, {"size": [4096, 4096]}),
        ({"size": " 32 x 16 "}, {"size": [32, 16]}),
        ({"size": "32,16"}, {"size": [32, 16]}),
        ({"size": "48"}, {"size": [48, 48]}),
        ({"size": None}, {"size": None}),
        ({"matte": "Black"}, {"matte": "#000000"}),
        ({"matte": "fA0"}, {"matte": "#ffaa00"}),
        ({"matte": [1, 2, 255]}, {"matte": "#0102ff"}),
        ({"fit": "pad", "filter": "lanczos"}, {"fit": "pad", "filter": "lanczos"}),
        ({"size": 512, "batch_size": 16, "pixels": "npy"}, {"pixels": "npy"}),
    ],
)
async def test_what_may_be_written_in_several_ways(
    served: Served, options: dict[str, Any], read: dict[str, Any]
) -> None:
    """The first line tells how it was read; the largest array that may be told is one."""
    answer = await served.ask(BATCH, json={"images": [], **options})

    told = answer.lines()[0]["options"]
    assert {name: told[name] for name in read} == read


async def test_a_batch_beyond_the_memory_for_bodies(serve: Serve) -> None:
    """It would leave no room for others."""
    served = await serve(max_inflight_bytes="2MiB", max_image_bytes="1MiB")

    async def ask(size: int) -> Any:
        return await served.ask(BATCH, json={"images": ["foo"], "batch_size": 16, "size": size})

    assert len((await ask(181)).batches()) == 1
    (wrong,) = (await ask(182)).problem(422)["errors"]
    assert wrong["field"] == "batch_size"
    assert "CENSUS_MAX_INFLIGHT_BYTES" in wrong["detail"]


async def test_a_model_takes_its_own_size_only(serve: Serve, tmp_path: Path) -> None:
    """Another is refused by its name, before any line; so is a batch too large for it."""
    (tmp_path / "colours.onnx").write_bytes(models.colours(("N", 3, 512, 512)))
    served = await serve(models_dir=tmp_path)
    asked = {"images": ["foo"], "predictor": "colours"}

    wrong = (await served.ask(BATCH, json={**asked, "size": [512, 256]})).problem(422)
    large = (await served.ask(BATCH, json={**asked, "pixels": "npy"})).problem(422)

    assert wrong["errors"][0]["field"] == "size"
    assert "512x512" in wrong["detail"]
    assert large["errors"][0]["field"] == "batch_size"
    assert "with pixels it may have" in large["detail"]
    fitting = await served.ask(BATCH, json={**asked, "pixels": "npy", "batch_size": 21})
    assert fitting.batches()[0]["batch_dimension"] == [0, 3, 512, 512]


@pytest.mark.parametrize("body", [b"", b"[]", b"7"])
async def test_no_data_is_answered_as_ever(served: Served, body: bytes) -> None:
    """In the predecessor's words."""
    answer = await served.ask(BATCH, data=body, headers={"Content-Type": "application/json"})
    missing = await served.ask(f"{BATCH}/", json={"filepath": "no/such.tsv", "batch_size": 5})

    assert answer.problem(422)["error"] == "Data is not provided"
    assert missing.problem(422)["error"] == "Invalid input file url"


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        (BATCH, KEYED),
        (f"{BATCH}/", KEYED),
        (f"{BATCH}_async", {}),
        (f"{BATCH}_async/", {"Accept": "application/x-ndjson"}),
    ],
)
async def test_a_request_becomes_a_job(queue: Queue, path: str, headers: dict[str, str]) -> None:
    """Where JSON is asked for, as the predecessor answered, and at the route for it."""
    (queue.root / "a.tsv").write_text("url\nfoo\n")

    answer = await queue.served.ask(
        path, json={"filepath": str(queue.root / "a.tsv"), "batch_size": 5}, headers=headers
    )

    job = answer.json()["job"]
    assert answer.status == 202
    assert answer.json()["ok"] == "Processing Images"
    assert answer.headers["Location"] == answer.json()["links"]["self"] == f"{JOBS}/{job}"
    (fields,) = await queue.entries()
    assert fields[b"kind"] == b"batch_predict"
    assert fields[b"batch_size"] == b"5"


async def test_a_job_is_what_was_asked_for(queue: Queue, host: PictureHost) -> None:
    """Read back from the intake, an entry is the request; with a body, the body is kept for it."""
    options = {
        "batch_size": 7,
        "size": [32, 16],
        "fit": "crop",
        "filter": "box",
        "matte": "#010203",
        "pixels": "list",
        "predictor": "none",
        "limit": 3,
        "timeout": 2.5,
        "extra": True,
    }
    asked = BatchRequest.model_validate({"images": ["foo"], **options})
    query = {name: str(value) for name, value in options.items()} | {"size": "32x16"}

    inline = await queue.served.ask(f"{BATCH}_async", json={"images": ["foo"], **options})
    (fields,) = await queue.entries()
    upload = await queue.served.ask(f"{BATCH}_async", data=b"foo\n", headers=TSV, params=query)

    assert (inline.status, upload.status) == (202, 202)
    assert parse_entry(fields, queue.root) == Job("batch_predict", asked.options(), images=["foo"])
    (kept,) = queue.uploads()
    assert kept.read_bytes() == b"foo\n"
    told = (await queue.state(upload.json()["job"]))["options"]
    assert told == asked.options().json() | {"size": [32, 16]}


async def test_a_job_is_not_ordered(queue: Queue) -> None:
    """As for `images_info`: its records come as they are recorded."""
    for path, headers in ((f"{BATCH}_async", {}), (BATCH, KEYED)):
        asked = {"images": ["foo"], "ordered": True}
        problem = (await queue.served.ask(path, json=asked, headers=headers)).problem(422)
        assert problem["errors"][0]["field"] == "ordered"
    assert await queue.entries() == []
