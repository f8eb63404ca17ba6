"""What a URL carries beside its address: no password in a record, nothing of a query in a log."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable

import pytest

from imaging.facts import ErrorCode, Failure
from tests.picture_hosts import PictureHost
from tests.workers.fetch.downloading import resolving
from tests.workers.fetch.raw_hosts import answering, head
from workers.engine import open_engine
from workers.fetch import retries
from workers.manifest.rows import Row
from workers.options import InfoOptions
from workers.pipeline import inspect_rows
from workers.settings import WorkSettings

SettingsOf = Callable[..., WorkSettings]

PASSWORD, TOKEN = "Pa55w0rd", "T0k3n"
QUERY = f"?token={TOKEN}&X-Amz-Signature={TOKEN}&sig={TOKEN}&key={TOKEN}"


async def rows(urls: list[str]) -> AsyncGenerator[Row, None]:
    for index, url in enumerate(urls):
        yield Row(index, str(index), url)


async def test_secrets_of_urls(
    settings_of: SettingsOf,
    picture_host: PictureHost,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Rows that fail in every way there is, at the most talkative level, the library's too."""
    monkeypatch.setattr(retries, "_FIRST_WAIT", 0.005)
    at = f"user:{PASSWORD}@"
    port = picture_host.port
    settings = settings_of(timeout=9, read_timeout=2, connect_timeout=2, retries=1, opt_out="skip")
    names = resolving({"temporary.example": OSError(11, "later")})
    caplog.set_level(logging.DEBUG)
    refusing = head("200 OK", Content_Length=0, X_Robots_Tag="noai")
    moving = head("302 Found", Location=f"ftp://{at}h/{QUERY}", Content_Length=0)
    onward = head("302 Found", Location=f"http://{at}127.0.0.1:{port}/status/404/x{QUERY}")
    async with (
        answering(None) as mute,
        answering(refusing) as opted_out,
        answering(moving) as bad_redirect,
        answering(onward) as redirect,
        answering(b"nonsense\r\n\r\n") as protocol,
        answering(head("200 OK", Content_Length=9) + b"\xff\xd8") as truncated,
        answering(head("200 OK", Content_Length=0)) as empty,
        open_engine(settings, resolver=names) as engine,
    ):
        ports = [mute, opted_out, bad_redirect, redirect, protocol, truncated, empty]
        urls = [f"http://{at}127.0.0.1:{raw.port}/{QUERY}" for raw in ports]
        urls += [
            f"http://{at}127.0.0.1:{port}/by-name/made-0012-grey.jpg{QUERY}",
            f"http://{at}127.0.0.1:1/{QUERY}",
            f"https://{at}127.0.0.1:{port}/{QUERY}",
            f"http://{at}10.0.0.1/{QUERY}",
            f"http://{at}missing.example/{QUERY}",
            f"http://{at}temporary.example/{QUERY}",
            f"http://{at}127.0.0.1:99999/{QUERY}",
            f"http://{at}a..b/{QUERY}",
            f"http://{at}[::1/{QUERY}",
            f'"http://{at}h/{QUERY}',
            f"url=http://{at}h/{QUERY}",
            f"ftp://{at}h/{QUERY}",
            f"http://user:{PASSWORD}#x@h/{QUERY}",
            f"http://user:{PASSWORD}/x@h/{QUERY}",
        ]
        async with inspect_rows(engine, rows(urls), InfoOptions()) as inspection:
            records = [record async for batch in inspection.batches(idle=5) for record in batch]
    assert len(records) == len(urls)
    codes = {r.outcome.code for r in records if isinstance(r.outcome, Failure)}
    assert codes >= {
        ErrorCode.TIMEOUT,
        ErrorCode.OPTED_OUT,
        ErrorCode.BAD_REDIRECT,
        ErrorCode.HTTP_STATUS,
        ErrorCode.HTTP_PROTOCOL,
        ErrorCode.TRUNCATED_BODY,
        ErrorCode.EMPTY_BODY,
        ErrorCode.CONNECT,
        ErrorCode.TLS,
        ErrorCode.BLOCKED_ADDRESS,
        ErrorCode.DNS_NOT_FOUND,
        ErrorCode.DNS_TEMPORARY,
        ErrorCode.BAD_URL,
        ErrorCode.BAD_SCHEME,
    }, codes
    assert any(not isinstance(record.outcome, Failure) for record in records)
    for record in records:
        assert PASSWORD.encode() not in record.line()
    lines = [
        " ".join(str(value) for value in vars(line).values()) + str(line.exc_info)
        for line in caplog.records
    ]
    assert lines
    assert not [line for line in lines if PASSWORD in line or TOKEN in line]
