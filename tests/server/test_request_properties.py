"""Whatever a client sends: an answer that is well formed, no bug, and a server that lives.

`FUZZ_EXAMPLES=5000` tries so many of each; the default takes seconds.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.server.serving import INFO, TSV, Answer, Served
from workers.asked import InfoRequest

pytestmark = pytest.mark.asyncio(loop_scope="session")

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "60"))
tried = settings(
    max_examples=EXAMPLES,
    deadline=None,
    # The server is the same for all of them, which is the point.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64)
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["header", "full", "true", "http://", "foo://[", "//", "0", "1e309", ".."])
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
names = st.sampled_from(sorted(InfoRequest.model_fields)) | st.text(max_size=8)
asked = st.dictionaries(names, values, max_size=5)
kinds = st.sampled_from(
    [
        "application/json",
        "application/problem+json",
        "application/json; charset=utf-16",
        "text/tab-separated-values",
        "text/csv",
        "application/x-ndjson",
        "text/plain",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded",
        "",
        "/",
    ]
)
printable = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30)
fields = st.fixed_dictionaries(
    {"Content-Type": kinds},
    optional={
        "Content-Encoding": st.sampled_from(["gzip", "x-gzip", "identity", "br", "", "gzip, gzip"]),
        "Accept": st.sampled_from(["application/json", "*/*", ";;,", "application/json;q=0"]),
        "X-Request-ID": printable,
        "Range": printable,
        "Cookie": printable,
        "Authorization": printable,
        "If-None-Match": printable,
    },
)
queries = st.lists(st.tuples(names, printable), max_size=3)


def well_formed(answer: Answer) -> None:
    """A problem the client can do something about, or a whole stream."""
    if answer.status != 200:
        assert 400 <= answer.status < 500, answer.body
        answer.problem(answer.status)
    elif answer.headers["Content-Type"] == "application/json":
        assert isinstance(answer.json(), dict)
    else:
        assert answer.summary()["rows"] == len(answer.records())


def said_no_error(caplog: pytest.LogCaptureFixture) -> None:
    """The log has nothing above the line of each request."""
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []
    caplog.clear()


@tried
@given(asked=asked, accept=st.sampled_from(["*/*", "application/json"]))
async def test_any_json_object_is_answered(
    served: Served, caplog: pytest.LogCaptureFixture, asked: dict[str, Any], accept: str
) -> None:
    """Any value in any field."""
    headers = {"Content-Type": "application/json", "Accept": accept}
    try:
        body = orjson.dumps(asked)
    except (TypeError, ValueError):  # an integer or a text that orjson does not write
        body = json.dumps(asked).encode()

    well_formed(await served.ask(data=body, headers=headers))
    said_no_error(caplog)


@tried
@given(
    body=st.binary(max_size=300) | values.map(lambda value: json.dumps(value).encode()),
    headers=fields,
    query=queries,
)
async def test_any_body_is_answered(
    served: Served,
    caplog: pytest.LogCaptureFixture,
    body: bytes,
    headers: dict[str, str],
    query: list[tuple[str, str]],
) -> None:
    """Any bytes under any of these headers and options."""
    kept = {name: said for name, said in headers.items() if said == said.strip()}

    well_formed(await served.ask(data=body, headers=kept, params=query))
    said_no_error(caplog)


@tried
@given(rows=st.lists(st.binary(max_size=60), max_size=8), ordered=st.booleans())
async def test_any_bytes_are_rows(
    served: Served, caplog: pytest.LogCaptureFixture, rows: list[bytes], ordered: bool
) -> None:
    """As a manifest, any bytes are some number of rows, each with one record."""
    answer = await served.upload(b"\n".join(rows), params={"ordered": str(ordered).lower()})

    if answer.status == 422:
        assert answer.problem(422)["error"] == "Data is not provided"
    elif answer.status != 400:  # what begins like gzip
        indices = [record["index"] for record in answer.records()]
        assert sorted(indices) == list(range(len(indices)))
        assert answer.summary()["rows"] == len(indices)
    said_no_error(caplog)


lines = st.sampled_from(
    [
        b"",
        b"GET /ping/ HTTP/1.1",
        b"POST " + INFO.encode() + b" HTTP/1.1",
        b"POST * HTTP/1.0",
        b"CONNECT h:1 HTTP/1.1",
        b"Host: localhost",
        b"Host:",
        b"Content-Length: 5",
        b"Content-Length: 0",
        b"Transfer-Encoding: chunked",
        b"Connection: close",
        b"Connection: upgrade",
        b"Upgrade: websocket",
        b"Expect: 100-continue",
        b"Content-Type: " + TSV["Content-Type"].encode(),
        b"Content-Type: application/json",
        b"Content-Encoding: gzip",
        b"5",
        b"{}",
        b"0",
    ]
) | st.binary(max_size=40)


@tried
@given(said=st.lists(lines, max_size=16), end=st.sampled_from([b"\r\n", b"\n"]))
async def test_any_bytes_on_a_connection_cost_only_it(
    served: Served, caplog: pytest.LogCaptureFixture, said: list[bytes], end: bytes
) -> None:
    """Whatever it answers to them, the server is there for the next one and has no bug to tell."""
    async with served.talk() as talk:
        talk.writer.write(end.join(said) + end + end)
        if talk.writer.can_write_eof():
            talk.writer.write_eof()
        async with asyncio.timeout(10):
            heard = await talk.reader.read()
    assert b" 500 " not in heard
    assert (await served.ask("/ping/", method="GET")).status == 200
    said_no_error(caplog)
