"""What an append-only file ends with: torn, or damaged and not to be cut off."""

from __future__ import annotations

import pytest

from workers.jobs.tail import is_torn

MULTI = b"*1\r\n$5\r\nMULTI\r\n"
EXEC = b"*1\r\n$4\r\nEXEC\r\n"
SET = b"*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$12\r\nva\r\n*lue*3\r\n\r\n"


@pytest.mark.parametrize("written", [SET, MULTI + SET + SET + EXEC], ids=["one", "several"])
def test_wherever_it_was_torn_it_is(written: bytes) -> None:
    """After each byte, also with zeros behind."""
    for at in range(len(written)):
        assert is_torn(written[:at]), at
        assert is_torn(written[:at] + b"\0" * 100), at


@pytest.mark.parametrize(
    "tail",
    [
        SET[:-1] + b"X",
        SET[:10].replace(b"$3", b"$x"),
        b"SET key value",
        b"*3\r\n:3\r\n",
        b"*" + b"9" * 30,
        b"*0\r\n" + SET,
        SET + SET[:10],
        SET.replace(b"$3\r\nkey", b"$300\r\nkey") + SET,
        SET[:20] + b"\0" * 100 + SET,
        MULTI + SET + MULTI + SET,
        MULTI + SET + EXEC + SET,
        MULTI + SET[:-2] + b"X" + EXEC,
    ],
)
def test_what_has_anything_behind_it_is_not(tail: bytes) -> None:
    """Somebody has to look at it."""
    assert not is_torn(tail)
