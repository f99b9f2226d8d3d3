"""Transforms of Ballé et al. 2018 in the widths of Brummer & De Vleeschouwer, and Testolina's deeper decoder.

N channels inside, M latents, one latent site for 16 × 16 pixels. All are started as in that repository
(He et al. by inputs, biases at 0.01), so that latents begin with a deviation near one: with torch's own
start most of them would round to zero, and the decoder, which sees them rounded, would learn nothing.
"""

from __future__ import annotations

from torch import Tensor, nn

from .backend import GDN


def _started(layer: nn.Conv2d | nn.ConvTranspose2d) -> nn.Module:
    taps = layer.kernel_size[0] * layer.kernel_size[1]
    nn.init.normal_(layer.weight, std=(2.0 / (layer.in_channels * taps)) ** 0.5)
    assert layer.bias is not None
    nn.init.constant_(layer.bias, 0.01)
    return layer


def _conv(c_in: int, c_out: int, size: int = 5, stride: int = 2) -> nn.Module:
    return _started(nn.Conv2d(c_in, c_out, size, stride=stride, padding=size // 2))


def _deconv(c_in: int, c_out: int) -> nn.Module:
    """5×5, doubling the resolution."""
    return _started(nn.ConvTranspose2d(c_in, c_out, 5, stride=2, padding=2, output_padding=1))


def analysis_transform(n: int, m: int) -> nn.Sequential:
    """(B, 3, H, W) to (B, M, H/16, W/16)."""
    return nn.Sequential(
        *(_conv(3, n), GDN(n), _conv(n, n), GDN(n), _conv(n, n), GDN(n)),
        _conv(n, m),
    )


def synthesis_transform(n: int, m: int) -> nn.Sequential:
    """(B, M, H/16, W/16) to (B, 3, H, W)."""
    return nn.Sequential(
        *(_deconv(m, n), GDN(n, inverse=True), _deconv(n, n), GDN(n, inverse=True)),
        *(_deconv(n, n), GDN(n, inverse=True)),
        _deconv(n, 3),
    )


def deep_synthesis_transform(n: int, m: int) -> nn.Sequential:
    """The same behind four more 5×5 layers at the latents' resolution: Testolina's denoising decoder."""
    first = (_conv(m, n, stride=1), nn.ReLU())
    more = [layer for _ in range(3) for layer in (_conv(n, n, stride=1), nn.ReLU())]
    return nn.Sequential(*first, *more, *synthesis_transform(n, n))


class HyperAnalysis(nn.Sequential):
    """|latents|, (B, M, h, w), to hyperlatents, (B, N, h/4, w/4)."""

    def __init__(self, n: int, m: int) -> None:
        super().__init__(_conv(m, n, 3, 1), nn.ReLU(), _conv(n, n), nn.ReLU(), _conv(n, n))

    def forward(self, y: Tensor) -> Tensor:
        z: Tensor = super().forward(y.abs())  # type: ignore[no-untyped-call]
        return z


class HyperSynthesis(nn.Sequential):
    """Hyperlatents (B, N, h/4, w/4) to scales of the latents, (B, M, h, w), above zero."""

    def __init__(self, n: int, m: int) -> None:
        super().__init__(_deconv(n, n), nn.ReLU(), _deconv(n, n), nn.ReLU(), _conv(n, m, 3, 1))

    def forward(self, z_hat: Tensor) -> Tensor:
        log_scale: Tensor = super().forward(z_hat)  # type: ignore[no-untyped-call]
        return log_scale.exp()
