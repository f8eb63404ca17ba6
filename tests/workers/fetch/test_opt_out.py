"""Hosts that ask not to be used for machine learning: read, recorded, heeded."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from imaging.facts import ErrorCode, ImageInfo, Stage
from tests.workers.fetch.downloading import failure, fetching, info
from tests.workers.fetch.pictures import PICTURE
from tests.workers.fetch.raw_hosts import answering, head
from workers.fetch.opt_out import OptOuts
from workers.records import Record
from workers.settings import WorkSettings

pytestmark = pytest.mark.usefixtures("hurried")

SettingsOf = Callable[..., WorkSettings]

LENGTH = len(PICTURE)


def rule(*fields: tuple[str, str], user_agent: str = "imagecensus/1.0 (+http://x)") -> str | None:
    headers = CIMultiDictProxy(CIMultiDict(fields))
    return OptOuts(user_agent, skip=False).rule(headers)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("noai", "noai"),
        ("NoImageAI", "NoImageAI"),
        ("noindex, noai ,nofollow", "noai"),
        ("*: noai", "*: noai"),
        ("imagecensus: noai", "imagecensus: noai"),
        ("ImageCensus:noimageai", "ImageCensus: noimageai"),
        ("otherbot: noindex, imagecensus: noindex, noai", "imagecensus: noai"),
        ("noai, otherbot: noimageai", "noai"),
        ("max-snippet: 5, noai", "noai"),
        ("imagecensus: max-image-preview: none, noai", "imagecensus: noai"),
        ("unavailable_after: 25 Jun 2030 15:00:00 GMT, noai", "noai"),
        ("unavailable_after: Fri, 25 Jun 2010 15:00:00 GMT, noai", "noai"),
        ("otherbot: noai", None),
        ("otherbot: noindex, noai", None),
        ("imagecensus2: noai", None),
        ("census: noai", None),
        ("noaindex, noais, no ai", None),
        ("all", None),
        ("", None),
        (":,:,::", None),
    ],
)
def test_robots_tag(value: str, found: str | None) -> None:
    """Of a comma list what is said to all bots, or to us by the name we give."""
    assert rule(("x-robots-tag", value)) == (found and f"X-Robots-Tag: {found}")


def test_name_is_the_product_of_the_user_agent() -> None:
    """Whatever operators call themselves, without version and comment."""
    field = ("X-Robots-Tag", "acme-crawler: noai")
    assert rule(field, user_agent="Acme-Crawler/2 (mail@acme.example)")
    assert rule(field, user_agent="Acme-Crawler (mail@acme.example)")
    assert not rule(field, user_agent="acme/2 (acme-crawler)")


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ([("tdm-reservation", "1")], "tdm-reservation: 1"),
        (
            [("TDM-Reservation", " 1 "), ("tdm-policy", "https://u:secret@h/policy.json")],
            "tdm-reservation: 1, tdm-policy: https://h/policy.json",
        ),
        ([("tdm-reservation", "0"), ("tdm-policy", "https://h/policy.json")], None),
        ([("tdm-reservation", "yes")], None),
        ([("tdm-policy", "https://h/policy.json")], None),
        (
            [("X-Robots-Tag", "noindex"), ("X-Robots-Tag", "noai"), ("tdm-reservation", "1")],
            "X-Robots-Tag: noai; tdm-reservation: 1",
        ),
        ([("X-Robots-Tag", "otherbot: noindex"), ("X-Robots-Tag", "noai")], "X-Robots-Tag: noai"),
    ],
)
def test_several_fields(fields: list[tuple[str, str]], found: str | None) -> None:
    """A bot's name holds to the end of its field; the reservation is 1 or there is none."""
    assert rule(*fields) == found


def test_what_hosts_write_stays_short_and_cheap() -> None:
    """A hundred fields of eight kilobytes each are one line, found without a stall."""
    fields = [("X-Robots-Tag", "noai," * 1600)] * 100
    began = time.process_time()
    found = rule(*fields, ("tdm-reservation", "1"), ("tdm-policy", "\x1b[31m" + "x" * 8000))
    assert time.process_time() - began < 1
    assert found is not None
    assert len(found) <= 200
    assert found.isprintable()


REFUSES = {"X_Robots_Tag": "noai"}


@pytest.mark.parametrize("body", [False, True])
async def test_recorded(settings: WorkSettings, body: bool) -> None:
    """By default the facts are told, and the rule beside them; without a rule there is no field."""
    refusing = head("200 OK", Content_Length=LENGTH, **REFUSES) + PICTURE
    silent = head("200 OK", Content_Length=LENGTH) + PICTURE
    async with answering(refusing, silent) as raw, fetching(settings, body=body) as fetch:
        [(_, how)] = await fetch.answers(raw.url)
        [(outcome, other)] = await fetch.answers(raw.url)
    assert how.json()["opt_out"] == "X-Robots-Tag: noai"
    assert "opt_out" not in other.json()
    if isinstance(outcome, ImageInfo):
        told = json.loads(Record(0, "0", raw.url, outcome, how).line())
        assert told["fetch"]["opt_out"] == "X-Robots-Tag: noai"


@pytest.mark.parametrize("body", [False, True])
async def test_skipped(settings_of: SettingsOf, body: bool) -> None:
    """The row fails with the rule; the body that was still to come is not waited for."""
    said = head("200 OK", Content_Length=10**6, **REFUSES)
    settings = settings_of(opt_out="skip")
    async with answering(said, stays=True) as raw, fetching(settings, body=body) as fetch:
        [(outcome, how)] = await fetch.answers(raw.url)
    found = failure(outcome)
    assert (found.code, found.code.stage) == (ErrorCode.OPTED_OUT, Stage.FETCH)
    assert found.message.endswith(": X-Robots-Tag: noai")
    assert not found.retryable
    assert (how.status, how.bytes, how.attempts) == (200, 0, 1)
    assert len(raw.asked) == 1


@pytest.mark.parametrize(
    ("opt_out", "asked", "code"), [("skip", 1, ErrorCode.OPTED_OUT), ("record", 2, None)]
)
async def test_a_redirect_may_refuse(
    settings_of: SettingsOf, opt_out: str, asked: int, code: ErrorCode | None
) -> None:
    """Where one hop opts out nothing behind it is asked for, or the rule is recorded."""
    hop = head("302 Found", Location="/x", Content_Length=0, tdm_reservation=1)
    picture = head("200 OK", Content_Length=LENGTH) + PICTURE
    async with answering(hop, picture, stays=True) as raw:
        async with fetching(settings_of(opt_out=opt_out)) as fetch:
            [(outcome, how)] = await fetch.answers(raw.url)
        assert len(raw.asked) == asked
    if code is None:
        assert info(outcome).image_size == LENGTH
        assert how.opt_out == "tdm-reservation: 1"
    else:
        assert failure(outcome).code is code


async def test_not_looked_at(settings_of: SettingsOf) -> None:
    """Off is off."""
    said = head("200 OK", Content_Length=LENGTH, **REFUSES) + PICTURE
    async with answering(said) as raw, fetching(settings_of(opt_out="off")) as fetch:
        [(outcome, how)] = await fetch.answers(raw.url)
    assert info(outcome).image_size == LENGTH
    assert how.opt_out is None


async def test_an_error_page_opts_out_of_nothing(settings_of: SettingsOf) -> None:
    """404 says more than the header its server gives to every answer."""
    said = head("404 Not Found", Content_Length=0, **REFUSES)
    async with answering(said) as raw, fetching(settings_of(opt_out="skip")) as fetch:
        [outcome] = await fetch(raw.url)
    assert failure(outcome).http_status == 404
