"""`batch_predict` as a stream: which lines come, what stands in them, and how rows make batches."""

from __future__ import annotations

import hashlib
import io
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.picture_hosts import PictureHost
from tests.server.serving import BATCH, TSV, Served, arrays

pytestmark = pytest.mark.asyncio(loop_scope="session")

PNG = "by-name/made-0001-plain.png"


#: Pictures that differ.
DIFFERENT = ["0000-plain.jpg", "0001-plain.png", "0003-plain.webp", "0004-plain.gif"]


def bytes_of(path: Path) -> bytes:
    """A small file, read where nobody waits."""
    return path.read_bytes()


@pytest.fixture
def manifest(data_root: Path, host: PictureHost) -> Path:
    """Ten rows, five of which are pictures."""
    rows = [
        ("a", f"{host}/a"),
        ("gone", f"{host}/status/404/b"),
        ("c", f"{host}/c"),
        ("page", f"{host}/html/d"),
        ("e", f"{host}/e"),
        ("e", f"{host}/e"),
        ("inside", "http://10.0.0.1/g"),
        ("odd", "foo"),
        ("i", f"{host}/i"),
    ]
    path = data_root / "batches.tsv"
    text = "id\turl\n" + "".join(f"{identity}\t{url}\n" for identity, url in rows) + "\nshort\n"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("path", [BATCH, f"{BATCH}/"])
async def test_a_list_becomes_batches_of_consecutive_rows(
    served: Served, manifest: Path, path: str
) -> None:
    """As the predecessor was asked; the last batch is short, and only what was decoded counts."""
    answer = await served.ask(path, json={"filepath": str(manifest), "batch_size": 4})

    shapes = [line["batch_dimension"] for line in answer.batches()]
    assert shapes == [[2, 3, 64, 64], [2, 3, 64, 64], [1, 3, 64, 64]]
    assert {line["predictor"] for line in answer.batches()} == {"appearance"}
    assert [len(line["rows"]) for line in answer.batches()] == [4, 4, 2]
    rows = answer.rows()
    assert [row["index"] for row in rows] == list(range(10))
    assert [row["id"] for row in rows] == [
        *("a", "gone", "c", "page", "e", "e", "inside", "odd", "i", "short")
    ]
    assert [row.get("position") for row in rows] == [0, None, 1, None, 0, 1, None, None, 0, None]
    assert [row.get("error", {}).get("code") for row in rows] == [
        *(None, "http_status", None, "not_an_image"),
        *(None, None, "blocked_address", "bad_url"),
        *(None, "bad_row"),
    ]
    assert rows[1]["error"] == {
        "code": "http_status",
        "stage": "fetch",
        "message": "404 Not Found",
        "http_status": 404,
        "retryable": False,
    }
    assert all(("prediction" in row) != ("error" in row) for row in rows)
    assert rows[0]["url"].endswith("/a")
    assert 0 < rows[0]["prediction"]["brightness"] < 255
    assert rows[4]["prediction"] == rows[5]["prediction"] != rows[0]["prediction"]


async def test_the_first_line_says_what_was_asked_and_the_last_what_came(
    served: Served, manifest: Path
) -> None:
    """Every option with its value; counts of rows, and all that predictions depend on."""
    answer = await served.ask(BATCH, json={"filepath": manifest.name, "batch_size": 0, "size": 48})

    start, summary = answer.lines()[0], answer.summary()
    assert (start["kind"], start["job"], start["manifest"]) == (
        "batch_predict",
        None,
        "batches.tsv",
    )
    assert start["options"] == {
        "batch_size": 32,
        "predictor": "appearance",
        "size": [48, 48],
        "fit": "stretch",
        "matte": "#ffffff",
        "filter": "bicubic",
        "pixels": "none",
        "ordered": False,
        "limit": None,
        "timeout": None,
        "extra": False,
    }
    assert (summary["rows"], summary["ok"], summary["failed"]) == (10, 5, 5)
    assert summary["errors"] == {
        "http_status": 1,
        "not_an_image": 1,
        "blocked_address": 1,
        "bad_url": 1,
        "bad_row": 1,
    }
    assert summary["http_statuses"] == {"404": 1}
    assert summary["bytes"] > 5000
    assert summary["manifest_sha256"] == hashlib.sha256(bytes_of(manifest)).hexdigest()
    assert summary["complete"] is True
    made = summary["provenance"]
    assert (made["predictor"], made["version"], made["model_sha256"]) == ("appearance", "1", None)
    assert made["preprocessing"] == {
        "size": [48, 48],
        "fit": "stretch",
        "filter": "bicubic",
        "matte": "#ffffff",
        "layout": "NCHW",
        "jpeg_scale": 2,
        "reducing_gap": 2.0,
    }
    assert {"pillow", "numpy"} <= made["software"].keys()


async def test_nothing_but_failures_is_a_batch_of_none(served: Served) -> None:
    """A batch all the same, with an empty array; no row at all is no batch."""
    asked = {"images": ["foo", "ftp://h/", "bar"], "batch_size": 2, "size": [5, 4]}

    answer = await served.ask(BATCH, json={**asked, "pixels": "npy"})
    empty = await served.ask(BATCH, json={"images": []})

    assert [line["batch_dimension"] for line in answer.batches()] == [[0, 3, 4, 5]] * 2
    assert [arrays(line).size for line in answer.batches()] == [0, 0]
    assert (answer.summary()["rows"], answer.summary()["ok"]) == (3, 0)
    assert answer.summary()["complete"] is True
    assert empty.batches() == []
    assert (empty.summary()["rows"], empty.summary()["complete"]) == (0, True)


async def test_batches_come_as_they_are_done_or_in_order(served: Served, host: PictureHost) -> None:
    """One that waits holds no other up, unless order is asked for; then two runs are the same."""
    urls = [f"{host}/slow/400/a", *(f"{host}/{row}" for row in range(9))]
    asked = {"images": urls, "batch_size": 4, "pixels": "npy", "size": [9, 7]}

    loose = await served.ask(BATCH, json=asked)
    first, second = [await served.ask(BATCH, json={**asked, "ordered": True}) for _ in range(2)]

    assert [line["batch"] for line in loose.records("batch")][-1] == 0
    assert [line["batch"] for line in first.records("batch")] == [0, 1, 2]
    assert first.body.splitlines()[:-1] == second.body.splitlines()[:-1]
    assert {**first.summary(), "seconds": 0} == {**second.summary(), "seconds": 0}
    lines = {line for line in first.body.splitlines() if line.startswith(b'{"type":"batch"')}
    assert lines == {x for x in loose.body.splitlines() if x.startswith(b'{"type":"batch"')}


@pytest.mark.parametrize("size", [[12, 8], [8, 12]])
async def test_pixels_are_those_of_the_pictures(
    served: Served, host: PictureHost, size: list[int]
) -> None:
    """As Pillow scales them by itself, height before width; once as `.npy`, once as lists."""
    asked = {"images": [f"{host}/{PNG}"], "size": size}

    (npy,) = (await served.ask(BATCH, json={**asked, "pixels": "npy"})).batches()
    (nested,) = (await served.ask(BATCH, json={**asked, "pixels": "list"})).batches()

    with Image.open(io.BytesIO(host.body(f"/{PNG}"))) as picture:
        small = picture.resize((size[0], size[1]), Image.Resampling.BICUBIC, reducing_gap=2.0)
    expected = np.asarray(small).transpose(2, 0, 1)[None]
    assert npy["batch_dimension"] == [1, 3, size[1], size[0]]
    assert np.array_equal(arrays(npy), expected)
    assert nested["pixels"] == expected.tolist()


async def test_a_position_is_the_place_in_the_array(served: Served, host: PictureHost) -> None:
    """Whatever comes first, and whatever fails between, a row's pixels are its own."""
    urls = [f"{host}/by-name/made-{name}" for name in DIFFERENT]
    slow = urls[0].replace("/by-name", "/slow/300/by-name")
    mixed = [slow, "foo", urls[1], urls[2], f"{host}/html/x", urls[3]]
    asked = {"size": [16, 16], "pixels": "npy", "predictor": "none"}

    alone = await served.ask(BATCH, json={**asked, "images": urls, "batch_size": 1})
    (line,) = (await served.ask(BATCH, json={**asked, "images": mixed})).batches()

    together = arrays(line)
    places = [row.get("position") for row in line["rows"]]
    assert places == [0, None, 1, 2, None, 3]
    for place, one in enumerate(alone.batches()):
        assert np.array_equal(together[place], arrays(one)[0])
    assert len({picture.tobytes() for picture in together}) == 4
    assert [row["prediction"] for row in line["rows"] if "prediction" in row] == [{}] * 4


async def test_a_manifest_as_the_body(served: Served, host: PictureHost) -> None:
    """Options in the query, as text; `limit` and `extra` as everywhere."""
    body = f"id\turl\tshop\na\t{host}/a\tx\nb\tfoo\ty\nc\t{host}/c\tz\nd\t{host}/d\tz\n".encode()
    query = {"size": "224x160", "batch_size": "2", "extra": "1", "limit": "3", "matte": "white"}

    answer = await served.ask(BATCH, data=body, headers=TSV, params=query)

    shapes = [line["batch_dimension"] for line in answer.batches()]
    assert shapes == [[1, 3, 160, 224], [1, 3, 160, 224]]
    assert [row["extra"] for row in answer.rows()] == [{"shop": shop} for shop in "xyz"]
    assert answer.summary()["rows"] == 3
    assert answer.summary()["manifest_sha256"] is None
    assert host.counts()["requests"] == 2


async def test_a_manifest_that_breaks_off(
    served: Served, host: PictureHost, data_root: Path
) -> None:
    """Its rows are answered, also those of a batch that would have had more; then it says why."""
    packed = zlib.compress(f"{host}/a\n".encode() * 7, wbits=31)
    (data_root / "cut.tsv.gz").write_bytes(packed[:-8])

    answer = await served.ask(BATCH, json={"filepath": "cut.tsv.gz", "batch_size": 5})

    assert [line["batch_dimension"][0] for line in answer.batches()] == [5, 2]
    assert answer.summary()["rows"] == 7
    assert answer.summary()["complete"] is False
    assert answer.summary()["reason"].startswith("failed: ")
