"""What symbols cost in files: the code lengths of fitted tables, differentiable in the scale index."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from jdcodec.entropy.coder import ESCAPE_BITS
from jdcodec.entropy.tables import LEVELS, PROBABILITY_BITS
from jdcodec.model.entropy_model import bounded

from .level_tables import blend, count_latents, latent_densities


class SymbolCosts:
    """Code lengths in bits by level and symbol, as `export_weights` would fit them to counted symbols."""

    def __init__(self, device: torch.device) -> None:
        self._half, self._densities = latent_densities()
        self._reach = int(self._half.max())
        self._counts = [np.zeros(2 * int(h) + 2) for h in self._half]
        self._device = device
        self._bits = self._lengths()

    def count(self, levels: Tensor, symbols: Tensor) -> None:
        """Add symbols, and their rounded scale indices, to what `fit` goes by; both of one shape."""
        found = symbols.to(torch.int16).cpu().numpy()
        count_latents(self._counts, levels.to(torch.uint8).cpu().numpy(), found)

    def fit(self, mean: Callable[[Tensor], Tensor] = lambda counts: counts) -> None:
        """Let the tables follow what was counted; `mean` of the counts over all processes."""
        sizes = [len(counts) for counts in self._counts]
        everywhere = mean(torch.from_numpy(np.concatenate(self._counts)).to(self._device)).cpu().numpy()
        self._counts = np.split(everywhere, np.cumsum(sizes)[:-1])
        self._bits = self._lengths()

    def of(self, symbols: Tensor, levels: Tensor) -> Tensor:
        """Bits of symbols at whole levels, both (B, M, H, W)."""
        return self._look_up(symbols, levels.clamp(0, LEVELS - 1).long())

    def between(self, symbols: Tensor, index: Tensor) -> Tensor:
        """Bits of symbols at a real-valued scale index, linear between levels, and differentiable in it.

        An index that rounds to level 0 costs nothing, and has no gradient: nothing is coded there.
        """
        inside = bounded(index, 1.0, LEVELS - 1.0)
        below = inside.detach().floor().clamp(1, LEVELS - 2)
        low = self._look_up(symbols, below.long())
        high = self._look_up(symbols, below.long() + 1)
        return (low + (high - low) * (inside - below)) * (index >= 0.5)

    def step_bits(self) -> tuple[Tensor, Tensor]:
        """Bits more, by level, (LEVELS,), at magnitude 1 than at 0, and at 2 than at 1."""
        middle = self._reach
        steps = self._bits[:, middle + 1 : middle + 3] - self._bits[:, middle : middle + 2]
        first, further = steps.clamp_min(0.0).unbind(1)
        return first, further

    def _look_up(self, symbols: Tensor, levels: Tensor) -> Tensor:
        width = 2 * self._reach + 1
        columns = symbols.detach().clamp(-self._reach, self._reach).long() + self._reach
        return self._bits.view(-1)[levels * width + columns]

    def _lengths(self) -> Tensor:
        """(LEVELS, 2 · reach + 1); level 0 costs nothing."""
        bits = np.zeros((LEVELS, 2 * self._reach + 1), np.float32)
        for level in range(1, LEVELS):
            share = blend(self._counts[level], self._densities[level - 1])
            lengths: NDArray[np.float64] = -np.log2(np.maximum(share, 2.0**-PROBABILITY_BITS))
            half = int(self._half[level])
            bits[level] = lengths[-1] + ESCAPE_BITS
            bits[level, self._reach - half : self._reach + half + 1] = lengths[:-1]
        return torch.from_numpy(bits).to(self._device)
