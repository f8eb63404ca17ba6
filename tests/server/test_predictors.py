"""Who may be asked to predict, models that come, change and go, and clients that leave them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from server import keys
from tests.asserts import wait_until
from tests.imaging.predictors import models
from tests.picture_hosts import PictureHost
from tests.server.commanded import CLASSES
from tests.server.serving import BATCH, TSV, Served, arrays
from tests.workers.pool import hostile_work

pytestmark = pytest.mark.asyncio(loop_scope="session")

Serve = Callable[..., Awaitable[Served]]

PREDICTORS = "/api/v1/predictors"
EIGHT = models.colours(("N", 3, 8, 6))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """For models."""
    path = tmp_path / "models"
    path.mkdir()
    return path


def put(path: Path, data: bytes) -> str:
    """Have a model there, whole from the first moment on; its hash."""
    part = path.with_name(".part")
    part.write_bytes(data)
    part.rename(path)
    return hashlib.sha256(data).hexdigest()


def sha256(path: Path) -> str:
    """Of a small file, read where nobody waits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


async def known(served: Served) -> dict[str, dict[str, Any]]:
    """All predictors, by their names."""
    answer = await served.ask(PREDICTORS, method="GET")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    return {one["name"]: one for one in answer.json()["predictors"]}


async def test_what_there_is(served: Served) -> None:
    """The built-in ones, also with a slash; the default is named, a query is not taken."""
    answer = await served.ask(f"{PREDICTORS}/", method="GET")

    assert answer.json()["default"] == "appearance"
    told = await known(served)
    assert list(told) == ["none", "appearance"]
    assert told["appearance"]["labels"][0] == "blank"
    assert (told["appearance"]["size"], told["appearance"]["sha256"]) == (None, None)
    assert all(one["ready"] is True for one in told.values())
    wrong = await served.ask(PREDICTORS, method="GET", params={"name": "none"})
    assert wrong.problem(400)["errors"][0]["field"] == "name"


async def test_models_and_classes_good_and_bad(serve: Serve, folder: Path) -> None:
    """Of a good one size, labels and hash; of a bad one why it cannot be loaded, and no path."""
    digest = put(folder / "colours.onnx", EIGHT)
    settings = {"labels": models.COLOURS, "top_k": 1, "mean": 0.5}
    (folder / "colours.json").write_text(json.dumps(settings))
    put(folder / "text.onnx", b"this is no model")
    put(folder / "many.onnx", EIGHT)
    (folder / "many.json").write_text('{"top_k": -1}')
    put(folder / "a cat.onnx", EIGHT)
    put(folder / "none.onnx", EIGHT)
    classes = f"{CLASSES},gone=tests.server.commanded:Gone,nowhere=no.such:Thing"
    served = await serve(models_dir=folder, predictors=classes)

    told = await known(served)

    ready = {name for name, one in told.items() if one["ready"]}
    assert ready == {"none", "appearance", "commanded", "ofone", "colours"}
    assert told["colours"] | {"software": None} == {
        "name": "colours",
        "ready": True,
        "version": None,
        "size": [6, 8],
        "layout": "NCHW",
        "labels": list(models.COLOURS),
        "sha256": digest,
        "software": None,
        "settings_sha256": hashlib.sha256(json.dumps(settings).encode()).hexdigest(),
    }
    assert told["commanded"]["size"] == [16, 12]
    errors = {name: one["error"] for name, one in told.items() if not one["ready"]}
    assert errors.keys() == {
        *("text", "many", "a cat.onnx", "none.onnx", "unwilling", "gone", "nowhere")
    }
    assert errors["text"].startswith("text.onnx: ")
    assert "in many.json: top_k" in errors["many"]
    assert "rename the file" in errors["a cat.onnx"]
    assert "another predictor is called none" in errors["none.onnx"]
    assert "exit code 5" in errors["unwilling"]
    assert "there is no Gone" in errors["gone"]
    assert "No module named" in errors["nowhere"]
    assert str(folder) not in str(told)
    for name, why in errors.items():
        problem = (await served.ask(BATCH, json={"images": ["foo"], "predictor": name})).problem(
            422
        )
        assert problem["errors"][0]["field"] == "predictor"
        assert why in problem["detail"]


async def test_the_key_is_asked_for(serve: Serve) -> None:
    """Names and hashes of models are nobody's else."""
    served = await serve(api_key="k" * 32)

    (await served.ask(PREDICTORS, method="GET")).problem(401)
    bearer = {"Authorization": f"Bearer {'k' * 32}"}
    assert (await served.ask(PREDICTORS, method="GET", headers=bearer)).status == 200


async def test_a_score_can_be_made_again(serve: Serve, folder: Path, host: PictureHost) -> None:
    """From the pixels that are told: this model's scores are the mean of each channel."""
    digest = put(folder / "colours.onnx", EIGHT)
    (folder / "colours.json").write_text('{"mean": [0.5, 0.25, 0], "std": [2, 1, 0.5]}')
    served = await serve(models_dir=folder)
    asked = {"images": [f"{host}/a", "foo", f"{host}/b"], "predictor": "colours", "pixels": "npy"}

    answer = await served.ask(BATCH, json=asked)

    (line,) = answer.batches()
    assert line["batch_dimension"] == [2, 3, 8, 6]
    means = (arrays(line) / 255).mean(axis=(2, 3))
    expected = (means - [0.5, 0.25, 0]) / [2, 1, 0.5]
    for row in (line["rows"][0], line["rows"][2]):
        scores = row["prediction"]["scores"]
        assert list(scores.values()) == sorted(scores.values(), reverse=True)
        told = [scores[label] for label in "012"]
        assert told == pytest.approx(expected[row["position"]].tolist(), rel=2e-5, abs=1e-6)
    made = answer.summary()["provenance"]
    assert made["model_sha256"] == digest
    assert made["settings_sha256"] == sha256(folder / "colours.json")
    assert made["preprocessing"]["size"] == [6, 8]
    assert "onnxruntime" in made["software"]


async def test_a_model_that_is_dropped_into_the_folder(
    serve: Serve, folder: Path, host: PictureHost
) -> None:
    """Usable at the next request; gone from it, no longer."""
    served = await serve(models_dir=folder)
    asked = {"images": [f"{host}/a"], "predictor": "late"}
    assert "known: appearance, none" in (await served.ask(BATCH, json=asked)).problem(422)["detail"]

    put(folder / "late.onnx", b"not yet")
    assert "cannot be used" in (await served.ask(BATCH, json=asked)).problem(422)["detail"]
    digest = put(folder / "late.onnx", EIGHT)
    answer = await served.ask(BATCH, json=asked)
    (folder / "late.onnx").unlink()
    gone = await served.ask(BATCH, json=asked)

    assert answer.summary()["provenance"]["model_sha256"] == digest
    assert answer.summary()["ok"] == 1
    assert "there is none of that name" in gone.problem(422)["detail"]


@pytest.mark.parametrize("lost", [False, True])
@pytest.mark.parametrize("change", ["model", "settings", "gone"])
async def test_a_model_that_is_replaced_while_a_stream_runs(
    serve: Serve, folder: Path, host: PictureHost, change: str, lost: bool
) -> None:
    """Predictions of two models are never mixed: the next stream has the new one, the old goes on.

    Where a process would have to load the old one, its stream ends.
    """
    put(folder / "colours.onnx", EIGHT)
    served = await serve(models_dir=folder)
    async with served.talk() as talk:
        query = f"{BATCH}?predictor=colours&batch_size=1"
        await talk.ask(query, body=None, Content_Type=TSV["Content-Type"])
        await talk.chunk(f"{host}/a\n".encode())
        await talk.head()
        assert (await talk.line())["type"] == "start"
        assert (await talk.line())["rows"][0]["prediction"]
        if change == "model":
            put(folder / "colours.onnx", models.colours(("N", 3, 8, 6), version=2))
        elif change == "settings":
            put(folder / "colours.json", b'{"top_k": 1}')
        else:
            (folder / "colours.onnx").unlink()
        other = await served.ask(BATCH, json={"images": [f"{host}/a"], "predictor": "colours"})
        if lost:
            async with served.app[keys.ENGINE].pool.slot() as slot:
                await slot.run(hostile_work.act, ["leave"])
        await talk.chunk(f"{host}/b\n".encode())
        second = await talk.line()
        await talk.chunk(b"")
        summary = await talk.line() if second["type"] == "batch" else second

    assert summary["type"] == "summary"
    if lost:
        assert summary["reason"].startswith("failed: ")
        assert "colours" in summary["reason"]
        assert str(folder) not in summary["reason"]
        assert (summary["rows"], summary["complete"]) == (1, False)
    else:
        assert (summary["ok"], summary["complete"]) == (2, True)
    if change == "gone":
        assert "there is none of that name" in other.problem(422)["detail"]
        return
    assert other.summary()["complete"] is True
    made = other.summary()["provenance"]
    assert made["model_sha256"] == sha256(folder / "colours.onnx")
    assert (made["settings_sha256"] is None) == (change == "model")
    assert made["version"] == ("2" if change == "model" else None)
    assert len(other.rows()[0]["prediction"]["scores"]) == (3 if change == "model" else 1)


async def test_a_client_that_leaves_costs_no_model(
    serve: Serve, tmp_path: Path, host: PictureHost
) -> None:
    """What was being predicted for it comes to its end; the next finds process and object there."""
    served = await serve(predictors=CLASSES)
    first = await served.ask(BATCH, json={"images": [f"{host}/a"], "predictor": "commanded"})
    before = first.rows()[0]["prediction"]
    go = tmp_path / "go"
    rows = [{"id": f"until {go}", "url": f"{host}/{number}"} for number in range(20)]
    async with served.talk() as talk:
        asked = {"images": rows, "predictor": "commanded", "batch_size": 1}
        await talk.ask(BATCH, body=json.dumps(asked).encode(), Content_Type="application/json")
        await talk.head()
        await wait_until(Path(f"{go}.begun").exists)
        talk.vanish()
    await wait_until(lambda: not served.app[keys.STREAMS])

    go.touch()
    again = await served.ask(BATCH, json={"images": [f"{host}/a"], "predictor": "commanded"})

    assert again.rows()[0]["prediction"] == before
    await served.at_rest()
