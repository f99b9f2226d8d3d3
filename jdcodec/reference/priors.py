"""Competing priors: many factorised distributions over the latents, the cheapest chosen at each site.

Brummer & De Vleeschouwer, "End-to-end optimized image compression with competition of prior
distributions", arXiv:2111.09172. Below S is the number of latent sites, M of channels, P of priors.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .backend import LowerBound
from .rans import Tables

#: A prior that so many training steps have not chosen is dead.
PATIENCE = 50
#: Share of a batch's sites that dead priors are given at most, in one step.
REVIVAL_SHARE = 0.1

#: Tables cover −RANGE … RANGE; symbols beyond are escaped.
RANGE = 127
#: Symbols less likely than this at the ends of a table's row are left to the escape.
_NEGLIGIBLE = 2.0**-20
_LAYERS = 4


class CompetingPriors(nn.Module):
    """P sets of M distributions, each a cumulative logit that rises through four scalar layers.

    With prior p and channel c: x ← x·softplus(h) + b, then (but for the last) x ← x + tanh(a)·tanh(x); the
    cumulative distribution is the sigmoid of the result. h, b and a are the repository's letters.
    """

    idle_steps: Tensor

    def __init__(self, channels: int, count: int = 64) -> None:
        super().__init__()
        self.channels, self.count = channels, count

        def parameters(layers: int) -> nn.ParameterList:
            return nn.ParameterList(nn.Parameter(0.01 * torch.randn(count, channels)) for _ in range(layers))

        self.h, self.b, self.a = parameters(_LAYERS), parameters(_LAYERS), parameters(_LAYERS - 1)
        self.bound: nn.Module = LowerBound(1e-9)
        self.register_buffer("idle_steps", torch.zeros(count, dtype=torch.long))

    @property
    def index_bits(self) -> float:
        """Cost of saying which prior a site takes: log2 P."""
        return math.log2(self.count)

    def likelihood(self, values: Tensor, prior: Tensor | int) -> Tensor:
        """Probability of values ± 1/2, (S, M), under one prior a site, (S,), or one for all."""
        lower, upper = self._logit(values - 0.5, prior), self._logit(values + 0.5, prior)
        # Mirrored to where sigmoids are small, so that their difference keeps its digits.
        sign = torch.where(lower + upper > 0, -1.0, 1.0)
        likelihood: Tensor = self.bound((torch.sigmoid(sign * upper) - torch.sigmoid(sign * lower)).abs())
        return likelihood

    def _logit(self, x: Tensor, prior: Tensor | int) -> Tensor:
        for layer in range(_LAYERS):
            x = x * F.softplus(self.h[layer][prior]) + self.b[layer][prior]
            if layer < _LAYERS - 1:
                x = x + torch.tanh(self.a[layer][prior]) * torch.tanh(x)
        return x

    @torch.no_grad()
    def costs(self, values: Tensor) -> Tensor:
        """Bits that each prior would take for each site, (P, S), of values (S, M) of any kind."""
        rows = [-torch.log2(self.likelihood(values, prior)).sum(1) for prior in range(self.count)]
        return torch.stack(rows)

    def compete(self, values: Tensor) -> Tensor:
        """The cheapest prior of each site, (S,); while training, dead priors take the costliest sites."""
        least, chosen = self.costs(values).min(0)
        return self._revive(chosen, least) if self.training else chosen

    def _revive(self, chosen: Tensor, least: Tensor) -> Tensor:
        """Give a site each to dead priors, so that they learn something again, up to a share of all."""
        used = torch.bincount(chosen, minlength=self.count) > 0
        self.idle_steps.add_(1).masked_fill_(used, 0)
        dead = torch.nonzero(self.idle_steps > PATIENCE).flatten()
        quota = min(len(dead), int(REVIVAL_SHARE * len(chosen)))
        if quota:
            costliest = least.topk(quota).indices
            chosen = chosen.clone()
            chosen[costliest] = dead[torch.randperm(len(dead), device=dead.device)[:quota]]
        return chosen

    @torch.no_grad()
    def probabilities(self) -> Tensor:
        """Of each integer −RANGE … RANGE, (P, M, 2 RANGE + 1)."""
        symbols = torch.arange(-RANGE, RANGE + 1.0, device=self.idle_steps.device)[:, None]
        table = [self.likelihood(symbols.expand(-1, self.channels), p).T for p in range(self.count)]
        return torch.stack(table)

    def lookup_costs(self, bits: Tensor, y_hat: Tensor) -> Tensor:
        """`costs` of integer latents (S, M), looked up in −log2 `probabilities`: P·M additions a site."""
        places = (y_hat.clamp(-RANGE, RANGE) + RANGE).long().T  # (M, S)
        return torch.stack([torch.gather(row, 1, places).sum(0) for row in bits])

    def tables(self) -> Tables:
        """Range coder tables, row p·M + c for prior p and channel c."""
        rows = self.probabilities().flatten(0, 1)
        worth = rows > _NEGLIGIBLE
        first = worth.int().argmax(1).tolist()
        last = (worth.shape[1] - 1 - worth.flip(1).int().argmax(1)).tolist()
        cut = [row[start : end + 1] for row, start, end in zip(rows.tolist(), first, last)]
        return Tables.from_probabilities(cut, [start - RANGE for start in first])

    def index_tables(self) -> Tables:
        """One row, uniform over the priors."""
        return Tables.from_probabilities([[1.0 / self.count] * self.count], [0])
