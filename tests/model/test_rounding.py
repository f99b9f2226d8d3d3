"""Training rounds latents as the encoder does, but for the tables that only the encoder has."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from conftest import NetworkMaker
from torch import Tensor

from jdcodec.codec.rounding import LARGEST_SHIFT, error_worth, rate_aware_rounding
from jdcodec.entropy.tables import LEVELS
from jdcodec.model.config import ROUNDING_STRENGTH, quality_to_t
from jdcodec.model.entropy_model import logistic_shifts, rate_aware_round
from jdcodec.model.quality import squared_error_worth
from jdcodec.training import export


def rounded(value: Tensor, level: float, worth: Tensor | None = None) -> Tensor:
    worth = torch.ones(1, 1, 1, 1) if worth is None else worth
    return rate_aware_round(value, logistic_shifts(torch.full_like(value, level), worth))


def test_gradient_is_that_of_the_identity() -> None:
    value = torch.linspace(-3, 3, 61)[None, None, :, None].requires_grad_()
    weight = torch.rand_like(value)
    symbols = rounded(value, 12.0)
    (symbols * weight).sum().backward()
    assert value.grad is not None and torch.equal(value.grad, weight)


def test_level_zero_is_not_coded() -> None:
    value = torch.linspace(-9, 9, 61)[None, None, :, None]
    assert not rounded(value, 0.49).any()
    assert rounded(value, 0.51).any()


def test_squared_errors_without_end_leave_plain_rounding() -> None:
    value = torch.linspace(-3.04, 3.04, 77)[None, None, :, None]
    symbols = rounded(value, 9.0, torch.full((1, 1, 1, 1), 1e9))
    assert torch.equal(symbols, value.round())


@pytest.mark.parametrize(
    ("trellis_level", "levels"),
    [(LEVELS, (10, 16, 24, 40)), (14, (10, 13))],  # below, tables give rare symbols more than the logistic
)
@pytest.mark.parametrize("quality", [1.0, 4.5, 8.0])
def test_thresholds_are_those_of_the_encoder(
    quality: float,
    trellis_level: int,
    levels: tuple[int, ...],
    make_network: NetworkMaker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With tables that are the network's densities, as they are before they are fitted to symbols.

    Levels with dependent quantisation have no thresholds: their symbols are not rounded alone.
    """
    monkeypatch.setattr(export, "TRELLIS_LEVEL", trellis_level)
    network = make_network("fast")
    tables = export._start_tables(network)
    t = torch.tensor([quality_to_t(quality)])
    gain = network.gain(t).exp().detach()
    rounding = rate_aware_rounding(tables, error_worth(gain.flatten().numpy(), quality, ROUNDING_STRENGTH))
    assert not rounding.by_level[:, trellis_level:].any()
    worth = squared_error_worth(gain, t)
    value = torch.linspace(0, 3, 3001)[None, None, :, None].expand(1, gain.shape[1], -1, 1)
    for level in levels:
        symbols = rounded(value, float(level), worth)[0, :, :, 0].numpy()
        shifts = np.minimum(rounding.by_level[:, level, None] * rounding.by_channel, LARGEST_SHIFT)
        for n, shift in enumerate(shifts, 1):
            reached = value[0, 0, :, 0].numpy()[np.argmax(symbols >= n, axis=1)]
            assert np.abs(reached - (n - 0.5 + shift)).max() < 0.01, (level, n)
