"""Dependent quantisation in training: what decoders see is quantised as files have it, gradients pass by it.

Rates go on seeing latents with uniform noise. Code lengths that the path is chosen by are those of the
logistic that tables start from. It runs on the processor, wherever the network does.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from jdcodec.codec.quantise import IndexBits, Lanes, quantise
from jdcodec.entropy.layout import Layout
from jdcodec.entropy.tables import LEVELS, quantise_probabilities
from jdcodec.entropy.trellis import UNITS
from jdcodec.model.config import ROUNDING_STRENGTH, TRELLIS_LEVEL

from .level_tables import latent_densities


class DependentRounding:
    """Replaces the symbols of scale levels from TRELLIS_LEVEL on by points of the trellis."""

    def __init__(self) -> None:
        _, densities = latent_densities(TRELLIS_LEVEL)
        pairs = iter(densities[TRELLIS_LEVEL - 1 :])
        tables = {
            (level, quantiser): quantise_probabilities(next(pairs))
            for level in range(TRELLIS_LEVEL, LEVELS)
            for quantiser in (0, 1)
        }
        self._bits = IndexBits.of(tables)

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def __call__(self, values: Tensor, symbols: Tensor, index: Tensor, worth: Tensor, phase: int) -> Tensor:
        """`symbols` with those of one phase's sites replaced where quantisation depends; no gradient.

        values: (B, M, H, W) in steps, as the symbols are; index: real-valued scale index; worth: (B, M, 1,
        1), bits that a squared error of one step is worth; phase: 0 for anchors, 1 for others.
        """
        with torch.no_grad():
            levels = index.round().clamp(0, LEVELS - 1).to(torch.uint8).cpu().contiguous().numpy()
            found = values.float().cpu().contiguous().numpy()
            weight = (worth / ROUNDING_STRENGTH).float().flatten(1).cpu().numpy()
            result = symbols.detach().float().cpu().contiguous().numpy().copy()
            orders, lanes = [], []
            for picture in range(len(levels)):
                layout = Layout.with_trellis(levels[picture], TRELLIS_LEVEL)
                places, groups = layout.trellis(phase)
                order = layout.order[places]
                channels = order // (levels.shape[2] * levels.shape[3])
                orders.append(order)
                lanes.append(Lanes(found[picture].ravel()[order], weight[picture][channels], groups))
            for picture, (order, points) in enumerate(zip(orders, quantise(lanes, self._bits))):
                result[picture].reshape(-1)[order] = points / np.float32(UNITS)
            return torch.from_numpy(result).to(symbols)
