"""What the encoder does otherwise for a photo with noise. Decoders need not know of any of this.

What the denoiser left in is coded with the picture, and past a point more bits show more of it and not of the
scene. How much that is cannot be seen; but it grows with what was removed, which is at hand. `noise` is that:
the mean square of pixels in [0, 1] (`noise.NoisePower`). `denoise`, 0 … 1, is the share of the noise that it
is; its square is a factor of everything here, as what is left in on purpose is not to be left out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from jdcodec.model.config import ROUNDING_STRENGTH

#: From the second of these deviations of removed noise on, in levels of 255, a photo counts as noisy; up to
#: the first as clean: all have that much.
_LITTLE, _NOISY = 0.7, 1.5

#: From here on noise is heavy. In between its share goes with the logarithm.
_HEAVY = 6.0

#: Strength of rate-aware rounding for noisy photos, up to the first of these qualities and at the last, and
#: what heavy noise adds. See docs/model.md for what it does to the rate.
_STRENGTH_QUALITY, _NOISY_STRENGTH, _HEAVY_STRENGTH = (4.0, 8.0), (1.3, 1.8), (0.0, 0.6)

#: By how much quality is lowered up to the first of these and at the last, for noisy photos, and what heavy
#: noise adds.
_LOWERED_QUALITY, _NOISY_LOWER, _HEAVY_LOWER = (6.0, 8.0), (0.0, 0.25), (0.0, 0.25)
_STEPS = 16


def rounding_strength(noise: float, quality: float, denoise: float) -> float:
    """Share of the theoretical shift (`rounding`) for such a photo; without noise that of training."""
    noisy, heavy = (_between(quality, _STRENGTH_QUALITY, most) for most in (_NOISY_STRENGTH, _HEAVY_STRENGTH))
    share = min(1.0, noise * 255.0**2 / _NOISY**2)
    more = (noisy - ROUNDING_STRENGTH) * share + heavy * _heavy_share(noise)
    return ROUNDING_STRENGTH + denoise**2 * more


def useful_quality(noise: float, quality: float, denoise: float) -> float:
    """The quality to code such a photo at when `quality` is asked for: above 6 it is up to 1/2 lower.

    Finer quantisation shows no more of a noisy scene, and takes more bits. It never falls where `quality`
    rises, and where it is lower it is a multiple of 1/16, so that photos of a batch share what networks keep
    for each quality.
    """
    noisy, heavy = (_between(quality, _LOWERED_QUALITY, most) for most in (_NOISY_LOWER, _HEAVY_LOWER))
    share = _between(_deviation(noise), (_LITTLE, _NOISY), (0.0, 1.0))
    lower = denoise**2 * (noisy * share + heavy * _heavy_share(noise))
    return round((quality - lower) * _STEPS) / _STEPS if lower > 0 else quality


def _heavy_share(noise: float) -> float:
    """0 up to a noisy photo, 1 for heavy noise."""
    logarithm = math.log(max(_deviation(noise), _NOISY))
    return _between(logarithm, (math.log(_NOISY), math.log(_HEAVY)), (0.0, 1.0))


def _deviation(noise: float) -> float:
    """Standard deviation in levels of 255."""
    return 255.0 * math.sqrt(noise)


def _between(x: float, ends: Sequence[float], values: Sequence[float]) -> float:
    """Linear from the first of two values to the last, and as they are beyond the ends."""
    return float(np.interp(x, ends, values))
