"""Coding with torch: on CUDA devices, and wherever OpenVINO is not to be had."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from jdcodec.inference.interface import (
    Denoised,
    Floats,
    Inference,
    PixelType,
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
    def anchor_means(self, z: NDArray[np.int8]) -> Floats:
        entropy = self.network.entropy
        with self.precision():
            return _array(entropy.mean_of_anchors(entropy.features(self._tensor(z))))

    @torch.inference_mode()
    def other_means(self, symbols: NDArray[np.int16], z: NDArray[np.int8]) -> Floats:
        return _array(self._means(z, self._tensor(symbols))[1])

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
