"""The header `traceparent`, and what only looks like one."""

from __future__ import annotations

import pytest

from workers.tracing.traceparent import Traceparent, read_traceparent

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.mark.parametrize(
    "text",
    [
        f"00-{TRACE}-{SPAN}-01",
        f" 00-{TRACE}-{SPAN}-01\t",
        f"00-{TRACE}-{SPAN}-01".encode(),
        f"7f-{TRACE}-{SPAN}-01",
        f"01-{TRACE}-{SPAN}-01-and-more",
    ],
)
def test_what_names_a_span(text: str | bytes) -> None:
    """Later versions begin like the first one, and are passed on as that."""
    found = read_traceparent(text)

    assert found == Traceparent(TRACE, SPAN, "01")
    assert str(found) == f"00-{TRACE}-{SPAN}-01"
    assert read_traceparent(str(found)) == found


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        b"\xff",
        "foo",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE}-{SPAN}-01\n",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"01-{TRACE}-{SPAN}-01-{'x' * 1000}",
    ],
)
def test_what_does_not(text: str | bytes | None) -> None:
    """It is as good as none given."""
    assert read_traceparent(text) is None
