"""What a client asks for, over HTTP or by fields of a job: a manifest and options, validated."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from workers.options import Depth, InfoOptions

__all__ = ["InfoRequest", "wrong_fields"]

MAX_TIMEOUT = 600.0
#: More rows than any manifest has; JSON is written with integers of 64 bits.
MAX_LIMIT = 2**63 - 1
#: So many wrong fields are named.
MAX_NAMED = 10


class InfoRequest(BaseModel):
    """`images_info`: a manifest by name, or inline, and options."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    filepath: str | None = Field(None, description="a manifest below the data root")
    images: list[Any] | None = Field(None, description="the rows themselves: objects or URLs")
    depth: Depth = Field(Depth.HEADER, description="first bytes only, or decode everything")
    ordered: bool = Field(False, description="records in manifest order")
    limit: int | None = Field(None, ge=0, le=MAX_LIMIT, description="only the first so many rows")
    extra: bool = Field(False, description="the other columns of a row in its record")
    timeout: float | None = Field(
        None, gt=0, le=MAX_TIMEOUT, allow_inf_nan=False, description="seconds for one picture"
    )
    thumbnail: int | None = Field(
        None, ge=1, le=256, description="long side of a WebP beside the facts"
    )
    batch_size: int | None = Field(
        None, ge=0, le=1024, description="taken from older clients, without effect here"
    )

    @field_validator("limit", "timeout", "thumbnail", "batch_size", mode="before")
    @classmethod
    def _no_truth(cls, value: object) -> object:
        if isinstance(value, bool):  # a number to Python
            msg = "give a number"
            raise ValueError(msg)  # noqa: TRY004 - pydantic tells a ValueError to the client
        return value

    @model_validator(mode="after")
    def _one_manifest(self) -> Self:
        if self.filepath is not None and self.images is not None:
            msg = "give filepath or images, not both"
            raise ValueError(msg)
        return self

    def options(self) -> InfoOptions:
        """The options alone."""
        depth = self.depth if self.thumbnail is None else Depth.FULL
        return InfoOptions(
            depth, self.ordered, self.limit, self.timeout, self.thumbnail, self.extra
        )


def wrong_fields(exc: ValidationError) -> list[tuple[str, str]]:
    """What is wrong, as (field, sentence); no value is repeated in it."""
    fields = []
    for error in exc.errors(include_url=False, include_input=False)[:MAX_NAMED]:
        name = ".".join(str(part) for part in error["loc"]) or "body"
        sentence = error["msg"].removeprefix("Value error, ")
        if error["type"] == "extra_forbidden":
            sentence = "there is no such option"
        fields.append((name[:100], sentence))
    return fields
