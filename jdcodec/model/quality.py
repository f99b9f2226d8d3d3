"""Continuous quality: per-channel gains on the latents, monotone in the quality by construction."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import LAMBDA_MAX, LAMBDA_MIN, LATENT_STEP

#: Quantisation step of an orthonormal transform of [0, 1] pixels at the lowest quality, from the
#: high-rate slope of bpp + lambda·255²·MSE: step² = 36 / (2 ln 2 · lambda · 255²), MSE over three colours.
_COARSEST_STEP = math.sqrt(36.0 / (2.0 * math.log(2.0) * LAMBDA_MIN)) / 255.0


class QualityGain(nn.Module):
    """log gain(t) = offset + slope·(t + bend·t·(1 − t)), slope > 0 and |bend| < 1, so it rises with t.

    Latents are multiplied by the gain before they are rounded and divided by it afterwards.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        slope = 0.5 * math.log(LAMBDA_MAX / LAMBDA_MIN)  # step is proportional to 1/sqrt(lambda)
        self.offset = nn.Parameter(torch.full((channels,), math.log(LATENT_STEP / _COARSEST_STEP)))
        self.slope = nn.Parameter(torch.full((channels,), math.log(math.expm1(slope))))
        self.bend = nn.Parameter(torch.zeros(channels))

    def forward(self, t: Tensor) -> Tensor:
        """t: (B,) in [0, 1]. Returns log gains, (B, channels, 1, 1)."""
        t = t[:, None]
        curve = t + torch.tanh(self.bend) * t * (1.0 - t)
        return (self.offset + F.softplus(self.slope) * curve)[:, :, None, None]


def squared_error_worth(gain: Tensor, t: Tensor) -> Tensor:
    """Bits that a squared error of one symbol is worth, (B, M, 1, 1), for gains of that shape and t (B,).

    The synthesis transform is taken to be as nearly orthonormal as the DCT that it starts from; MSE is the
    mean over three colours, hence the 3.
    """
    weight = LAMBDA_MIN * (LAMBDA_MAX / LAMBDA_MIN) ** t[:, None, None, None]
    return weight * (255.0**2 / 3.0) * (LATENT_STEP / gain).square()
