"""The whole network: denoiser stem, transforms, quality gains and entropy model, as one module."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .config import ModelConfig
from .denoiser import DenoiserStem
from .entropy_model import (
    LOG_SCALE_STEP,
    SCALE_LEVELS,
    SCALE_MIN,
    EntropyModel,
    bounded,
    checkerboard,
    logistic_bits,
    logistic_shifts,
    rate_aware_round,
    straight_through_round,
)
from .quality import QualityGain, squared_error_worth
from .transforms import AnalysisTransform, SynthesisTransform


@dataclass(frozen=True)
class TrainingOutput:
    """What a training step needs. Pictures are (B, 3, H, W); bits are (B,) sums over the picture."""

    decoded: Tensor
    latent_bits: Tensor
    hyper_bits: Tensor
    denoised: Tensor


class JointCodec(nn.Module):
    """Joint denoising and compression network for every quality and every denoise strength."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.denoiser = DenoiserStem(config.stem_channels, config.stem_blocks)
        self.analysis = AnalysisTransform(config)
        self.synthesis = SynthesisTransform(config)
        self.gain = QualityGain(config.latent_channels)
        self.entropy = EntropyModel(config)
        #: Takes values, symbols, scale index, worth of errors and phase; symbols with some of them replaced.
        self.dependent_rounding: Callable[[Tensor, Tensor, Tensor, Tensor, int], Tensor] | None = None

    def channels_last(self, device: torch.device | str = "cpu") -> JointCodec:
        """Itself, moved to a device in the layout that 1×1 convolutions are fastest in."""
        moved: JointCodec = self.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return moved

    def forward(self, x: Tensor, strength: Tensor, t: Tensor) -> TrainingOutput:
        """Training pass of denoiser and codec.

        x: (B, 3, H, W) sRGB in [0, 1], H and W multiples of 64; strength and t: (B,) in [0, 1].
        """
        noise = self.denoiser(x).float().contiguous()  # as x is: mixed layouts are slow to subtract
        decoded, latent_bits, hyper_bits = self.code(x - strength[:, None, None, None] * noise, t)
        return TrainingOutput(decoded, latent_bits, hyper_bits, x - noise)

    def code(self, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Training pass of the codec alone: (decoded picture, latent bits, hyperlatent bits).

        Rates see additive uniform noise, the decoder sees latents rounded as the encoder rounds them.
        """
        y = self.analysis(x, t)
        log_gain = self.gain(t)
        gain = log_gain.exp()

        z = self.entropy.hyperlatents(y, t)
        hyper_bits = self.entropy.prior.bits(z + torch.rand_like(z) - 0.5, t)
        z_hat = straight_through_round(z)
        index = self.entropy.scale(z_hat, log_gain, t)
        sigma = SCALE_MIN * torch.exp(LOG_SCALE_STEP * bounded(index, 0.0, SCALE_LEVELS - 1.0))
        worth = squared_error_worth(gain.detach(), t)
        shifts = logistic_shifts(index, worth)

        features = self.entropy.features(z_hat)
        anchors = checkerboard(y.shape[2], y.shape[3], y.device)
        mean = self.entropy.mean_of_anchors(features)
        first = self._rounded((y - mean) * gain, shifts, index, worth, phase=0)
        y_anchors = (mean + first / gain) * anchors
        mean = torch.where(anchors, mean, self.entropy.mean_of_others(features, y_anchors, t))
        residual = (y - mean) * gain
        latent_bits = logistic_bits(residual + torch.rand_like(residual) - 0.5, sigma)
        symbols = torch.where(anchors, first, self._rounded(residual, shifts, index, worth, phase=1))
        y_hat = mean + symbols / gain
        return self.synthesis(y_hat, t), latent_bits.sum((1, 2, 3)), hyper_bits.sum((1, 2, 3))

    def _rounded(
        self, values: Tensor, shifts: tuple[Tensor, Tensor], index: Tensor, worth: Tensor, phase: int
    ) -> Tensor:
        """(B, M, H, W) as the encoder rounds the sites of a phase, with the gradient of the identity."""
        symbols = rate_aware_round(values, shifts)
        if self.dependent_rounding is None:
            return symbols
        found = self.dependent_rounding(values, symbols, index, worth, phase)
        return values + (found - values).detach()
