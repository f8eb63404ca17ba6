"""One census, then another of what it found: what is told of each row, and what it costs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest

from tests.picture_hosts import PictureHost
from tests.workers.fetch.downloading import resolving
from workers.changes import earlier_of
from workers.engine import Engine, open_engine
from workers.fetch import retries
from workers.manifest.rows import Row, bad_row
from workers.options import Depth, InfoOptions
from workers.pipeline import inspect_rows
from workers.settings import WorkSettings

Lines = list[dict[str, Any]]


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits between attempts, a hundred times shorter."""
    monkeypatch.setattr(retries, "_FIRST_WAIT", 0.005)


@pytest.fixture
def host(picture_host: PictureHost) -> PictureHost:
    """The picture host, with all its pictures as they were made."""
    picture_host.reset()
    return picture_host


@pytest.fixture
async def engine(settings_of: Callable[..., WorkSettings]) -> AsyncIterator[Engine]:
    """Everything rows need."""
    async with open_engine(settings_of(), resolver=resolving({})) as engine:
        yield engine


async def census(
    engine: Engine, rows: Sequence[Row], depth: Depth = Depth.HEADER, **options: Any
) -> Lines:
    """The records of these rows as they are told, in order."""

    async def reading() -> AsyncIterator[Row]:
        for row in rows:
            yield row

    chosen = InfoOptions(depth, ordered=True, **options)
    async with inspect_rows(engine, reading(), chosen) as inspection:
        return [
            json.loads(record.line())
            async for batch in inspection.batches(idle=5)
            for record in batch
        ]


async def first(engine: Engine, urls: Sequence[str], depth: Depth = Depth.HEADER) -> Lines:
    """A census of a list."""
    rows = [Row(index, f"id-{index}", url) for index, url in enumerate(urls)]
    return await census(engine, rows, depth)


async def again(engine: Engine, lines: Lines, depth: Depth = Depth.HEADER, **options: Any) -> Lines:
    """A census of what an earlier one told."""
    rows = [Row(line["index"], line["id"], line["url"], before=earlier_of(line)) for line in lines]
    return await census(engine, rows, depth, changes=True, **options)


def verdicts(lines: Lines) -> Counter[str | None]:
    """How many of each."""
    return Counter(line["change"] for line in lines)


MANNERS = ["", "only-tag/", "weak-tag/", "only-date/", "no-validators/", "no-conditions/"]


@pytest.mark.parametrize("depth", list(Depth))
@pytest.mark.parametrize("manner", [*MANNERS, "no-range/", "redirect/1/"])
async def test_every_row_is_told_right(
    engine: Engine, host: PictureHost, manner: str, depth: Depth
) -> None:
    """A hundred pictures of which five change and two go (some fewer where they are decoded),
    whatever the host says of them; and the third census finds the second in order.
    """
    count = 100 if depth is Depth.HEADER else 25
    paths = [f"/p/{number}" for number in range(count)]
    before = await first(engine, [f"{host}/{manner}{path[1:]}" for path in paths], depth)
    assert {line["fetch"]["status"] for line in before} <= {200, 206}
    for path in paths[10:15]:
        host.change(path)
    for path in paths[20:22]:
        host.remove(path)
    now = await again(engine, before, depth)
    for index, (then, line) in enumerate(zip(before, now, strict=True)):
        assert (line["index"], line["id"], line["url"]) == tuple(
            then[name] for name in ("index", "id", "url")
        )
        if 10 <= index < 15:
            assert line["change"] == "changed"
            assert line["changed"]["image_size"] == [
                then["image_info"]["image_size"],
                line["image_info"]["image_size"],
            ]
        elif 20 <= index < 22:
            assert (line["change"], line["error"]["http_status"]) == ("gone", 404)
            assert line["changed"] == {"error": [None, "http_status"]}
        else:
            assert (line["change"], "changed" in line) == ("unchanged", False)
            assert line["image_info"] == then["image_info"]
            if manner not in ("no-validators/", "no-conditions/"):
                assert line["fetch"]["status"] == 304
                names = ("etag", "last_modified", "final_url")
                assert [line["fetch"][name] for name in names] == [
                    then["fetch"][name] for name in names
                ]
    third = await again(engine, now, depth)
    assert verdicts(third) == {"unchanged": count}
    assert [line["image_info"] for line in third] == [line["image_info"] for line in now]


async def test_what_it_costs(engine: Engine, host: PictureHost) -> None:
    """One request a row; of what has not changed not one byte."""
    urls = [f"{host}/p/{number}" for number in range(100)]
    before = await first(engine, urls)
    whole = host.counts()["bytes"]
    host.reset()
    for number in range(5):
        host.change(f"/p/{number}")
    now = await again(engine, before)
    counts = host.counts()
    looked = [line["fetch"] for line in now if line["change"] == "changed"]
    assert counts["statuses"]["304"] == 95
    assert counts["requests"] == 95 + sum(fetch["requests"] for fetch in looked)
    assert counts["bytes"] == sum(fetch["bytes"] for fetch in looked) < whole / 8


async def test_depths_may_differ(engine: Engine, host: PictureHost) -> None:
    """A hash is fetched once, and then carried along by censuses of headers too."""
    urls = [f"{host}/p/{number}" for number in range(20)]
    headers = await first(engine, urls)
    hashed = await again(engine, headers, Depth.FULL)
    assert verdicts(hashed) == {"unchanged": 20}
    assert {line["fetch"]["status"] for line in hashed} == {200}
    assert all(line["image_info"]["sha256"] for line in hashed)
    host.change("/p/3")
    again_hashed = await again(engine, hashed, Depth.FULL)
    assert verdicts(again_hashed) == {"unchanged": 19, "changed": 1}
    assert again_hashed[3]["changed"]["sha256"] == [
        hashed[3]["image_info"]["sha256"],
        again_hashed[3]["image_info"]["sha256"],
    ]
    host.change("/p/4")
    shallow = await again(engine, again_hashed)
    assert verdicts(shallow) == {"unchanged": 19, "changed": 1}
    assert "sha256" not in shallow[4]["image_info"]
    shallow.pop(4)
    again_hashed.pop(4)
    assert [line["image_info"] for line in shallow] == [line["image_info"] for line in again_hashed]


async def test_facts_that_were_not_looked_at_are_carried_over(
    engine: Engine, host: PictureHost
) -> None:
    """Also where the host sends the picture again."""
    deep = await first(engine, [f"{host}/no-conditions/p/1"], Depth.FULL)
    [line] = await again(engine, deep)
    assert (line["change"], line["fetch"]["status"]) == ("unchanged", 206)
    assert line["image_info"] == deep[0]["image_info"]


async def test_thumbnail_of_what_was_looked_at(engine: Engine, host: PictureHost) -> None:
    """What has not changed was not."""
    before = await first(engine, [f"{host}/p/1", f"{host}/p/2"], Depth.FULL)
    host.change("/p/2")
    same, other = await again(engine, before, Depth.FULL, thumbnail=16)
    assert (same["change"], "thumbnail" in same) == ("unchanged", False)
    assert (other["change"], "thumbnail" in other) == ("changed", True)


async def test_host_that_is_away_is_not_judged(engine: Engine, host: PictureHost) -> None:
    """The census after it compares with what was there before."""
    before = await first(engine, [f"{host}/p/1", f"{host}/p/2", f"{host}/p/3"])
    host.change("/p/2")
    for line, status in zip(before, (503, 429, 500), strict=True):
        line["url"] = line["url"].replace("/p/", f"/status/{status}/p/")
    away = await again(engine, before)
    assert verdicts(away) == {None: 3}
    for line, then in zip(away, before, strict=True):
        assert line["error"]["retryable"]
        assert line["before"]["image_info"] == then["image_info"]
        assert "changed" not in line
        line["url"] = line["url"].replace(f"/status/{line['error']['http_status']}", "")
    back = await again(engine, away)
    assert [line["change"] for line in back] == ["unchanged", "changed", "unchanged"]
    assert all("before" not in line for line in back)


async def test_failures_come_and_go(engine: Engine, host: PictureHost) -> None:
    """The same again, another, over; and rows that nobody can ask for."""
    urls = [f"{host}/{path}" for path in ("status/404/a", "html/b", "empty/c", "p/4")]
    before = await first(engine, [*urls, "ftp://h/x", f"{host}/status/503/f"])
    assert verdicts(await again(engine, before)) == {"unchanged": 6}
    for line, url in zip(before, ("status/410/a", "p/2", "status/404/c", "html/b"), strict=False):
        line["url"] = f"{host}/{url}"
    before[5]["url"] = f"{host}/p/6"
    now = await again(engine, before)
    assert [(line["change"], line.get("changed")) for line in now] == [
        ("changed", {"http_status": [404, 410]}),
        ("changed", {"error": ["not_an_image", None]}),
        ("changed", {"error": ["empty_body", "http_status"]}),
        ("gone", {"error": [None, "not_an_image"]}),
        ("unchanged", None),
        ("changed", {"error": ["http_status", None]}),
    ]


async def test_row_that_was_never_answered(engine: Engine, host: PictureHost) -> None:
    """It is read as it is, and nothing is judged; every record says so."""
    rows = [bad_row(0, 0, "no url"), Row(1, "1", f"{host}/p/1")]
    bad, good = await census(engine, rows, changes=True)
    assert (bad["change"], bad["error"]["code"]) == (None, "bad_row")
    assert (good["change"], good["image_info"]["image_format"] is not None) == (None, True)
    assert "before" not in good
    assert "change" not in (await census(engine, rows))[1]


async def test_rows_of_one_url_are_each_compared_with_their_own(
    engine: Engine, host: PictureHost
) -> None:
    """Two censuses may have found two things there."""
    old = await first(engine, [f"{host}/p/1"])
    host.change("/p/1")
    new = await first(engine, [f"{host}/p/1"])
    new[0]["index"] = 1
    now = await again(engine, [*old, *new])
    assert [line["change"] for line in now] == ["changed", "unchanged"]
    assert [line["fetch"]["status"] for line in now] == [206, 304]
