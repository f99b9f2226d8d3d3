"""Rate-aware rounding of latents: the encoder leaves out what costs more bits than it is worth.

A value v = (y − mean) · gain between the symbols n − 1 and n goes to n − 1 where that is cheaper in
bits + lambda · 255² · MSE. With K the cost of a squared error of one in v, the break-even point is
n − 1/2 + (bits(n) − bits(n − 1)) / (2 K). The synthesis transform is taken to be as nearly orthonormal as the
DCT that it starts from. Decoders need not know of any of this.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from jdcodec.entropy import EntropyTables
from jdcodec.entropy.tables import LEVELS
from jdcodec.model.config import LATENT_STEP, ROUNDING_STRENGTH, quality_to_t, t_to_lambda

#: How much stronger than in training, `ROUNDING_STRENGTH`, for noise of the variance of a quantisation step
#: squared, and the most. The table with what it does to the rate is in docs/model.md.
_PER_NOISE, _STRONGEST = 8.0, 1.6


def rounding_strength(gain: NDArray[np.float32], noise: float) -> float:
    """Share of the theoretical shift to use for a picture from which noise of that variance was removed.

    gain: as below. noise: mean square of pixels in [0, 1].
    """
    squared_steps = (float(np.median(gain)) / LATENT_STEP) ** 2
    return min(_STRONGEST, ROUNDING_STRENGTH + _PER_NOISE * noise * squared_steps)


@lru_cache(maxsize=32)
def _step_bits(tables: EntropyTables) -> NDArray[np.float32]:
    """Bits that a latent costs more at magnitude 1 than at 0, and at 2 than at 1: (2, LEVELS)."""
    bits = np.zeros((2, LEVELS), np.float32)
    for level in range(1, LEVELS):
        table = tables.latent_table(level).astype(np.float64)
        centre = (len(table) - 2) // 2
        bits[:, level] = np.maximum(np.log2(table[centre : centre + 2] / table[centre + 1 : centre + 3]), 0)
    return bits


def rounding_shifts(
    tables: EntropyTables, gain: NDArray[np.float32], quality: float, strength: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(bits of the first and of further steps by level, (2, LEVELS); factor by channel, (M,)).

    Their product is how far above n − 1/2 a magnitude must lie to become n. `gain`: (M,), what latents are
    multiplied by before they are rounded; `strength`: share of the theoretical shift. MSE is the mean over
    three colours, hence the 3.
    """
    worth = t_to_lambda(quality_to_t(quality)) * 255.0**2 / 3.0 * (LATENT_STEP / gain) ** 2
    return _step_bits(tables), (strength / (2.0 * worth)).astype(np.float32)
