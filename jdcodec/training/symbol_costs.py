"""What symbols cost in files: the code lengths of fitted tables, differentiable in the scale index.

Symbols are told as files hold them: indices, and the quantisers that they belong to, 0 wherever latents are
quantised alone (`jdcodec.entropy.trellis`).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from jdcodec.codec.quantise import IndexBits
from jdcodec.entropy.coder import ESCAPE_BITS
from jdcodec.entropy.tables import LEVELS, PROBABILITY_BITS, quantise_probabilities
from jdcodec.model.config import TRELLIS_LEVEL
from jdcodec.model.entropy_model import bounded

from .level_tables import blend, latent_densities


class SymbolCosts:
    """Code lengths in bits by level, quantiser and index, as `export_weights` would fit them to counts.

    Arguments of its methods: indices and quantisers as above, of one shape with `levels`, whole scale levels,
    or `index`, the real-valued scale index.
    """

    def __init__(self, device: torch.device) -> None:
        half, self._densities = latent_densities(TRELLIS_LEVEL)
        self._half = np.concatenate((half[1:TRELLIS_LEVEL], np.repeat(half[TRELLIS_LEVEL:], 2)))
        self._reach = int(half.max())
        # Row 0, of level 0, stays empty; columns are −reach … reach, and what lies beyond.
        self._counts = np.zeros((1 + len(self._half), 2 * self._reach + 2))
        self._device = device
        self._bits = self._lengths()

    def count(self, indices: Tensor, quantisers: Tensor, levels: Tensor) -> None:
        """Add symbols to what `fit` goes by."""
        values = indices.long()
        columns = torch.where(
            values.abs() <= self._reach, values + self._reach, torch.full_like(values, 2 * self._reach + 1)
        )
        places = self._rows(levels, quantisers) * (2 * self._reach + 2) + columns
        counts = torch.bincount(places.flatten(), minlength=self._counts.size)
        self._counts += counts.cpu().numpy().reshape(self._counts.shape)

    def fit(self, mean: Callable[[Tensor], Tensor] = lambda counts: counts) -> None:
        """Let the tables follow what was counted; `mean` of the counts over all processes."""
        self._counts = mean(torch.from_numpy(self._counts).to(self._device)).cpu().numpy()
        self._bits = self._lengths()

    def of(self, indices: Tensor, quantisers: Tensor, levels: Tensor) -> Tensor:
        """Bits of symbols at whole levels, all (B, M, H, W)."""
        return self._look_up(indices, quantisers, levels.clamp(0, LEVELS - 1))

    def between(self, indices: Tensor, quantisers: Tensor, index: Tensor) -> Tensor:
        """Bits of symbols at a real-valued scale index, linear between levels, and differentiable in it.

        An index that rounds to level 0 costs nothing, and has no gradient: nothing is coded there. Where
        levels on either side are quantised in different ways, the line through the next two of the symbol's
        own way is drawn on.
        """
        inside = bounded(index, 1.0, LEVELS - 1.0)
        floor = inside.detach().floor()
        below = torch.where(
            inside.detach().round() >= TRELLIS_LEVEL,
            floor.clamp(TRELLIS_LEVEL, LEVELS - 2),
            floor.clamp(1, TRELLIS_LEVEL - 2),
        )
        low = self._look_up(indices, quantisers, below)
        high = self._look_up(indices, quantisers, below + 1)
        return (low + (high - low) * (inside - below)) * (index >= 0.5)

    def step_bits(self) -> tuple[Tensor, Tensor]:
        """Bits more, by level, (LEVELS,), at magnitude 1 than at 0, and at 2 than at 1.

        They are 0 where latents are not quantised alone.
        """
        middle = self._reach
        steps = self._bits[:, middle + 1 : middle + 3] - self._bits[:, middle : middle + 2]
        alone = torch.zeros(LEVELS, 2, device=self._device)
        alone[:TRELLIS_LEVEL] = steps[:TRELLIS_LEVEL].clamp_min(0.0)
        first, further = alone.unbind(1)
        return first, further

    def index_bits(self) -> IndexBits:
        """The code lengths that paths of dependent quantisation are chosen by."""
        return IndexBits.of(
            {
                (level, quantiser): quantise_probabilities(self._share(self._row(level, quantiser)))
                for level in range(TRELLIS_LEVEL, LEVELS)
                for quantiser in (0, 1)
            }
        )

    @staticmethod
    def _row(level: int, quantiser: int) -> int:
        return level + max(0, level - TRELLIS_LEVEL) + quantiser

    @staticmethod
    def _rows(levels: Tensor, quantisers: Tensor) -> Tensor:
        return (levels + (levels - TRELLIS_LEVEL).clamp_min(0) + quantisers).long()

    def _look_up(self, indices: Tensor, quantisers: Tensor, levels: Tensor) -> Tensor:
        width = 2 * self._reach + 1
        columns = indices.detach().clamp(-self._reach, self._reach).long() + self._reach
        return self._bits.view(-1)[self._rows(levels, quantisers) * width + columns]

    def _share(self, row: int) -> NDArray[np.float64]:
        """Probabilities −h … h and of the escape code, of a row's table."""
        half, counts = int(self._half[row - 1]), self._counts[row]
        inside = counts[self._reach - half : self._reach + half + 1]
        return blend(np.append(inside, counts.sum() - inside.sum()), self._densities[row - 1])

    def _lengths(self) -> Tensor:
        """(rows, 2 · reach + 1); level 0 costs nothing."""
        bits = np.zeros((len(self._counts), 2 * self._reach + 1), np.float32)
        for row in range(1, len(bits)):
            lengths = -np.log2(np.maximum(self._share(row), 2.0**-PROBABILITY_BITS))
            half = int(self._half[row - 1])
            bits[row] = lengths[-1] + ESCAPE_BITS
            bits[row, self._reach - half : self._reach + half + 1] = lengths[:-1]
        return torch.from_numpy(bits).to(self._device)
