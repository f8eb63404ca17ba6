"""What the operator decides about the door; the rest is `workers.settings`."""

from __future__ import annotations

import ipaddress

from pydantic import Field, ValidationInfo, field_validator

from workers.settings import WorkSettings

__all__ = ["ServerSettings"]


class ServerSettings(WorkSettings):
    """All settings of `python -m server`."""

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(5000, ge=0, le=65535, description="port to listen on; 0: any free one")
    open: bool = Field(
        False,
        validate_default=True,
        description="allow listening on an address others can reach",
    )
    shutdown_grace: float = Field(
        25.0,
        ge=0,
        le=3600,
        description="seconds slow clients have for their last lines after SIGTERM",
    )

    @field_validator("open")
    @classmethod
    def _bind(cls, value: bool, info: ValidationInfo) -> bool:
        host = info.data.get("host", "127.0.0.1")
        if not value and not _is_loopback(host):
            msg = (
                f"CENSUS_HOST={host} can be reached from other machines, and whoever reaches it can"
                " make this one download; set CENSUS_OPEN=1 if that is wanted"
            )
            raise ValueError(msg)
        return value


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
