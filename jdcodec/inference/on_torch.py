"""Coding with torch: on CUDA devices, and wherever OpenVINO is not to be had."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from jdcodec.inference.interface import Denoised, Floats, Inference, PixelType, to_levels
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
            gain = network.gain(self.t).exp().flatten().float().cpu().numpy()
        super().__init__(network.config, gain)

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
    def means_of_anchors(self, z: NDArray[np.int8]) -> tuple[Tensor, Floats]:
        with self.precision():
            features = self.network.entropy.features(self._tensor(z))
            return features, _array(self.network.entropy.mean_of_anchors(features))

    @torch.inference_mode()
    def means_of_others(self, features: Any, y_anchors: Floats) -> Floats:
        with self.precision():
            return _array(self.network.entropy.mean_of_others(features, self._tensor(y_anchors), self.t))

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
