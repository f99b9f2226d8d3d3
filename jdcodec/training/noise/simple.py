"""Noise models of a formula: Poisson–Gaussian, raw-gamma, Gaussian, salt and pepper, speckle.

Each is a frozen dataclass of ranges; strengths are drawn a picture at a time, and a range of one value
(`sigma_min = sigma_max`) fixes them. Calling one with pictures (B, 3, H, W) in [0, 1], nonlinear sRGB, and a
generator returns (noisy, clean), with noisy clipped to [0, 1] and rounded to 8 bits as a file has it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .curves import linear_to_srgb, released_to_linear, released_to_srgb, srgb_to_linear
from .draw import Draw


def as_8_bit(x: Tensor) -> Tensor:
    """Clipped to [0, 1] and rounded to multiples of 1/255."""
    return torch.round(x.clamp(0, 1) * 255) / 255


@dataclass(frozen=True)
class PoissonGaussian:
    """Photon noise and electronic noise, on sRGB values: a·Poisson(x / a) + N(0, b), variance a·x + b.

    Foi et al., "Practical Poissonian-Gaussian noise modeling and fitting for single-image raw-data",
    IEEE TIP 2008. The defaults a = 0.2², b = 0.04² are those of Testolina, Upenik & Ebrahimi, "Towards
    image denoising in the latent space of learning-based compression", SPIE 2021.
    """

    a: float = 0.04
    b: float = 0.0016

    def __call__(self, clean: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        photons = torch.poisson(clean.clamp_min(0) / self.a, generator=generator)
        electronic = self.b**0.5 * _normal_like(clean, generator)
        return as_8_bit(self.a * photons + electronic), clean

    def problem(self) -> str | None:
        """What is wrong with the parameters, if anything."""
        return None if self.a > 0 and self.b >= 0 else "a must be above 0 and b at least 0"


@dataclass(frozen=True)
class RawGamma:
    """Signal-dependent Gaussian noise in linear light: N(x, √(σr² + σs·x)), then back to sRGB.

    Cheng, Xie & Chen, "Optimizing image compression via joint learning with denoising", ECCV 2022, after
    Mildenhall et al., "Burst denoising with kernel prediction networks", CVPR 2018: log10 σr uniform in
    [−3, −1.5], log10 σs in [−4, −2]. With `compat` the tone curves are those of the authors' released code,
    which are not each other's inverse; their published tables were made so, and the target stays x.
    """

    log_read_min: float = -3.0
    log_read_max: float = -1.5
    log_shot_min: float = -4.0
    log_shot_max: float = -2.0
    compat: bool = False

    def __call__(self, clean: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        draw = Draw(clean.shape[0], clean.device, generator)
        read = 10.0 ** draw.uniform(self.log_read_min, self.log_read_max)
        shot = 10.0 ** draw.uniform(self.log_shot_min, self.log_shot_max)
        linear = released_to_linear(clean) if self.compat else srgb_to_linear(clean)
        linear = linear + torch.sqrt(read**2 + shot * linear) * _normal_like(clean, generator)
        return as_8_bit(released_to_srgb(linear) if self.compat else linear_to_srgb(linear)), clean

    def problem(self) -> str | None:
        """What is wrong with the parameters, if anything."""
        if not self.log_read_min <= self.log_read_max <= 0 or not self.log_shot_min <= self.log_shot_max <= 0:
            return "logarithms must be at most 0, and each minimum at most its maximum"
        return None


@dataclass(frozen=True)
class Gaussian:
    """Additive white Gaussian noise on sRGB values, x + N(0, σ²); σ uniform, in steps of 1/255.

    The blind range 0 … 55 is that of Zhang et al., "Beyond a Gaussian denoiser" (DnCNN), IEEE TIP 2017.
    """

    sigma_min: float = 0.0
    sigma_max: float = 55.0

    def __call__(self, clean: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        sigma = Draw(clean.shape[0], clean.device, generator).uniform(self.sigma_min, self.sigma_max)
        return as_8_bit(clean + sigma / 255 * _normal_like(clean, generator)), clean

    def problem(self) -> str | None:
        """What is wrong with the parameters, if anything."""
        fits = 0 <= self.sigma_min <= self.sigma_max <= 255
        return None if fits else "0 <= sigma_min <= sigma_max <= 255 must hold"


@dataclass(frozen=True)
class SaltAndPepper:
    """Impulse noise: a share d of the pixels becomes black or white, half each, all three channels alike.

    Gonzalez & Woods, "Digital Image Processing", 4th edition, 5.2 (bipolar impulse noise); d uniform.
    """

    share_min: float = 0.0
    share_max: float = 0.1

    def __call__(self, clean: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        batch, _, height, width = clean.shape
        share = Draw(batch, clean.device, generator).uniform(self.share_min, self.share_max)
        place = torch.rand(batch, 1, height, width, device=clean.device, generator=generator)
        noisy = torch.where(place < share / 2, 0.0, torch.where(place < share, 1.0, clean))
        return as_8_bit(noisy), clean

    def problem(self) -> str | None:
        """What is wrong with the parameters, if anything."""
        fits = 0 <= self.share_min <= self.share_max <= 1
        return None if fits else "0 <= share_min <= share_max <= 1 must hold"


@dataclass(frozen=True)
class Speckle:
    """Multiplicative noise on sRGB values, x·(1 + N(0, σ²)); σ uniform.

    The Gaussian form of the multiplicative model of Lee, "Digital image enhancement and noise filtering by
    use of local statistics", IEEE PAMI 1980.
    """

    sigma_min: float = 0.0
    sigma_max: float = 0.3

    def __call__(self, clean: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        sigma = Draw(clean.shape[0], clean.device, generator).uniform(self.sigma_min, self.sigma_max)
        return as_8_bit(clean * (1 + sigma * _normal_like(clean, generator))), clean

    def problem(self) -> str | None:
        """What is wrong with the parameters, if anything."""
        fits = 0 <= self.sigma_min <= self.sigma_max <= 10
        return None if fits else "0 <= sigma_min <= sigma_max <= 10 must hold"


def _normal_like(x: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(x.shape, device=x.device, generator=generator)
