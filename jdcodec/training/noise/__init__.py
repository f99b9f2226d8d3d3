"""Noise made on clean sRGB pictures, in batches, on whatever device they are on.

A model is called with clean pictures (B, 3, H, W) in [0, 1] and a generator on their device, and returns
(noisy, clean): `camera` gives back a clean picture that it may have darkened, the others the one they got.
The same generator state gives the same noise. Recipes name a model as in `MODELS`.
"""

from __future__ import annotations

from .camera import CameraNoise
from .curves import linear_to_srgb, srgb_to_linear
from .named import CAMERA_ISOS, MODELS, RAW_GAMMA_LEVELS, NoiseModel, noise_at
from .simple import Gaussian, PoissonGaussian, RawGamma, SaltAndPepper, Speckle

__all__ = [
    "CAMERA_ISOS",
    "MODELS",
    "RAW_GAMMA_LEVELS",
    "CameraNoise",
    "Gaussian",
    "NoiseModel",
    "PoissonGaussian",
    "RawGamma",
    "SaltAndPepper",
    "Speckle",
    "linear_to_srgb",
    "noise_at",
    "srgb_to_linear",
]
