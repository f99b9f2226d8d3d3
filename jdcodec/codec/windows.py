"""Cutting a large grid into windows with overlap, so that memory stays bounded and no seam shows.

A window's core is what it delivers; around it lies a halo, at least as wide as what can influence the core,
cut off at the borders of the grid. What is computed on the cores equals what the whole grid would give. All
windows of a grid are of one size, so that what is prepared for one serves them all. `relay` joins two steps,
each with windows of its own, without the whole of what lies between them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Pixels that a window holds at most, halo included: the networks need about 100 bytes for each. Memory that
#: is touched for the first time costs more than the halos of smaller windows.
WINDOW_PIXELS = 2_000_000


@dataclass(frozen=True)
class Window:
    """Half-open ranges in grid units: the core, and the core with its halo."""

    top: int
    bottom: int
    left: int
    right: int
    outer_top: int
    outer_bottom: int
    outer_left: int
    outer_right: int

    @property
    def core(self) -> tuple[slice, slice]:
        """The core's place in the grid."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    @property
    def outer(self) -> tuple[slice, slice]:
        """The place in the grid of the core with its halo."""
        return slice(self.outer_top, self.outer_bottom), slice(self.outer_left, self.outer_right)

    def inner(self, scale: int = 1) -> tuple[slice, slice]:
        """The core's place within the outer range, when each grid unit is `scale` samples."""
        return (
            slice((self.top - self.outer_top) * scale, (self.bottom - self.outer_top) * scale),
            slice((self.left - self.outer_left) * scale, (self.right - self.outer_left) * scale),
        )


def cover(height: int, width: int, *, align: int, halo: int, budget: int) -> Iterator[Window]:
    """Windows whose cores tile a (height, width) grid, with the least area computed twice.

    Cores start and end at multiples of `align` (or the grid's end); no window with its halo exceeds
    `budget` units of area, unless `align` and `halo` alone already do. They proceed along the longer side of
    the grid, so that those begun and not yet done with lie across its shorter one.
    """
    rows, columns = _best_split(height, width, align, halo, budget)
    places = product(_spans(height, rows, align, halo), _spans(width, columns, align, halo))
    for (top, bottom, outer_top, outer_bottom), (left, right, outer_left, outer_right) in (
        places if height >= width else sorted(places, key=lambda place: (place[1], place[0]))
    ):
        yield Window(top, bottom, left, right, outer_top, outer_bottom, outer_left, outer_right)


def relay(
    sources: Iterable[Window], targets: Iterable[Window], compute: Callable[[Window], NDArray[Any]]
) -> Iterator[tuple[Window, NDArray[Any]]]:
    """Each target with what the sources' cores hold under its outer range, (channels, height, width).

    Both must cover one grid. `compute` gives the values of a source's core, (channels, height, width). It is
    called once for each source, just before the first target that reaches into it; after the last such target
    the values are let go. The order of the calls depends on the windows alone.
    """
    targets = list(targets)
    needs = _overlaps(list(sources), targets)
    last = {source: number for number, needed in enumerate(needs) for source in needed}
    held: dict[Window, NDArray[Any]] = {}
    for number, (target, needed) in enumerate(zip(targets, needs)):
        for source in needed:
            if source not in held:
                held[source] = compute(source)
        yield target, _put_together(target, {source: held[source] for source in needed})
        for source in needed:
            if last[source] == number:
                del held[source]


def _overlaps(sources: list[Window], targets: list[Window]) -> list[list[Window]]:
    """For each target the sources whose cores share something with its outer range, in their order."""
    return [
        [
            source
            for source in sources
            if source.top < target.outer_bottom
            and target.outer_top < source.bottom
            and source.left < target.outer_right
            and target.outer_left < source.right
        ]
        for target in targets
    ]


def _put_together(target: Window, cores: dict[Window, NDArray[Any]]) -> NDArray[Any]:
    """The outer range of a window, (channels, height, width), from the cores that cover it."""
    size = target.outer_bottom - target.outer_top, target.outer_right - target.outer_left
    first = next(iter(cores.values()))
    if len(cores) == 1 and first.shape[1:] == size:
        return first
    whole = np.empty((len(first), *size), first.dtype)
    for source, values in cores.items():
        top, bottom = max(source.top, target.outer_top), min(source.bottom, target.outer_bottom)
        left, right = max(source.left, target.outer_left), min(source.right, target.outer_right)
        here = slice(top - target.outer_top, bottom - target.outer_top)
        there = slice(top - source.top, bottom - source.top)
        columns = slice(left - target.outer_left, right - target.outer_left)
        whole[:, here, columns] = values[:, there, left - source.left : right - source.left]
    return whole


def _best_split(height: int, width: int, align: int, halo: int, budget: int) -> tuple[int, int]:
    """(rows, columns) of windows: fits the budget with the least total area, halos included."""
    most_rows, most_columns = math.ceil(height / align), math.ceil(width / align)
    best, least = (most_rows, most_columns), math.inf
    for columns in range(1, most_columns + 1):
        outer_width = _outer_length(width, columns, align, halo)
        # Where the halos lie does not matter yet: with fewer rows than this no window fits in any case.
        rows = min(most_rows, max(1, height * outer_width // budget))
        while rows < most_rows and _outer_length(height, rows, align, halo) * outer_width > budget:
            rows += 1
        outer_height = _outer_length(height, rows, align, halo)
        total = rows * outer_height * columns * outer_width
        if outer_height * outer_width <= budget and total < least:
            best, least = (rows, columns), total
        if rows == 1:
            break
    return best


def _length(size: int, count: int, align: int) -> int:
    """Length of the longest of `count` aligned spans."""
    return math.ceil(math.ceil(size / align) / count) * align


def _outer_length(size: int, count: int, align: int, halo: int) -> int:
    """The same with its halo: on one side where there are two spans, else on both."""
    return min(size, _length(size, count, align) + halo * min(2, count - 1))


def _spans(size: int, count: int, align: int, halo: int) -> Iterator[tuple[int, int, int, int]]:
    """(start, stop, outer start, outer stop) of each span along a side; the outer ones have one length."""
    length = _length(size, count, align)
    starts = range(0, size, length)
    outer = min(size, length + halo * min(2, len(starts) - 1))
    for start in starts:
        outer_start = min(max(0, start - halo), size - outer)
        yield start, min(size, start + length), outer_start, outer_start + outer
