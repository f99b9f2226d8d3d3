"""Two small denoisers of a student project: an autoencoder, and a residual network with stochastic depth.

Made for 28 × 28 pictures of one channel (Fashion-MNIST) and Gaussian, salt-and-pepper, speckle and Poisson
noise; they take photographs as well. Layer sizes are chosen here.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .base import Denoiser


class DenoisingAutoencoder(Denoiser):
    """Two 3×3 layers with stride 2 and their mirror images, without skips."""

    multiple = 4
    reach = 16

    def __init__(self, channels: int = 3, width: int = 32) -> None:
        super().__init__()
        self.channels = channels
        self.encoder = nn.Sequential(
            *(nn.Conv2d(channels, width, 3, stride=2, padding=1), nn.ReLU()),
            *(nn.Conv2d(width, 2 * width, 3, stride=2, padding=1), nn.ReLU()),
        )
        self.decoder = nn.Sequential(
            *(nn.ConvTranspose2d(2 * width, width, 3, stride=2, padding=1, output_padding=1), nn.ReLU()),
            *(nn.ConvTranspose2d(width, channels, 3, stride=2, padding=1, output_padding=1), nn.Sigmoid()),
        )

    def denoise(self, x: Tensor) -> Tensor:
        picture: Tensor = self.decoder(self.encoder(x))
        return picture


class StochasticBlock(nn.Module):
    """x + branch(x), the branch dropped for a picture with probability 1 − `survival` while training.

    Huang et al., "Deep networks with stochastic depth", arXiv:1603.09382: in evaluation the branch is
    scaled by its survival probability instead.
    """

    def __init__(self, channels: int, survival: float) -> None:
        super().__init__()
        self.survival = survival
        self.branch = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        change: Tensor = self.branch(x)
        if self.training:
            kept = torch.rand(len(x), 1, 1, 1, device=x.device) < self.survival
            return x + kept * change
        return x + self.survival * change


class ResidualDenoiser(Denoiser):
    """Predicts the noise and subtracts it. Survival falls evenly from 1 to `last_survival` with depth."""

    def __init__(
        self, channels: int = 3, width: int = 32, blocks: int = 8, last_survival: float = 0.5
    ) -> None:
        super().__init__()
        self.channels = channels
        self.reach = 2 * blocks + 2
        self.first = nn.Conv2d(channels, width, 3, padding=1)
        self.blocks = nn.Sequential(
            *(
                StochasticBlock(width, 1.0 - (1.0 - last_survival) * (index + 1) / blocks)
                for index in range(blocks)
            )
        )
        self.last = nn.Conv2d(width, channels, 3, padding=1)

    def denoise(self, x: Tensor) -> Tensor:
        noise: Tensor = self.last(self.blocks(F.relu(self.first(x))))
        return x - noise
