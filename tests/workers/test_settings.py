"""Settings: read once from `CENSUS_*`, all problems at once, frozen."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from workers.environment import read_settings, show_settings, unknown_names
from workers.errors import SettingsError
from workers.fetch.guard import parse_network
from workers.manifest.addresses import parse_prefix
from workers.settings import PREFIX, WorkSettings

MiB = 1 << 20


def read(monkeypatch: pytest.MonkeyPatch, **environ: str) -> WorkSettings:
    """Settings from these variables, without their prefix."""
    for name, value in environ.items():
        monkeypatch.setenv(PREFIX + name, value)
    return read_settings(WorkSettings)


def test_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the documentation."""
    settings = read(monkeypatch)
    assert settings.data_root == Path("data")
    assert settings.allow_networks == ()
    assert (settings.max_connections, settings.max_connections_per_host) == (256, 32)
    assert (settings.timeout, settings.connect_timeout, settings.read_timeout) == (30, 5, 10)
    assert (settings.retries, settings.max_redirects) == (2, 5)
    assert (settings.max_image_bytes, settings.max_inflight_bytes) == (64 * MiB, 256 * MiB)
    assert settings.pool_budget == 24 * 50_000_000 + 256 * MiB


def test_spellings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sizes with units, comma lists with spaces, hosts in any case."""
    settings = read(
        monkeypatch,
        MAX_IMAGE_BYTES="2MiB",
        MAX_INFLIGHT_BYTES="3000000",
        ALLOW_NETWORKS=" 127.0.0.1:8000, 10.0.0.0/8,",
        TRUSTED_HOSTS="CDN.example, b:81",
        MANIFEST_URLS="https://a.example/lists/, s3://bucket",
        POOL_MEMORY="1GiB",
    )
    assert settings.manifest_urls == (
        parse_prefix("https://a.example/lists/"),
        parse_prefix("s3://bucket"),
    )
    shown = "CENSUS_MANIFEST_URLS=https://a.example/lists/,s3://bucket"
    assert shown in show_settings(settings).splitlines()
    assert (settings.max_image_bytes, settings.max_inflight_bytes) == (2 * MiB, 3_000_000)
    assert settings.allow_networks == (parse_network("127.0.0.1:8000"), parse_network("10.0.0.0/8"))
    assert settings.trusted_hosts == {"cdn.example", "b:81"}
    assert settings.pool_budget == 1 << 30


def test_empty_is_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    """As compose files leave them."""
    settings = read(monkeypatch, TIMEOUT="", ALLOW_NETWORKS="", POOL_MEMORY="", DATA_ROOT="")
    assert settings == read_settings(WorkSettings)
    assert settings.timeout == 30


def test_given_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command line's option, say."""
    monkeypatch.setenv("CENSUS_TIMEOUT", "7")
    assert read_settings(WorkSettings).timeout == 7
    assert read_settings(WorkSettings, timeout=8).timeout == 8


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_CONNECTIONS", "0"),
        ("MAX_CONNECTIONS", "many"),
        ("MAX_CONNECTIONS_PER_HOST", "-1"),
        ("TIMEOUT", "0"),
        ("TIMEOUT", "nan"),
        ("TIMEOUT", "inf"),
        ("RETRIES", "-1"),
        ("MAX_REDIRECTS", "21"),
        ("MAX_IMAGE_BYTES", "64 parsecs"),
        ("MAX_IMAGE_BYTES", "5"),
        ("ALLOW_NETWORKS", "localhost"),
        ("ALLOW_NETWORKS", "10.0.0.0/8,127.0.0.1:x"),
        ("MANIFEST_URLS", "a.example/lists"),
        ("MANIFEST_URLS", "https://a.example,https://name:pass@b.example"),
        ("USER_AGENT", "a\r\nX: b"),
        ("USER_AGENT", "ü"),
        ("LOG_LEVEL", "loud"),
        ("LOG_FORMAT", "xml"),
        ("POOL_SLOTS", "0"),
    ],
)
def test_wrong_values_are_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """By the variable's name."""
    with pytest.raises(SettingsError, match=f"{PREFIX}{name}: "):
        read(monkeypatch, **{name: value})


def test_all_problems_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not one at each start."""
    with pytest.raises(SettingsError) as caught:
        read(monkeypatch, TIMEOUT="x", RETRIES="y", ALLOW_NETWORKS="z")
    assert all(name in str(caught.value) for name in ("TIMEOUT", "RETRIES", "ALLOW_NETWORKS"))
    assert len(str(caught.value).splitlines()) == 4


def test_bodies_must_fit_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or the largest would wait for ever."""
    with pytest.raises(SettingsError, match="MAX_INFLIGHT_BYTES must be at least"):
        read(monkeypatch, MAX_IMAGE_BYTES="2MiB", MAX_INFLIGHT_BYTES="1MiB")


def test_frozen(settings: WorkSettings) -> None:
    """Nothing changes them while the work goes on."""
    with pytest.raises(ValidationError, match="frozen"):
        settings.timeout = 5


def test_unknown_names_are_told() -> None:
    """A typing error would otherwise go unseen."""
    environ = {"CENSUS_TIMOUT": "5", "CENSUS_XYZZY": "1", "CENSUS_TIMEOUT": "5", "PATH": "/"}
    environ["CENSUS_SERVER"] = "http://foo"  # the command's
    assert unknown_names(WorkSettings, environ) == [
        "CENSUS_TIMOUT is not a setting; did you mean CENSUS_TIMEOUT?",
        "CENSUS_XYZZY is not a setting",
    ]


def test_shown_settings_can_be_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each line is a variable, and all together are the same settings."""
    settings = read_settings(
        WorkSettings,
        allow_networks="[fd00::/8]:80,127.0.0.1/32",
        trusted_hosts="a,b:81",
        max_pixels=5,
        predictors="b=x.y:D, a=m:C",
        log_format="json",
    )
    lines = show_settings(settings).splitlines()
    assert len(lines) == len(WorkSettings.model_fields)
    for line in lines:
        monkeypatch.setenv(*line.split("=", 1))
    again = read_settings(WorkSettings)
    assert set(again.allow_networks) == set(settings.allow_networks)
    assert set(again.predictors) == set(settings.predictors)
    lists = {"allow_networks", "predictors"}
    assert again.model_dump(exclude=lists) == settings.model_dump(exclude=lists)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("a", "'a' is not name=module:Class"),
        ("a=m", "'a=m' is not name=module:Class"),
        ("a b=m:C", "is not name=module:Class"),
        ("a=m:C,a=m:D", "there are two predictors 'a'"),
        ("none=m:C", "none is the name of a predictor that is built in"),
    ],
)
def test_wrong_predictors(monkeypatch: pytest.MonkeyPatch, said: str, told: str) -> None:
    """Are told before anything is loaded."""
    with pytest.raises(SettingsError, match=told):
        read(monkeypatch, PREDICTORS=said)


def test_the_folder_of_models_must_be_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A name that is mistyped would be a service without models."""
    with pytest.raises(SettingsError, match=r"MODELS_DIR: .*nowhere is not a folder"):
        read(monkeypatch, MODELS_DIR=str(tmp_path / "nowhere"))
    assert read(monkeypatch, MODELS_DIR=str(tmp_path)).models_dir == tmp_path
