"""Tone curves between sRGB and linear light."""

from __future__ import annotations

import torch
from torch import Tensor


def srgb_to_linear(x: Tensor) -> Tensor:
    """IEC 61966-2-1, for values in [0, 1]."""
    return torch.where(x <= 0.04045, x / 12.92, ((x.clamp_min(0.04045) + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(x: Tensor) -> Tensor:
    """IEC 61966-2-1, for values in [0, 1]."""
    return torch.where(x <= 0.0031308, x * 12.92, 1.055 * x.clamp_min(0.0031308) ** (1 / 2.4) - 0.055)


def released_to_linear(x: Tensor) -> Tensor:
    """What the released code of Cheng, Xie & Chen (ECCV 2022) takes for the curve to linear light."""
    return torch.where(x <= 0.0031308, x / 12.92, (x + 0.055) ** 2.4 / 1.055)


def released_to_srgb(x: Tensor) -> Tensor:
    """The same code's way back; not the inverse of `released_to_linear`: mid-grey gains 5 of 255 steps."""
    return torch.where(x <= 0.0031308, x * 12.92, 1.055 * (x.clamp_min(0) + 0.001) ** (1 / 2.4) - 0.055)
