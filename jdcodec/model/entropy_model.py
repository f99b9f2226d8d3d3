"""Entropy model: hyperlatents, a scale index linear in them, and means refined in two checkerboard passes.

Only the scale index chooses a probability table, and it is linear in the integer hyperlatents, so that
export can turn it into exact integer arithmetic (`jdcodec.entropy.tables`). Means stay floating point:
what is coded is the rounded difference from the mean, so drift between devices cannot upset the parse.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .blocks import Down, Modulation, Up, stack
from .config import ROUNDING_STRENGTH, ModelConfig

#: Standard deviations of the scale table: SCALE_MIN · SCALE_RATIO^index. At index 0 nothing is coded.
SCALE_LEVELS = 64
SCALE_MIN = 0.08
SCALE_MAX = 96.0
LOG_SCALE_STEP = math.log(SCALE_MAX / SCALE_MIN) / (SCALE_LEVELS - 1)

_MIXTURE = 3


def straight_through_round(x: Tensor) -> Tensor:
    """Round, with the gradient of the identity."""
    return x + (x.round() - x).detach()


def logistic_shifts(index: Tensor, worth: Tensor) -> tuple[Tensor, Tensor]:
    """By how much the encoder (`jdcodec.codec.rounding`) moves magnitudes towards zero before rounding them.

    index: real-valued scale index (B, M, H, W); worth: bits that a squared error of one symbol is worth,
    (B, M, 1, 1). The bits of a symbol are those of the logistic that the tables start from. Returns the
    shifts of magnitudes below 1.5 and of those above; both are infinite where nothing is coded.
    """
    with torch.no_grad():
        # With a = 1 / (2 scale): ln P(0) − ln P(1) = a + L(a) − L(3a), ln P(1) − ln P(2) = 2a + L(a) − L(5a).
        a = (math.pi / math.sqrt(12.0) / SCALE_MIN) * torch.exp(-LOG_SCALE_STEP * index.clamp_min(0.0))
        factor = ROUNDING_STRENGTH / (2.0 * math.log(2.0)) / worth
        common = F.logsigmoid(a)
        first = ((a + common - F.logsigmoid(3 * a)) * factor).clamp_(0.0, 0.5)
        further = ((2 * a + common - F.logsigmoid(5 * a)) * factor).clamp_(0.0, 0.5)
        uncoded = index < 0.5
        return first.masked_fill_(uncoded, math.inf), further.masked_fill_(uncoded, math.inf)


def rate_aware_round(value: Tensor, shifts: tuple[Tensor, Tensor]) -> Tensor:
    """(B, M, H, W) rounded to symbols with `logistic_shifts`, with the gradient of the identity."""
    with torch.no_grad():
        first, further = shifts
        magnitude = value.abs()
        shift = torch.where(magnitude >= 1.5, further, first)
        symbols = torch.copysign((magnitude + 0.5 - shift).floor_().clamp_min_(0.0), value)
    return value + (symbols - value).detach()


class _Clamp(torch.autograd.Function):
    """Clamp whose gradient passes inside the range, and outside it only where it leads back.

    With the identity's gradient the thousands of latents at the lowest scale, each wanting a lower one
    still, drove the hyperlatents to infinity within 700 steps.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, low: float, high: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.low, ctx.high = low, high
        return x.clamp(low, high)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None, None]:
        (x,), (grad,) = ctx.saved_tensors, grad_outputs
        leads_away = ((x < ctx.low) & (grad > 0)) | ((x > ctx.high) & (grad < 0))
        return grad.masked_fill(leads_away, 0.0), None, None


def bounded(x: Tensor, low: float, high: float) -> Tensor:
    """x clamped to low … high, differentiable such that what left the range finds back."""
    clamped: Tensor = _Clamp.apply(x, low, high)  # type: ignore[no-untyped-call]
    return clamped


def checkerboard(height: int, width: int, device: torch.device) -> Tensor:
    """(1, 1, height, width) bool, True at the anchors, where row + column is even."""
    rows = torch.arange(height, device=device)[:, None]
    columns = torch.arange(width, device=device)[None, :]
    return ((rows + columns) % 2 == 0)[None, None]


def log_interval(centre: Tensor, scale: Tensor) -> Tensor:
    """Natural log of a zero-mean logistic's probability on centre ± 1/2, element-wise.

    sigmoid(u) − sigmoid(v) = sigmoid(u) sigmoid(−v) (1 − exp(v − u)), so the log neither underflows nor
    loses its gradient however far out a symbol lies. A Gaussian's does, and symbols far out at the start
    of training then never come back.
    """
    return (
        F.logsigmoid((0.5 - centre) / scale)
        + F.logsigmoid((0.5 + centre) / scale)
        + torch.log(-torch.expm1(-1.0 / scale))
    )


def logistic_bits(residual: Tensor, sigma: Tensor) -> Tensor:
    """Bits of a zero-mean logistic of standard deviation sigma integrated over residual ± 1/2."""
    return log_interval(residual, sigma * (math.sqrt(3.0) / math.pi)) * (-1.0 / math.log(2.0))


class HyperPrior(nn.Module):
    """Per-channel mixture of three logistics over the hyperlatents, its width varying with quality."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(_MIXTURE, channels))
        spread = torch.tensor([-1.5, 0.0, 1.5])[:, None].expand(_MIXTURE, channels)
        self.means = nn.Parameter(spread.clone())
        self.log_scales = nn.Parameter(torch.zeros(_MIXTURE, channels))
        self.quality = nn.Parameter(torch.zeros(2, channels))

    def bits(self, z: Tensor, t: Tensor) -> Tensor:
        """Bits of z ± 1/2, (B, C, H, W), for qualities t, (B,)."""
        powers = torch.stack((t, t * t), dim=1) @ self.quality  # (B, C)
        scale = torch.exp(self.log_scales[None] + powers[:, None])[..., None, None]  # (B, K, C, 1, 1)
        weights = self.logits.log_softmax(dim=0)[None, :, :, None, None]
        each = weights + log_interval(z[:, None] - self.means[None, :, :, None, None], scale)
        return torch.logsumexp(each, dim=1) * (-1.0 / math.log(2.0))


class ScalePredictor(nn.Module):
    """Real-valued scale index of each latent, linear in the hyperlatents; site 4×4 by pixel shuffle."""

    def __init__(self, latent_channels: int, hyper_channels: int) -> None:
        super().__init__()
        self.expand = nn.Conv2d(hyper_channels, 16 * latent_channels, 1)
        nn.init.normal_(self.expand.weight, std=0.02)
        nn.init.zeros_(self.expand.bias)  # type: ignore[arg-type]
        self.quality = nn.Parameter(torch.zeros(2, latent_channels))

    def offset(self, log_gain: Tensor, t: Tensor) -> Tensor:
        """What quality adds to the log scale, (B, M, 1, 1): a gain scales the residual, and a learnt rest."""
        return log_gain + (torch.stack((t, t * t), dim=1) @ self.quality)[:, :, None, None]

    def forward(self, z_hat: Tensor, log_gain: Tensor, t: Tensor) -> Tensor:
        with torch.autocast(z_hat.device.type, enabled=False):
            log_scale = F.pixel_shuffle(self.expand(z_hat.float()), 4) + self.offset(log_gain, t)
            return (log_scale - math.log(SCALE_MIN)) / LOG_SCALE_STEP

    @torch.no_grad()
    def start_from(self, y: Tensor) -> None:
        """Set the bias so that the scales start at the deviations of latents y, (B, M, H, W)."""
        deviation = y.float().square().mean((0, 2, 3)).sqrt().clamp_min(1e-3)
        assert self.expand.bias is not None
        self.expand.bias.copy_(deviation.log().repeat_interleave(16))


class EntropyModel(nn.Module):
    """Hyper analysis, scale index and means of the latents."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width, latents, hyper = config.hyper_width, config.latent_channels, config.hyper_channels
        self.hyper_in = nn.Conv2d(latents, width, 1)
        self.hyper_modulation = Modulation(width)
        self.hyper_analysis = nn.Sequential(
            *stack(width, 1), Down(width, width), *stack(width, 1), Down(width, hyper)
        )
        self.prior = HyperPrior(hyper)
        self.scale = ScalePredictor(latents, hyper)
        self.hyper_synthesis = nn.Sequential(
            Up(hyper, width), *stack(width, 1), Up(width, width), *stack(width, 1)
        )
        self.anchor_mean = nn.Conv2d(width, latents, 1)
        self.context_spread = nn.Conv2d(latents, latents, 5, padding=2, groups=latents)
        self.context_mix = nn.Conv2d(latents, width, 1)
        self.context_modulation = Modulation(width)
        self.context_block = stack(width, 1)
        self.context_mean = nn.Conv2d(width, latents, 1)
        for head in (self.anchor_mean, self.context_mean):
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)  # type: ignore[arg-type]

    def hyperlatents(self, y: Tensor, t: Tensor) -> Tensor:
        """Latents (B, M, H, W) to unrounded hyperlatents (B, N, H/4, W/4)."""
        h = self.hyper_modulation(self.hyper_in(y), t)
        z: Tensor = self.hyper_analysis(h)
        return z.float()

    def features(self, z_hat: Tensor) -> Tensor:
        """Rounded hyperlatents to the features that both mean passes share, (B, width, 4H, 4W)."""
        features: Tensor = self.hyper_synthesis(z_hat)
        return features

    def mean_of_anchors(self, features: Tensor) -> Tensor:
        """Means that hold at the anchors, (B, M, H, W)."""
        mean: Tensor = self.anchor_mean(features)
        return mean.float()

    def mean_of_others(self, features: Tensor, y_anchors: Tensor, t: Tensor) -> Tensor:
        """Means that hold off the anchors; y_anchors: decoded latents, zero off the anchors."""
        with torch.autocast(y_anchors.device.type, enabled=False):
            context = self.context_spread(y_anchors.float())
        context = self.context_mix(context)
        h = self.context_block(self.context_modulation(features + context, t))
        mean: Tensor = self.context_mean(h)
        return mean.float()
