"""What the operator decides about the door."""

from __future__ import annotations

import pytest

from server.settings import ServerSettings
from workers.errors import SettingsError
from workers.settings import read_settings


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_the_loopback_needs_no_word(host: str) -> None:
    """Nobody else can reach it."""
    assert read_settings(ServerSettings, host=host).host == host


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "8.8.8.8", "example.org", ""])
def test_a_public_bind_is_refused_unless_wanted(host: str) -> None:
    """OPEN=1 is the word; the refusal names it."""
    with pytest.raises(SettingsError, match=r"CENSUS_OPEN: .*OPEN=1"):
        read_settings(ServerSettings, host=host)
    with pytest.raises(SettingsError, match=r"OPEN=1"):
        read_settings(ServerSettings, host=host, open="0")
    assert read_settings(ServerSettings, host=host, open="1").open


def test_every_wrong_setting_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """All at once, a public bind among them, each by its name."""
    for name, value in {"HOST": "0.0.0.0", "PORT": "http", "TIMEOUT": "-1", "RETRIES": "x"}.items():
        monkeypatch.setenv(f"CENSUS_{name}", value)

    with pytest.raises(SettingsError) as caught:
        read_settings(ServerSettings)

    for name in ("OPEN", "PORT", "TIMEOUT", "RETRIES"):
        assert f"CENSUS_{name}: " in str(caught.value)
