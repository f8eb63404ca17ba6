"""What a request may say, and what it is told where it may not."""

from __future__ import annotations

import gzip
import json
from io import BytesIO
from typing import Any

import pytest

from server import bodies, requests
from tests.picture_hosts import PictureHost
from tests.server.serving import INFO, Served

pytestmark = pytest.mark.asyncio(loop_scope="session")

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "application/json"),
        (b"", "application/octet-stream"),
        (b'{"images": []}', "text/plain"),
        (b"filepath=images.tsv", "application/x-www-form-urlencoded"),
        (b"[]", "application/json"),
        (b'"images.tsv"', "application/json"),
        (b"null", "application/json"),
    ],
)
async def test_without_a_json_object_data_is_not_provided(
    served: Served, body: bytes, kind: str
) -> None:
    """No body, another content type, and JSON that is not an object, in the predecessor's words."""
    answer = await served.ask(data=body, headers={"Content-Type": kind})

    assert answer.problem(422)["error"] == "Data is not provided"


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff",
        b'{"limit": NaN}',
        b'{"timeout": Infinity}',
        b'{"filepath": "\\ud800"}',
        b'{"images": ' + b"[" * 100_000,
        b'{"images": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    ],
    ids=["cut", "not-utf8", "nan", "infinity", "surrogate", "deep-and-cut", "deep"],
)
async def test_a_body_that_is_not_json_is_refused(served: Served, body: bytes) -> None:
    """400, and the server lives: also where the nesting is meant to kill the parser."""
    assert "JSON" in (await served.ask(data=body, headers=JSON)).problem(400)["error"]


WRONG = [
    ("colour", "red"),
    ("depth", "deep"),
    ("depth", 1),
    ("ordered", "perhaps"),
    ("limit", -1),
    ("limit", "many"),
    ("limit", 1.5),
    ("limit", True),
    ("timeout", 0),
    ("timeout", 601),
    ("timeout", "nan"),
    ("timeout", "inf"),
    ("timeout", [1]),
    ("extra", "perhaps"),
    ("thumbnail", 0),
    ("thumbnail", 257),
    ("batch_size", -1),
    ("batch_size", 1025),
    ("filepath", 3),
    ("images", {}),
    ("images", "https://example.org/a.jpg"),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
async def test_a_wrong_option_is_named(served: Served, name: str, value: Any) -> None:
    """Unknown names, wrong types and values out of range: 422 that says which field."""
    asked = {name: value} if name in ("filepath", "images") else {"images": [], name: value}

    told = (await served.ask(json=asked)).problem(422)

    assert [error["field"] for error in told["errors"]] == [name]
    assert name in told["error"]


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, str(value)) for name, value in WRONG if isinstance(value, str | int | float)]
    + [("filepath", "images.tsv"), ("images", "[]")],
)
async def test_a_wrong_option_in_the_query_is_named(served: Served, name: str, value: str) -> None:
    """A manifest's options stand in the query and are judged by the same rules."""
    if (name, value) == ("limit", "True"):
        value = "true"
    if name == "depth" and value == "1":
        value = "full,header"

    told = (await served.upload(b"", params={name: value})).problem(422)

    assert [error["field"] for error in told["errors"]] == [name]


async def test_everything_wrong_is_told_at_once(served: Served) -> None:
    """One answer names all fields, so nobody mends them one by one."""
    answer = await served.ask(json={"images": [], "limit": -1, "colour": 1, "depth": "x"})

    assert {error["field"] for error in answer.problem(422)["errors"]} == {
        "limit",
        "colour",
        "depth",
    }


async def test_more_members_than_any_request_has_are_not_judged_one_by_one(served: Served) -> None:
    """One sentence for all of them; as many as are allowed are still named."""
    asked = {f"o{number}": 1 for number in range(requests.MAX_OPTIONS + 1)}

    assert str(len(asked)) in (told := (await served.ask(json=asked)).problem(422))["error"]
    assert "errors" not in told
    del asked["o0"]
    assert len((await served.ask(json=asked)).problem(422)["errors"]) == 10


async def test_rows_in_the_request_are_bounded(served: Served) -> None:
    """413 that says what to do instead; the last allowed one is still a row."""
    items = ["foo"] * requests.MAX_INLINE_ROWS

    told = (await served.ask(json={"images": [*items, "foo"]})).problem(413)
    assert "manifest" in told["error"]
    assert [error["field"] for error in told["errors"]] == ["images"]
    assert len((await served.ask(json={"images": items, "limit": 1})).records()) == 1


@pytest.mark.parametrize("value", [b"[]", b"0"])
async def test_values_in_the_request_are_bounded(served: Served, value: bytes) -> None:
    """413 before they are made: millions of them take seconds, whoever else waits."""
    body = b'{"images":[' + (value + b",") * (requests.MAX_VALUES + 1) + value + b"]}"

    told = (
        await served.ask(data=BytesIO(body), headers={"Content-Type": "application/json"})
    ).problem(413)

    assert "send the rows as a manifest" in told["error"]


async def test_filepath_and_images_exclude_each_other(served: Served) -> None:
    """Both: 422 that says so."""
    answer = await served.ask(json={"filepath": "images.tsv", "images": []})

    assert "filepath or images, not both" in answer.problem(422)["error"]


@pytest.mark.parametrize("asked", [{}, {"filepath": None}, {"depth": "full"}])
async def test_without_a_manifest_the_file_url_is_invalid(
    served: Served, asked: dict[str, Any]
) -> None:
    """Neither filepath nor images: the predecessor's sentence, and the field."""
    told = (await served.ask(json=asked)).problem(422)

    assert told["error"] == "Invalid input file url"
    assert [error["field"] for error in told["errors"]] == ["filepath"]


async def test_options_beside_a_json_body_are_refused(served: Served) -> None:
    """An option in the query of a JSON request would be overlooked: 422 instead."""
    answer = await served.ask(json={"images": []}, params={"limit": "1"})

    assert "query" in answer.problem(422)["error"]


async def test_a_json_body_announced_as_too_large_is_refused_unread(served: Served) -> None:
    """413 from the head of the request alone."""
    async with served.talk() as talk:
        await talk.ask(
            body=b"", length=requests.MAX_JSON_BYTES + 1, Content_Type=JSON["Content-Type"]
        )
        (await talk.answer()).problem(413)


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
async def test_a_json_body_that_grows_too_large_is_refused(
    served: Served, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    """413 also for what comes in chunks, and for what it inflates to."""
    monkeypatch.setattr(requests, "MAX_JSON_BYTES", 10_000)
    body = json.dumps({"images": ["x" * 10_000]}).encode()
    async with served.talk() as talk:
        await talk.ask(body=None, Content_Type="application/json", Content_Encoding=encoding)
        await talk.chunk(gzip.compress(body) if encoding == "gzip" else body)
        assert "10000 bytes" in (await talk.answer()).problem(413)["error"]


async def test_a_json_body_may_be_compressed(served: Served) -> None:
    """Content-Encoding: gzip is taken; corrupt gzip is 400, another coding 415."""
    body = gzip.compress(b'{"images": ["foo"]}')
    coded = {**JSON, "Content-Encoding": "gzip"}

    assert len((await served.ask(data=body, headers=coded)).records()) == 1
    for broken in (body[:-9], body[:9] + b"\xff" * 20, b'{"images": []}'):
        (await served.ask(data=broken, headers=coded)).problem(400)
    brotli = {**JSON, "Content-Encoding": "br"}
    assert "'br'" in (await served.ask(data=body, headers=brotli)).problem(415)["error"]


async def test_a_json_body_that_stalls_is_given_up(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """408 once no byte came for the time allowed."""
    monkeypatch.setattr(bodies, "STALLED_SECONDS", 0.05)
    async with served.talk() as talk:
        await talk.ask(body=b'{"images": [', length=1000, Content_Type="application/json")
        (await talk.answer()).problem(408)


async def test_a_chunk_that_is_none_is_refused(served: Served) -> None:
    """A body whose framing is broken: 400, not an error of ours."""
    async with served.talk() as talk:
        await talk.ask(body=None, Content_Type="application/json")
        talk.writer.write(b"banana\r\n")
        status, _ = await talk.head()
        assert status == 400


async def test_rows_may_stand_in_the_request(served: Served, host: PictureHost) -> None:
    """Objects with url and maybe id, or plain URLs; ids default to the index."""
    asked = [
        {"id": "first", "url": f"{host}/a"},
        f"{host}/b",
        {"url": f"{host}/c", "note": "passed over"},
        {"id": 17, "url": f"{host}/d"},
        {"id": "", "url": f"{host}/e"},
    ]

    answer = await served.ask(json={"images": asked, "ordered": True})

    records = answer.records()
    assert [record["id"] for record in records] == ["first", "1", "2", "17", "4"]
    assert [record["index"] for record in records] == [0, 1, 2, 3, 4]
    assert [record["url"] for record in records] == [f"{host}/{name}" for name in "abcde"]
    assert all(record["image_info"] for record in records)
    assert answer.lines()[0]["manifest"] is None
    assert answer.summary()["manifest_sha256"] is None


@pytest.mark.parametrize(
    "item",
    [None, 3, [], {}, {"id": "a"}, {"url": 7}, {"id": [1], "url": "http://h/"}, [{"url": 1}]],
)
async def test_a_bad_item_is_a_record(served: Served, item: Any) -> None:
    """One item that is no row never ends the request: it is answered in its place."""
    answer = await served.ask(json={"images": ["foo", item], "ordered": True})

    first, second = answer.records()
    assert first["error"]["code"] == "bad_url"
    assert second["error"]["code"] == "bad_row"
    assert second["index"] == 1
    assert answer.summary()["complete"] is True


async def test_options_are_told_and_kept_to(served: Served, host: PictureHost) -> None:
    """`start` repeats every option; `limit` and `timeout` do what they say."""
    asked = {"images": [f"{host}/silent/", f"{host}/a"], "limit": 1, "timeout": 0.05}

    answer = await served.ask(json=asked)

    assert answer.lines()[0]["options"] == {
        "depth": "header",
        "ordered": False,
        "limit": 1,
        "timeout": 0.05,
        "thumbnail": None,
        "extra": False,
        "changes": False,
    }
    (record,) = answer.records()
    assert record["error"]["code"] == "timeout"
    assert record["error"]["retryable"] is True


async def test_older_clients_may_send_a_batch_size(served: Served) -> None:
    """`batch_size` is taken and has no effect here; so does the trailing slash."""
    answer = await served.ask(f"{INFO}/", json={"images": ["foo"], "batch_size": 4})

    assert len(answer.records()) == 1
    assert "batch_size" not in answer.lines()[0]["options"]
