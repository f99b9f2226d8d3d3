"""Denoise, then compress: the two-step baseline that joint systems are measured against."""

from __future__ import annotations

from collections.abc import Sequence

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
        self.multiple, self.string_count = codec.multiple, codec.string_count

    def forward(self, x: Tensor, clean: Tensor | None = None) -> Output:
        return self.codec(self.denoiser(x).reconstruction, clean)

    def parts(self) -> tuple[Part, ...]:
        return (*self.denoiser.parts(), *self.codec.parts())

    def _encode(self, x: Tensor) -> Sequence[bytes]:
        return self.codec._encode(self.denoiser.denoise(x))

    def _decode(self, strings: Sequence[bytes], height: int, width: int) -> Tensor:
        return self.codec._decode(strings, height, width)


def unet_manypriors() -> DenoiseThenCompress:
    """Brummer & De Vleeschouwer's baseline."""
    return DenoiseThenCompress(UNet(), ManyPriors())
