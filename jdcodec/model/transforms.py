"""Analysis and synthesis transform: picture to latents and back.

Each is a linear 16×16 block transform, started as a DCT in an opponent-colour space, plus a network
that starts at zero. A small training budget goes into what the DCT cannot do, not into finding it.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .blocks import Down, Modulation, Up, network_input, stack
from .config import LATENT_STEP, LATENT_STRIDE, PRECISE_ROWS, ModelConfig

_SIDE = LATENT_STRIDE


def opponent_dct_basis(count: int) -> Tensor:
    """The `count` rows of an orthonormal opponent-colour 16×16 DCT that matter most, (count, 3·16·16).

    Rows are ordered by the variance that photographs give them, about w / (u² + v² + 0.3)^1.6 with w
    = 1, 0.05, 0.02 for luma, red against blue, and green against both. On 72 photographs the first
    256 rows keep 40.8 dB and the first 320 keep 44.5 dB; ordered by a first-order Markov model with the
    usual separable product the same counts keep 37.5 and 39.8 dB. Columns are ordered (colour, row,
    column), as pixel_unshuffle delivers them.
    """
    frequency = torch.arange(_SIDE, dtype=torch.float64)
    dct = torch.cos(math.pi / _SIDE * (frequency[None, :] + 0.5) * frequency[:, None])
    dct *= math.sqrt(2.0 / _SIDE)
    dct[0] /= math.sqrt(2.0)
    colour = torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.0, -1.0], [1.0, -2.0, 1.0]], dtype=torch.float64)
    colour /= colour.norm(dim=1, keepdim=True)
    squared = frequency[:, None] ** 2 + frequency[None, :] ** 2
    weights = torch.tensor([1.0, 0.05, 0.02], dtype=torch.float64)
    variance = weights[:, None, None] * (squared + 0.3) ** -1.6
    chosen = variance.flatten().argsort(descending=True, stable=True)[:count]
    basis = torch.einsum("ck,ui,vj->cuvkij", colour, dct, dct).reshape(3 * _SIDE**2, 3 * _SIDE**2)
    return basis[chosen].float()


def block_analysis(matrix: Tensor, x: Tensor, fast_x: Tensor) -> Tensor:
    """Linear transform of 16×16 blocks: (M, 768) and (B, 3, H, W) to (B, M, H/16, W/16) float32.

    `fast_x` is x as `network_input` gives it. Under bf16 only the first rows are computed in float32
    (`PRECISE_ROWS`); the coefficients of the others are small enough not to mind.
    """
    if torch.is_grad_enabled() or not torch.is_autocast_enabled(x.device.type):
        return _precise_conv(x, matrix)
    y = F.conv2d(fast_x, matrix.view(-1, 3, _SIDE, _SIDE), stride=_SIDE).float()
    y[:, :PRECISE_ROWS] = _precise_conv(x, matrix[:PRECISE_ROWS])
    return y


def block_synthesis(matrix: Tensor, y: Tensor) -> Tensor:
    """Linear transform back: (768, M) and (B, M, h, w) to (B, 3, 16 h, 16 w) float32; precision as above."""
    if torch.is_grad_enabled() or not torch.is_autocast_enabled(y.device.type):
        return F.pixel_shuffle(_mix_channels(matrix, y), _SIDE)
    x = F.conv2d(y[:, PRECISE_ROWS:], matrix[:, PRECISE_ROWS:, None, None]).float()
    x += _mix_channels(matrix[:, :PRECISE_ROWS], y[:, :PRECISE_ROWS])
    return F.pixel_shuffle(x, _SIDE)


def _precise_conv(x: Tensor, matrix: Tensor) -> Tensor:
    return _mix_channels(matrix, F.pixel_unshuffle(x.float(), _SIDE))


def _mix_channels(matrix: Tensor, x: Tensor) -> Tensor:
    """(M, C) times (B, C, H, W): a 1×1 convolution in float32, as the matrix product that is fast there."""
    batch, _, height, width = x.shape
    with torch.autocast(x.device.type, enabled=False):
        return torch.matmul(matrix.float(), x.float().flatten(2)).reshape(batch, -1, height, width)


class AnalysisTransform(nn.Module):
    """Denoised picture (B, 3, H, W) in [0, 1] to latents (B, M, H/16, W/16)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        widths = [channels for channels, _ in config.analysis_stages]
        self.linear = nn.Parameter(opponent_dct_basis(config.latent_channels))
        self.entry = Down(3, widths[0], config.analysis_patch)
        self.stages = nn.ModuleList(stack(channels, blocks) for channels, blocks in config.analysis_stages)
        self.modulations = nn.ModuleList(Modulation(channels) for channels in widths)
        self.downs = nn.ModuleList(Down(a, b) for a, b in pairwise(widths))
        remaining = LATENT_STRIDE // (config.analysis_patch * 2 ** (len(widths) - 1))
        self.head = Down(widths[-1], config.latent_channels, remaining)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        centred = x - 0.5
        patches = network_input(centred)
        linear = block_analysis(self.linear / LATENT_STEP, centred, patches)
        h = self.entry(patches)
        for index, stage in enumerate(self.stages):
            h = stage(self.modulations[index](h, t))
            if index < len(self.downs):
                h = self.downs[index](h)
        y: Tensor = linear + self.head(h).float()
        return y


class SynthesisTransform(nn.Module):
    """Latents (B, M, H/16, W/16) to picture (B, 3, H, W), nominally in [0, 1] (not clamped)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        stages = config.synthesis_stages[::-1]
        widths = [channels for channels, _ in stages]
        self.linear = nn.Parameter(opponent_dct_basis(config.latent_channels).T.contiguous())
        remaining = LATENT_STRIDE // (config.synthesis_patch * 2 ** (len(widths) - 1))
        self.entry = Up(config.latent_channels, widths[0], remaining)
        self.stages = nn.ModuleList(stack(channels, blocks) for channels, blocks in stages)
        self.modulations = nn.ModuleList(Modulation(channels) for channels in widths)
        self.ups = nn.ModuleList(Up(a, b) for a, b in pairwise(widths))
        self.head = Up(widths[-1], 3, config.synthesis_patch)
        nn.init.zeros_(self.head.mix.weight)
        nn.init.zeros_(self.head.mix.bias)  # type: ignore[arg-type]

    def forward(self, y: Tensor, t: Tensor) -> Tensor:
        linear = block_synthesis(self.linear * LATENT_STEP, y)
        h = self.entry(y)
        for index, stage in enumerate(self.stages):
            h = stage(self.modulations[index](h, t))
            if index < len(self.ups):
                h = self.ups[index](h)
        added = self.head(h).float().contiguous()  # as `linear` is: mixed layouts are slow to add
        x: Tensor = linear + added + 0.5
        return x
