"""Real models: right answers, and why others cannot be loaded."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

from imaging.facts import ErrorCode, Failure
from imaging.predictors import onnx_file, onnx_scores
from imaging.predictors.about import CannotLoad, Kind, Layout, Spec
from imaging.predictors.careful import predict
from imaging.predictors.loading import Loaded, load
from imaging.predictors.onnx_settings import OnnxSettings
from tests.imaging.predictors import models
from tests.imaging.predictors.models import COLOURS
from tests.imaging.predictors.pictures import BLACK, BLUE, GREEN, RED, Batch, flat, photographs


class Shelf:
    """A folder of models."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def load(self, model: bytes, settings: dict[str, Any] | bytes | None = None) -> Loaded:
        (self.folder / "m.onnx").write_bytes(model)
        if settings is not None:
            data = settings if isinstance(settings, bytes) else json.dumps(settings).encode()
            (self.folder / "m.json").write_bytes(data)
        return load(Spec("m", str(self.folder / "m.onnx"), Kind.ONNX))

    def refused(self, model: bytes, settings: dict[str, Any] | bytes | None = None) -> str:
        with pytest.raises(CannotLoad) as refusal:
            self.load(model, settings)
        text = str(refusal.value)
        assert text.startswith("m.onnx: ")
        assert str(self.folder) not in text
        assert "\n" not in text
        assert len(text) <= 300
        return text.removeprefix("m.onnx: ")


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def answers(loaded: Loaded, batch: Batch) -> list[Any]:
    """What is said of each row."""
    return predict(loaded.predictor, batch, [str(row) for row in range(len(batch))])


def scores(loaded: Loaded, batch: Batch) -> list[dict[str, float]]:
    """The scores of each row."""
    return [said["scores"] for said in answers(loaded, batch)]


def near(row: dict[str, float]) -> Any:
    """The same scores, but for what a model loses in sums of float32."""
    return pytest.approx(row, rel=2e-5, abs=1e-7)


def test_classifier_knows_colours(shelf: Shelf) -> None:
    """Scores by label, the highest first, equal ones in the model's order."""
    loaded = shelf.load(models.colours(), {"labels": COLOURS})

    found = scores(loaded, flat(RED, GREEN, BLUE, (51, 102, 204)))

    assert found == [
        {"red": 1, "green": 0, "blue": 0},
        {"green": 1, "red": 0, "blue": 0},
        {"blue": 1, "red": 0, "green": 0},
        near({"blue": 0.8, "green": 0.4, "red": 0.2}),
    ]
    assert ["".join(name[0] for name in row) for row in found] == ["rgb", "grb", "brg", "bgr"]


def test_about_says_what_runs(shelf: Shelf) -> None:
    """The hashes of both files, sizes, labels, versions."""
    model = models.colours((None, 3, 48, 32), version=7)
    loaded = shelf.load(model, {"labels": COLOURS})

    about = loaded.about
    assert about.sha256 == hashlib.sha256(model).hexdigest()
    assert (
        about.settings_sha256 == hashlib.sha256((shelf.folder / "m.json").read_bytes()).hexdigest()
    )
    assert (about.name, about.version, about.labels) == ("m", "7", COLOURS)
    assert (about.size, about.layout) == ((32, 48), Layout.NCHW)
    assert about.software == (("onnxruntime", version("onnxruntime")),)
    predictor = loaded.predictor
    assert (predictor.name, predictor.size, predictor.layout) == ("m", (32, 48), Layout.NCHW)


def test_model_alone(shelf: Shelf) -> None:
    """Without a JSON: places for labels, any size, no version."""
    loaded = shelf.load(models.colours())

    assert scores(loaded, flat(GREEN, size=(5, 7))) == [{"1": 1, "0": 0, "2": 0}]
    about = loaded.about
    assert (about.size, about.labels, about.version, about.settings_sha256) == (
        None,
        (),
        None,
        None,
    )


def test_convolution_finds_an_edge(shelf: Shelf) -> None:
    """Sides are not mixed up: it rises from left to right, not from top to bottom."""
    loaded = shelf.load(models.edges(), {"labels": ["rise", "fall"]})
    assert loaded.about.size == (8, 8)
    batch = flat(BLACK, BLACK, BLACK, size=(8, 8))
    batch[0, 1, :, 4:] = 102  # green, right
    batch[1, 1, 4:, :] = 102  # green, below
    batch[2, 0, :, 4:] = 102  # red, right

    assert scores(loaded, batch) == [
        near({"rise": 1.2, "fall": 0}),
        {"rise": 0, "fall": 0},
        {"rise": 0, "fall": 0},
    ]


def test_pictures_are_normalized(shelf: Shelf) -> None:
    """0 to 1, less mean, by std, each channel by its own."""
    settings = {"mean": [0.5, 0.25, 0], "std": [0.5, 0.25, 2], "labels": COLOURS}
    loaded = shelf.load(models.colours(), settings)

    assert scores(loaded, flat((255, 0, 51))) == [near({"red": 1, "blue": 0.1, "green": -1})]


def test_one_number_is_for_all_channels(shelf: Shelf) -> None:
    """And a std of 1/255 gives a model the values of 0 to 255."""
    loaded = shelf.load(models.colours(), {"mean": 0, "std": [1 / 255], "labels": COLOURS})

    assert scores(loaded, flat((7, 8, 255))) == [{"blue": 255, "green": 8, "red": 7}]


@pytest.mark.parametrize("layout", [None, "NHWC"])
def test_nhwc(shelf: Shelf, layout: str | None) -> None:
    """Found by its shape, or said."""
    settings = {"labels": COLOURS, **({"layout": layout} if layout else {})}
    loaded = shelf.load(models.colours(("N", 20, 30, 3)), settings)

    assert (loaded.about.layout, loaded.about.size) == (Layout.NHWC, (30, 20))
    assert [next(iter(row)) for row in scores(loaded, flat(BLUE, RED, size=(30, 20)))] == [
        "blue",
        "red",
    ]


def test_three_high_and_three_channels_is_nchw(shelf: Shelf) -> None:
    """Where both axes are 3, it is the usual one; unless it is said."""
    assert shelf.load(models.colours((None, 3, 4, 3))).about.size == (3, 4)
    with_json = shelf.refused(models.edges((None, 3, 4, 3)), {"layout": "NHWC", "size": [4, 4]})
    assert with_json == "its pictures are 4 x 3, but size says 4 x 4"


@pytest.mark.parametrize("count", [1, 3, 4, 5, 8, 11])
def test_fixed_batch(shelf: Shelf, count: int) -> None:
    """In slices of four, the last filled up; nobody sees what is said of the filling."""
    loaded = shelf.load(models.colours((4, 3, 16, 16)))
    batch = photographs(count, (16, 16))

    found = answers(loaded, batch)

    whole = shelf.load(models.colours((None, 3, 16, 16)))
    assert found == answers(whole, batch)
    assert len(found) == count


def test_filling_is_black_behind_the_rows(shelf: Shelf) -> None:
    """A model that looks at its whole batch shows what is in it: after mean and std still 0."""
    loaded = shelf.load(models.batch_sum((4, 3, 8, 8)), {"mean": 0.2})

    found = scores(loaded, flat(*[(255,) * 3] * 5, size=(8, 8)))

    assert found == [{"0": 4}] * 4 + [{"0": 1.6}]


def test_dynamic_batch_runs_whole(shelf: Shelf) -> None:
    """As it comes, not row by row."""
    loaded = shelf.load(models.batch_sum((None, 3, 8, 8)))

    assert scores(loaded, flat(*[(255,) * 3] * 6, size=(8, 8))) == [{"0": 7}] * 6


@pytest.mark.parametrize("shape", [("N", 3, 8, 8), (None, 3, 8, 8), (2, 3, 8, 8)])
def test_sides_of_one_are_dropped(shelf: Shelf, shape: Sequence[Any]) -> None:
    """(N, 3, 1, 1) is (N, 3)."""
    loaded = shelf.load(models.colours(tuple(shape), squeezed=False), {"labels": COLOURS})

    assert scores(loaded, flat(GREEN, size=(8, 8))) == [{"green": 1, "red": 0, "blue": 0}]


@pytest.mark.parametrize("kind", [TensorProto.FLOAT16, TensorProto.DOUBLE])
def test_floats_of_other_widths(shelf: Shelf, kind: int) -> None:
    """As long as they are floats."""
    loaded = shelf.load(models.half_floats(kind), {"top_k": 1})

    assert scores(loaded, flat((0, 0, 127))) == [{"2": pytest.approx(127 / 255, abs=2e-4)}]


@pytest.mark.parametrize("inside", [False, True])
def test_softmax(shelf: Shelf, inside: bool) -> None:
    """Ours gives what the model's own does."""
    loaded = shelf.load(models.colours(softmax=inside), {"softmax": not inside, "labels": COLOURS})

    (found,) = scores(loaded, flat((255, 0, 0)))

    whole = np.e + 2
    assert found == pytest.approx(
        {"red": np.e / whole, "green": 1 / whole, "blue": 1 / whole}, rel=1e-5
    )


def test_softmax_of_large_logits(shelf: Shelf) -> None:
    """No overflow, and shares that add up."""
    loaded = shelf.load(models.colours(), {"softmax": True, "std": 1e-6})

    assert scores(loaded, flat((255, 255, 0))) == [{"0": 0.5, "1": 0.5, "2": 0}]


@pytest.mark.parametrize(
    ("top_k", "count"), [(None, 5), (0, 40), (1, 1), (39, 39), (40, 40), (99, 40)]
)
def test_top_k(shelf: Shelf, top_k: int | None, count: int) -> None:
    """The highest scores, and no others."""
    weights = np.random.default_rng(1).normal(size=(3, 40)).astype(np.float32)
    settings = {} if top_k is None else {"top_k": top_k}
    loaded = shelf.load(models.colours(weights=weights), settings)

    (found,) = scores(loaded, flat((255, 0, 0)))

    order = np.argsort(-weights[0])
    assert list(found) == [str(place) for place in order[:count]]
    assert list(found.values()) == [
        float(f"{weights[0, place].item():.6g}") for place in order[:count]
    ]


def test_equal_scores_are_in_the_models_order(shelf: Shelf) -> None:
    """Also when some of them are cut off, and where they differ by noise only."""
    weights = np.full((3, 9), 0.5) + np.arange(9) * 1e-8
    weights[0, 7] = 0.75
    loaded = shelf.load(models.colours(weights=weights), {"top_k": 3})

    assert list(scores(loaded, flat(RED))[0].items()) == [("7", 0.75), ("0", 0.5), ("1", 0.5)]


def test_scores_have_six_digits(shelf: Shelf) -> None:
    """Plain floats, no -0.0."""
    weights = np.array([[1 / 3, 200_000 / 3, -1]] * 3)
    loaded = shelf.load(models.colours(weights=weights))

    assert scores(loaded, flat(RED)) == [{"1": 66_666.7, "0": 0.333333, "2": -1}]
    (zeros,) = onnx_scores.scores(np.array([[-0.0, 0.0]]), ["a"], OnnxSettings())
    assert json.dumps(zeros) == '{"scores": {"0": 0.0, "1": 0.0}}'


def test_output_that_is_not_finite_fails_its_row(shelf: Shelf) -> None:
    """Black has no logarithm; that it cannot be asked for black does not keep it from loading."""
    loaded = shelf.load(models.logarithm(), {"top_k": 1})

    white = (255,) * 3
    found = answers(loaded, flat(white, white, (0, 9, 9), white))

    failure = Failure(ErrorCode.PREDICTOR_FAILED, "ValueError: the output for id '2' is not finite")
    assert found == [{"scores": {"0": 0}}] * 2 + [failure] + [{"scores": {"0": 0}}]


def test_wrong_size_fails_in_words(shelf: Shelf) -> None:
    """What onnxruntime raises is a failure of the row."""
    loaded = shelf.load(models.colours((None, 3, 16, 16)))

    (found,) = answers(loaded, flat(RED, size=(8, 8)))

    assert isinstance(found, Failure)
    assert "Got invalid dimensions" in found.message


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (b"", "No graph was found in the protobuf."),
        (b"not a model at all", "Failed to load model because protobuf parsing failed."),
        (models.colours()[:90], "Failed to load model because protobuf parsing failed."),
        (models.two_inputs(), "it has 2 inputs, not one"),
        (models.flat_input(), "its input has 3 axes, not the 4 of a batch of pictures"),
        (models.whole_numbers(TensorProto.UINT8), "its input is tensor(uint8), not float32"),
        (models.whole_numbers(TensorProto.INT64), "its input is tensor(int64), not float32"),
        (
            models.edges((None, 1, 8, 8)),
            "its input has 1 channels in the layout NCHW, not 3",
        ),
        (models.whole_number_output(), "its first output is tensor(int64), not floats"),
        (
            models.pictures_out(),
            "its output for 1 pictures is (1, 3, 64, 64), not one row for each",
        ),
        (
            models.for_one_only(),
            "its output for 2 pictures is (1, 6), not one row for each",
        ),
        (
            models.colours((None, 3, 16, None)),
            "its pictures have one fixed side: give their size in the JSON",
        ),
        (models.colours((2000, 3, 1, 1)), "it takes 2000 pictures at a time, more than 1024"),
        (
            models.colours((None, 3, 5000, 1)),
            "its pictures are 1 x 5000, more than 4096 a side",
        ),
    ],
    ids=[
        "empty",
        "corrupt",
        "truncated",
        "two-inputs",
        "rank-3",
        "uint8",
        "int64",
        "one-channel",
        "whole-numbers-out",
        "pictures-out",
        "for-one-only",
        "one-fixed-side",
        "large-batch",
        "large-side",
    ],
)
def test_what_cannot_be_loaded(shelf: Shelf, model: bytes, reason: str) -> None:
    """One sentence each, with the file's name and nobody's folders."""
    assert shelf.refused(model) == reason


@pytest.mark.parametrize("size", [16, [16, 16]])
def test_size_must_agree(shelf: Shelf, size: Any) -> None:
    """Of what the model fixes and the JSON says."""
    assert shelf.load(models.colours((None, 3, None, 16)), {"size": size}).about.size == (16, 16)
    refused = shelf.refused(models.colours((None, 3, 8, 16)), {"size": size})
    assert refused == "its pictures are 16 x 8, but size says 16 x 16"


def test_size_is_width_and_height(shelf: Shelf) -> None:
    """In this order, whatever the layout."""
    assert shelf.load(models.colours((None, 3, 8, 16)), {"size": [16, 8]}).about.size == (16, 8)
    assert shelf.load(models.colours((None, 8, 16, 3)), {"size": [16, 8]}).about.size == (16, 8)
    assert shelf.load(models.colours(), {"size": [16, 8]}).about.size == (16, 8)


def test_labels_must_be_as_many_as_scores(shelf: Shelf) -> None:
    """Rather than to name some wrongly."""
    assert (
        shelf.refused(models.colours(), {"labels": ["a", "b"]}) == "it has 3 scores, but 2 labels"
    )


def test_json_that_is_wrong_names_its_file(shelf: Shelf) -> None:
    """And the member."""
    assert shelf.refused(models.colours(), {"topk": 3}).startswith(
        "in m.json: unknown member 'topk'"
    )
    assert shelf.refused(models.colours(), b"{").startswith("in m.json: not JSON: ")


@pytest.mark.parametrize("location", ["weights.bin", "../models/weights.bin", "absolute"])
def test_weights_elsewhere_are_not_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, location: str
) -> None:
    """Not even from the working directory, where they are: they would not be in the hash."""
    folder = tmp_path / "models"
    folder.mkdir()
    where = str(folder / "weights.bin") if location == "absolute" else location
    path = models.save_with_external_data(folder, location=where)
    monkeypatch.chdir(folder)

    with pytest.raises(CannotLoad) as refusal:
        load(Spec("m", str(path), Kind.ONNX))

    assert str(refusal.value) == (
        "external.onnx: its weights are in another file (external data): save it as one file"
    )


def test_file_must_be_a_file(tmp_path: Path) -> None:
    """There, regular, named so; a pipe nobody writes to is not waited for."""

    def refused(name: str) -> str:
        with pytest.raises(CannotLoad) as refusal:
            load(Spec("m", str(tmp_path / name), Kind.ONNX))
        return str(refusal.value)

    (tmp_path / "folder.onnx").mkdir()
    os.mkfifo(tmp_path / "pipe.onnx")
    (tmp_path / "m.bin").write_bytes(models.colours())
    (tmp_path / "loop.onnx").symlink_to("loop.onnx")

    assert refused("missing.onnx") == "missing.onnx: the file does not exist"
    assert refused("folder.onnx") == "folder.onnx: cannot be read: Is a directory"
    assert refused("pipe.onnx") == "pipe.onnx: not a regular file"
    assert refused("m.bin") == "m.bin: the name does not end in .onnx"
    assert refused("loop.onnx").startswith("loop.onnx: cannot be read: ")
    (tmp_path / "m.onnx").write_bytes(models.colours())
    (tmp_path / "m.json").mkdir()
    assert refused("m.onnx") == "m.onnx: in m.json: cannot be read: Is a directory"


def test_large_files_are_not_read(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their size is looked at first."""
    model = models.colours()
    monkeypatch.setattr(onnx_file, "MAX_BYTES", len(model) - 1)
    assert shelf.refused(model) == f"{len(model)} bytes, more than {len(model) - 1}"
    monkeypatch.setattr(onnx_file, "MAX_BYTES", len(model))
    shelf.load(model)


def test_without_onnxruntime(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra that is missing is named."""
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert shelf.refused(models.colours()) == (
        'onnxruntime is not installed: install the extra "onnx" and start again'
    )


def test_onnxruntime_keeps_to_itself(shelf: Shelf) -> None:
    """No telemetry: nothing of it in the home or temporary folder; no thread; no word on stderr."""
    loaded = shelf.load(models.with_unused_weights())  # onnxruntime would warn of these
    assert isinstance(loaded.predictor, onnx_file.OnnxFile)
    options = loaded.predictor.session.handle.get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (1, 1)
    home = shelf.folder / "home"
    home.mkdir()
    code = (
        "import os, sys; from imaging.predictors.loading import *; from imaging.predictors.about"
        " import *; load(Spec('m', sys.argv[1], Kind.ONNX));"
        " print(len(os.listdir('/proc/self/task')))"
    )
    clean = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}

    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, str(shelf.folder / "m.onnx")],
        env=clean | {"HOME": str(home), "TMPDIR": str(home), "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert list(home.rglob("*")) == []
    assert (ran.stdout, ran.stderr) == ("1\n", "")
