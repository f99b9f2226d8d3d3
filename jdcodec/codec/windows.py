"""Cutting a large grid into windows with overlap, so that memory stays bounded and no seam shows.

A window's core is what it delivers; around it lies a halo, as wide as what can influence the core, cut off
at the borders of the grid. What is computed on the cores equals what the whole grid would give.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass


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
    `budget` units of area, unless `align` and `halo` alone already do.
    """
    rows, columns = _best_split(height, width, align, halo, budget)
    for top, bottom in _spans(height, rows, align):
        for left, right in _spans(width, columns, align):
            yield Window(
                top=top,
                bottom=bottom,
                left=left,
                right=right,
                outer_top=max(0, top - halo),
                outer_bottom=min(height, bottom + halo),
                outer_left=max(0, left - halo),
                outer_right=min(width, right + halo),
            )


def _best_split(height: int, width: int, align: int, halo: int, budget: int) -> tuple[int, int]:
    """(rows, columns) of windows: fits the budget with the least total area, halos included."""
    most_columns = math.ceil(width / align)
    best, least = (math.ceil(height / align), most_columns), math.inf
    for columns in range(1, most_columns + 1):
        inner_width = min(width, _length(width, columns, align) + (2 * halo if columns > 1 else 0))
        longest = budget // inner_width
        rows = 1
        if longest < height:
            core = (longest - 2 * halo) // align * align
            if core < align:
                continue
            rows = math.ceil(height / core)
        total = (height + 2 * halo * (rows - 1)) * (width + 2 * halo * (columns - 1))
        if total < least:
            best, least = (rows, columns), total
        if rows == 1:
            break
    return best


def _length(size: int, count: int, align: int) -> int:
    """Length of the longest of `count` aligned spans."""
    return math.ceil(math.ceil(size / align) / count) * align


def _spans(size: int, count: int, align: int) -> Iterator[tuple[int, int]]:
    length = _length(size, count, align)
    for start in range(0, size, length):
        yield start, min(size, start + length)
