"""A manifest by its name: what is found, and that everything else answers alike."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import random
from pathlib import Path

import pytest
import zstandard

from tests.server.serving import INFO, Served

pytestmark = pytest.mark.asyncio(loop_scope="session")

ROWS = b"id\turl\na\tfoo\nb\tftp://h/x\n"


@pytest.fixture
def manifest(data_root: Path) -> Path:
    """A manifest two folders below the root."""
    path = data_root / "lists" / "of today" / "images.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(ROWS)
    return path


@pytest.mark.parametrize("route", [INFO, f"{INFO}/"])
@pytest.mark.parametrize("absolute", [False, True], ids=["relative", "absolute"])
async def test_a_manifest_is_named_below_the_root(
    served: Served, manifest: Path, data_root: Path, route: str, absolute: bool
) -> None:
    """Relative, or absolute as the predecessor's clients write it; both forms of the route."""
    name = str(manifest if absolute else manifest.relative_to(data_root))

    answer = await served.ask(route, json={"filepath": name, "ordered": True})

    assert answer.lines()[0]["manifest"] == name
    assert [record["id"] for record in answer.records()] == ["a", "b"]
    assert answer.summary()["manifest_sha256"] == hashlib.sha256(ROWS).hexdigest()


async def test_a_manifest_may_be_compressed(served: Served, data_root: Path) -> None:
    """gzip is told by its first bytes; the hash is of the file as it lies there."""
    (data_root / "images.list").write_bytes(packed := gzip.compress(ROWS))

    answer = await served.ask(json={"filepath": "images.list"})

    assert len(answer.records()) == 2
    assert answer.summary()["manifest_sha256"] == hashlib.sha256(packed).hexdigest()


OBJECTS = [{"id": "a", "url": "foo", "note": "x"}, {"id": "b", "url": "foo", "note": "x"}]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("kinds.csv", b'id,url,note\na,foo,"x"\nb,ftp://h/x,x\n'),
        ("kinds.csv.zst", zstandard.compress(b"id,url,note\na,foo,x\nb,ftp://h/x,x\n")),
        ("kinds.jsonl", "\n".join(map(json.dumps, OBJECTS)).encode()),
        ("kinds.json", json.dumps(OBJECTS, indent=2).encode()),
        ("kinds.json.gz", gzip.compress(json.dumps(OBJECTS).encode())),
    ],
)
async def test_the_name_tells_the_kind(
    served: Served, data_root: Path, name: str, text: bytes
) -> None:
    """Other columns come back where they are asked for."""
    (data_root / name).write_bytes(text)

    answer = await served.ask(json={"filepath": name, "ordered": True, "extra": True})

    assert [(record["id"], record["extra"]) for record in answer.records()] == [
        ("a", {"note": "x"}),
        ("b", {"note": "x"}),
    ]
    assert answer.summary()["manifest_sha256"] == hashlib.sha256(text).hexdigest()


async def test_an_answer_of_ours_can_be_asked_again(served: Served, data_root: Path) -> None:
    """Its records are the rows, with their ids and what was passed through."""
    first = await served.ask(
        json={"images": [{"id": "a", "url": "foo", "n": [1]}, "u"], "ordered": True, "extra": True}
    )
    (data_root / "facts.ndjson").write_bytes(first.body)

    again = await served.ask(json={"filepath": "facts.ndjson", "ordered": True, "extra": True})

    assert again.records() == first.records()


async def test_an_empty_manifest_has_no_rows(served: Served, data_root: Path) -> None:
    """Nothing to do is done completely."""
    (data_root / "empty.tsv").write_bytes(b"\n \n")

    answer = await served.ask(json={"filepath": "empty.tsv"})

    assert answer.records() == []
    assert answer.summary()["rows"] == 0
    assert answer.summary()["complete"] is True


async def test_a_corrupt_manifest_ends_incomplete(served: Served, data_root: Path) -> None:
    """The rows before the damage are answered, and the summary says what happened."""
    dice = random.Random(0)
    lines = b"".join(b"foo%s\n" % dice.randbytes(40).hex().encode() for _ in range(3000))
    (data_root / "cut.tsv.gz").write_bytes(gzip.compress(lines)[:-2000])

    answer = await served.ask(json={"filepath": "cut.tsv.gz"})

    assert 0 < len(answer.records()) < 3000
    assert answer.summary()["rows"] == len(answer.records())
    assert answer.summary()["complete"] is False
    assert answer.summary()["reason"].startswith("failed: the gzip ends in the middle")
    assert answer.summary()["manifest_sha256"] is None


@pytest.fixture
def traps(data_root: Path, manifest: Path, tmp_path: Path) -> None:
    """What a path may lead to besides a manifest."""
    outside = tmp_path / "outside.tsv"
    outside.write_bytes(ROWS)
    for name, target in (("link.tsv", manifest), ("out.tsv", outside), ("folder", tmp_path)):
        if not (data_root / name).is_symlink():
            (data_root / name).symlink_to(target)
    (data_root / ".hidden").mkdir(exist_ok=True)
    (data_root / ".hidden" / "images.tsv").write_bytes(ROWS)
    (data_root / ".secret.tsv").write_bytes(ROWS)
    if not (data_root / "pipe").exists():
        os.mkfifo(data_root / "pipe")


@pytest.mark.parametrize(
    "name",
    [
        "missing.tsv",
        "",
        "/",
        "lists",
        "images.tsv/below",
        "link.tsv",
        "out.tsv",
        "folder/outside.tsv",
        "folder",
        ".secret.tsv",
        ".hidden/images.tsv",
        "lists/../images.tsv",
        "./lists/of today/images.tsv",
        "../outside.tsv",
        "/etc/passwd",
        "{root}",
        "{root}/../outside.tsv",
        "{root}x/images.tsv",
        "pipe",
        "/dev/zero",
        "images.tsv\0",
        "x" * 300,
        "x/" * 3000,
    ],
)
async def test_whatever_is_no_manifest_below_the_root_answers_alike(
    served: Served, traps: None, data_root: Path, name: str
) -> None:
    """Not there, outside, hidden or behind a link: one answer, which tells nothing of the disk."""
    name = name.format(root=data_root)

    told = (await served.ask(json={"filepath": name})).problem(422)

    assert told["error"] == "Invalid input file url"
    assert told["detail"] == f"there is no manifest {name[:200]!r} below CENSUS_DATA_ROOT"
    assert told["errors"] == [{"field": "filepath", "detail": told["detail"]}]
