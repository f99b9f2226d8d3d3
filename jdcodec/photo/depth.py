"""From 16 bits a sample to 8, and back: one way for all who do it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jdcodec.photo.photo import Pixels


def to_8_bit(pixels: Pixels) -> Pixels:
    """Samples of any shape, uint8 or uint16, as uint8: 65,535 becomes 255, rounded to the nearest.

    uint8 is handed back as it is, not copied.
    """
    if pixels.dtype == np.uint8:
        return pixels
    # In 16 bits throughout: whatever is cut off here becomes 255 all the same.
    eight: Pixels = ((np.minimum(pixels, np.uint16(65_407)) + 128) // 257).astype(np.uint8)
    return eight


def to_16_bit(pixels: Pixels) -> Pixels:
    """Samples of any shape, uint8 or uint16, as uint16: 255 becomes 65,535.

    uint16 is handed back as it is, not copied.
    """
    if pixels.dtype == np.uint16:
        return pixels
    deep: Pixels = pixels.astype(np.uint16) * np.uint16(257)
    return deep
