"""Names, and values that travel between processes."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys

import pytest

from imaging.predictors.about import (
    BUILT_IN,
    DEFAULT,
    About,
    CannotLoad,
    Kind,
    Layout,
    Spec,
    is_name,
)


@pytest.mark.parametrize("text", ["a", "0", "none", "mobilenet-v3.small_1", "A" * 64])
def test_names(text: str) -> None:
    """What a file or a setting may be called."""
    assert is_name(text)


@pytest.mark.parametrize("text", ["", ".a", "-a", "_a", "a b", "a/b", "ä", "a\n", "A" * 65, "٣"])
def test_what_is_no_name(text: str) -> None:
    """Nothing that leaves a folder, a line or ASCII."""
    assert not is_name(text)


def test_values_survive_pickling() -> None:
    """They come out of the pool's children."""
    for value in (
        Spec("mine", "module:Class", Kind.CLASS),
        About("mine", "2", (224, 160), Layout.NHWC, ("a",), "00", "11", (("x", "1"),)),
    ):
        assert pickle.loads(pickle.dumps(value)) == value  # noqa: S301
    error = pickle.loads(pickle.dumps(CannotLoad("a sentence")))  # noqa: S301
    assert (type(error), str(error)) == (CannotLoad, "a sentence")


def test_about_is_told_as_json() -> None:
    """Plain types under the same names."""
    told = About("mine", size=(224, 160), labels=("a", "b"), software=(("x", "1"),)).json()

    assert (
        json.loads(json.dumps(told))
        == told
        == {
            "name": "mine",
            "version": None,
            "size": [224, 160],
            "layout": "NCHW",
            "labels": ["a", "b"],
            "sha256": None,
            "settings_sha256": None,
            "software": {"x": "1"},
        }
    )


def test_default_is_built_in() -> None:
    """The predictor nobody named."""
    assert DEFAULT in BUILT_IN


@pytest.mark.parametrize("module", ["about", "loading"])
def test_nothing_heavy_is_imported(module: str) -> None:
    """Who tells of predictors does not load numpy; who may load one, not what it does not need."""
    heavy = {"about": ["numpy", "PIL", "onnxruntime"], "loading": ["PIL", "onnxruntime"]}[module]
    code = f"import imaging.predictors.{module}, sys; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert set(found.stdout.split()).isdisjoint(heavy)
