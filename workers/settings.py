"""What the operator decides about the work, read once from `CENSUS_*` and then frozen."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import ByteSize, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from imaging.predictors.about import Spec, parse_class
from workers.fetch.guard import Network, parse_network
from workers.manifest.addresses import Prefix, parse_prefix

__all__ = ["OF_COMMAND", "OF_SERVER", "PREFIX", "VERSION", "WorkSettings"]

PREFIX = "CENSUS_"
#: What only the server reads, and a consumer may find in an environment both are given.
OF_SERVER = ("HOST", "PORT", "API_KEY", "API_KEY_FILE", "OPEN", "MAX_STREAMS")
#: What only the command reads: it may be exported where a server or a consumer is started.
OF_COMMAND = ("SERVER",)
VERSION = "0.1.0"

#: What one pixel may cost while it is decoded (all of Pillow's buffers), and the room beside it.
_BYTES_PER_PIXEL = 24
_POOL_HEADROOM = 256 * 1024**2

_REDIS = re.compile(r"(rediss?://[^/\s]|unix:///)\S*\Z")

MiB = 1024**2
GiB = 1024**3


def _split(value: object) -> object:
    """A comma list from the environment; anything else passes."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


class WorkSettings(BaseSettings):
    """Settings of `workers`; `server` adds its own. Sizes may be written `64MiB`, lists `a,b`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, env_ignore_empty=True, extra="ignore"
    )

    data_root: Path = Field(Path("data"), description="manifests and uploads live below it")
    var: Path = Field(Path("var"), description="where a Redis of our own keeps its files")
    manifest_urls: Annotated[tuple[Prefix, ...], NoDecode] = Field(
        (), description="prefixes of the https, http and s3 URLs a filepath may have"
    )
    models_dir: Path | None = Field(None, description="ONNX files that requests may name")
    predictors: Annotated[tuple[Spec, ...], NoDecode] = Field(
        (), description="name=module:Class of predictors of your own"
    )
    redis_url: SecretStr | None = Field(
        None, description="redis://, rediss:// or unix:// of the Redis jobs live in; none: our own"
    )
    redis_cluster: bool = Field(False, description="it is a Redis Cluster")
    allow_networks: Annotated[tuple[Network, ...], NoDecode] = Field(
        (), description="CIDR[:port] a download may reach besides public addresses"
    )
    trusted_hosts: Annotated[frozenset[str], NoDecode] = Field(
        frozenset(), description="host or host:port exempt from the per-host limit"
    )
    max_connections: int = Field(256, ge=1, le=4096, description="downloads under way")
    max_connections_per_host: int = Field(32, ge=1, description="of these, to one host")
    timeout: float = Field(30.0, gt=0, le=3600, description="seconds a picture, over all attempts")
    connect_timeout: float = Field(
        5.0, gt=0, le=3600, description="seconds to connect, TLS included"
    )
    read_timeout: float = Field(
        10.0, gt=0, le=3600, description="seconds without a byte from the host"
    )
    retries: int = Field(2, ge=0, le=10, description="further attempts after a passing failure")
    max_redirects: int = Field(5, ge=0, le=20, description="redirects followed per picture")
    max_image_bytes: ByteSize = Field(
        ByteSize(64 * MiB), ge=1024, description="largest body downloaded"
    )
    max_pixels: int = Field(
        50_000_000, ge=1, le=10_000_000_000, description="largest picture decoded, width × height"
    )
    max_inflight_bytes: ByteSize = Field(
        ByteSize(256 * MiB), description="bodies held in memory at once, all streams together"
    )
    max_body_bytes: ByteSize = Field(
        ByteSize(8 * GiB), description="largest manifest, inflated, in a request body"
    )
    max_spool_bytes: ByteSize = Field(
        ByteSize(32 * GiB), description="all spooled manifests together"
    )
    pool_slots: int = Field(
        default_factory=lambda: os.cpu_count() or 1, ge=1, description="processes that decode"
    )
    pool_memory: ByteSize | None = Field(
        None, ge=64 * MiB, description="address space a process may add to what it starts with"
    )
    decode_timeout: float = Field(20.0, gt=0, le=3600, description="seconds to decode one picture")
    predict_timeout: float = Field(
        60.0, gt=0, le=3600, description="seconds to predict one batch, or to load a model"
    )
    shard_rows: int = Field(128, ge=1, le=1024, description="rows leased and recorded together")
    lease_seconds: float = Field(
        30.0, ge=0.5, le=3600, description="without a heartbeat for so long, work is taken over"
    )
    result_ttl: int = Field(
        7 * 24 * 3600, ge=1, description="seconds a job and its results are kept after its end"
    )
    max_redis_results: ByteSize = Field(
        ByteSize(GiB), ge=1, description="results of one job in Redis, beyond which it pauses"
    )
    shutdown_grace: float = Field(
        25.0,
        ge=0,
        le=3600,
        description="seconds after SIGTERM for what is under way: last lines, shards begun",
    )
    opt_out: Literal["record", "skip", "off"] = Field(
        "record", description="X-Robots-Tag noai, noimageai and TDM reservations: what is done"
    )
    user_agent: str = Field(f"imagecensus/{VERSION}", min_length=1, description="sent to hosts")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="least severity that is logged"
    )
    log_format: Literal["console", "json"] | None = Field(
        None, description="how a log line is written"
    )
    metrics_port: int | None = Field(
        None, ge=0, le=65535, description="port a consumer serves its metrics on; none: it does not"
    )
    metrics_host: str = Field(
        "127.0.0.1", min_length=1, description="address a consumer serves its metrics on"
    )

    @field_validator("allow_networks", mode="before")
    @classmethod
    def _networks(cls, value: object) -> object:
        parts = _split(value)
        if isinstance(parts, list | tuple):
            return tuple(parse_network(part) if isinstance(part, str) else part for part in parts)
        return parts

    @field_validator("manifest_urls", mode="before")
    @classmethod
    def _prefixes(cls, value: object) -> object:
        parts = _split(value)
        if isinstance(parts, list | tuple):
            return tuple(parse_prefix(part) if isinstance(part, str) else part for part in parts)
        return parts

    @field_validator("trusted_hosts", mode="before")
    @classmethod
    def _hosts(cls, value: object) -> object:
        parts = _split(value)
        return frozenset(str(part).lower() for part in parts) if isinstance(parts, list) else parts

    @field_validator("predictors", mode="before")
    @classmethod
    def _classes(cls, value: object) -> object:
        parts = _split(value)
        if not isinstance(parts, list | tuple):
            return parts
        specs = [parse_class(part) if isinstance(part, str) else part for part in parts]
        if twice := [name for name, count in Counter(s.name for s in specs).items() if count > 1]:
            msg = f"there are two predictors {twice[0]!r}"
            raise ValueError(msg)
        return tuple(specs)

    @field_validator("models_dir")
    @classmethod
    def _models(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_dir():
            msg = f"{value} is not a folder"
            raise ValueError(msg)
        return value

    @field_validator("data_root")
    @classmethod
    def _folder(cls, value: Path) -> Path:
        if value.exists() and not value.is_dir():
            msg = "is not a folder"
            raise ValueError(msg)
        return value

    @field_validator("trusted_hosts")
    @classmethod
    def _names(cls, value: frozenset[str]) -> frozenset[str]:
        for host in value:
            if "/" in host or " " in host:
                msg = f"{host!r} is not host or host:port"
                raise ValueError(msg)
        return value

    @field_validator("redis_url")
    @classmethod
    def _redis(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _REDIS.match(value.get_secret_value()):
            msg = "must begin with redis://, rediss:// or unix:///"
            raise ValueError(msg)
        return value

    @field_validator("user_agent")
    @classmethod
    def _one_line(cls, value: str) -> str:
        if not value.isprintable() or not value.isascii():
            msg = "must be one line of printable ASCII"
            raise ValueError(msg)
        return value

    @model_validator(mode="after")
    def _bounds(self) -> Self:
        if self.max_inflight_bytes < self.max_image_bytes:
            msg = "CENSUS_MAX_INFLIGHT_BYTES must be at least CENSUS_MAX_IMAGE_BYTES, or none fits"
            raise ValueError(msg)
        if self.redis_cluster and self.redis_url is None:
            msg = "CENSUS_REDIS_CLUSTER=1 needs CENSUS_REDIS_URL: a Redis of our own is no cluster"
            raise ValueError(msg)
        return self

    @property
    def pool_budget(self) -> int:
        """Bytes of address space a pool child may add to what it starts with."""
        if self.pool_memory is not None:
            return int(self.pool_memory)
        return _BYTES_PER_PIXEL * self.max_pixels + _POOL_HEADROOM

    @property
    def largest_array(self) -> int:
        """Bytes that one batch may have: what is left is for small ones, which then need not wait
        for a large one that is long under way.
        """
        return int(self.max_inflight_bytes) * 3 // 4
