"""What the operator decides about the door; the rest is `workers.settings`."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from workers.settings import WorkSettings

__all__ = ["KeyFile", "ServerSettings"]

#: A key can be tried as fast as the service answers: it must not be guessable.
LEAST_KEY = 16
#: A header field has at most 8,190 bytes.
LONGEST_KEY = 4096


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A file and the key that stood in it at start."""

    path: Path
    key: SecretStr

    def __str__(self) -> str:
        return str(self.path)


class ServerSettings(WorkSettings):
    """All settings of `python -m server`."""

    # A wrong key must not stand in a message either.
    model_config = SettingsConfigDict(hide_input_in_errors=True)

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(5000, ge=0, le=65535, description="port to listen on; 0: any free one")
    api_key: SecretStr | None = Field(None, description="the bearer key requests must carry")
    api_key_file: Annotated[KeyFile | None, NoDecode] = Field(
        None, description="a file that holds it, instead"
    )
    open: bool = Field(
        False,
        validate_default=True,
        description="allow listening on an address others can reach, without a key",
    )
    max_streams: int = Field(
        32, ge=1, le=10_000, description="requests for work at once; further ones are answered 503"
    )

    @field_validator("api_key")
    @classmethod
    def _key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            _check_key(value.get_secret_value())
        return value

    @field_validator("api_key_file", mode="before")
    @classmethod
    def _key_file(cls, value: object, info: ValidationInfo) -> object:
        if not isinstance(value, str | Path):
            return value
        if info.data.get("api_key") is not None:
            msg = "give CENSUS_API_KEY or CENSUS_API_KEY_FILE, not both"
            raise ValueError(msg)
        try:
            with Path(value).open("rb") as file:
                held = file.read(LONGEST_KEY + 1024)  # a device has no end
        except (OSError, ValueError) as exc:
            msg = f"cannot be read: {getattr(exc, 'strerror', None) or 'not a path'}"
            raise ValueError(msg) from exc
        key = held.decode("latin-1").strip()
        _check_key(key)
        return KeyFile(Path(value), SecretStr(key))

    @field_validator("open")
    @classmethod
    def _bind(cls, value: bool, info: ValidationInfo) -> bool:
        host = info.data.get("host", "127.0.0.1")
        # A key that is wrong is told already, and is not in `data` then.
        keyed = any(
            info.data.get(name, "wrong") is not None for name in ("api_key", "api_key_file")
        )
        if not value and not keyed and not _is_loopback(host):
            msg = (
                f"CENSUS_HOST={host} can be reached from other machines, and whoever reaches it can"
                " make this one download; set CENSUS_API_KEY, or CENSUS_OPEN=1 if that is wanted"
            )
            raise ValueError(msg)
        return value

    @property
    def key(self) -> SecretStr | None:
        """The key itself, wherever it stands; None: requests need none."""
        return self.api_key if self.api_key_file is None else self.api_key_file.key

    @property
    def private(self) -> bool:
        """Whether only this machine reaches the door, and nobody said otherwise."""
        return self.key is None and not self.open and _is_loopback(self.host)


def _check_key(key: str) -> None:
    """Raises ValueError, never with the key in it."""
    if not key.isascii() or not key.isprintable() or " " in key:
        msg = "the key must be printable ASCII without a space"
        raise ValueError(msg)
    if not LEAST_KEY <= len(key) <= LONGEST_KEY:
        msg = f"the key must have {LEAST_KEY} to {LONGEST_KEY} characters; it has {len(key)}"
        raise ValueError(msg)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
