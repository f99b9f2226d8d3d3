"""The blind denoiser in front of the codec: it predicts the noise, so that any share can be removed."""

from __future__ import annotations

from torch import Tensor, nn

from .blocks import Down, Up, stack


class DenoiserStem(nn.Module):
    """Multi-scale residual network at 1/2, 1/4 and 1/8 of the resolution with additive skips.

    `forward` maps an sRGB picture x, (B, 3, H, W) in [0, 1] with H and W multiples of 8, to the noise
    predicted in it, same shape; x minus that is the estimate of the clean scene. It starts at zero noise.
    """

    def __init__(self, channels: tuple[int, int, int], blocks: tuple[int, int, int]) -> None:
        super().__init__()
        half, quarter, eighth = channels
        self.to_half = Down(3, half)
        self.half_in = stack(half, blocks[0])
        self.to_quarter = Down(half, quarter)
        self.quarter_in = stack(quarter, blocks[1])
        self.to_eighth = Down(quarter, eighth)
        self.eighth = stack(eighth, blocks[2])
        self.from_eighth = Up(eighth, quarter)
        self.quarter_out = stack(quarter, blocks[1])
        self.from_quarter = Up(quarter, half)
        self.half_out = stack(half, blocks[0])
        self.to_noise = Up(half, 3)
        nn.init.zeros_(self.to_noise.mix.weight)
        nn.init.zeros_(self.to_noise.mix.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        half = self.half_in(self.to_half(x - 0.5))
        quarter = self.quarter_in(self.to_quarter(half))
        eighth = self.eighth(self.to_eighth(quarter))
        quarter = self.quarter_out(quarter + self.from_eighth(eighth))
        half = self.half_out(half + self.from_quarter(quarter))
        noise: Tensor = self.to_noise(half)
        return noise
