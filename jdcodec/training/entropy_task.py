"""Training the entropy model alone, on what files really cost.

Elsewhere the rate is that of latents with uniform noise under logistic densities: smooth, as transforms need
it. Files hold symbols, rounded with a dead zone or chosen along a trellis, in tables fitted to them. Here
transforms, gains and denoiser stay as they are, and scale indices descend the code lengths of such tables.
Means go on descending the smooth rate, and the error that quantisation leaves.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from jdcodec.codec.noise_policy import rounding_strength
from jdcodec.codec.rounding import LARGEST_SHIFT
from jdcodec.model.config import QUALITY_MAX, QUALITY_MIN
from jdcodec.model.entropy_model import (
    LOG_SCALE_STEP,
    SCALE_LEVELS,
    SCALE_MIN,
    checkerboard,
    logistic_bits,
    rate_aware_round,
    straight_through_round,
)
from jdcodec.model.precision import fast_autocast
from jdcodec.model.quality import squared_error_worth

from .batches import Batches
from .dependent import DependentRounding
from .loss import Loss, symbol_loss
from .recipe import Recipe
from .symbol_costs import SymbolCosts
from .task import Compiler, JointTask, Task

#: Batches that the tables are fitted to before the first step.
_FIT_BATCHES = 40


@dataclass(frozen=True)
class _Coded:
    """Latents on their way into a file; z is (B, N, h, w), all else (B, M, 4 h, 4 w).

    values: what is quantised, (y − mean) · gain. index: the real-valued scale index. symbols: in steps; files
    hold the indices of quantisers instead (`SymbolCosts`). decoded: latents.
    """

    z: Tensor
    index: Tensor
    values: Tensor
    symbols: Tensor
    indices: Tensor
    quantisers: Tensor
    decoded: Tensor

    @property
    def levels(self) -> Tensor:
        return self.index.detach().round().clamp(0, SCALE_LEVELS - 1)


class EntropyTask(JointTask):
    """The entropy model behind a finished denoiser and finished transforms, those of `--start-from`."""

    def __init__(self, recipe: Recipe, device: torch.device, compiler: Compiler) -> None:
        super().__init__(recipe, device, compiler)
        for name, parameter in self.network.named_parameters():
            parameter.requires_grad_(name.startswith("entropy."))
        self._take(SymbolCosts(device))
        self._descend = compiler(self._descended)

    def begin(self, data: Batches) -> None:
        self._take(SymbolCosts(data.device))
        fitted = SymbolCosts(data.device)
        for step in range(_FIT_BATCHES):
            batch = data.draw(data.order(step, 0.0))
            with torch.no_grad():
                coded = self._coded(*self._latents(batch.noisy, batch.strength, batch.t))
            fitted.count(coded.indices, coded.quantisers, coded.levels)
        fitted.fit(data.team.mean)
        self._take(fitted)

    def take_fitted(self, other: Task) -> None:
        assert isinstance(other, EntropyTask)
        self._take(other._costs)

    def _take(self, costs: SymbolCosts) -> None:
        self._costs = costs
        self._dependent = DependentRounding(costs.index_bits())

    def forward(self, noisy: Tensor, target: Tensor, strength: Tensor, t: Tensor) -> Loss:
        latents, t, rounding = self._latents(noisy, strength, t)
        with fast_autocast(noisy.device):
            bits, smooth, error = self._descend(latents, t, rounding)
        total, bpp = symbol_loss(bits, smooth, error, noisy.shape[2] * noisy.shape[3], t)
        nothing = torch.empty(0, device=noisy.device)
        return Loss(total, bpp, nothing, nothing)

    def decode(self, x: Tensor, t: float) -> tuple[Tensor, Tensor]:
        """As files would have it: whole hyperlatents and symbols, the latter by the tables."""
        ones = torch.ones(len(x), device=x.device)
        latents, ts, rounding = self._latents(x, ones, t * ones)
        with fast_autocast(x.device):
            coded = self._coded(latents, ts, rounding)
            picture = self.network.synthesis(coded.decoded, ts)
        bits = self._costs.of(coded.indices, coded.quantisers, coded.levels).sum((1, 2, 3))
        return picture.float(), bits + self.network.entropy.prior.bits(coded.z.round(), ts).sum((1, 2, 3))

    @torch.no_grad()
    def _latents(self, noisy: Tensor, strength: Tensor, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(latents of denoised pictures; t; strength of rate-aware rounding (B,), as encoders choose it)."""
        with fast_autocast(noisy.device):
            noise = self.network.denoiser(noisy).float().contiguous()
            removed = strength[:, None, None, None] * noise
            y = self.network.analysis(noisy - removed, t)
        powers = removed.square().mean((1, 2, 3)).tolist()
        qualities = (QUALITY_MIN + (QUALITY_MAX - QUALITY_MIN) * t).tolist()
        strengths = [
            rounding_strength(*of_picture) for of_picture in zip(powers, qualities, strength.tolist())
        ]
        return y, t, torch.tensor(strengths, device=noisy.device)

    def _coded(self, y: Tensor, t: Tensor, rounding: Tensor) -> _Coded:
        entropy = self.network.entropy
        log_gain = self.network.gain(t)
        gain = log_gain.exp()
        z = entropy.hyperlatents(y, t)
        z_hat = straight_through_round(z)
        index = entropy.scale(z_hat, log_gain, t)
        worth = squared_error_worth(gain, t) / rounding[:, None, None, None]
        shifts = self._shifts(index, worth)
        features = entropy.features(z_hat)
        anchors = checkerboard(y.shape[2], y.shape[3], y.device)
        mean = entropy.mean_of_anchors(features)
        first = self._quantised((y - mean) * gain, shifts, index, worth, phase=0)
        y_anchors = (mean + first[0] / gain) * anchors
        mean = torch.where(anchors, mean, entropy.mean_of_others(features, y_anchors, t))
        values = (y - mean) * gain
        second = self._quantised(values, shifts, index, worth, phase=1)
        symbols, indices, quantisers = (torch.where(anchors, *both) for both in zip(first, second))
        decoded = mean + symbols / gain
        return _Coded(z, index, values, symbols.detach(), indices, quantisers, decoded)

    def _quantised(
        self, values: Tensor, shifts: tuple[Tensor, Tensor], index: Tensor, worth: Tensor, phase: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """(symbols with the gradient of the identity, indices, quantisers) at the sites of a phase."""
        rounded = rate_aware_round(values, shifts)
        symbols, indices, quantisers = self._dependent.coded(values, rounded, index, worth, phase)
        return values + (symbols - values).detach(), indices, quantisers

    def _shifts(self, index: Tensor, worth: Tensor) -> tuple[Tensor, Tensor]:
        """As `jdcodec.codec.rounding`, by the tables fitted here; infinite where nothing is coded."""
        levels = index.detach().round().clamp(0, SCALE_LEVELS - 1).long()
        factor = 0.5 / worth
        first, further = (
            (row[levels] * factor).clamp_max(LARGEST_SHIFT).masked_fill(levels == 0, torch.inf)
            for row in self._costs.step_bits()
        )
        return first, further

    def _descended(self, y: Tensor, t: Tensor, rounding: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Of each picture (B,): bits; smooth bits, for means alone; worth of the squared error in bits."""
        coded = self._coded(y, t, rounding)
        uniform = torch.rand_like(coded.z) - 0.5
        hyper_bits = self.network.entropy.prior.bits(coded.z + uniform, t)
        bits = self._costs.between(coded.indices, coded.quantisers, coded.index)
        index = coded.index.detach().clamp(0.0, SCALE_LEVELS - 1.0)
        noise = torch.rand_like(coded.values) - 0.5
        smooth = logistic_bits(coded.values + noise, SCALE_MIN * torch.exp(LOG_SCALE_STEP * index))
        worth = squared_error_worth(self.network.gain(t).exp(), t)
        error = (coded.values - coded.symbols).square() * worth
        return hyper_bits.sum((1, 2, 3)) + bits.sum((1, 2, 3)), smooth.sum((1, 2, 3)), error.sum((1, 2, 3))
