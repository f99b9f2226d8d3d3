"""Dependent quantisation in training: what decoders see is quantised as files have it, gradients pass by it.

Rates go on seeing latents with uniform noise, but for `part = "entropy"`. Code lengths that the path is
chosen by are those of the logistic that tables start from, there those of fitted tables. It runs on the
processor, wherever the network does.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from jdcodec.codec.quantise import IndexBits, Lanes, quantise
from jdcodec.entropy.layout import Layout
from jdcodec.entropy.tables import LEVELS, quantise_probabilities
from jdcodec.entropy.trellis import UNITS, indices_of
from jdcodec.model.config import ROUNDING_STRENGTH, TRELLIS_LEVEL

from .level_tables import latent_densities


class DependentRounding:
    """Replaces the symbols of scale levels from TRELLIS_LEVEL on by points of the trellis.

    Arguments of its methods: values (B, M, H, W) in steps, as the symbols are, which are those of scalar
    rounding; index: real-valued scale index; worth: (B, M, 1, 1), bits that a squared error of one step is
    worth; phase: 0 for anchors, 1 for others, the sites whose symbols are replaced.
    """

    def __init__(self, bits: IndexBits | None = None) -> None:
        """bits: the code lengths that paths are chosen by, else those of the network's own densities."""
        self._bits = bits or logistic_bits()

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def __call__(self, values: Tensor, symbols: Tensor, index: Tensor, worth: Tensor, phase: int) -> Tensor:
        """The symbols, without a gradient, as the encoder has them where there is no noise."""
        with torch.no_grad():
            result = symbols.detach().float().cpu().contiguous().numpy().copy()
            for places, points in self._paths(values, index, worth / ROUNDING_STRENGTH, phase):
                result.reshape(-1)[places] = points / np.float32(UNITS)
            return torch.from_numpy(result).to(symbols)

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def coded(
        self, values: Tensor, symbols: Tensor, index: Tensor, worth: Tensor, phase: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """(symbols, indices that files hold, quantisers that these belong to), all without a gradient.

        worth: as it is, no share of it taken off. Elsewhere indices are the symbols, and quantisers 0.
        """
        with torch.no_grad():
            result = symbols.detach().float().cpu().contiguous().numpy().copy()
            indices, quantisers = result.copy(), np.zeros(result.shape, np.float32)
            for places, points in self._paths(values, index, worth, phase):
                result.reshape(-1)[places] = points / np.float32(UNITS)
                indices.reshape(-1)[places], quantisers.reshape(-1)[places] = indices_of(points)
            found, coded, of = (torch.from_numpy(x).to(symbols) for x in (result, indices, quantisers))
            return found, coded, of

    def _paths(
        self, values: Tensor, index: Tensor, worth: Tensor, phase: int
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int32]]]:
        """Of each picture the places in the flattened batch that are replaced, and their points in units."""
        levels = index.round().clamp(0, LEVELS - 1).to(torch.uint8).cpu().contiguous().numpy()
        found = values.detach().float().cpu().contiguous().numpy()
        weight = worth.float().flatten(1).cpu().numpy()
        orders, lanes = [], []
        for picture, of_picture in enumerate(levels):
            layout = Layout.with_trellis(of_picture, TRELLIS_LEVEL)
            places, groups = layout.trellis(phase)
            order = layout.order[places]
            channels = order // (of_picture.shape[1] * of_picture.shape[2])
            orders.append(order + np.int64(picture * of_picture.size))
            lanes.append(Lanes(found[picture].ravel()[order], weight[picture][channels], groups))
        yield from zip(orders, quantise(lanes, self._bits))


def logistic_bits() -> IndexBits:
    """Code lengths by the densities that tables start from."""
    _, densities = latent_densities(TRELLIS_LEVEL)
    pairs = iter(densities[TRELLIS_LEVEL - 1 :])
    tables = {
        (level, quantiser): quantise_probabilities(next(pairs))
        for level in range(TRELLIS_LEVEL, LEVELS)
        for quantiser in (0, 1)
    }
    return IndexBits.of(tables)
