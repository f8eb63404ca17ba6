"""How far the census's scaled decoding is from a full one with the same filter.

    python scripts/bench_quality.py FOLDER|made SIZE

Of every distinct picture, the mean absolute difference over all pixels and channels, on the scale
of 0 to 255. Prints one line of JSON: the mean of these means, their 95th percentile, the most.
"""

import json
import sys

import numpy as np
from bench_pictures import distinct
from PIL import Image

from imaging.decode import decode
from imaging.facts import Failure
from imaging.options import Limits, Resize
from imaging.pixels import prepare

__all__: list[str] = []


def _difference(data: bytes, size: int) -> float | None:
    """Of one picture; None if it cannot be decoded."""
    scaled = prepare(data, limits=Limits(), resize=Resize((size, size)))
    full = decode(data, limits=Limits())
    if isinstance(scaled, Failure) or isinstance(full, Failure):
        return None
    wanted = full.image.resize((size, size), Image.Resampling.BICUBIC)
    ours = np.frombuffer(scaled, np.uint8).reshape(3, size, size).astype(np.int16)
    theirs = np.asarray(wanted).transpose(2, 0, 1).astype(np.int16)
    return float(np.abs(ours - theirs).mean())


def main() -> int:
    """Compare all pictures and say the result."""
    size = int(sys.argv[2])
    found = [_difference(data, size) for data in distinct(sys.argv[1]).values()]
    known = [difference for difference in found if difference is not None]
    if not known:
        print("bench: no picture can be decoded", file=sys.stderr)
        return 1
    told = {
        "pictures": len(known),
        "mean": float(np.mean(known)),
        "p95": float(np.percentile(known, 95)),
        "most": max(known),
    }
    print(json.dumps(told))
    return 0


if __name__ == "__main__":
    sys.exit(main())
