"""Who may be asked: what is configured and what lies in the folder, good and bad, old and new."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.imaging.predictors import models
from tests.workers.batches.own_predictors import HERE
from tests.workers.pool import hostile_work
from workers.batches import predictors as module
from workers.batches.predicting import predict_batch
from workers.batches.recipe import differs
from workers.engine import Engine, open_engine
from workers.errors import PredictorAway, PredictorError, PredictorLost
from workers.options import BatchOptions
from workers.settings import WorkSettings

SettingsOf = Callable[..., WorkSettings]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of model files."""
    made = tmp_path / "models"
    made.mkdir()
    return made


async def told(engine: Engine) -> dict[str, Any]:
    """What each is, or why it is not."""
    return {one.spec.name: one.about or one.problem for one in await engine.predictors.all()}


async def absence(engine: Engine, predictor: str) -> str:
    with pytest.raises(PredictorAway) as caught:
        await engine.recipe(BatchOptions(predictor=predictor))
    return str(caught.value)


async def refusal(engine: Engine, **options: Any) -> tuple[str, str]:
    with pytest.raises(PredictorError) as caught:
        await engine.recipe(BatchOptions(**options))
    return caught.value.field, caught.value.sentence


async def test_all_are_told_of(settings_of: SettingsOf, folder: Path) -> None:
    """Those that load with what they are, others with why not; none takes the service down."""
    (folder / "colours.onnx").write_bytes(models.colours())
    (folder / "corrupt.onnx").write_bytes(b"no model at all")
    (folder / "none.onnx").write_bytes(b"")
    (folder / "wrong name.onnx").write_bytes(b"")
    (folder / ".hidden.onnx").write_bytes(b"")
    (folder / "readme.txt").write_bytes(b"")
    own = f"mean={HERE}:Mean,broken={HERE}:Broken,deadly={HERE}:Deadly,nobody={HERE}:Nobody"
    async with open_engine(settings_of(models_dir=folder, predictors=own)) as engine:
        found = await told(engine)
        assert await engine.pool.probe(5)
    assert list(found)[:2] == ["none", "appearance"]
    assert found["mean"].version == "7"
    assert len(found["colours"].sha256) == 64
    assert "no such model" in found["broken"]
    assert "exit code 5" in found["deadly"]
    assert "Nobody" in found["nobody"]
    assert isinstance(found["corrupt"], str)
    assert "called none" in found["none.onnx"]
    assert "rename" in found["wrong name.onnx"]
    assert len(found) == 10


async def test_files_come_change_and_go(settings_of: SettingsOf, folder: Path) -> None:
    """Each request finds what is there then."""
    async with open_engine(settings_of(models_dir=folder)) as engine:
        assert "known: appearance, none" in (await refusal(engine, predictor="colours"))[1]
        path = folder / "colours.onnx"
        path.write_bytes(models.colours())
        first = (await engine.recipe(BatchOptions(predictor="colours"))).about
        _replace(path, models.colours(version=2))
        second = (await engine.recipe(BatchOptions(predictor="colours"))).about
        assert first.sha256 != second.sha256
        (folder / "colours.json").write_text('{"labels": ["r", "g", "b"]}')
        third = (await engine.recipe(BatchOptions(predictor="colours"))).about
        assert third.labels == ("r", "g", "b")
        path.unlink()
        assert (await refusal(engine, predictor="colours"))[0] == "predictor"


def _replace(path: Path, data: bytes) -> None:
    new = path.with_suffix(".new")
    new.write_bytes(data)
    new.replace(path)


async def test_a_run_keeps_the_model_it_began_with(settings_of: SettingsOf, folder: Path) -> None:
    """A process that has it goes on; one that would load another says so."""
    path = folder / "colours.onnx"
    path.write_bytes(models.colours())
    async with open_engine(settings_of(models_dir=folder, pool_slots=1)) as engine:
        recipe = await engine.recipe(BatchOptions(predictor="colours"))
        rows = _rows()
        before = (await predict_batch(engine, recipe, 0, rows)).line()
        _replace(path, models.colours(version=2))
        assert (await predict_batch(engine, recipe, 0, rows)).line() == before
        newer = await engine.recipe(BatchOptions(predictor="colours"))
        await predict_batch(engine, newer, 0, rows)
        assert (await predict_batch(engine, recipe, 0, rows)).line() == before
        await _replaced_process(engine)
        with pytest.raises(PredictorLost, match="another than the one it began with"):
            await predict_batch(engine, recipe, 0, rows)
        assert differs(recipe.provenance(), newer) == (
            "its model file differs from the one the job began with"
        )
        assert differs(newer.provenance(), newer) is None
        path.unlink()


async def _replaced_process(engine: Engine) -> None:
    """Have another process in the place of the one there is."""
    async with engine.pool.slot() as slot:
        await slot.run(hostile_work.act, ["leave"])


def _rows() -> list[Any]:
    from workers.batches.assembly import Prepared
    from workers.manifest.rows import Row

    red = b"\xff" * 64 * 64 + bytes(2 * 64 * 64)
    return [Prepared(Row(0, "red", None), None, red)]


async def test_a_model_answers(settings_of: SettingsOf, folder: Path) -> None:
    """Red is red."""
    (folder / "colours.onnx").write_bytes(models.colours())
    (folder / "colours.json").write_text('{"labels": ["red", "green", "blue"]}')
    async with open_engine(settings_of(models_dir=folder)) as engine:
        recipe = await engine.recipe(BatchOptions(predictor="colours"))
        record = await predict_batch(engine, recipe, 0, _rows())
    (outcome,) = [row.outcome for row in record.rows]
    assert isinstance(outcome, bytes)
    assert outcome.startswith(b'{"scores":{"red":')


async def test_a_size_the_model_does_not_take(settings_of: SettingsOf, folder: Path) -> None:
    """Is told of `size`, with the one it takes."""
    (folder / "fixed.onnx").write_bytes(models.colours((None, 3, 24, 32)))
    async with open_engine(settings_of(models_dir=folder)) as engine:
        field, sentence = await refusal(engine, predictor="fixed", size=(64, 64))
        assert field == "size"
        assert "32x24" in sentence
        assert (await engine.recipe(BatchOptions(predictor="fixed"))).resize.size == (32, 24)


async def test_batches_beyond_memory(settings_of: SettingsOf) -> None:
    """Are refused, where the predictor settles the size as well."""
    settings = settings_of(max_inflight_bytes="1MiB", max_image_bytes="1MiB")
    async with open_engine(settings) as engine:
        field, sentence = await refusal(engine, batch_size=128)
        assert (field, "MAX_INFLIGHT" in sentence) == ("batch_size", True)
        assert (await engine.recipe(BatchOptions(batch_size=64))).window(10**6) == 85 * 64


async def test_what_died_is_tried_again_later(
    settings_of: SettingsOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not at once: a file that kills would cost a process for each request."""
    settings = settings_of(predictors=f"deadly={HERE}:Deadly", pool_slots=1)
    async with open_engine(settings) as engine:
        await engine.predictors.all()
        deaths = engine.pool.restarts
        assert "exit code 5" in await absence(engine, "deadly")
        assert engine.pool.restarts == deaths
        monkeypatch.setattr(module, "AGAIN_SECONDS", 0.0)
        await absence(engine, "deadly")
        assert engine.pool.restarts > deaths


def _moved(path: Path, name: str) -> Path:
    return path.rename(path.with_name(name))


async def test_a_folder_that_cannot_be_read(settings_of: SettingsOf, folder: Path) -> None:
    """Takes no model away that was there, and says of others that it does not know."""
    (folder / "colours.onnx").write_bytes(models.colours())
    async with open_engine(settings_of(models_dir=folder)) as engine:
        await engine.recipe(BatchOptions(predictor="colours"))
        away = _moved(folder, "elsewhere")
        await engine.recipe(BatchOptions(predictor="colours"))
        assert await absence(engine, "others") == "the folder of models cannot be read"
        _moved(away, folder.name)
        assert (await refusal(engine, predictor="others"))[0] == "predictor"


async def test_a_model_is_loaded_once_for_each_process(settings_of: SettingsOf) -> None:
    """However many batches it predicts, and whoever leaves in the middle of one."""
    settings = settings_of(predictors=f"born={HERE}:Born", pool_slots=1)
    async with open_engine(settings) as engine:
        recipe = await engine.recipe(BatchOptions(predictor="born"))
        lines = set()
        for _ in range(3):
            task = asyncio.create_task(predict_batch(engine, recipe, 0, _rows()))
            while not engine.pool.busy:  # noqa: ASYNC110 - for less time than any pause
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait({task})
            assert task.cancelled()
            lines.add((await predict_batch(engine, recipe, 0, _rows())).line())
        assert len(lines) == 1
        assert engine.pool.restarts == 0
