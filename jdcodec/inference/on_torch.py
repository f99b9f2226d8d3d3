"""Coding with torch: on CUDA devices, and wherever OpenVINO is not to be had."""

from __future__ import annotations

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
    Rounded,
    Rounding,
    to_levels,
)
from jdcodec.model.entropy_model import checkerboard
from jdcodec.model.network import JointCodec


class TorchInference(Inference):
    """`Inference` on the device that a network is on.

    `dtype` is that of the convolutions; the linear block transforms and all means stay float32.
    """

    def __init__(
        self, network: JointCodec, t: float, dtype: torch.dtype = torch.float32, units: int = 1
    ) -> None:
        self.network = network
        self.device = next(network.parameters()).device
        self.dtype = dtype
        self.t = torch.tensor([t], device=self.device)
        with torch.inference_mode():
            self._gain = network.gain(self.t).exp().float()
            self._step = 1.0 / (units * self._gain)
        super().__init__(network.config, self._gain.flatten().cpu().numpy(), units)

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
    def code_anchors(
        self, y: Floats, z: NDArray[np.int8], levels: NDArray[np.uint8], rounding: Rounding
    ) -> Rounded:
        with self.precision():
            features = self.network.entropy.features(self._tensor(z))
            mean = self.network.entropy.mean_of_anchors(features).float()
        return self._rounded(y, mean, levels, rounding, self._anchors(mean))

    @torch.inference_mode()
    def code_others(
        self,
        y: Floats,
        z: NDArray[np.int8],
        anchors: NDArray[np.int16],
        levels: NDArray[np.uint8],
        rounding: Rounding,
    ) -> Rounded:
        mean = self._means(z, self._tensor(anchors))[1]
        return self._rounded(y, mean, levels, rounding, ~self._anchors(mean))

    @torch.inference_mode()
    def reconstruct_latents(self, symbols: NDArray[np.int16], z: NDArray[np.int8]) -> Floats:
        found = self._tensor(symbols)
        y_anchors, mean = self._means(z, found)
        return _array(torch.where(self._anchors(mean), y_anchors, found * self._step + mean))

    def _means(self, z: NDArray[np.int8], symbols: Tensor) -> tuple[Tensor, Tensor]:
        """Decoded latents of the anchors, 0 elsewhere, and the means of the others."""
        entropy = self.network.entropy
        with self.precision():
            features = entropy.features(self._tensor(z))
            mean = entropy.mean_of_anchors(features).float()
        y_anchors = (symbols * self._step + mean) * self._anchors(mean)
        with self.precision():
            return y_anchors, entropy.mean_of_others(features, y_anchors, self.t).float()

    def _anchors(self, mean: Tensor) -> Tensor:
        return checkerboard(mean.shape[2], mean.shape[3], self.device)

    def _rounded(
        self, y: Floats, mean: Tensor, levels: NDArray[np.uint8], rounding: Rounding, sites: Tensor
    ) -> Rounded:
        index = self._tensor(levels).int()
        factor = torch.from_numpy(rounding.by_channel).to(self.device)[:, None, None]
        first, further = (
            (row[index] * factor).clamp_(max=LARGEST_SHIFT)
            for row in torch.from_numpy(rounding.by_level).to(self.device)
        )
        values = (self._tensor(y) - mean) * self._gain
        magnitude = values.abs()
        magnitude += 0.5 - torch.where(magnitude >= 1.5, further, first)
        whole = magnitude.floor_().clamp_(0, self.largest_steps).mul_((index > 0) & sites).mul_(self.units)
        symbols: NDArray[np.int16] = torch.copysign(whole, values)[0].to(torch.int16).cpu().numpy()
        return Rounded(_array(values), symbols)

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
