"""What may be asked of batches, and what is said of the rest."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from workers.asked import ASKED, BatchRequest, wrong_fields
from workers.options import BatchOptions, text_of


def options(**given: Any) -> BatchOptions:
    return BatchRequest.model_validate(given).options()


def wrong(**given: Any) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        BatchRequest.model_validate(given)
    return [f"{name}: {sentence}" for name, sentence in wrong_fields(caught.value)]


def test_nothing_asked_is_the_defaults() -> None:
    """Those of the dataclass and of the request are the same."""
    assert options() == BatchOptions() == options(batch_size=0, size=None)


@pytest.mark.parametrize(
    "size", ["224x112", "224 x 112", "224,112", "224×112", [224, 112], [224.0, 112]]
)
def test_sizes_are_width_and_height(size: object) -> None:
    """However they are written."""
    assert options(size=size).size == (224, 112)


@pytest.mark.parametrize("size", [224, "224"])
def test_one_number_is_a_square(size: object) -> None:
    assert options(size=size).size == (224, 224)


@pytest.mark.parametrize(
    "size",
    [
        0,
        10_000,
        -1,
        1.5,
        True,
        "",
        "x",
        "0x5",
        "axb",
        "1x2x3",
        [1],
        [1, 2, 3],
        [1, 0],
        [1, 64.5],
        [1, float("inf")],
        [float("nan"), 1],
        ["1", 2],
        {},
    ],
)
def test_wrong_sizes(size: object) -> None:
    """Are told under their name."""
    (told,) = wrong(size=size)
    assert told.startswith("size: give ")


@pytest.mark.parametrize("size", [-1, 1025, "many", 1.5, True])
def test_wrong_batch_sizes(size: object) -> None:
    (told,) = wrong(batch_size=size)
    assert told.startswith("batch_size: ")


@pytest.mark.parametrize(
    ("matte", "kept"),
    [
        ("#FF8000", "#ff8000"),
        ("fff", "#ffffff"),
        ("white", "#ffffff"),
        ("black", "#000000"),
        ([1, 2, 255], "#0102ff"),
        ([1.0, 2, 255.0], "#0102ff"),
        ("1, 2, 255", "#0102ff"),
    ],
)
def test_mattes(matte: object, kept: str) -> None:
    assert options(matte=matte).matte == kept


@pytest.mark.parametrize(
    "matte",
    ["", "beige", "#12", "#12345", [1, 2], [1, 2, 256], [1, 2, 2.5], ["fff"], "a,b,c", 7],
)
def test_wrong_mattes(matte: object) -> None:
    (told,) = wrong(matte=matte)
    assert told.startswith("matte: ")


def test_arrays_too_large_to_tell_or_to_make() -> None:
    """By the size that is asked for."""
    assert "with pixels" in wrong(size=512, batch_size=32, pixels="npy")[0]
    assert options(size=512, batch_size=32).size == (512, 512)
    assert "take smaller batches" in wrong(size=1024, batch_size=128)[0]


def test_options_of_other_kinds_are_none() -> None:
    assert wrong(depth="full", thumbnail=9) == [
        "depth: there is no such option",
        "thumbnail: there is no such option",
    ]
    with pytest.raises(ValidationError):
        ASKED["images_info"].model_validate({"size": 64})


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"batch_size": 5, "size": [20, 10], "fit": "pad", "matte": "black", "filter": "box"},
        {"predictor": "mine", "pixels": "list", "limit": 3, "timeout": 1.5, "extra": True},
    ],
)
def test_options_survive_the_ways_they_travel(asked: dict[str, Any]) -> None:
    """As JSON in a job, and as text in the fields of an entry."""
    chosen = options(**asked)
    assert options(**orjson.loads(orjson.dumps(chosen.json()))) == chosen
    told = {name: text_of(value) for name, value in chosen.json().items() if value is not None}
    assert options(**told) == chosen
