"""Random numbers of one batch of pictures, one number a picture, all from one generator."""

from __future__ import annotations

import math

import torch
from torch import Tensor


class Draw:
    """Random numbers of one batch, one a picture, shaped (B, 1, 1, 1)."""

    def __init__(self, batch: int, device: torch.device, generator: torch.Generator) -> None:
        self.batch, self.device, self.generator = batch, device, generator

    def of(self, batch: int) -> Draw:
        """Numbers for so many pictures, from the same generator."""
        return Draw(batch, self.device, self.generator)

    def uniform(self, low: float, high: float, channels: int = 1) -> Tensor:
        unit = torch.rand(self.batch, channels, 1, 1, device=self.device, generator=self.generator)
        return low + (high - low) * unit

    def log_uniform(self, low: float, high: float) -> Tensor:
        return torch.exp(self.uniform(math.log(low), math.log(high)))

    def normal(self) -> Tensor:
        return torch.randn(self.batch, 1, 1, 1, device=self.device, generator=self.generator)

    def field(self, channels: int, height: int, width: int) -> Tensor:
        shape = (self.batch, channels, height, width)
        return torch.randn(shape, device=self.device, generator=self.generator)

    def chance(self, share: float) -> Tensor:
        return self.uniform(0, 1) < share

    def whole(self, low: int, high: int) -> int:
        """One integer in [low, high] for the whole batch."""
        return int(torch.randint(low, high + 1, (1,), device=self.device, generator=self.generator))
