"""Denoise, then compress: the two-step baseline that joint systems are measured against."""

from __future__ import annotations

import torch
from torch import Tensor

from .base import Denoiser, ReferenceModel
from .manypriors import ManyPriors
from .output import Output
from .parts import Part
from .unet import UNet


class DenoiseThenCompress(ReferenceModel):
    """A denoiser before a codec; each is usually trained alone, the codec on clean pictures."""

    def __init__(self, denoiser: Denoiser, codec: ReferenceModel) -> None:
        super().__init__()
        self.denoiser, self.codec = denoiser, codec

    def forward(self, x: Tensor, clean: Tensor | None = None) -> Output:
        output: Output = self.codec(self.denoiser(x).reconstruction, clean)
        return output

    def parts(self) -> tuple[Part, ...]:
        return (*self.denoiser.parts(), *self.codec.parts())

    @torch.no_grad()
    def compress(self, x: Tensor) -> bytes:
        with self._evaluation():
            return self.codec.compress(self.denoiser(x).reconstruction)

    def decompress(self, data: bytes) -> Tensor:
        return self.codec.decompress(data)


def unet_manypriors(width: int = 64, n: int = 192, m: int = 256, priors: int = 64) -> DenoiseThenCompress:
    """Brummer & De Vleeschouwer's baseline; `width` is the U-Net's, the rest the codec's."""
    return DenoiseThenCompress(UNet(width), ManyPriors(n, m, priors))
