"""Rate-aware rounding of latents: the encoder leaves out what costs more bits than it is worth.

A value v = (y − mean) · gain between the symbols n − 1 and n goes to n − 1 where that is cheaper in
bits + lambda · 255² · MSE. With K the cost of a squared error of one in v, the break-even point is
n − 1/2 + (bits(n) − bits(n − 1)) / (2 K). The synthesis transform is taken to be as nearly orthonormal as the
DCT that it starts from. Decoders need not know of any of this.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jdcodec.entropy import EntropyTables
from jdcodec.entropy.tables import LEVELS
from jdcodec.model.config import LATENT_STEP, quality_to_t, t_to_lambda

#: A magnitude above n is never rounded to less than n.
LARGEST_SHIFT = 0.5


@dataclass(frozen=True)
class Rounding:
    """How much further than 1/2 a magnitude must be from 0 and from n to be rounded away.

    by_level: (2, LEVELS) float32, for the step from 0 to 1 and, from magnitude 1.5 on, for further ones, by
    scale level. by_channel: (M,) float32. Their product, at most LARGEST_SHIFT, is the shift.
    """

    by_level: NDArray[np.float32]
    by_channel: NDArray[np.float32]

    def __call__(
        self,
        values: NDArray[np.float32],
        levels: NDArray[np.integer[Any]],
        channels: NDArray[np.integer[Any]],
    ) -> NDArray[np.float32]:
        """Values v (n,) in quantisation steps, rounded to sign(v) · floor(|v| − shift + 1/2).

        levels and channels: of each value.
        """
        factor = self.by_channel[channels]
        magnitude = np.abs(values)
        first, further = (
            np.minimum(row[levels] * factor, np.float32(LARGEST_SHIFT)) for row in self.by_level
        )
        steps = magnitude - np.where(magnitude >= np.float32(1.5), further, first)
        steps += np.float32(0.5)
        np.floor(steps, out=steps)
        np.maximum(steps, 0, out=steps)
        return np.copysign(steps, values)


@lru_cache(maxsize=32)
def _step_bits(tables: EntropyTables) -> NDArray[np.float32]:
    """Bits that a latent costs more at magnitude 1 than at 0, and at 2 than at 1: (2, LEVELS)."""
    bits = np.zeros((2, LEVELS), np.float32)
    for level in range(1, tables.trellis_level):  # what is not rounded alone is left to `quantise`
        table = tables.latent_table(level).astype(np.float64)
        centre = (len(table) - 2) // 2
        bits[:, level] = np.maximum(np.log2(table[centre : centre + 2] / table[centre + 1 : centre + 3]), 0)
    return bits


def rate_aware_rounding(tables: EntropyTables, worth: NDArray[np.float32]) -> Rounding:
    """The rounding by the code lengths of tables; `worth`: see `error_worth`."""
    return Rounding(_step_bits(tables), (0.5 / worth).astype(np.float32))


def error_worth(gain: NDArray[np.float32], quality: float, strength: float) -> NDArray[np.float32]:
    """Bits that a squared error of one quantisation step is worth by channel, (M,).

    `gain`: (M,), what latents are multiplied by before they are rounded. The more `strength`
    (`noise_policy`), the less errors are worth: 1 is what theory has. MSE is the mean over three colours,
    hence the 3.
    """
    worth = t_to_lambda(quality_to_t(quality)) * 255.0**2 / 3.0 * (LATENT_STEP / gain) ** 2
    return (worth / strength).astype(np.float32)
