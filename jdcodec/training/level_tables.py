"""Probability tables of the scale levels: the network's densities, and symbols counted over them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from jdcodec.entropy.tables import LEVELS
from jdcodec.model.entropy_model import LOG_SCALE_STEP, SCALE_MIN

#: Standard deviations that a level's table reaches; what lies beyond is escaped.
_REACH = 8.0
_LARGEST_HALF_WIDTH = 1024

#: Weight of the network's density against counts, in symbols.
_PRIOR_WEIGHT = 200.0

#: Probability left to the escape code where the network's density is all there is to go by.
ESCAPE_SHARE = 1e-6


def latent_densities() -> tuple[NDArray[np.int32], list[NDArray[np.float64]]]:
    """Half widths of all levels, and densities −h … h, escape of levels 1 and up."""
    sigma = SCALE_MIN * np.exp(LOG_SCALE_STEP * np.arange(LEVELS))
    half = np.clip(np.ceil(_REACH * sigma) + 2, 2, _LARGEST_HALF_WIDTH).astype(np.int32)
    densities = []
    for level in range(1, LEVELS):
        edges = np.arange(-half[level], half[level] + 2) - 0.5
        scale = sigma[level] * math.sqrt(3.0) / math.pi
        cumulative = 1.0 / (1.0 + np.exp(-np.clip(edges / scale, -700, 700)))
        densities.append(np.append(np.diff(cumulative), ESCAPE_SHARE))
    return half, densities


def count_latents(counts: list[NDArray[np.float64]], levels: NDArray[np.uint8], y: NDArray[np.int16]) -> None:
    """Add symbols to `counts`: of each level −h … h and escape. levels and y: of one shape."""
    for level in range(LEVELS):
        values = y[levels == level].astype(np.int64)
        half = (len(counts[level]) - 2) // 2
        places = np.where(np.abs(values) <= half, values + half, 2 * half + 1)
        counts[level] += np.bincount(places, minlength=len(counts[level]))


def blend(counts: NDArray[np.float64], density: NDArray[np.float64]) -> NDArray[np.float64]:
    """Counts, made symmetric where the density is, over the network's density as a prior."""
    symbols, escape = counts[:-1], counts[-1:]
    if np.allclose(density[:-1], density[-2::-1]):
        symbols = 0.5 * (symbols + symbols[::-1])
    blended: NDArray[np.float64] = np.concatenate((symbols, escape)) + _PRIOR_WEIGHT * density / density.sum()
    share: NDArray[np.float64] = blended / blended.sum()
    return share
