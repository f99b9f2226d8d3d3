"""Scale hyperprior (Ballé et al. 2018) as Brummer & De Vleeschouwer's repository varies it.

Their differences to the paper, all kept: N = 192 and M = 256 at every rate, scales are exponentials,
latents are Laplacian, and while training the decoder sees rounded latents (the rate sees noise).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from .backend import GaussianConditional
from .base import straight_through_round
from .codec import HyperCodec
from .output import Output
from .parts import Part
from .transforms import (
    HyperAnalysis,
    HyperSynthesis,
    analysis_transform,
    deep_synthesis_transform,
    synthesis_transform,
)


class LaplaceConditional(GaussianConditional):  # type: ignore[misc]
    """Zero-mean Laplacians with predicted scales; compressai's conditional with another distribution."""

    def _standardized_cumulative(self, inputs: Tensor) -> Tensor:
        tail = 0.5 * torch.exp(-inputs.abs())
        return torch.where(inputs < 0, tail, 1.0 - tail)

    @staticmethod
    def _standardized_quantile(quantile: float) -> float:
        """Of a share below one half."""
        return math.log(2.0 * quantile)


class ScaleHyperprior(HyperCodec):
    """`deep_decoder`: with Testolina's decoder of twice the layers."""

    def __init__(self, n: int = 192, m: int = 256, deep_decoder: bool = False) -> None:
        # At 1e-9, compressai's default, a Laplacian of the widest scale would need rows of 10,000 symbols.
        super().__init__(n, LaplaceConditional(None, tail_mass=1e-6))
        self.analysis = analysis_transform(n, m)
        self.hyper_analysis = HyperAnalysis(n, m)
        self.hyper_synthesis = HyperSynthesis(n, m)
        self.synthesis = (deep_synthesis_transform if deep_decoder else synthesis_transform)(n, m)

    def forward(self, x: Tensor, clean: Tensor | None = None) -> Output:
        self._check(x)
        y = self.analysis(self.padded(x))
        z_hat, z_likelihood = self._hyperlatents(self.hyper_analysis(y))
        _, y_likelihood = self.conditional(y, self.hyper_synthesis(z_hat))
        picture = self.synthesis(straight_through_round(y))
        return Output(picture[:, :, : x.shape[2], : x.shape[3]], {"y": y_likelihood, "z": z_likelihood})

    def parts(self) -> tuple[Part, ...]:
        def hyperlatents(y: Tensor) -> tuple[Tensor, Tensor]:
            return y, self.hyper_analysis(y).round()

        def scales(latents: tuple[Tensor, Tensor]) -> Tensor:
            y, z_hat = latents
            self.hyper_synthesis(z_hat)
            return y.round()

        return (
            Part("analysis", "encoder", (self.analysis,), self.analysis),
            Part(
                "hyper analysis",
                "entropy",
                (self.hyper_analysis, self.bottleneck),
                hyperlatents,
                encoder_only=True,
            ),
            Part("hyper synthesis", "entropy", (self.hyper_synthesis, self.conditional), scales),
            Part("synthesis", "decoder", (self.synthesis,), self.synthesis),
        )

    def _encode(self, x: Tensor) -> Sequence[bytes]:
        y = self.analysis(x)
        z_string, z_hat = self._code_hyperlatents(self.hyper_analysis(y))
        indexes = self._table_indexes(self.hyper_synthesis(z_hat))
        return [z_string, self.latent_tables.encode(y.round().int(), indexes)]

    def _decode(self, strings: Sequence[bytes], height: int, width: int) -> Tensor:
        z_hat = self._decode_hyperlatents(strings[0], height // 64, width // 64)
        indexes = self._table_indexes(self.hyper_synthesis(z_hat))
        picture: Tensor = self.synthesis(self.latent_tables.decode(strings[1], indexes))
        return picture
