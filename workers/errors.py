"""The errors of this room, one class per thing a caller would do differently.

    WorkError
     ├── SettingsError    the environment is wrong: tell the operator, do not start
     ├── EmbeddedRedisError   a Redis of our own cannot be had: say why, do not start
     │    └── RedisMissing    for there is no server program: say what to install
     ├── PredictorError   who was asked to predict cannot: tell the client
     ├── PredictorAway    it could not be asked just now: try again, here or elsewhere
     ├── TableError       no table can be written: what writes them is not installed
     ├── ResultError      a file is no result file, or a damaged one: say which line
     ├── PredictorLost    it was there, and is not any more: the stream, or the job, has failed
     └── ManifestError    the list as a whole cannot be read (one bad row is never an error)
          ├── ManifestNotFound   no such file, or not one that may be read: tell the client
          ├── ManifestAway       the host it lies with does not give it just now: try again
          └── ManifestTooLarge   more bytes than allowed

What goes wrong with one row is not raised: it travels as an `imaging.facts.Failure`.
"""

from __future__ import annotations

__all__ = [
    "EmbeddedRedisError",
    "ManifestAway",
    "ManifestError",
    "ManifestNotFound",
    "ManifestTooLarge",
    "PredictorAway",
    "PredictorError",
    "PredictorLost",
    "RedisMissing",
    "ResultError",
    "SettingsError",
    "TableError",
    "WorkError",
]


class WorkError(Exception):
    """Base of every error raised on purpose by this package."""


class SettingsError(WorkError):
    """One or more settings are wrong; the message lists all of them."""


class EmbeddedRedisError(WorkError):
    """A Redis of our own does not start, or does not answer; the message says why."""


class RedisMissing(EmbeddedRedisError):
    """There is no server program to start."""


class PredictorError(WorkError):
    """There is no such predictor, it could not load, or it cannot do what is asked.

    `field` is the option that is wrong.
    """

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(field, sentence)
        self.field = field
        self.sentence = sentence

    def __str__(self) -> str:
        return f"{self.field}: {self.sentence}"


class PredictorAway(WorkError):
    """A predictor is there, or may be, and could not be loaded just now."""


class PredictorLost(WorkError):
    """The predictor is gone, or another by now: no further batch is predicted."""


class TableError(WorkError):
    """No table can be written here; the message says what to install."""


class ResultError(WorkError):
    """What was taken for a result file is none, or damaged."""


class ManifestError(WorkError):
    """The manifest as a whole cannot be read on."""


class ManifestNotFound(ManifestError):
    """There is no such manifest, or none that may be read."""


class ManifestAway(ManifestError):
    """The host of a manifest is not reached, or does not give it, just now."""


class ManifestTooLarge(ManifestError):
    """The manifest is larger, inflated, than may be taken in."""
