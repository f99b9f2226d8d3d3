"""JICDCLS: the guided codec with a dilated multi-scale denoiser, Self-ONN units and a contrastive loss.

Xie, Yu, Pakdaman & Gabbouj, "Joint end-to-end image compression and denoising: leveraging contrastive
learning and multi-scale Self-ONNs", ICIP 2024, arXiv:2402.05582. The authors' layer sizes are not in their
repository; dilations, bottleneck widths and the projection's are chosen here (`docs/papers.md`).
"""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .guided import GuidedCodec
from .output import Output

#: Dilations of the parallel branches, which share the channels evenly.
DILATIONS = (1, 2, 4, 8)
#: Highest power in a Self-ONN layer.
ORDER = 3
_UNITS = 3
_PROJECTION = 128


class ChannelSpatialAttention(nn.Module):
    """CBAM (Woo et al., arXiv:1807.06521): gates by channel, then by place."""

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        hidden = max(channels // reduction, 8)
        self.by_channel = nn.Sequential(
            nn.Conv2d(channels, hidden, 1), nn.ReLU(), nn.Conv2d(hidden, channels, 1)
        )
        self.by_place = nn.Conv2d(2, 1, 7, padding=3)

    def forward(self, x: Tensor) -> Tensor:
        pooled = self.by_channel(x.mean((2, 3), keepdim=True)) + self.by_channel(x.amax((2, 3), keepdim=True))
        x = x * torch.sigmoid(pooled)
        summary = torch.cat((x.mean(1, keepdim=True), x.amax(1, keepdim=True)), 1)
        return x * torch.sigmoid(self.by_place(summary))


class MultiScaleDenoiser(nn.Module):
    """Residual: parallel dilated 3×3 layers, mixed by a 1×1 layer and gated by CBAM."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        width = channels // len(DILATIONS)
        self.branches = nn.ModuleList(
            nn.Conv2d(channels, width, 3, padding=dilation, dilation=dilation) for dilation in DILATIONS
        )
        self.mix = nn.Conv2d(width * len(DILATIONS), channels, 1)
        self.attention = ChannelSpatialAttention(channels)

    def forward(self, x: Tensor) -> Tensor:
        scales = torch.cat([F.leaky_relu(branch(x)) for branch in self.branches], 1)
        out: Tensor = x + self.attention(self.mix(scales))
        return out


class SelfOnn(nn.Module):
    """3×3 layer of generative neurons (Kiranyaz et al. 2021): one convolution over x, x², … x^ORDER.

    Its input must lie in [−1, 1].
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(ORDER * channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.mix(torch.cat([x**power for power in range(1, ORDER + 1)], 1))
        return out


class SelfOnnUnit(nn.Module):
    """Residual bottleneck with a Self-ONN layer in the middle, bounded by tanh."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        width = channels // 2
        self.branch = nn.Sequential(
            *(nn.Conv2d(channels, width, 1), nn.Tanh(), SelfOnn(width), nn.Tanh()),
            nn.Conv2d(width, channels, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.branch(x)
        return out


class Jicdcls(GuidedCodec):
    """With a clean picture, `forward` also projects both pictures' latents for the contrastive loss.

    The projection works in training only, so `parts` leaves it out.
    """

    def __init__(self, n: int = 192) -> None:
        super().__init__(n)
        self.projection = nn.Sequential(nn.Linear(n, n), nn.ReLU(), nn.Linear(n, _PROJECTION))

    def _fine_denoiser(self, n: int) -> nn.Module:
        return MultiScaleDenoiser(n)

    def _coarse_denoiser(self, n: int) -> nn.Module:
        return nn.Sequential(*(SelfOnnUnit(n) for _ in range(_UNITS)))

    def forward(self, x: Tensor, clean: Tensor | None = None) -> Output:
        output = super().forward(x, clean)
        if clean is None:
            return output
        pair = (self._project(output.features[-1]), self._project(output.clean_features[-1]))
        return replace(output, projections=pair)

    def _project(self, y: Tensor) -> Tensor:
        """Latents (B, N, h, w) to unit vectors, (B, 128)."""
        return F.normalize(self.projection(y.mean((2, 3))), dim=1)
