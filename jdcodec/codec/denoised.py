"""A picture less its noise, window by window as the encoder removes it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from jdcodec.codec.windows import WINDOW_PIXELS, Window, cover
from jdcodec.inference.interface import Inference, to_levels
from jdcodec.model.config import HYPER_STRIDE


def without_noise(pixels: NDArray[Any], inference: Inference, strength: float) -> NDArray[Any]:
    """Pixels (H, W, 3) uint8 or uint16, sRGB, less the share `strength` of their noise, in their type."""
    if not strength:
        return pixels
    clean = np.empty_like(pixels)
    height, width = (coded_size(side) for side in pixels.shape[:2])
    halo = inference.denoiser_halo
    for window in cover(height, width, align=HYPER_STRIDE, halo=halo, budget=WINDOW_PIXELS):
        target = clean[window.core]
        found = inference.denoise(padded(pixels, window), strength)[:, *window.inner()]
        found = found[:, : target.shape[0], : target.shape[1]].astype(np.float32)
        target[:] = to_levels(found.clip(0, 1), pixels.dtype.type)
    return clean


def padded(pixels: NDArray[Any], window: Window) -> NDArray[Any]:
    """A window of the picture, (h, w, 3); beyond the picture's edge its last pixels repeat."""
    rows, columns = window.outer
    cut = pixels[rows, columns]
    missing = (rows.stop - rows.start - cut.shape[0], columns.stop - columns.start - cut.shape[1])
    return np.pad(cut, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="edge") if any(missing) else cut


def coded_size(side: int) -> int:
    """Pixels of a side of the picture as the networks see it."""
    return -(-side // HYPER_STRIDE) * HYPER_STRIDE
