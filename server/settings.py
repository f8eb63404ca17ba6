"""What the operator decides about the door; the rest is `workers.settings`."""

from __future__ import annotations

import ipaddress
from typing import Self

from pydantic import Field, model_validator

from workers.settings import WorkSettings

__all__ = ["ServerSettings"]


class ServerSettings(WorkSettings):
    """All settings of `python -m server`."""

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(5000, ge=0, le=65535, description="port to listen on; 0: any free one")
    open: bool = Field(False, description="allow listening on an address others can reach")
    shutdown_grace: float = Field(
        25.0, ge=0, description="seconds open streams have to end after SIGTERM"
    )

    @model_validator(mode="after")
    def _bind(self) -> Self:
        if not self.open and not _is_loopback(self.host):
            msg = (
                f"HOST={self.host} can be reached from other machines, and whoever reaches it can"
                " make this one download; set OPEN=1 if that is wanted"
            )
            raise ValueError(msg)
        return self


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
