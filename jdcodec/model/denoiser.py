"""The blind denoiser in front of the codec: it predicts the noise, so that any share can be removed."""

from __future__ import annotations

from torch import Tensor, nn

from .blocks import Down, Up, network_input, stack


class DenoiserStem(nn.Module):
    """Residual network at 1/4 and 1/8 of the resolution with an additive skip.

    `forward` maps an sRGB picture x, (B, 3, H, W) in [0, 1] with H and W multiples of 8, to the noise
    predicted in it, same shape; x minus that is the estimate of the clean scene. It starts at zero noise.
    At 1/2, convolutions this narrow are bound by memory: two blocks there took two fifths of the time.
    """

    def __init__(self, channels: tuple[int, int], blocks: tuple[int, int]) -> None:
        super().__init__()
        quarter, eighth = channels
        self.to_quarter = Down(3, quarter, 4)
        self.quarter_in = stack(quarter, blocks[0])
        self.to_eighth = Down(quarter, eighth)
        self.eighth = stack(eighth, blocks[1])
        self.from_eighth = Up(eighth, quarter)
        self.quarter_out = stack(quarter, blocks[0])
        self.to_noise = Up(quarter, 3, 4)
        nn.init.zeros_(self.to_noise.mix.weight)
        nn.init.zeros_(self.to_noise.mix.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        quarter = self.quarter_in(self.to_quarter(network_input(x - 0.5)))
        eighth = self.eighth(self.to_eighth(quarter))
        noise: Tensor = self.to_noise(self.quarter_out(quarter + self.from_eighth(eighth)))
        return noise
