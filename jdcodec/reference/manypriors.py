"""ManyPriors (Brummer & De Vleeschouwer): a plain autoencoder, 64 priors of which each site takes one.

5×5 layers with stride 2 and GDN, N = 192, M = 256. The index of a site's prior is coded with 6 bits and
counted in the rate, as the paper does while training; its own files pack the map of indexes with a
general-purpose compressor.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .base import straight_through_round
from .codec import Codec
from .output import Output
from .parts import Part
from .priors import CompetingPriors
from .transforms import analysis_transform, deep_synthesis_transform, synthesis_transform


class ManyPriors(Codec):
    """`deep_decoder`: with Testolina's decoder of twice the layers."""

    multiple = 16
    string_count = 2

    def __init__(self, n: int = 192, m: int = 256, priors: int = 64, deep_decoder: bool = False) -> None:
        super().__init__()
        self.analysis = analysis_transform(n, m)
        self.priors = CompetingPriors(m, priors)
        self.synthesis = (deep_synthesis_transform if deep_decoder else synthesis_transform)(n, m)

    def forward(self, x: Tensor, clean: Tensor | None = None) -> Output:
        self._check(x)
        y = self.analysis(self.padded(x))
        y_hat = straight_through_round(y)
        values = _sites(y + torch.rand_like(y) - 0.5 if self.training else y_hat)
        likelihood = self.priors.likelihood(values, self.priors.compete(values))
        picture = self.synthesis(y_hat)
        index = torch.full_like(y[:, :1], 1.0 / self.priors.count)
        return Output(
            picture[:, :, : x.shape[2], : x.shape[3]],
            {"y": _grid(likelihood, y.shape), "index": index},
        )

    def parts(self) -> tuple[Part, ...]:
        bits = -torch.log2(self.priors.probabilities())

        def choose(y: Tensor) -> Tensor:
            y_hat = y.round()
            self.priors.lookup_costs(bits, _sites(y_hat)).min(0)
            return y_hat

        return (
            Part("analysis", "encoder", (self.analysis,), self.analysis),
            Part("choice of priors", "entropy", (self.priors,), choose, encoder_only=True),
            Part("synthesis", "decoder", (self.synthesis,), self.synthesis),
        )

    def _make_tables(self) -> None:
        self.tables, self.index_tables = self.priors.tables(), self.priors.index_tables()
        self.bits = -torch.log2(self.priors.probabilities())

    def _encode(self, x: Tensor) -> Sequence[bytes]:
        self.prepare()
        y_hat = _sites(self.analysis(x).round())
        prior = self.priors.lookup_costs(self.bits, y_hat).argmin(0)
        return [
            self.index_tables.encode(prior, torch.zeros_like(prior)),
            self.tables.encode(y_hat.int(), self._rows(prior)),
        ]

    def _decode(self, strings: Sequence[bytes], height: int, width: int) -> Tensor:
        self.prepare()
        rows, columns = height // 16, width // 16
        place = next(self.parameters()).device
        none = torch.zeros(rows * columns, dtype=torch.long, device=place)
        prior = self.index_tables.decode(strings[0], none).long().clamp(0, self.priors.count - 1)
        y_hat = self.tables.decode(strings[1], self._rows(prior))
        picture: Tensor = self.synthesis(_grid(y_hat, torch.Size((1, self.priors.channels, rows, columns))))
        return picture

    def _rows(self, prior: Tensor) -> Tensor:
        """Table rows of all symbols, (S, M), from the prior of each site, (S,)."""
        return prior[:, None] * self.priors.channels + torch.arange(self.priors.channels, device=prior.device)


def _sites(y: Tensor) -> Tensor:
    """(B, M, h, w) to (B·h·w, M)."""
    return y.permute(0, 2, 3, 1).flatten(0, 2)


def _grid(values: Tensor, shape: torch.Size) -> Tensor:
    """Inverse of `_sites`."""
    batch, _, height, width = shape
    return values.reshape(batch, height, width, -1).permute(0, 3, 1, 2)
