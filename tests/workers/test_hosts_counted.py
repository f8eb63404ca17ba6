"""What failed at which host: how it is named, that it is bounded, and what the bound leaves."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaging.facts import ErrorCode, Failure
from workers.hosts_counted import (
    MOST_HOSTS,
    MOST_JSON_BYTES,
    MOST_REASONS,
    HostCount,
    HostsCounted,
    Reason,
)

TIMEOUT = Failure(ErrorCode.TIMEOUT)


def status(number: int) -> Failure:
    """A row that was answered with it."""
    return Failure(ErrorCode.HTTP_STATUS, "", number)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://shop.example/a.jpg", "shop.example"),
        ("HTTPS://Shop.Example:443/a.jpg", "shop.example"),
        ("http://shop.example:80", "shop.example"),
        ("http://shop.example.:8080?x", "shop.example.:8080"),
        ("http://shop.example./", "shop.example"),
        ("https://shop.example:80/", "shop.example:80"),
        ("http://[::1]:8000/", "[::1]:8000"),
        ("http://bücher.example/", "bücher.example"),
        ("http://user:secret@shop.example/", "shop.example"),
        ("http://user@b:secret@shop.example/", "shop.example"),
        ("https://h/a@2x.png", "h"),
        ("https://" + "a." * 80 + "example/", "…" + ("a." * 80 + "example")[-99:]),
        ("http://a\u202eb/", None),
        ("http://a\nb/", None),
        ("http://a b/", None),
        ("http:///a", None),
        ("ftp://shop.example/", None),
        ("shop.example", None),
        ("", None),
        (None, None),
    ],
)
def test_a_host_is_named_one_way(url: str | None, host: str | None) -> None:
    """However the URL has it; never a password, and nothing that could not stand in a line."""
    counted = HostsCounted()
    counted.failed(3, url, TIMEOUT)
    assert list(counted.hosts) == ([] if host is None else [host])


def test_what_is_counted_of_a_host() -> None:
    """How often, why, and the first row of each, in whatever order rows finish."""
    counted = HostsCounted()
    for index, failure in [(40, status(429)), (12, status(429)), (50, TIMEOUT), (60, status(429))]:
        counted.failed(index, "http://a/", failure)
    counted.placeholder(7, "http://a/")
    counted.placeholder(8, "http://b/")
    assert counted.hosts == {
        "a": HostCount(7, 4, 1, False, {"http_429": Reason(3, 12), "timeout": Reason(1, 50)}),
        "b": HostCount(8, 0, 1),
    }


@pytest.mark.parametrize("code", ["bad_row", "bad_url", "bad_scheme", "cancelled"])
def test_no_host_has_to_do_with_it(code: str) -> None:
    """Rows that were never asked for, or not to their end."""
    counted = HostsCounted()
    counted.failed(0, "http://a/", Failure(ErrorCode(code)))
    assert counted.hosts == {}


def test_a_host_that_goes_wrong_late_is_seen() -> None:
    """From row 40,000 on one in thirty, while one in twenty others fails, each at its own host."""
    counted, bad = HostsCounted(), 0
    for index in range(100_000):
        if index >= 40_000 and index % 30 == 10:
            counted.failed(index, "https://cdn.example/x", status(429))
            bad += 1
        elif index % 20 == 0:
            counted.failed(index, f"https://h{index}.example/", TIMEOUT)
        assert len(counted.hosts) <= MOST_HOSTS
    host = max(counted.hosts.values(), key=lambda one: one.failed)
    assert counted.hosts["cdn.example"] is host
    assert host == HostCount(40_000, bad, 0, True, {"http_429": Reason(bad, 40_000)})
    assert counted.dropped


def test_a_host_that_answers_with_everything_is_bounded() -> None:
    """Its count stays right; of what for, the most frequent stay."""
    counted = HostsCounted()
    for number in range(100, 1000):
        counted.failed(number, "http://a/", status(number))
        counted.failed(number, "http://a/", status(404))
        assert len(counted.hosts["a"].reasons) <= MOST_REASONS
    host = counted.hosts["a"]
    assert (host.failed, host.reasons["http_404"], host.at_least) == (
        1800,
        Reason(901, 100),
        True,
    )


def test_few_hosts_are_counted_exactly() -> None:
    """As many as there is room for: nothing is a lower bound."""
    counted = HostsCounted()
    for index in range(10 * MOST_HOSTS):
        counted.failed(index, f"http://h{index % MOST_HOSTS}/", TIMEOUT)
    assert not counted.dropped
    assert {(one.failed, one.at_least) for one in counted.hosts.values()} == {(10, False)}


@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from("abc"),
            st.sampled_from([TIMEOUT, status(404), status(999), None]),
            st.integers(0, 10**9),
        )
    )
)
def test_it_is_read_back_as_it_was_written(
    rows: list[tuple[str, Failure | None, int]],
) -> None:
    """All of it."""
    counted = HostsCounted()
    for host, failure, index in rows:
        if failure is None:
            counted.placeholder(index, f"http://{host}/")
        else:
            counted.failed(index, f"http://{host}/", failure)
    assert HostsCounted.read(counted.json()) == counted


GARBAGE: list[bytes] = [
    b"",
    b"many",
    b"[]",
    b"{}",
    b'{"hosts":[]}',
    b'{"hosts":{"a":1,"b":null,"":{},"a\\nb":{},"c c":{}}}',
    b'{"hosts":' * 2000,
    orjson.dumps({"hosts": {"a": {"failed": 1}}}) + b" " * MOST_JSON_BYTES,
]


@pytest.mark.parametrize("said", GARBAGE)
def test_what_is_not_ours_counts_nothing(said: bytes) -> None:
    """Whatever a person wrote."""
    assert HostsCounted.read(said) == HostsCounted()


def test_of_what_is_half_ours_the_rest_is_read() -> None:
    """Numbers that are none are 0, reasons that are none are left out, the bound is kept."""
    odd = {"failed": "7", "first": -1, "placeholders": 10**18, "at_least": "yes"}
    odd["reasons"] = {"a\nb": [1, 2], "timeout": [3], "http_404": [True, 1.5], "tls": [3, 4]}
    read = HostsCounted.read(orjson.dumps({"dropped": 1, "hosts": {"a": odd, "b": {}}}))
    assert read.hosts == {
        "a": HostCount(0, 0, 0, False, {"http_404": Reason(0, 0), "tls": Reason(3, 4)}),
        "b": HostCount(0),
    }
    many = {"hosts": {f"h{n}": {"failed": n, "reasons": {}} for n in range(1000)}}
    read = HostsCounted.read(orjson.dumps(many))
    assert len(read.hosts) <= MOST_HOSTS
    assert "h999" in read.hosts
    assert read.dropped
