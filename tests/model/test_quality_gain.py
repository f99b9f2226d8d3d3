"""Gains rise with the quality, whatever the parameters: no quality step is lost and none goes back."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from jdcodec.model.config import LAMBDA_MAX, LAMBDA_MIN
from jdcodec.model.quality import QualityGain


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.01, 4))
def test_strictly_increasing_for_any_parameters(seed: int, spread: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    gain = QualityGain(16).double()
    for parameter in gain.parameters():
        parameter.data = spread * torch.randn(16, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        log_gain = gain(torch.linspace(0, 1, 225, dtype=torch.float64))
    assert (log_gain.diff(dim=0) > 0).all()


def test_starts_with_steps_in_proportion_to_the_root_of_lambda() -> None:
    with torch.no_grad():
        low, high = QualityGain(3)(torch.tensor([0.0, 1.0])).exp().flatten(1)
    torch.testing.assert_close(high / low, torch.full((3,), (LAMBDA_MAX / LAMBDA_MIN) ** 0.5))
