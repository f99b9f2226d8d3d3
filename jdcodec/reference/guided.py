"""Cheng, Xie & Chen: compressai's cheng2020-anchor with two denoisers inside its analysis transform.

"Optimizing Image Compression via Joint Learning with Denoising", ECCV 2022, arXiv:2207.10869. The analysis
is cut after 1/4 and after 1/16 of the resolution, and an attention block cleans the features there. While
training, the clean picture goes through the same analysis without the denoisers, and the L1 distance
between the two pictures' features guides them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .backend import AttentionBlock, Cheng2020Anchor, GaussianConditional
from .codec import HyperCodec
from .output import Output
from .parts import Part

#: Side of the context model's kernel, and how far it reaches back.
_KERNEL = 5
_REACH = _KERNEL // 2

#: Symbols of a site, (B, N, 1, 1), from its row, its column, its scales and its means.
SiteCoder = Callable[[int, int, Tensor, Tensor], Tensor]


class GuidedCodec(HyperCodec):
    """N channels everywhere: 128 for the paper's lower rates, 192 for the higher ones."""

    def __init__(self, n: int = 192) -> None:
        super().__init__(n, GaussianConditional(None))
        self.n = n
        anchor = Cheng2020Anchor(n)
        self.analysis_fine: nn.Module = anchor.g_a[:3]
        self.denoiser_fine: nn.Module = self._fine_denoiser(n)
        self.analysis_coarse: nn.Module = anchor.g_a[3:]
        self.denoiser_coarse: nn.Module = self._coarse_denoiser(n)
        self.hyper_analysis: nn.Module = anchor.h_a
        self.hyper_synthesis: nn.Module = anchor.h_s
        self.context: Any = anchor.context_prediction
        self.distribution: nn.Module = anchor.entropy_parameters
        self.synthesis: nn.Module = anchor.g_s

    def _fine_denoiser(self, n: int) -> nn.Module:
        """Works at 1/4 of the resolution."""
        block: nn.Module = AttentionBlock(n)
        return block

    def _coarse_denoiser(self, n: int) -> nn.Module:
        """Works at 1/16 of the resolution."""
        block: nn.Module = AttentionBlock(n)
        return block

    def features(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Features of noisy pictures at 1/4 and 1/16, denoised; the second are the latents."""
        fine = self.denoiser_fine(self.analysis_fine(x))
        return fine, self.denoiser_coarse(self.analysis_coarse(fine))

    def clean_features(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What clean pictures give there without denoisers."""
        fine = self.analysis_fine(x)
        return fine, self.analysis_coarse(fine)

    def forward(self, x: Tensor, clean: Tensor | None = None) -> Output:
        self._check(x)
        features = self.features(self.padded(x))
        guides = () if clean is None else self.clean_features(self.padded(clean))
        y = features[-1]
        z_hat, z_likelihood = self._hyperlatents(self.hyper_analysis(y))
        hyper = self.hyper_synthesis(z_hat)
        y_hat = y + torch.rand_like(y) - 0.5 if self.training else self._walk(hyper, _rounding(y))
        scales, means = self._distributions(hyper, y_hat)
        _, y_likelihood = self.conditional(y if self.training else y_hat, scales, means)
        picture = self.synthesis(y_hat)
        return Output(
            picture[:, :, : x.shape[2], : x.shape[3]],
            {"y": y_likelihood, "z": z_likelihood},
            features,
            guides,
        )

    def _distributions(self, hyper: Tensor, y_hat: Tensor) -> tuple[Tensor, Tensor]:
        """Scales and means of all latents at once, from hyperlatents and decoded latents."""
        context = F.conv2d(y_hat, self._context_weight(), self.context.bias, padding=_REACH)
        scales, means = self.distribution(torch.cat((hyper, context), 1)).chunk(2, 1)
        return scales, means

    def _context_weight(self) -> Tensor:
        """The context model's kernels, blind to what is not decoded yet."""
        weight: Tensor = self.context.weight * self.context.mask
        return weight

    def _walk(self, hyper: Tensor, code: SiteCoder) -> Tensor:
        """Decoded latents, site after site in raster order: each site's context is decoded before it.

        A site's symbols are `code(row, column, scales, means)`; what is decoded is their sum with the means.
        """
        batch, _, height, width = hyper.shape
        y_hat = hyper.new_zeros(batch, self.n, height + 2 * _REACH, width + 2 * _REACH)
        weight = self._context_weight()
        for row in range(height):
            for column in range(width):
                window = y_hat[:, :, row : row + _KERNEL, column : column + _KERNEL]
                context = F.conv2d(window, weight, self.context.bias)
                here = hyper[:, :, row : row + 1, column : column + 1]
                scales, means = self.distribution(torch.cat((here, context), 1)).chunk(2, 1)
                symbols = code(row, column, scales, means)
                y_hat[:, :, row + _REACH, column + _REACH] = (symbols + means)[:, :, 0, 0]
        return y_hat[:, :, _REACH:-_REACH, _REACH:-_REACH].contiguous()

    def _encode(self, x: Tensor) -> Sequence[bytes]:
        y = self.features(x)[-1]
        z_string, z_hat = self._code_hyperlatents(self.hyper_analysis(y))
        indexes: list[Tensor] = []
        symbols: list[Tensor] = []
        rounding = _rounding(y)

        def record(row: int, column: int, scales: Tensor, means: Tensor) -> Tensor:
            indexes.append(self._table_indexes(scales))
            symbols.append(rounding(row, column, scales, means))
            return symbols[-1]

        self._walk(self.hyper_synthesis(z_hat), record)
        return [z_string, self.latent_tables.encode(torch.stack(symbols).int(), torch.stack(indexes))]

    def _decode(self, strings: Sequence[bytes], height: int, width: int) -> Tensor:
        z_hat = self._decode_hyperlatents(strings[0], height // 64, width // 64)
        decoder = self.latent_tables.decoder(strings[1])

        def next_symbols(row: int, column: int, scales: Tensor, means: Tensor) -> Tensor:
            return decoder(self._table_indexes(scales))

        picture: Tensor = self.synthesis(self._walk(self.hyper_synthesis(z_hat), next_symbols))
        return picture

    def parts(self) -> tuple[Part, ...]:
        def hyperlatents(y: Tensor) -> tuple[Tensor, Tensor]:
            return y, self.hyper_analysis(y).round()

        def at_once(latents: tuple[Tensor, Tensor]) -> Tensor:
            y, z_hat = latents
            y_hat = y.round()
            self._distributions(self.hyper_synthesis(z_hat), y_hat)
            return y_hat

        def one_by_one(latents: tuple[Tensor, Tensor]) -> Tensor:
            y, z_hat = latents
            return self._walk(self.hyper_synthesis(z_hat), _rounding(y))

        entropy = (self.hyper_synthesis, self.context, self.distribution, self.conditional)
        return (
            Part("analysis", "encoder", (self.analysis_fine,), self.analysis_fine),
            Part("denoiser at 1/4", "encoder", (self.denoiser_fine,), self.denoiser_fine),
            Part("analysis", "encoder", (self.analysis_coarse,), self.analysis_coarse),
            Part("denoiser at 1/16", "encoder", (self.denoiser_coarse,), self.denoiser_coarse),
            Part(
                "hyper analysis",
                "entropy",
                (self.hyper_analysis, self.bottleneck),
                hyperlatents,
                encoder_only=True,
            ),
            Part("scales and means", "entropy", entropy, at_once, coding=one_by_one),
            Part("synthesis", "decoder", (self.synthesis,), self.synthesis),
        )


def _rounding(y: Tensor) -> SiteCoder:
    """Symbols of known latents: their rounded differences from the means."""

    def code(row: int, column: int, scales: Tensor, means: Tensor) -> Tensor:
        return (y[:, :, row : row + 1, column : column + 1] - means).round()

    return code
