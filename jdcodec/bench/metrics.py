"""Measures of one decoded picture against its target: PSNR, MS-SSIM and, where installed, SSIMULACRA 2.

Pictures are (H, W, 3) uint8 sRGB arrays of the same size. Means over a set and what is derived from whole
curves are in `curves`.
"""

from __future__ import annotations

import io
import math

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]

IDENTICAL_DB = 100.0
"""PSNR and MS-SSIM in dB that stand for identical pictures, so that means and JSON stay finite."""

MS_SSIM_SMALLEST_SIDE = 161
"""MS-SSIM's 11-pixel window needs (11 − 1) · 2⁴ + 1 pixels a side to fit five scales."""


def bits_per_pixel(coded_bytes: int, height: int, width: int) -> float:
    """Bits of the whole file, headers included, for each pixel of the picture."""
    return 8 * coded_bytes / (height * width)


def psnr(target: Pixels, decoded: Pixels) -> float:
    """Peak signal-to-noise ratio in dB over all three RGB channels, peak 255; 100 for identical pictures.

    Raises ValueError for pictures of different shapes.
    """
    _same_shape(target, decoded)
    difference = target.astype(np.float64) - decoded
    mean_squared_error = float(np.mean(difference * difference))
    if mean_squared_error == 0:
        return IDENTICAL_DB
    return 10 * math.log10(255**2 / mean_squared_error)


def ms_ssim(target: Pixels, decoded: Pixels) -> float | None:
    """Multi-scale SSIM (Wang, Simoncelli & Bovik 2003) in [0, 1], mean of the three RGB channels.

    11-tap Gaussian of σ 1.5, five scales, as pytorch-msssim computes it. None for a picture with a side below
    161 pixels, where five scales do not fit. Raises ValueError for pictures of different
    shapes.
    """
    _same_shape(target, decoded)
    if min(target.shape[:2]) < MS_SSIM_SMALLEST_SIDE:
        return None
    import pytorch_msssim
    import torch

    with torch.inference_mode():
        x, y = (torch.tensor(a).permute(2, 0, 1)[None].float() for a in (target, decoded))
        return float(pytorch_msssim.ms_ssim(x, y, data_range=255))


def ms_ssim_db(value: float) -> float:
    """MS-SSIM on the usual logarithmic scale, −10·log10(1 − MS-SSIM) dB; 100 for 1."""
    return IDENTICAL_DB if value >= 1 else min(IDENTICAL_DB, -10 * math.log10(1 - value))


def ssimulacra2(target: Pixels, decoded: Pixels) -> float:
    """SSIMULACRA 2 score (Sneyers 2022): 100 identical, 90 visually lossless, 70 high, 50 medium quality.

    By the package `ssimulacra2`, a translation of the authors' C++. Raises ValueError for pictures of
    different shapes.
    """
    _same_shape(target, decoded)
    from ssimulacra2 import compute_ssimulacra2

    return float(compute_ssimulacra2(_as_png(target), _as_png(decoded)))


def _as_png(pixels: Pixels) -> io.BytesIO:
    """The picture as an in-memory PNG, because the package reads files only."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", compress_level=0)
    stream.seek(0)
    return stream


def _same_shape(target: Pixels, decoded: Pixels) -> None:
    if target.shape != decoded.shape:
        raise ValueError(f"pictures of different shapes: {target.shape} and {decoded.shape}")
