"""What the operator decides about the door."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from server.settings import ServerSettings
from workers.environment import read_settings, show_settings
from workers.errors import SettingsError
from workers.settings import OF_SERVER, WorkSettings

KEY = "correct horse battery staple".replace(" ", "-")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_the_loopback_needs_no_word(host: str) -> None:
    """Nobody else can reach it."""
    assert read_settings(ServerSettings, host=host).host == host


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "8.8.8.8", "example.org", ""])
def test_a_public_bind_is_refused_unless_wanted(host: str) -> None:
    """A key, or OPEN=1, is the word; the refusal names both."""
    with pytest.raises(SettingsError, match=r"CENSUS_OPEN: .*OPEN=1"):
        read_settings(ServerSettings, host=host)
    with pytest.raises(SettingsError, match=r"OPEN=1"):
        read_settings(ServerSettings, host=host, open="0")
    assert read_settings(ServerSettings, host=host, open="1").open
    assert read_settings(ServerSettings, host=host, api_key=KEY).key == SecretStr(KEY)


def test_every_wrong_setting_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """All at once, a public bind among them, each by its name."""
    for name, value in {"HOST": "0.0.0.0", "PORT": "http", "TIMEOUT": "-1", "RETRIES": "x"}.items():
        monkeypatch.setenv(f"CENSUS_{name}", value)

    with pytest.raises(SettingsError) as caught:
        read_settings(ServerSettings)

    for name in ("OPEN", "PORT", "TIMEOUT", "RETRIES"):
        assert f"CENSUS_{name}: " in str(caught.value)


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """A key as editors and secret mounts leave it."""
    path = tmp_path / "key"
    path.write_text(f"  {KEY}\n\n", encoding="utf-8")
    return path


def test_the_key_may_stand_in_a_file(key_file: Path) -> None:
    """Read once at start, what is around it cut off."""
    settings = read_settings(ServerSettings, api_key_file=str(key_file))
    key_file.unlink()

    assert settings.key == SecretStr(KEY)
    assert not settings.private


def test_without_a_key_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty setting is an unset one."""
    monkeypatch.setenv("CENSUS_API_KEY", "")
    monkeypatch.setenv("CENSUS_API_KEY_FILE", "")

    assert read_settings(ServerSettings).key is None
    assert read_settings(ServerSettings).private


@pytest.mark.parametrize(
    "key", ["short", "x" * 15, "x" * 4097, "clé" * 8, "a key with spaces in it", "x" * 20 + "\0"]
)
@pytest.mark.parametrize("where", ["API_KEY", "API_KEY_FILE"])
def test_a_key_that_is_none_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, key: str, where: str
) -> None:
    """By the name of the setting and never by what it holds, a public bind or not."""
    (tmp_path / "key").write_text(key, encoding="utf-8")
    held = key if where == "API_KEY" else tmp_path / "key"

    with pytest.raises(SettingsError, match=rf"CENSUS_{where}: the key must") as caught:
        read_settings(ServerSettings, host="0.0.0.0", **{where.lower(): held})

    assert key not in f"{caught.value} {caught.value.__cause__}"
    assert "CENSUS_OPEN" not in str(caught.value)


@pytest.mark.parametrize("name", ["nowhere", ".", "/dev/zero", "/dev/null", "x" * 300, "a\0b"])
def test_a_key_file_that_holds_none_is_refused(tmp_path: Path, name: str) -> None:
    """Missing, a folder, without end, empty: told at start, none of it waited for."""
    with pytest.raises(SettingsError, match="CENSUS_API_KEY_FILE: "):
        read_settings(ServerSettings, api_key_file=tmp_path / name)


def test_a_key_and_a_key_file_exclude_each_other(key_file: Path) -> None:
    """Which of them counts would be a guess."""
    with pytest.raises(SettingsError, match=r"CENSUS_API_KEY_FILE: .*not both"):
        read_settings(ServerSettings, api_key=KEY, api_key_file=key_file)


def test_a_key_is_never_shown(key_file: Path) -> None:
    """Neither where settings are printed, nor in what they look like to a program."""
    shown = show_settings(read_settings(ServerSettings, api_key=KEY)).splitlines()
    assert "CENSUS_API_KEY=**********" in shown
    settings = read_settings(ServerSettings, api_key_file=key_file)
    assert f"CENSUS_API_KEY_FILE={key_file}" in show_settings(settings).splitlines()

    for told in (str(settings), repr(settings), "\n".join(shown), show_settings(settings)):
        assert KEY not in told


def test_a_consumer_knows_which_settings_are_the_servers() -> None:
    """It must not warn of them where both are given the same environment."""
    assert {name.upper() for name in ServerSettings.model_fields} == {
        *(name.upper() for name in WorkSettings.model_fields),
        *OF_SERVER,
    }
