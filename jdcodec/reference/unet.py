"""The U-Net denoiser of Brummer & De Vleeschouwer, which goes before the codec in their two-step baseline.

Their `UtNet` (31 million parameters): valid 3×3 convolutions on the way down, transposed ones on the way
up, so that sizes come out even again, and skips by concatenation.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .base import Denoiser

_BORDER = 2
#: The lowest level has one site left at this size.
_SMALLEST = 104


class UNet(Denoiser):
    """`width` channels at full resolution, doubling with each of the four halvings."""

    #: Two layers on the way down and up at each level, 2·(1 + 2 + 4 + 8) each, two at the bottom, 2·16, and
    #: at most a site of the lowest level for pooling and enlarging.
    reach = 128

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        down = [3, *(width * 2**level for level in range(4))]
        self.down = nn.ModuleList(_pair(nn.Conv2d, c_in, c_out) for c_in, c_out in pairwise(down))
        self.bottom = nn.Sequential(
            *(nn.Conv2d(8 * width, 16 * width, 3), nn.PReLU()),
            *(nn.ConvTranspose2d(16 * width, 16 * width, 3), nn.PReLU()),
        )
        ups = [width * 2**level for level in (4, 3, 2, 1, 0)]
        self.enlarge = nn.ModuleList(
            nn.ConvTranspose2d(c_in, c_out, 2, stride=2) for c_in, c_out in pairwise(ups)
        )
        self.up = nn.ModuleList(_pair(nn.ConvTranspose2d, c_in, c_out) for c_in, c_out in pairwise(ups))
        self.last = nn.Conv2d(width, 3, 1)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")

    def denoise(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        h = F.pad(x, (0, _missing(width), 0, _missing(height)), mode="replicate")
        h = F.pad(h, (_BORDER,) * 4, mode="reflect")
        skips = []
        for level in self.down:
            h = level(h)
            skips.append(h)
            h = F.max_pool2d(h, 2)
        h = self.bottom(h)
        for enlarge, level, skip in zip(self.enlarge, self.up, reversed(skips)):
            h = level(torch.cat((enlarge(h), skip), 1))
        out: Tensor = self.last(h)
        return out[:, :, _BORDER : _BORDER + height, _BORDER : _BORDER + width]


def _pair(layer: type[nn.Conv2d] | type[nn.ConvTranspose2d], c_in: int, c_out: int) -> nn.Sequential:
    return nn.Sequential(layer(c_in, c_out, 3), nn.PReLU(), layer(c_out, c_out, 3), nn.PReLU())


def _missing(side: int) -> int:
    """Pixels to add to a side so that every halving comes out even: 8 more than a multiple of 16."""
    return max(_SMALLEST - side, 0) or (8 - side) % 16
