"""DnCNN: a plain stack of 3×3 convolutions that predicts the noise.

Zhang, Zuo, Chen, Meng & Zhang, "Beyond a Gaussian denoiser: residual learning of deep CNN for image
denoising", IEEE TIP 2017, arXiv:1608.03981: 17 layers of 64 channels for a known noise level (their blind
colour network has 20), batch normalisation between the first and the last.
"""

from __future__ import annotations

from torch import Tensor, nn

from .base import Denoiser


class DnCNN(Denoiser):
    """x − layers(x). `depth`, at least 2, counts all convolutions; each reaches one pixel further."""

    def __init__(self, depth: int = 17, width: int = 64) -> None:
        super().__init__()
        self.reach = depth
        hidden = [
            layer
            for _ in range(depth - 2)
            for layer in (nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU())
        ]
        first, last = nn.Conv2d(3, width, 3, padding=1), nn.Conv2d(width, 3, 3, padding=1)
        self.layers = nn.Sequential(first, nn.ReLU(), *hidden, last)
        for layer in self.layers:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        # A start near the picture itself: noise is small, and so is what the last layer should give.
        nn.init.normal_(last.weight, std=1e-3)

    def denoise(self, x: Tensor) -> Tensor:
        noise: Tensor = self.layers(x)
        return x - noise
