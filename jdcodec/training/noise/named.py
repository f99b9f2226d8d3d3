"""Noise models by the name that recipes and commands use, and by one strength: an ISO number or a level."""

from __future__ import annotations

import math

from jdcodec.errors import TrainingError

from .camera import CameraNoise
from .simple import Gaussian, PoissonGaussian, RawGamma, SaltAndPepper, Speckle

NoiseModel = CameraNoise | PoissonGaussian | RawGamma | Gaussian | SaltAndPepper | Speckle

MODELS: dict[str, type[NoiseModel]] = {
    "camera": CameraNoise,
    "poisson-gaussian": PoissonGaussian,
    "raw-gamma": RawGamma,
    "gaussian": Gaussian,
    "salt-and-pepper": SaltAndPepper,
    "speckle": Speckle,
}

#: Read noise σr and shot noise σs at gains 1, 2, 4 and 8: the test levels of Cheng, Xie & Chen, ECCV 2022,
#: after Mildenhall et al., CVPR 2018.
RAW_GAMMA_LEVELS = {
    1: (0.0068354, 0.0027041),
    2: (0.0157214, 0.0062194),
    3: (0.0361593, 0.0143046),
    4: (0.0831663, 0.0329006),
}

#: Shot variance at ISO 100 where a full well is 50,000 electrons and full scale: 1 / 50,000. It grows in
#: proportion to the gain, so ISO 6400 gives 1.3e-3, well inside the range that `camera` trains on.
_SHOT_AT_ISO_100 = 2e-5
CAMERA_ISOS = (50.0, 204_800.0)


def noise_at(model: str, level: float) -> NoiseModel:
    """A noise model with its strength fixed.

    level: camera: an ISO number, 50 to 204,800. raw-gamma: 1 to 4, gains 1, 2, 4, 8. gaussian: σ in 8-bit
    steps, 0 to 255. salt-and-pepper: the share of pixels, 0 to 1. speckle: σ, 0 to 10. poisson-gaussian: a,
    with b = a²: 0.04 is Testolina's pair. Raises TrainingError for another model or level.
    """
    if not math.isfinite(level):
        raise TrainingError(f"noise {model}: the level must be a finite number, not {level}")
    if model == "camera":
        _within(model, level, *CAMERA_ISOS, "an ISO number")
        shot = _SHOT_AT_ISO_100 * level / 100
        return CameraNoise(
            shot,
            shot,
            processed_share=0.0,
            darkened_share=0.0,
            tinted_share=0.0,
            defocused_share=0.0,
            uneven_share=0.0,
        )
    if model == "raw-gamma":
        if level not in RAW_GAMMA_LEVELS:
            raise TrainingError(f"noise raw-gamma: level 1, 2, 3 or 4 (gains 1, 2, 4, 8), not {level:g}")
        read, shot = (math.log10(value) for value in RAW_GAMMA_LEVELS[int(level)])
        return RawGamma(read, read, shot, shot)
    if model == "gaussian":
        _within(model, level, 0, 255, "σ in 8-bit steps")
        return Gaussian(level, level)
    if model == "salt-and-pepper":
        _within(model, level, 0, 1, "a share of the pixels")
        return SaltAndPepper(level, level)
    if model == "speckle":
        _within(model, level, 0, 10, "σ relative to the signal")
        return Speckle(level, level)
    if model == "poisson-gaussian":
        _within(model, level, 1e-6, 1, "a, the variance per unit of signal")
        return PoissonGaussian(level, level**2)
    raise TrainingError(f"unknown noise {model!r}: choose from {', '.join(MODELS)}")


def _within(model: str, level: float, low: float, high: float, what: str) -> None:
    if not low <= level <= high:
        raise TrainingError(f"noise {model}: the level is {what}, {low:g} to {high:g}, not {level:g}")
