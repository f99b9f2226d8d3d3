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


def make_tables(
    latent_channels: int = 6, hyper_channels: int = 5, seed: int = 0, trellis_level: int = LEVELS
) -> EntropyTables:
    """Valid tables of random scale maps, on which z of a few units reaches all 64 levels.

    Levels from `trellis_level` on have dependent quantisation, whose two tables are not alike.
    """
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
            [
                quantise_probabilities(_logistic(int(h), s * factor))
                for level, (h, s) in enumerate(zip(latent_half, sigma))
                for factor in ((1.0,) if level < trellis_level else (0.75, 0.9))
                if level
            ]
        ),
        hyper_half_width=hyper_half,
        hyper_frequency=np.stack([_hyper_row(hyper_half, 1 + 0.3 * anchor) for anchor in range(ANCHORS)]),
        trellis=np.array([trellis_level], np.int32),
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
    return TileSample(z, in_units(tables, levels, y.astype(np.int64)), quality_step)


def extreme_tile(
    tables: EntropyTables, shape: tuple[int, int], quality_step: int, seed: int = 0
) -> TileSample:
    """Symbols over the whole of their ranges, both ends included, nearly all of them escaped."""
    rng = np.random.default_rng(seed)
    z = rng.integers(-127, 128, (tables.hyper_channels, *shape)).astype(np.int8)
    z.flat[0], z.flat[-1] = -127, 127
    levels = tables.scale_indices(z, quality_step)
    largest = np.where(levels < tables.trellis_level, 32767 // tables.units, 8191)
    y = rng.integers(-largest, largest + 1)
    coded = np.flatnonzero(levels)
    if len(coded):
        for place, sign in ((coded[0], -1), (coded[-1], 1)):
            y.flat[place] = sign * largest.flat[place]
    return TileSample(z, in_units(tables, levels, y * (levels > 0)), quality_step)


#: States of dependent quantisation after an even and after an odd index, as the format has them.
_AFTER_EVEN, _AFTER_ODD = (0, 5, 1, 6, 2, 4, 3, 7), (2, 7, 3, 4, 0, 6, 1, 5)


def in_units(
    tables: EntropyTables, levels: NDArray[np.uint8], indices: NDArray[np.int64]
) -> NDArray[np.int16]:
    """What symbols (M, h, w) stand for, if tables code these indices: lane after lane."""
    y = tables.units * indices
    rows, columns = np.indices(levels.shape[1:])
    for phase in (0, 1):
        dependent = (levels >= tables.trellis_level) & ((rows + columns) % 2 == phase)
        places = np.flatnonzero(dependent)
        places = places[np.argsort(levels.flat[places], kind="stable")]
        lanes = max(1, -(-len(places) // 256))
        for lane in range(lanes):
            state = 0
            for place in places[lane::lanes]:
                index = int(indices.flat[place])
                y.flat[place] = 4 * index - 2 * (state % 2) * np.sign(index)
                state = (_AFTER_ODD if index % 2 else _AFTER_EVEN)[state]
    return y.astype(np.int16)
