"""The four noises of the student project, on pictures in [0, 1] of any channels; results stay in [0, 1]."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

#: (pictures, strength, generator) to noisy pictures.
Noise = Callable[[Tensor, float, torch.Generator], Tensor]


def gaussian(x: Tensor, sigma: float, generator: torch.Generator) -> Tensor:
    """x + n, n normal with deviation sigma."""
    return (x + sigma * _normal(x, generator)).clamp(0, 1)


def speckle(x: Tensor, sigma: float, generator: torch.Generator) -> Tensor:
    """x + x·n, n normal with deviation sigma."""
    return (x + sigma * x * _normal(x, generator)).clamp(0, 1)


def salt_and_pepper(x: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """A share of all samples replaced, half of them by 0 and half by 1."""
    draw = torch.rand(x.shape, device=x.device, generator=generator)
    return torch.where(draw < share, (draw < share / 2).to(x.dtype), x)


def poisson(x: Tensor, peak: float, generator: torch.Generator) -> Tensor:
    """Poisson(x·peak) / peak: the count of photons where white is `peak` of them."""
    return (torch.poisson(x * peak, generator=generator) / peak).clamp(0, 1)


def _normal(x: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(x.shape, device=x.device, generator=generator)


#: By name, as that project calls them.
NOISES: dict[str, Noise] = {
    "gaussian": gaussian,
    "salt-and-pepper": salt_and_pepper,
    "speckle": speckle,
    "poisson": poisson,
}
