"""The network run for coding, without gradients: picture to symbols' raw material, and back.

Everything here is floating point and may differ slightly between devices. What must agree exactly, the
scale levels, comes from `jdcodec.entropy.tables` and is handed in.
"""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch
from torch import Tensor

from .config import LATENT_STRIDE, ModelConfig, Stage
from .entropy_model import checkerboard
from .network import JointCodec

#: Latent sites beyond a window that can change its hyperlatents, and its means; multiples of 4.
HYPER_HALO = 8
MEAN_HALO = 8


#: A magnitude above n is never rounded to less than n.
_LARGEST_SHIFT = 0.5


def analysis_halo(config: ModelConfig) -> int:
    """Pixels beyond a window that can change its latents: a multiple of the latent stride.

    Each block reaches one site further, a patch to the end of its site.
    """
    at_quarter, at_eighth = config.stem_blocks
    stem = 4 * 2 * at_quarter + 8 * at_eighth + 8
    return _round_up(stem + _reach(config.analysis_patch, config.analysis_stages) + LATENT_STRIDE)


def synthesis_halo(config: ModelConfig) -> int:
    """Latent sites beyond a window that can change its pixels."""
    return _round_up(_reach(config.synthesis_patch, config.synthesis_stages)) // LATENT_STRIDE


def _reach(patch: int, stages: tuple[Stage, ...]) -> int:
    return sum(patch * 2**index * blocks for index, (_, blocks) in enumerate(stages))


def _round_up(pixels: int) -> int:
    return -(-pixels // LATENT_STRIDE) * LATENT_STRIDE


class Inference:
    """A network at one quality on one device.

    `dtype` is that of the convolutions; the linear block transforms and all means stay float32.
    """

    def __init__(self, network: JointCodec, t: float, dtype: torch.dtype) -> None:
        self.network = network
        self.device = next(network.parameters()).device
        self.dtype = dtype
        self.analysis_halo = analysis_halo(network.config)
        self.synthesis_halo = synthesis_halo(network.config)
        self.t = torch.tensor([t], device=self.device)
        with torch.inference_mode():
            self.gain = network.gain(self.t).exp()

    def precision(self) -> AbstractContextManager[object]:
        """Autocast to the dtype; weights are cast once within the outermost use."""
        return torch.autocast(self.device.type, dtype=self.dtype, enabled=self.dtype != torch.float32)

    @torch.inference_mode()
    def denoise(self, x: Tensor, strength: float) -> Tensor:
        """Picture (1, 3, H, W) in [0, 1] less the share `strength` of the noise found in it."""
        if strength == 0:
            return x
        with self.precision():
            noise: Tensor = self.network.denoiser(x).float()
        return x - strength * noise

    @torch.inference_mode()
    def latents(self, x: Tensor) -> Tensor:
        """Denoised picture (1, 3, H, W), sides multiples of 16, to latents (1, M, H/16, W/16) float32."""
        with self.precision():
            y: Tensor = self.network.analysis(x, self.t)
        return y

    @torch.inference_mode()
    def hyperlatents(self, y: Tensor, limit: int) -> Tensor:
        """Latents (1, M, H, W), sides multiples of 4, to int8 hyperlatents (1, N, H/4, W/4)."""
        with self.precision():
            z = self.network.entropy.hyperlatents(y, self.t)
        return z.round().clamp(-limit, limit).to(torch.int8)

    @torch.inference_mode()
    def residuals(
        self, y: Tensor, z: Tensor, levels: Tensor, shifts: tuple[Tensor, Tensor], limit: int
    ) -> Tensor:
        """Symbols of the latents: (1, M, H, W) int16, rounded differences from the means.

        `levels`: scale levels, (1, M, H, W) uint8; at level 0 the symbol is 0. `shifts`: by level, (2,
        64), and by channel, (M,); their product is how much further than 1/2 a magnitude must be from 0,
        and from n above, to be rounded away from zero.
        """
        by_level, by_channel = shifts
        places = levels.int()
        factor = by_channel.view(1, -1, 1, 1)
        first, further = ((by_level[row][places] * factor).clamp_(max=_LARGEST_SHIFT) for row in (0, 1))
        coded = levels > 0
        with self.precision():
            features = self.network.entropy.features(z.float())
            anchors = checkerboard(y.shape[2], y.shape[3], self.device)
            mean = self.network.entropy.mean_of_anchors(features)
            residual = self._round(y, mean, first, further, limit) * (coded & anchors)
            y_anchors = (mean + residual / self.gain) * anchors
            mean = self.network.entropy.mean_of_others(features, y_anchors, self.t)
            residual += self._round(y, mean, first, further, limit) * (coded & ~anchors)
        symbols: Tensor = residual.to(torch.int16)
        return symbols

    def _round(self, y: Tensor, mean: Tensor, first: Tensor, further: Tensor, limit: int) -> Tensor:
        value = (y - mean) * self.gain
        magnitude = value.abs()
        shift = torch.where(magnitude < 1.5, first, further)
        rounded: Tensor = magnitude.add_(0.5).sub_(shift).floor_().clamp_(0, limit).copysign_(value)
        return rounded

    @torch.inference_mode()
    def reconstruct_latents(self, residual: Tensor, z: Tensor) -> Tensor:
        """Inverse of `residuals`: (1, M, H, W) int16 and z to decoded latents, float32."""
        offset = residual.float() / self.gain
        with self.precision():
            features = self.network.entropy.features(z.float())
            anchors = checkerboard(residual.shape[2], residual.shape[3], self.device)
            decoded = self.network.entropy.mean_of_anchors(features).add_(offset) * anchors
            others = self.network.entropy.mean_of_others(features, decoded, self.t)
        return torch.where(anchors, decoded, others.add_(offset))

    @torch.inference_mode()
    def picture(self, y_hat: Tensor) -> Tensor:
        """Decoded latents (1, M, H, W) to a picture (1, 3, 16 H, 16 W) in [0, 1], float32."""
        with self.precision():
            x: Tensor = self.network.synthesis(y_hat, self.t)
        return x.clamp_(0, 1)
