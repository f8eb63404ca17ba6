"""A stream of any length for the page: lines of a real census with thumbnails, varied."""

import json
import random
from pathlib import Path
from typing import Any

import bench_processes as processes
import orjson
from bench_answers import Question
from bench_census import open_census

__all__ = ["write_stream"]

#: Rows of the real census; the others are made of theirs.
REAL = 1000
#: Every so many rows the host has no picture.
FAILING = 25
CONNECTIONS = 64
SEED = 16


def write_stream(folder: Path, pictures: Path | None, rows: int) -> Path:
    """A file of NDJSON: `start`, a record for each of *rows* rows, `summary`.

    Each record has an index, id, URL, size, time and perceptual hash of its own; pictures come
    again every thousand rows.
    """
    start, *records, summary = (json.loads(line) for line in _real(folder, pictures).splitlines())
    kinds = [record for record in records if record["type"] == "image"]
    dice = random.Random(SEED)
    path = folder / "stream.ndjson"
    failed = 0
    with path.open("wb") as file:
        file.write(orjson.dumps(start) + b"\n")
        for row in range(rows):
            record = _varied(kinds[row % len(kinds)], row, dice)
            failed += "error" in record
            file.write(orjson.dumps(record) + b"\n")
        summary |= {"rows": rows, "ok": rows - failed, "failed": failed}
        file.write(orjson.dumps(summary) + b"\n")
    return path


def _real(folder: Path, pictures: Path | None) -> bytes:
    with processes.picture_host(pictures, 0) as host:
        lines = (
            f"{row}\t{host.url}/{'hostile/status-404' if row % FAILING == 7 else 'picture'}/{row}\n"
            for row in range(REAL)
        )
        (folder / "images.tsv").write_text("id\turl\n" + "".join(lines))
        with open_census(folder, [host.url], CONNECTIONS) as census:
            body = {"filepath": "images.tsv", "thumbnail": 96}
            asked = Question("/api/v1/images_info", body, REAL, lambda _: [])
            return census.stream(asked).answer


def _varied(kind: dict[str, Any], row: int, dice: random.Random) -> dict[str, Any]:
    record = kind | {
        "index": row,
        "id": f"picture-{row:06}",
        "url": f"https://host-{row % 37}.example/photos/{dice.randrange(10**9)}/{row}.jpg",
    }
    if kind["fetch"]:
        record["fetch"] = kind["fetch"] | {"ms": round(dice.expovariate(1 / 90), 1)}
    if kind["image_info"]:
        size = int(kind["image_info"]["image_size"] * dice.uniform(0.5, 2))
        varied = {"image_size": size, "phash": f"{dice.getrandbits(64):016x}"}
        record["image_info"] = kind["image_info"] | varied
    return record
