"""Building blocks that all networks share: residual block, resampling by (un)shuffle, modulation.

Tensors are (batch, channels, height, width). 1×1 convolutions carry nearly all the arithmetic, since
they run at matrix-multiplication speed in bf16; the only spatial mixing is a depthwise 3×3.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

#: Elements of a strip of rows that inference runs a block on: 2 MiB in bf16.
_STRIP_ELEMENTS = 1 << 20


class ResidualBlock(nn.Module):
    """x + conv1×1(dw3×3(act(conv1×1(x)))), then x + conv1×1(gated pair), 5 c² + 9 c MAC a site.

    The gate is a hard sigmoid: bounded, so that a stack of blocks grows linearly with its input. With the
    product of two unbounded halves a run diverged at once on pictures unlike those before. The last layer
    of each branch starts at zero, so that a fresh block is the identity.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mix_in = nn.Conv2d(channels, channels, 1)
        self.spatial = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.mix_out = nn.Conv2d(channels, channels, 1)
        self.gate_in = nn.Conv2d(channels, 2 * channels, 1)
        self.gate_out = nn.Conv2d(channels, channels, 1)
        for last in (self.mix_out, self.gate_out):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        if torch.is_grad_enabled():
            mixed = x + self._mix(x)
            return mixed + self._gate(mixed)
        return self._in_strips(x)

    def _mix(self, x: Tensor) -> Tensor:
        out: Tensor = self.mix_out(self.spatial(F.leaky_relu(self.mix_in(x), 0.1)))
        return out

    def _gate(self, x: Tensor) -> Tensor:
        value, gate = self.gate_in(x).chunk(2, dim=1)
        out: Tensor = self.gate_out(value * F.hardsigmoid(gate))
        return out

    def _in_strips(self, x: Tensor) -> Tensor:
        """The same, a few rows at a time, so that what lies between two layers stays in the cache."""
        height = x.shape[2]
        rows = max(4, _STRIP_ELEMENTS // (x.shape[0] * x.shape[1] * x.shape[3]))
        out = torch.empty_like(x)
        for top in range(0, height, rows):
            bottom = min(top + rows, height)
            first, last = max(top - 1, 0), min(bottom + 1, height)  # the 3×3 reaches one row further
            strip = x[:, :, first:last]
            mixed = self._mix(strip).add_(strip)[:, :, top - first : bottom - first]
            torch.add(mixed, self._gate(mixed), out=out[:, :, top:bottom])
        return out


def stack(channels: int, count: int) -> nn.Sequential:
    """`count` residual blocks."""
    return nn.Sequential(*(ResidualBlock(channels) for _ in range(count)))


class Down(nn.Conv2d):
    """(B, c_in, H, W) to (B, c_out, H/factor, W/factor): each output site sees its own patch.

    The same map as unshuffle and 1×1 convolution, and two to three times as fast.
    """

    def __init__(self, c_in: int, c_out: int, factor: int = 2) -> None:
        super().__init__(c_in, c_out, factor, stride=factor)


class Up(nn.Module):
    """(B, c_in, H, W) to (B, c_out, factor H, factor W): 1×1, then shuffle."""

    def __init__(self, c_in: int, c_out: int, factor: int = 2) -> None:
        super().__init__()
        self.mix = nn.Conv2d(c_in, c_out * factor**2, 1)
        self.shuffle = nn.PixelShuffle(factor)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.shuffle(self.mix(x))
        return out


def network_input(centred: Tensor) -> Tensor:
    """A picture in the precision and layout that the first convolutions are fastest in."""
    if torch.is_autocast_enabled(centred.device.type):
        centred = centred.to(torch.get_autocast_dtype(centred.device.type))
    return centred.contiguous(memory_format=torch.channels_last)


class Modulation(nn.Module):
    """x · (1 + a(t)) + b(t) per channel, a and b quadratic in the quality position t. Starts as identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(2, 2 * channels))

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """x: (B, C, H, W); t: (B,) in [0, 1]."""
        centred = 2.0 * t - 1.0
        powers = torch.stack((centred, centred**2), dim=1)  # (B, 2)
        gain, bias = (powers @ self.weight)[:, :, None, None].to(x.dtype).chunk(2, dim=1)
        return x * (1 + gain) + bias
