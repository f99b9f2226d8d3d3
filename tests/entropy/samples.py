"""Entropy tables and symbols made by the tests, small but with everything in them that can go wrong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jdcodec.entropy import EntropyTables
from jdcodec.entropy.tables import ANCHORS, LEVELS, quantise_probabilities

#: Quality steps at both ends of the scale, and off every anchor.
QUALITY_STEPS = (0, 17, 224)

#: (rows, columns) of hyperlatent sites: the smallest tile, uneven ones, and a larger one.
TILE_SHAPES = ((1, 1), (1, 3), (5, 2), (8, 8))


def _logistic(half_width: int, sigma: float) -> NDArray[np.float64]:
    edges = np.arange(-half_width, half_width + 2) - 0.5
    scale = sigma * np.sqrt(3) / np.pi
    cumulative = 0.5 * (1 + np.tanh(edges / (2 * scale)))
    return np.append(np.diff(cumulative), 1e-4)


def _hyper_row(half_width: NDArray[np.int32], sigma: float) -> NDArray[np.int32]:
    tables = {h: quantise_probabilities(_logistic(h, sigma)) for h in set(half_width.tolist())}
    return np.concatenate([tables[h] for h in half_width.tolist()])


def make_tables(latent_channels: int = 6, hyper_channels: int = 5, seed: int = 0) -> EntropyTables:
    """Valid tables of random scale maps, on which z of a few units reaches all 64 levels."""
    rng = np.random.default_rng(seed)
    rows = 16 * latent_channels
    sigma = 0.08 * 1200 ** (np.arange(LEVELS) / (LEVELS - 1))
    latent_half = np.minimum(np.ceil(4 * sigma), 300).astype(np.int32)
    latent_half[1] = 0  # a table that has only 0 and the escape
    hyper_half = rng.integers(1, 12, hyper_channels).astype(np.int32)
    hyper_half[0] = 127
    return EntropyTables(
        scale_weight=rng.integers(-127, 128, (rows, hyper_channels)).astype(np.int8),
        scale_multiplier=rng.integers(500, 6000, rows).astype(np.int32),
        scale_bias=rng.integers(-8 << 16, 60 << 16, rows).astype(np.int32),
        quality_offset=rng.integers(-6 << 16, 6 << 16, (ANCHORS, latent_channels)).astype(np.int32),
        latent_half_width=latent_half,
        latent_frequency=np.concatenate(
            [quantise_probabilities(_logistic(int(h), s)) for h, s in zip(latent_half[1:], sigma[1:])]
        ),
        hyper_half_width=hyper_half,
        hyper_frequency=np.stack([_hyper_row(hyper_half, 1 + 0.3 * anchor) for anchor in range(ANCHORS)]),
    )


@dataclass(frozen=True)
class TileSample:
    """Symbols of a tile that suit the tables: z (N, h, w), y (M, 4 h, 4 w), zero at level 0."""

    z: NDArray[np.int8]
    y: NDArray[np.int16]
    quality_step: int


def typical_tile(
    tables: EntropyTables, shape: tuple[int, int], quality_step: int, seed: int = 0
) -> TileSample:
    """Symbols about as wide as the tables expect."""
    rng = np.random.default_rng(seed)
    z = np.clip(np.rint(rng.logistic(0, 1.2, (tables.hyper_channels, *shape))), -127, 127).astype(np.int8)
    levels = tables.scale_indices(z, quality_step)
    sigma = 0.08 * 1200 ** (levels / (LEVELS - 1))
    y = np.rint(rng.logistic(0, sigma * np.sqrt(3) / np.pi)) * (levels > 0)
    return TileSample(z, y.astype(np.int16), quality_step)


def extreme_tile(
    tables: EntropyTables, shape: tuple[int, int], quality_step: int, seed: int = 0
) -> TileSample:
    """Symbols over the whole of their ranges, both ends included, nearly all of them escaped."""
    rng = np.random.default_rng(seed)
    z = rng.integers(-127, 128, (tables.hyper_channels, *shape)).astype(np.int8)
    z.flat[0], z.flat[-1] = -127, 127
    levels = tables.scale_indices(z, quality_step)
    y = rng.integers(-32767, 32768, levels.shape)
    coded = np.flatnonzero(levels)
    if len(coded):
        y.flat[coded[0]], y.flat[coded[-1]] = -32767, 32767
    return TileSample(z, (y * (levels > 0)).astype(np.int16), quality_step)
