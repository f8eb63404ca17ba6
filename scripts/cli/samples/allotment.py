"""How many rows of a sample each stratum has."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from math import inf, sqrt

__all__ = ["allot"]


def allot(sizes: Sequence[int], most: Sequence[int], sample: int) -> list[int]:
    """Divide *sample* by the *sizes* of the strata; none has more than its *most*.

    One for each first, the larger before the smaller, then to whoever is furthest from its share:
    equal proportions, by the priority `size / √(n (n + 1))`. Of all allocations in whole numbers
    it is the one with the smallest variance where strata are alike inside (T. Wright, The
    Equivalence of Neyman Optimum Allocation for Sampling and Equal Proportions for Apportioning
    the U.S. House of Representatives, The American Statistician 66, 2012).
    """
    given = [0] * len(sizes)
    waiting = [
        (-inf, -size, place) for place, size in enumerate(sizes) if size > 0 and most[place] > 0
    ]
    heapq.heapify(waiting)
    for _ in range(sample):
        if not waiting:
            break
        _, size, place = waiting[0]
        given[place] = count = given[place] + 1
        if count < most[place]:
            heapq.heapreplace(waiting, (size / sqrt(count * (count + 1)), size, place))
        else:
            heapq.heappop(waiting)
    return given
