"""What `appearance` says, against numbers found by hand and by other means."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imaging.measure import colourfulness
from imaging.predictors.appearance import SIDE, Appearance
from imaging.predictors.nothing import Nothing
from tests.imaging.predictors.pictures import (
    BLACK,
    BLUE,
    GREEN,
    RED,
    WHITE,
    Batch,
    Colour,
    flat,
    on,
    photographs,
)


def look(batch: Batch) -> list[dict[str, Any]]:
    """What is said of each row."""
    return list(Appearance()(batch, [str(row) for row in range(len(batch))]))


def halves(left: Colour, right: Colour) -> Batch:
    """Two colours side by side."""
    batch = flat(left)
    batch[:, :, :, 32:] = flat(right)[:, :, :, 32:]
    return batch


@pytest.mark.parametrize(
    ("colour", "luma"),
    [(BLACK, 0), (WHITE, 255), (RED, 76), (GREEN, 150), (BLUE, 29), ((7, 7, 7), 7)],
)
def test_flat_picture(colour: Colour, luma: int) -> None:
    """One luma, by the weights 0.299, 0.587 and 0.114; no contrast; one colour, all background."""
    (said,) = look(flat(colour))

    assert (said["brightness"], said["contrast"], said["entropy"]) == (luma, 0, 0)
    assert said["background"] == 1
    assert said["dominant_colours"] == [
        {"colour": "#{:02x}{:02x}{:02x}".format(*colour), "share": 1}
    ]


def test_half_black_half_white() -> None:
    """One bit for each pixel, as far from the mean as can be; two colours, no background."""
    (said,) = look(halves(BLACK, WHITE))

    assert (said["brightness"], said["contrast"], said["entropy"]) == (127.5, 127.5, 1)
    assert said["colourfulness"] == 0
    assert said["background"] == 0
    assert said["dominant_colours"] == [
        {"colour": "#000000", "share": 0.5},
        {"colour": "#ffffff", "share": 0.5},
    ]


def test_gradient() -> None:
    """64 greys in equal numbers: 6 bits, and the deviation of a uniform distribution."""
    gradient = flat(BLACK)
    gradient[:] = np.arange(64, dtype=np.uint8) * 4

    (said,) = look(gradient)

    assert said["brightness"] == 126
    assert said["contrast"] == round(4 * math.sqrt((64**2 - 1) / 12), 4)
    assert said["entropy"] == 6
    # Bins of 64 levels hold 16 greys each, of which three are told.
    assert said["dominant_colours"] == [
        {"colour": "#1e1e1e", "share": 0.25},
        {"colour": "#5e5e5e", "share": 0.25},
        {"colour": "#9e9e9e", "share": 0.25},
    ]


def test_colourfulness_by_hand() -> None:
    """Half red, half blue: R - G is 255 or 0, (R + G)/2 - B is 127.5 or -255."""
    (said,) = look(halves(RED, BLUE))

    spread = math.hypot(127.5, (127.5 + 255) / 2)
    offset = math.hypot(127.5, (127.5 - 255) / 2)
    assert said["colourfulness"] == round(spread + 0.3 * offset, 4)


def test_measures_are_those_of_other_programs() -> None:
    """Luma as Pillow has it, numpy's deviation, our own M3 of one picture, entropy as defined."""
    batch = photographs(8)
    for picture, said in zip(batch, look(batch), strict=True):
        pixels = picture.transpose(1, 2, 0)
        luma = np.asarray(Image.fromarray(np.ascontiguousarray(pixels)).convert("L"))
        shares = np.unique(luma, return_counts=True)[1] / luma.size
        assert said["brightness"] == pytest.approx(luma.mean(), abs=6e-5)
        assert said["contrast"] == pytest.approx(luma.std(), abs=6e-5)
        assert said["entropy"] == pytest.approx(-(shares * np.log2(shares)).sum(), abs=6e-5)
        assert said["colourfulness"] == pytest.approx(colourfulness(pixels.astype(float)), abs=6e-5)


def test_dominant_colours() -> None:
    """The mean of a bin, most frequent first; what covers less than a twentieth is not told."""
    batch = flat((200, 10, 10))
    batch[:, 0, :32] = 210
    batch[0, :, :16] = np.array(BLUE, np.uint8)[:, None, None]
    batch[0, :, 60:63] = np.array(GREEN, np.uint8)[:, None, None]

    (said,) = look(batch)

    assert said["dominant_colours"] == [
        # 16 rows of 210 and 29 of 200
        {"colour": "#cc0a0a", "share": round(45 / 64, 4)},
        {"colour": "#0000ff", "share": 0.25},
    ]
    batch[0, :, 63] = np.array(GREEN, np.uint8)[:, None]  # now 4 rows of 64
    assert [found["colour"] for found in look(batch)[0]["dominant_colours"]][2] == "#00ff00"


@pytest.mark.parametrize("bordered", [396, 397])
def test_background_needs_most_of_the_border(bordered: int) -> None:
    """Four fifths of its 496 pixels in one colour, or there is none."""
    ring = np.ones((SIDE, SIDE), bool)
    ring[2:-2, 2:-2] = False
    rows, columns = np.nonzero(ring)
    batch = flat(RED)
    batch[0, :, rows[bordered:], columns[bordered:]] = BLACK

    (said,) = look(batch)

    assert said["background"] == (0 if bordered == 396 else round(1 - (496 - 397) / 4096, 4))


def test_background_counts_what_is_near_its_colour() -> None:
    """Up to 16 levels in every channel, wherever it is."""
    near, far = (
        on((200, 200, 200), (184, 216, 200), 1000),
        on((200, 200, 200), (183, 200, 200), 1000),
    )

    assert look(near)[0]["background"] == 1
    assert look(far)[0]["background"] == round(1 - 1000 / 4096, 4)


def test_row_does_not_depend_on_its_neighbours() -> None:
    """Alone, in a batch, in another order: the same text of JSON."""
    batch = np.concatenate([photographs(40), flat(BLACK, WHITE, RED), halves(RED, BLUE)])
    together = [json.dumps(said) for said in look(batch)]

    assert [json.dumps(*look(batch[row : row + 1])) for row in range(len(batch))] == together
    assert [json.dumps(said) for said in look(batch[::-1])] == together[::-1]
    assert len(set(together)) == len(batch)


def test_batch_stays_as_it_is() -> None:
    """Also one that may not be written to."""
    batch = photographs(3)
    before = batch.copy()
    batch.flags.writeable = False

    look(batch)

    assert (batch == before).all()


@pytest.mark.parametrize("size", [(1, 1), (64, 63), (1, 500), (200, 3), (224, 224)])
def test_any_size_is_taken(size: tuple[int, int]) -> None:
    """Brought to 64 x 64 first, row by row."""
    batch = np.concatenate([flat(RED, size=size), photographs(2, size)])
    small = np.stack(
        [
            np.asarray(
                Image.fromarray(np.ascontiguousarray(row.transpose(1, 2, 0))).resize(
                    (SIDE, SIDE), Image.Resampling.BOX
                )
            ).transpose(2, 0, 1)
            for row in batch
        ]
    )

    assert look(batch) == look(small)
    assert look(batch)[0]["dominant_colours"] == [{"colour": "#ff0000", "share": 1}]


def test_values_are_plain_and_rounded() -> None:
    """What any encoder takes, four decimals at most."""
    for said in look(photographs(4)):
        assert json.loads(json.dumps(said)) == said
        for name in ("brightness", "contrast", "colourfulness", "entropy", "background"):
            assert type(said[name]) is float
            assert said[name] == round(said[name], 4)


def test_extreme_pictures_do_not_overflow() -> None:
    """The largest sums there are: yellow against blue, pixel by pixel."""
    batch = flat((255, 255, 0))
    batch[0, :, :, ::2] = np.array(BLUE, np.uint8)[:, None, None]

    (said,) = look(batch)

    assert said["colourfulness"] == 255  # (R + G)/2 - B is 255 or -255


def test_nothing_says_nothing() -> None:
    """An empty object for each row."""
    assert Nothing()(photographs(3), ["a", "b", "c"]) == [{}, {}, {}]
