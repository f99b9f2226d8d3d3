"""In which order the latents of a tile are coded, and by which table each: it follows from their levels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .tables import LEVELS, EntropyTables

#: (scale level, start, end) of symbols that follow each other in `Layout.order`.
Span = tuple[int, int, int]


@dataclass(frozen=True)
class Layout:
    """The latents of a tile that are coded, (M, h, w) flattened, by rising level, in C order within a level.

    First come those that are quantised alone; then, of the levels that have dependent quantisation, those at
    the anchors (row + column even), and then the others, since their means depend on the anchors.

    order: places of the coded latents. bounds: ends of the groups among them, by group number: the level, and
    for the others LEVELS more. trellis_level: as in `EntropyTables`.
    """

    order: NDArray[np.int32]
    bounds: NDArray[np.int64]
    trellis_level: int

    @classmethod
    def of(cls, tables: EntropyTables, levels: NDArray[np.uint8]) -> Layout:
        """The layout for scale levels (M, h, w)."""
        return cls.with_trellis(levels, tables.trellis_level)

    @classmethod
    def with_trellis(cls, levels: NDArray[np.uint8], trellis_level: int) -> Layout:
        """The same, with dependent quantisation from a level on."""
        groups = levels
        if trellis_level < LEVELS:
            _, height, width = levels.shape
            others = (np.add.outer(np.arange(height), np.arange(width)) % 2).astype(np.uint8) * LEVELS
            groups = levels + (levels >= trellis_level) * others
        flat = groups.ravel()
        coded = np.flatnonzero(flat != 0).astype(np.int32)  # a quarter to six tenths of them, by quality
        found = flat[coded]
        order = coded[np.argsort(found, kind="stable")]
        return cls(order, np.cumsum(np.bincount(found, minlength=2 * LEVELS)), trellis_level)

    def scalar(self) -> Iterator[Span]:
        """Groups of latents that are quantised alone."""
        yield from self._spans(1, self.trellis_level)

    def trellis(self, phase: int) -> tuple[slice, list[Span]]:
        """(places in `order`, groups counted from the first of them) of the anchors, 0, or the others, 1."""
        first, last = phase * LEVELS + self.trellis_level, (phase + 1) * LEVELS
        start, end = int(self.bounds[first - 1]), int(self.bounds[last - 1])
        groups = [
            (group - phase * LEVELS, low - start, high - start)
            for group, low, high in self._spans(first, last)
        ]
        return slice(start, end), groups

    def _spans(self, first: int, last: int) -> Iterator[Span]:
        for group in range(first, last):
            low, high = int(self.bounds[group - 1]), int(self.bounds[group])
            if high > low:
                yield group, low, high
