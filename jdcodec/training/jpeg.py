"""JPEG's loss on a batch of pictures, in torch: what quantisation does, without the entropy coding."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

# ITU-T T.81, tables K.1 and K.2.
_LUMA = """16 11 10 16 24 40 51 61 12 12 14 19 26 58 60 55 14 13 16 24 40 57 69 56 14 17 22 29 51 87 80 62
18 22 37 56 68 109 103 77 24 35 55 64 81 104 113 92 49 64 78 87 103 121 120 101 72 92 95 98 112 100 103 99"""
_CHROMA = """17 18 24 47 99 99 99 99 18 21 26 66 99 99 99 99 24 26 56 99 99 99 99 99 47 66 99 99 99 99 99 99
99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99"""

# ITU-R BT.601, full range, as JFIF has it.
_TO_YCC = [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]]


def jpeg_round_trip(pictures: Tensor, quality: Tensor) -> Tensor:
    """Code and decode (B, 3, H, W) pictures in [0, 1] as 4:2:0 JPEG at quality (B,) in 1..100.

    H and W must be multiples of 16. The quality scale is that of the Independent JPEG Group.
    """
    device = pictures.device
    to_ycc = torch.tensor(_TO_YCC, device=device)
    ycc = torch.einsum("ij,bjhw->bihw", to_ycc, pictures * 255)
    percent = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality)
    luma = _quantise(ycc[:, :1] - 128, _table(_LUMA, percent)) + 128
    chroma = _quantise(F.avg_pool2d(ycc[:, 1:], 2), _table(_CHROMA, percent))
    chroma = F.interpolate(chroma, scale_factor=2, mode="bilinear", align_corners=False)
    rgb = torch.einsum("ij,bjhw->bihw", torch.linalg.inv(to_ycc), torch.cat((luma, chroma), dim=1))
    return (rgb / 255).clamp(0, 1)


def _table(text: str, percent: Tensor) -> Tensor:
    """Quantisation steps, (B, 1, 1, 1, 8, 8)."""
    base = torch.tensor([float(step) for step in text.split()], device=percent.device).view(8, 8)
    return ((base * percent[:, None, None] + 50) / 100).floor().clamp(1, 255)[:, None, None, None]


def _quantise(planes: Tensor, steps: Tensor) -> Tensor:
    """8×8 DCT, round to the steps, and back."""
    dct = _dct8(planes.device)
    blocks = planes.unfold(2, 8, 8).unfold(3, 8, 8)  # (B, C, H/8, W/8, 8, 8)
    coefficients = torch.round(dct @ blocks @ dct.T / steps) * steps
    pixels = dct.T @ coefficients @ dct
    return pixels.transpose(3, 4).reshape(planes.shape)


def _dct8(device: torch.device) -> Tensor:
    index = torch.arange(8, device=device, dtype=torch.float32)
    dct = torch.cos(math.pi / 8 * (index[None, :] + 0.5) * index[:, None]) * 0.5
    dct[0] /= math.sqrt(2.0)
    return dct
