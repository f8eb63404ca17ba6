"""The work of one kind, ready to be given rows: the engine of this process, and what is asked."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from scripts.cli.exits import Refused
from workers.asked import ASKED, Asked, wrong_fields
from workers.batches.recipe import Recipe
from workers.engine import Engine, open_engine
from workers.errors import PredictorError
from workers.flow import Flow
from workers.manifest.rows import Row
from workers.options import BatchOptions, InfoOptions
from workers.pipeline import inspect_rows, predict_batches
from workers.settings import WorkSettings

__all__ = ["Work", "ask", "opened"]


@dataclass(frozen=True, slots=True)
class Work:
    """What becomes of rows."""

    engine: Engine
    options: InfoOptions | BatchOptions
    recipe: Recipe | None  #: of predictions

    def flow(self, rows: AsyncGenerator[Row, None]) -> AbstractAsyncContextManager[Flow[Any]]:
        """Begin on *rows*."""
        if isinstance(self.options, BatchOptions):
            assert self.recipe is not None  # noqa: S101 - `opened` made it
            return predict_batches(self.engine, rows, self.options, self.recipe)
        return inspect_rows(self.engine, rows, self.options)

    @property
    def together(self) -> int:
        """How many rows of the manifest are begun together: a batch, or one."""
        return 1 if self.recipe is None else self.recipe.batch_size

    @property
    def provenance(self) -> dict[str, Any] | None:
        """What predictions are made with."""
        return None if self.recipe is None else self.recipe.provenance()


def ask(kind: str, options: Mapping[str, Any]) -> Asked:
    """The request of such a *kind*. Raises Refused, naming each option that is wrong."""
    given = {name: value for name, value in options.items() if value is not None}
    try:
        return ASKED[kind].model_validate(given)
    except ValidationError as exc:
        told = [f"--{name.replace('_', '-')}: {what}" for name, what in wrong_fields(exc)]
        raise Refused("\n".join(told)) from exc


@asynccontextmanager
async def opened(settings: WorkSettings, asked: Asked) -> AsyncIterator[Work]:
    """The engine, and the predictor ready. Raises Refused where it cannot do that."""
    options = asked.options()
    pixels = isinstance(options, BatchOptions) or options.needs_body
    async with open_engine(settings, pixels=pixels) as engine:
        recipe = None
        if isinstance(options, BatchOptions):
            try:
                recipe = await engine.recipe(options)
            except PredictorError as exc:
                raise Refused(f"--{exc}") from exc
        yield Work(engine, options, recipe)
