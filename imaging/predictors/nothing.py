"""The predictor `none`: batches are made, and nothing is said of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from imaging.predictors.about import About
from imaging.predictors.protocol import Described, Pictures

__all__ = ["Nothing"]


class Nothing(Described):
    """Predicts `{}`."""

    about = About(name="none", version="1")

    def __call__(self, batch: Pictures, ids: Sequence[str]) -> Sequence[Any]:  # noqa: ARG002
        """Return an empty object for each row."""
        return [{} for _ in batch]
