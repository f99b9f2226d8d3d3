"""Coding with torch: on CUDA devices, and wherever OpenVINO is not to be had."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from jdcodec.inference.interface import (
    LARGEST_SHIFT,
    Denoised,
    Floats,
    Inference,
    PixelType,
    Rounding,
    to_levels,
)
from jdcodec.model.entropy_model import checkerboard
from jdcodec.model.network import JointCodec


class TorchInference(Inference):
    """`Inference` on the device that a network is on.

    `dtype` is that of the convolutions; the linear block transforms and all means stay float32.
    """

    def __init__(self, network: JointCodec, t: float, dtype: torch.dtype = torch.float32) -> None:
        self.network = network
        self.device = next(network.parameters()).device
        self.dtype = dtype
        self.t = torch.tensor([t], device=self.device)
        with torch.inference_mode():
            self._gain = network.gain(self.t).exp().float()
        super().__init__(network.config, self._gain.flatten().cpu().numpy())

    def precision(self) -> AbstractContextManager[object]:
        """Autocast to the dtype; weights are cast once within the outermost use."""
        return torch.autocast(self.device.type, dtype=self.dtype, enabled=self.dtype != torch.float32)

    @torch.inference_mode()
    def denoise(self, pixels: NDArray[Any], strength: float) -> Denoised:
        # torch warns of arrays that it could not write to, as pictures from PIL are.
        tensor = torch.from_numpy(np.require(pixels, requirements=["C", "W"])).to(self.device)
        # Planes, not pixels: what is done at full resolution is element-wise with the denoiser's output.
        x = tensor.permute(2, 0, 1)[None].float().contiguous() / np.iinfo(pixels.dtype).max
        if strength:
            with self.precision():
                noise = self.network.denoiser(x).float()
            x = x - strength * noise
        clean: Denoised = x[0].half().cpu().numpy()
        return clean

    @torch.inference_mode()
    def latents(self, picture: Denoised) -> Floats:
        with self.precision():
            return _array(self.network.analysis(self._tensor(picture), self.t))

    @torch.inference_mode()
    def hyperlatents(self, y: Floats) -> Floats:
        with self.precision():
            return _array(self.network.entropy.hyperlatents(self._tensor(y), self.t))

    @torch.inference_mode()
    def residuals(
        self, y: Floats, z: NDArray[np.int8], levels: NDArray[np.uint8], rounding: Rounding, limit: int
    ) -> NDArray[np.int16]:
        latents, index = self._tensor(y), self._tensor(levels).int()
        factor = torch.from_numpy(rounding.by_channel).to(self.device)[:, None, None]
        first, further = (
            (row[index] * factor).clamp_(max=LARGEST_SHIFT)
            for row in torch.from_numpy(rounding.by_level).to(self.device)
        )

        def rounded(mean: Tensor) -> Tensor:
            value = (latents - mean) * self._gain
            magnitude = value.abs()
            magnitude += 0.5 - torch.where(magnitude >= 1.5, further, first)
            whole = magnitude.floor_().clamp_(0, limit).mul_(index > 0)
            return torch.copysign(whole, value)

        symbols, _ = self._in_two_passes(z, rounded)
        found: NDArray[np.int16] = symbols[0].to(torch.int16).cpu().numpy()
        return found

    @torch.inference_mode()
    def reconstruct_latents(self, symbols: NDArray[np.int16], z: NDArray[np.int8]) -> Floats:
        levels = self._tensor(symbols)
        return _array(self._in_two_passes(z, lambda mean: levels)[1])

    def _in_two_passes(
        self, z: NDArray[np.int8], symbols: Callable[[Tensor], Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Symbols and decoded latents; `symbols` gives those of all sites for a mean."""
        entropy = self.network.entropy
        with self.precision():
            features = entropy.features(self._tensor(z))
            mean = entropy.mean_of_anchors(features).float()
        anchors = checkerboard(mean.shape[2], mean.shape[3], self.device)
        first = symbols(mean) * anchors
        y_anchors = (first / self._gain + mean) * anchors
        with self.precision():
            mean = entropy.mean_of_others(features, y_anchors, self.t).float()
        found = torch.where(anchors, first, symbols(mean))
        return found, torch.where(anchors, y_anchors, found / self._gain + mean)

    @torch.inference_mode()
    def picture(self, y_hat: Floats, dtype: PixelType, *, gray: bool = False) -> NDArray[Any]:
        with self.precision():
            x = self.network.synthesis(self._tensor(y_hat), self.t)
        return to_levels(_array(x.clamp_(0, 1)), dtype, gray=gray)

    def _tensor(self, array: NDArray[Any]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device)[None].float()


def _array(x: Tensor) -> Floats:
    array: Floats = x[0].float().cpu().numpy()
    return array
