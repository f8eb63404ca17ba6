"""The predictors that requests may name: those built in, classes of the operator's, model files.

Each is loaded in a child of the pool before anybody may use it, so that a file which ends the
process that reads it ends nothing else. Files are looked at again whenever somebody asks: one that
is dropped into the folder is there for the next request.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import nullcontext
from contextvars import Context
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from imaging.facts import ErrorCode, Failure
from imaging.predictors.about import BUILT_IN, DEFAULT, About, Kind, Spec, is_name
from workers.errors import PredictorAway, PredictorError
from workers.pool import entries
from workers.pool.pool import ImagePool, PoolClosedError
from workers.settings import WorkSettings

__all__ = ["Known", "Predictors"]

logger = logging.getLogger(__name__)

#: Of a file and what stands beside it: another one is told by these.
Stamp = tuple[object, ...]

#: What ended the process that loaded it, or took too long, is tried again after so long.
AGAIN_SECONDS = 30.0
#: So long whoever asks for all of them waits for one that is being loaded.
PATIENCE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Known:
    """A predictor, and what it is or why it is not."""

    spec: Spec
    about: About | None
    problem: str | None = None  #: why it cannot be used
    passing: bool = False  #: the problem may be over the next time
    at: float = field(default_factory=time.monotonic)  #: when that was found

    def json(self) -> dict[str, Any]:
        """As clients are told."""
        if self.about is None:
            return {"name": self.spec.name, "ready": False, "error": self.problem}
        return {**self.about.json(), "ready": True}


@dataclass(frozen=True, slots=True)
class _Asked:
    """A predictor that is, or was, loaded for the first time."""

    spec: Spec
    stamp: Stamp
    task: asyncio.Task[Known]

    @property
    def broke(self) -> bool:
        """Whether that ended with an error of ours: it is tried again."""
        return self.task.done() and (self.task.cancelled() or self.task.exception() is not None)

    @property
    def stale(self) -> bool:
        """Whether a process that ended over it is long ago: the machine may have been at fault."""
        if not self.task.done() or self.broke:
            return False
        known = self.task.result()
        return known.passing and time.monotonic() - known.at > AGAIN_SECONDS


class Predictors:
    """All of this process; made by `open_engine`."""

    def __init__(self, settings: WorkSettings, pool: ImagePool) -> None:
        self._folder = settings.models_dir
        self._timeout = settings.predict_timeout
        self._pool = pool
        self._fixed = [Spec(name, "", Kind.BUILT_IN) for name in BUILT_IN]
        self._fixed += settings.predictors
        self._asked: dict[str, _Asked] = {}
        self._readable = True  #: the folder, when it was looked at last
        self._tasks: set[asyncio.Task[Known]] = set()
        self._turn = asyncio.Semaphore(1)  # one that hangs holds one process, not all of them

    async def look(self, *names: str) -> None:
        """Begin to load what is new; forget what is gone.

        Of those built in, and of those whose loading failed a while ago, what *names* tell.
        """
        found: dict[str, tuple[Spec, Stamp]] = {spec.name: (spec, ()) for spec in self._fixed}
        if self._folder is not None:
            try:
                found |= await asyncio.to_thread(_models, self._folder, set(found))
                self._readable = True
            except OSError as exc:  # what was there is taken to be there still
                self._readable = False
                extra = {"action": "models_unreadable", "reason": str(exc)}
                logger.warning("the folder of models cannot be read", extra=extra)
                found |= {one.spec.name: (one.spec, one.stamp) for one in self._asked.values()}
        for name in self._asked.keys() - found.keys():
            self._asked.pop(name).task.cancel()
        for name, (spec, stamp) in found.items():
            before = self._asked.get(name)
            if spec.kind is Kind.BUILT_IN and name not in names:
                continue
            if before is not None and not before.task.done():
                continue  # also where its file changed: `find` looks again when it is over
            stale = before is not None and before.stale and name in names
            if before is None or before.stamp != stamp or before.broke or stale:
                # Of no request: whose name is on it would stand in the log of a model.
                task = asyncio.create_task(self._load(spec), context=Context())
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
                self._asked[name] = _Asked(spec, stamp, task)

    async def all(self) -> list[Known]:
        """Every predictor; one that takes long to load is told as such."""
        await self.look(*BUILT_IN, *self._asked)
        names = [spec.name for spec in self._fixed]
        names += sorted(self._asked.keys() - set(names))
        asked = [self._asked[name] for name in names]
        await asyncio.wait([one.task for one in asked], timeout=PATIENCE_SECONDS)
        late = "it is still being loaded"
        return [
            one.task.result() if one.task.done() else Known(one.spec, None, late)
            for one in asked
            if not one.broke
        ]

    async def find(self, name: str) -> tuple[Spec, About]:
        """The predictor of that name, which can be used.

        Raises:
            PredictorError: there is none, or it cannot be used.
            PredictorAway: that is not known, or may be otherwise soon.
        """
        await self.look(name)
        while True:
            asked = self._asked.get(name)
            if asked is None and not self._readable:
                raise PredictorAway("the folder of models cannot be read")
            if asked is None:
                told = f"there is none of that name; known: {self._names()}"
                raise PredictorError("predictor", told)
            if asked.task.done():
                break
            await asyncio.wait({asked.task})
            if asked.broke:
                break
            await self.look()  # its file may have changed meanwhile
        if asked.broke:
            if not asked.task.cancelled() and isinstance(
                error := asked.task.exception(), PoolClosedError
            ):
                raise error
            raise PredictorAway(f"{name} could not be loaded")
        known = asked.task.result()
        if known.passing:
            raise PredictorAway(f"{name}: {known.problem}")
        if known.about is None:
            raise PredictorError("predictor", f"{name} cannot be used: {known.problem}")
        return known.spec, known.about

    async def close(self) -> None:
        """Stop loading."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _names(self) -> str:
        names = {*BUILT_IN, *self._asked}
        return ", ".join(sorted(names, key=lambda name: (name != DEFAULT, name)))

    async def _load(self, spec: Spec) -> Known:
        """What a child says of it, or how it ended over it."""
        if (problem := _misnamed(spec)) is not None:
            return _unusable(spec, problem)
        turn = nullcontext() if spec.kind is Kind.BUILT_IN else self._turn
        found: Any = None
        async with turn:
            for _ in range(2):  # a process may be spoiled: the next one is another
                async with self._pool.slot() as slot:
                    (found,) = await slot.run(
                        entries.load_item, [spec], item_timeout=self._timeout, leave=self._timeout
                    )
                if not isinstance(found, Failure) or found.code is not ErrorCode.INTERNAL:
                    break
        if isinstance(found, entries.Lost):
            return _unusable(spec, found.reason)
        if isinstance(found, Failure):
            told = f"loading it failed: {found.message or found.code.sentence}"
            return _unusable(spec, told, passing=True)
        if spec.kind is not Kind.BUILT_IN:
            extra = {"action": "predictor_loaded", "predictor": spec.name, "sha256": found.sha256}
            logger.info("a predictor is ready", extra=extra)
        return Known(spec, found)


def _unusable(spec: Spec, problem: str, *, passing: bool = False) -> Known:
    extra = {"action": "predictor_unusable", "predictor": spec.name, "reason": problem}
    logger.warning("a predictor cannot be used", extra=extra)
    return Known(spec, None, problem, passing)


def _misnamed(spec: Spec) -> str | None:
    """Why a file cannot be called by its name."""
    if spec.kind is not Kind.ONNX or (is_name(spec.name) and not spec.name.endswith(".onnx")):
        return None
    stem = spec.name.removesuffix(".onnx")
    if is_name(stem):
        return f"another predictor is called {stem}: rename the file"
    return "a name is 1 to 64 ASCII letters, digits, '.', '_' and '-': rename the file"


def _models(folder: Path, taken: set[str]) -> dict[str, tuple[Spec, Stamp]]:
    """The model files of a folder. One that cannot have its name stands under that of the file.

    Raises OSError where the folder cannot be read.
    """
    found: dict[str, tuple[Spec, Stamp]] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix != ".onnx" or path.name.startswith("."):  # half copied, by rsync and others
            continue
        stamp = _stamp(path), _stamp(path.with_suffix(".json"))
        if stamp[0] is not None:
            usable = is_name(path.stem) and path.stem not in taken
            name = path.stem if usable else path.name
            found[name] = Spec(name, str(path), Kind.ONNX), stamp
    return found


def _stamp(path: Path) -> tuple[int, ...] | None:
    try:
        told = path.stat()
    except OSError:
        return None
    return told.st_mtime_ns, told.st_size, told.st_ino
