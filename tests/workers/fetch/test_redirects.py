"""Where a redirect leads, and that each hop counts as an answer."""

from __future__ import annotations

import pytest
from yarl import URL

from imaging.facts import ErrorCode
from workers.fetch.redirects import RedirectError, next_target

HERE = URL("http://h/a/b?c")


@pytest.mark.parametrize(
    ("place", "onward"),
    [
        ("/x", "http://h/x"),
        ("x?y", "http://h/a/x?y"),
        ("//other/x", "http://other/x"),
        ("https://other:8443/x%28", "https://other:8443/x%28"),
        (" http://other/x ", "http://other/x"),
        ("http://other/a b", "http://other/a%20b"),
    ],
)
def test_place_is_followed(place: str, onward: str) -> None:
    """Relative, absolute or by host; written as it was, where it can be."""
    found = next_target(HERE, 302, {"Location": place})
    assert found is not None
    assert found.url == URL(onward, encoded=True)


@pytest.mark.parametrize(
    "place",
    ["ftp://h/x", "file:///etc/passwd", "javascript:1", "http://", "http://[::bad/", "https://[]@"],
)
def test_place_that_is_none(place: str) -> None:
    """What is no valid http(s) URL is told as a bad redirect, never raised as anything else."""
    with pytest.raises(RedirectError) as raised:
        next_target(HERE, 302, {"Location": place})

    assert raised.value.failure.code is ErrorCode.BAD_REDIRECT


def test_password_in_a_place_is_not_told() -> None:
    """The message names the place without what stands before its host."""
    with pytest.raises(RedirectError) as raised:
        next_target(HERE, 302, {"Location": "ftp://user:secret@h/x"})

    assert "secret" not in raised.value.failure.message


@pytest.mark.parametrize(("status", "headers"), [(200, {"Location": "/x"}), (302, {}), (304, {})])
def test_what_is_no_redirect(status: int, headers: dict[str, str]) -> None:
    """Another status, or no place named: the answer stands for itself."""
    assert next_target(HERE, status, headers) is None
