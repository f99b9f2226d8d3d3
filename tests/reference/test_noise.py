"""The student project's noises against their statistics."""

from __future__ import annotations

import pytest
import torch

from jdcodec.reference.noise import NOISES, gaussian, poisson, salt_and_pepper, speckle

GRAY = torch.full((4, 1, 128, 128), 0.4)


def _draw(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_gaussian_has_its_deviation() -> None:
    noise = gaussian(GRAY, 0.05, _draw()) - GRAY
    assert float(noise.mean()) == pytest.approx(0, abs=1e-3)
    assert float(noise.std()) == pytest.approx(0.05, rel=0.02)


def test_speckle_grows_with_the_signal() -> None:
    for level in (0.2, 0.4):
        noise = speckle(GRAY / 0.4 * level, 0.1, _draw()) - level
        assert float(noise.std()) == pytest.approx(0.1 * level, rel=0.02)


def test_poisson_has_the_variance_of_counts() -> None:
    noise = poisson(GRAY, 50.0, _draw()) - GRAY
    assert float(noise.mean()) == pytest.approx(0, abs=2e-3)
    assert float(noise.var()) == pytest.approx(0.4 / 50, rel=0.03)


def test_salt_and_pepper_replaces_its_share() -> None:
    noisy = salt_and_pepper(GRAY, 0.2, _draw())
    assert float((noisy == 1).float().mean()) == pytest.approx(0.1, abs=0.005)
    assert float((noisy == 0).float().mean()) == pytest.approx(0.1, abs=0.005)
    assert float((noisy == GRAY).float().mean()) == pytest.approx(0.8, abs=0.01)


@pytest.mark.parametrize("name", NOISES)
def test_a_seed_repeats_and_values_stay_in_range(name: str) -> None:
    x = torch.rand(2, 3, 16, 16, generator=_draw())
    strength = 5.0 if name == "poisson" else 0.5
    noisy = NOISES[name](x, strength, _draw(2))
    assert torch.equal(noisy, NOISES[name](x, strength, _draw(2)))
    assert not torch.equal(noisy, NOISES[name](x, strength, _draw(3)))
    assert torch.equal(noisy, noisy.clamp(0, 1))
