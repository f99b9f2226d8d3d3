"""Arithmetic on pictures in bands of rows, so that what it needs beside its result stays small."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jdcodec.photo.photo import Pixels

# About 10 MB of 32-bit intermediate results, which a processor's cache nearly holds.
_PIXELS = 1 << 18


def in_bands(compute: Callable[..., Pixels], result: Pixels, *sources: Pixels) -> Pixels:
    """Fill `result`, (H, W, C), with what `compute` makes of the same rows of all sources, and return it."""
    rows = max(1, _PIXELS // result.shape[1])
    for start in range(0, result.shape[0], rows):
        band = slice(start, start + rows)
        result[band] = compute(*(source[band] for source in sources))
    return result
