"""The network run for coding, without gradients: picture to symbols' raw material, and back.

Everything here is floating point and may differ slightly between devices. What must agree exactly, the
scale levels, comes from `jdcodec.entropy.tables` and is handed in.
"""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch
from torch import Tensor

from .entropy_model import checkerboard
from .network import JointCodec

#: Picture pixels beyond a window that can change what is inside it, rounded up to the latent stride.
ANALYSIS_HALO = 160
#: Latent sites beyond a window that can change its hyperlatents, and its means; multiples of 4.
HYPER_HALO = 8
MEAN_HALO = 8
#: Latent sites beyond a window that can change its pixels.
SYNTHESIS_HALO = 6


class Inference:
    """A network at one quality on one device.

    `dtype` is that of the convolutions; the linear block transforms and all means stay float32.
    """

    def __init__(self, network: JointCodec, t: float, dtype: torch.dtype) -> None:
        self.network = network
        self.device = next(network.parameters()).device
        self.dtype = dtype
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
            return x - strength * self.network.denoiser(x).float()

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
    def residuals(self, y: Tensor, z: Tensor, coded: Tensor, limit: int) -> Tensor:
        """Symbols of the latents: (1, M, H, W) int16, rounded differences from the means.

        `coded`: bool, where the scale level is above 0; elsewhere the symbol is 0.
        """
        with self.precision():
            features = self.network.entropy.features(z.float())
            anchors = checkerboard(y.shape[2], y.shape[3], self.device)
            mean = self.network.entropy.mean_of_anchors(features)
            residual = self._round(y, mean, coded & anchors, limit)
            y_anchors = (mean + residual / self.gain) * anchors
            mean = self.network.entropy.mean_of_others(features, y_anchors, self.t)
            residual += self._round(y, mean, coded & ~anchors, limit)
        return residual.to(torch.int16)

    def _round(self, y: Tensor, mean: Tensor, coded: Tensor, limit: int) -> Tensor:
        return ((y - mean) * self.gain).round_().clamp_(-limit, limit) * coded

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
