"""What is asked of the census, and whether each row of a whole answer is there exactly once."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Judgement", "Question", "info", "predict"]

#: Rows in a batch: the default of the service.
BATCH = 32

Line = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a whole answer holds."""

    good: int  #: distinct rows answered as wished
    lost: int  #: rows without such an answer, or with two
    bytes: int  #: received, as the summary says


@dataclass(frozen=True, slots=True)
class Question:
    """A request for the first *rows* rows of a manifest, and how its rows are found."""

    path: str
    body: dict[str, Any]
    rows: int
    found: Callable[[Line], list[tuple[int, bool]]]  #: of a line: its rows, and if they are good

    def judge(self, answer: bytes) -> Judgement:
        """Count the rows of an answer read to its end."""
        lines = [json.loads(line) for line in answer.splitlines()]
        found = [row for line in lines for row in self.found(line)]
        good = {index for index, is_good in found if is_good}
        lost = self.rows - len(good & set(range(self.rows)))
        lost += len(found) - len({index for index, _ in found})
        summary = lines[-1]
        if summary["type"] != "summary" or not summary["complete"]:
            lost = max(lost, 1)
        return Judgement(len(good), lost, int(summary.get("bytes", 0)))


def info(manifest: Path, rows: int) -> Question:
    """The facts of each row."""
    body = {"filepath": manifest.name, "limit": rows}
    return Question("/api/v1/images_info", body, rows, _images)


def _images(line: Line) -> list[tuple[int, bool]]:
    if line["type"] != "image":
        return []
    return [(line["index"], line["image_info"] is not None)]


def predict(manifest: Path, rows: int, size: int) -> Question:
    """The pixels of each row in batches; nothing is predicted from them."""
    body = {"filepath": manifest.name, "limit": rows, "batch_size": BATCH}
    body |= {"size": [size, size], "predictor": "none"}
    return Question("/api/v1/batch_predict", body, rows, _predictions)


def _predictions(line: Line) -> list[tuple[int, bool]]:
    if line["type"] != "batch":
        return []
    return [(row["index"], "prediction" in row and "error" not in row) for row in line["rows"]]
