"""The JSON beside a model: what it may say, and what is refused by name."""

from __future__ import annotations

import json
from typing import Any

import pytest

from imaging.predictors.about import CannotLoad, Layout
from imaging.predictors.onnx_settings import OnnxSettings


def refused(data: bytes) -> str:
    """Why."""
    with pytest.raises(CannotLoad) as refusal:
        OnnxSettings.read(data)
    return str(refusal.value)


def test_everything_may_be_left_out() -> None:
    """An empty object is all defaults."""
    assert OnnxSettings.read(b"{}") == OnnxSettings()


def test_every_member() -> None:
    """As documented."""
    members = {
        "size": [224, 160],
        "layout": "NHWC",
        "mean": [0.1, 2, 0.3],
        "std": 0.5,
        "labels": ["cat", "dög"],
        "softmax": True,
        "top_k": 0,
    }
    assert OnnxSettings.read(json.dumps(members).encode()) == OnnxSettings(
        size=(224, 160),
        layout=Layout.NHWC,
        mean=(0.1, 2.0, 0.3),
        std=(0.5, 0.5, 0.5),
        labels=("cat", "dög"),
        softmax=True,
        top_k=0,
    )
    assert set(members) == set(OnnxSettings.__dataclass_fields__)


SIZES = "size is neither [width, height] nor one number, of 1 to 4096 pixels"
MEANS = "mean is not one number, or three, of -1e+06 to 1e+06"
STDS = "std is not one number, or three, of 1e-06 to 1e+06"


@pytest.mark.parametrize(
    ("member", "value", "reason"),
    [
        ("size", 0, SIZES),
        ("size", 4097, SIZES),
        ("size", [1, 2, 3], SIZES),
        ("size", [64, True], SIZES),
        ("size", 64.0, SIZES),
        ("size", None, SIZES),
        ("layout", "nchw", "layout is neither NCHW nor NHWC"),
        ("layout", ["NCHW"], "layout is neither NCHW nor NHWC"),
        ("mean", [1, 2], MEANS),
        ("mean", "0", MEANS),
        ("mean", [0, 0, float("nan")], MEANS),
        ("mean", float("inf"), MEANS),
        ("mean", -(10**400), MEANS),
        ("mean", False, MEANS),
        ("std", 0, STDS),
        ("std", [1, 1, -1], STDS),
        ("std", 1e-50, STDS),
        ("std", [], STDS),
        ("labels", "cat", "labels is not a list of texts"),
        ("labels", [], "labels is not a list of texts"),
        ("labels", ["cat", 1], "labels is not a list of texts"),
        ("labels", ["\ud800"], "labels is not a list of texts"),
        ("labels", ["cat", "dog", "cat"], "labels has 'cat' twice"),
        ("softmax", 1, "softmax is neither true nor false"),
        ("softmax", None, "softmax is neither true nor false"),
        ("top_k", -1, "top_k is not a whole number from 0"),
        ("top_k", 2.0, "top_k is not a whole number from 0"),
        ("top_k", True, "top_k is not a whole number from 0"),
    ],
)
def test_wrong_member(member: str, value: Any, reason: str) -> None:
    """Named, with what it should be."""
    assert refused(json.dumps({member: value}).encode()) == reason


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not JSON: Expecting value"),
        (b"\xff\xfe\xff", "not JSON: "),
        (b"[]", "not a JSON object"),
        (b"[" * 200_000, "not JSON: "),
        (b'{"top_k": ' + b"1" * 5_000 + b"}", "not JSON: "),
        (b'{"top_k": 1, "top_k": 2}', "not JSON: a member stands there twice"),
        (
            b'{"input": 1}',
            "unknown member 'input'; there are size, layout, mean, std, labels, softmax",
        ),
    ],
)
def test_not_an_object_of_known_members(data: bytes, reason: str) -> None:
    """Whatever the bytes are."""
    assert refused(data).startswith(reason)


def test_a_long_unknown_member_is_cut() -> None:
    """The sentence stays one."""
    assert len(refused(json.dumps({"a" * 10_000: 1}).encode())) <= 300
