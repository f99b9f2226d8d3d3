"""Noise added to clean pictures for a benchmark: Cheng's camera noise at four gains, and white noise.

Every picture and level has a seed of its own, so what a picture becomes depends neither on the order nor on
the number of the others.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from jdcodec.errors import OptionError

from .metrics import Pixels

Floats = npt.NDArray[np.float64]

CHENG_LEVELS = {
    1: (0.0068354, 0.0027041),
    2: (0.0157214, 0.0062194),
    3: (0.0361593, 0.0143046),
    4: (0.0831663, 0.0329006),
}
"""Read noise σr and shot noise σs at gains 1, 2, 4 and 8: Cheng, Xie & Chen, "Optimizing Image Compression
via Joint Learning with Denoising" (ECCV 2022), after Mildenhall et al. (2018)."""

STRONGEST_SIGMA = 255.0


@dataclass(frozen=True)
class NoiseLevel:
    """One level of one noise model.

    `model` is "cheng", "cheng-released" or "gaussian"; `level` is Cheng's 1…4, or σ in 8-bit steps.
    """

    model: str
    level: float

    @property
    def name(self) -> str:
        """As in `--noise` and in the report: "cheng:2", "gaussian:25"."""
        return f"{self.model}:{self.level:g}"

    def apply(self, clean: Pixels, picture: str, seed: int) -> Pixels:
        """The noisy version of `clean`, (H, W, 3) uint8, of the picture named `picture`.

        "cheng" is the paper's formula in linear light, N(x, √(σr² + σs·x)), with the sRGB curve of
        IEC 61966-2-1. "cheng-released" takes the curves of the authors' released code instead, which are not
        each other's inverse: mid-grey comes out 5 steps brighter. Its published table was made so.
        """
        random = np.random.default_rng([seed, zlib.crc32(picture.encode()), zlib.crc32(self.name.encode())])
        x = clean / 255.0
        if self.model == "gaussian":
            noisy = x + random.normal(0, self.level / 255, x.shape)
        else:
            to_linear, from_linear = _CURVES[self.model]
            read, shot = CHENG_LEVELS[int(self.level)]
            linear = to_linear(x)
            noisy = from_linear(random.normal(linear, np.sqrt(read**2 + shot * linear)))
        pixels: Pixels = np.rint(np.clip(noisy, 0, 1) * 255).astype(np.uint8)
        return pixels


def parse_noise(text: str) -> tuple[NoiseLevel, ...]:
    """The levels that `--noise` asks for: "cheng" (all four), "cheng:1,3", "gaussian:10,25".

    Raises JdcError for another model, and for levels that are missing, repeated or out of range.
    """
    model, _, levels = text.partition(":")
    if model not in MODELS:
        raise OptionError(f"unknown noise {model!r}: choose from {', '.join(MODELS)}")
    if not levels and model != "gaussian":
        return tuple(NoiseLevel(model, level) for level in CHENG_LEVELS)
    try:
        values = [float(level) for level in levels.split(",")]
    except ValueError:
        raise OptionError(f"noise {text!r}: levels are numbers, as in gaussian:10,25 or cheng:1,2") from None
    for value in values:
        if model == "gaussian" and not 0 < value <= STRONGEST_SIGMA:
            raise OptionError(f"noise {text!r}: σ is above 0 and at most 255, in 8-bit steps")
        if model != "gaussian" and value not in CHENG_LEVELS:
            raise OptionError(f"noise {text!r}: {model} has the levels 1, 2, 3 and 4")
    if len(set(values)) < len(values):
        raise OptionError(f"noise {text!r}: a level is there twice")
    return tuple(NoiseLevel(model, value) for value in values)


def srgb_to_linear(x: Floats) -> Floats:
    """IEC 61966-2-1, for values in [0, 1]."""
    return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(x: Floats) -> Floats:
    """IEC 61966-2-1; what lies below 0 stays so."""
    return np.where(x <= 0.0031308, x * 12.92, 1.055 * np.maximum(x, 0) ** (1 / 2.4) - 0.055)


def _released_to_linear(x: Floats) -> Floats:
    return np.where(x <= 0.0031308, x / 12.92, (x + 0.055) ** 2.4 / 1.055)


def _released_to_srgb(x: Floats) -> Floats:
    return np.where(x <= 0.0031308, x * 12.92, 1.055 * (np.maximum(x, 0) + 0.001) ** (1 / 2.4) - 0.055)


_CURVES = {
    "cheng": (srgb_to_linear, linear_to_srgb),
    "cheng-released": (_released_to_linear, _released_to_srgb),
}
MODELS = (*_CURVES, "gaussian")
