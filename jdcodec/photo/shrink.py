"""Pixels to fewer of them: thumbnails, and pictures for the web."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from jdcodec.photo.photo import Pixels


def fitted_size(width: int, height: int, longest: int) -> tuple[int, int]:
    """(width, height) with no side above `longest`, of the same shape; what is small enough stays."""
    factor = min(1.0, longest / max(width, height))
    return max(1, round(width * factor)), max(1, round(height * factor))


def shrink(pixels: Pixels, longest: int) -> Pixels:
    """(H, W, 3) uint8 or uint16 with no side above `longest`, by a Lanczos filter; never larger."""
    height, width = pixels.shape[:2]
    size = fitted_size(width, height, longest)
    if size == (width, height):
        return pixels
    if pixels.dtype == np.uint8:
        small: Pixels = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))
        return small
    # Pillow has no RGB image of 16 bits a channel.
    planes = [Image.fromarray(pixels[..., c].astype(np.float32)) for c in range(pixels.shape[2])]
    resized = np.stack([np.asarray(p.resize(size, Image.Resampling.LANCZOS)) for p in planes], axis=2)
    deep: Pixels = np.rint(resized.clip(0, 65_535)).astype(np.uint16)
    return deep
