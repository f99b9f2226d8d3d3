"""Probability tables of the scale levels: the network's densities, and symbols counted over them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jdcodec.entropy import trellis
from jdcodec.entropy.tables import LEVELS
from jdcodec.entropy.trellis import UNITS
from jdcodec.model.entropy_model import LOG_SCALE_STEP, SCALE_MIN

#: Standard deviations that a level's table reaches; what lies beyond is escaped.
_REACH = 8.0
_LARGEST_HALF_WIDTH = 1024

#: Weight of the network's density against counts, in symbols.
_PRIOR_WEIGHT = 200.0

#: Probability left to the escape code where the network's density is all there is to go by.
ESCAPE_SHARE = 1e-6


def latent_densities(
    trellis_level: int = LEVELS,
) -> tuple[NDArray[np.int32], list[NDArray[np.float64]]]:
    """Half widths of all levels, and densities −h … h, escape of levels 1 and up.

    Levels from `trellis_level` on have two densities each, of the two quantisers (`entropy.trellis`).
    """
    sigma = SCALE_MIN * np.exp(LOG_SCALE_STEP * np.arange(LEVELS))
    dependent = np.arange(LEVELS) >= trellis_level
    reach = np.where(dependent, _REACH * UNITS / 4, _REACH)
    half = np.clip(np.ceil(reach * sigma) + 2, 2, _LARGEST_HALF_WIDTH).astype(np.int32)
    densities = []
    for level in range(1, LEVELS):
        k = np.arange(-half[level], half[level] + 1)
        if dependent[level]:
            densities += [
                _density(trellis.points(k, np.full(k.shape, q, np.uint8)) / UNITS, sigma[level])
                for q in (0, 1)
            ]
        else:
            densities.append(_density(k.astype(np.float64), sigma[level]))
    return half, densities


def _density(points: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """Probabilities of what is nearest to each point, by a logistic, and of the escape code."""
    middles = (points[1:] + points[:-1]) / 2
    first, last = points[0] - (middles[0] - points[0]), points[-1] + (points[-1] - middles[-1])
    edges = np.concatenate(([first], middles, [last]))
    scale = sigma * math.sqrt(3.0) / math.pi
    cumulative = 1.0 / (1.0 + np.exp(-np.clip(edges / scale, -700, 700)))
    return np.append(np.diff(cumulative), ESCAPE_SHARE)


def count_indices(counts: NDArray[np.float64], indices: NDArray[np.signedinteger[Any]]) -> None:
    """Add what one table codes to its counts, −h … h and escape."""
    half = (len(counts) - 2) // 2
    values = indices.astype(np.int64)
    counts += np.bincount(
        np.where(np.abs(values) <= half, values + half, 2 * half + 1), minlength=len(counts)
    )


def blend(counts: NDArray[np.float64], density: NDArray[np.float64]) -> NDArray[np.float64]:
    """Counts, made symmetric where the density is, over the network's density as a prior."""
    symbols, escape = counts[:-1], counts[-1:]
    if np.allclose(density[:-1], density[-2::-1]):
        symbols = 0.5 * (symbols + symbols[::-1])
    blended: NDArray[np.float64] = np.concatenate((symbols, escape)) + _PRIOR_WEIGHT * density / density.sum()
    share: NDArray[np.float64] = blended / blended.sum()
    return share
