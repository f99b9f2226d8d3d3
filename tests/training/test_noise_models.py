"""Each formula's noise has the mean and variance that the formula says, and repeats from its seed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from jdcodec.bench.noise import CHENG_LEVELS, NoiseLevel
from jdcodec.errors import TrainingError
from jdcodec.training.noise import (
    MODELS,
    RAW_GAMMA_LEVELS,
    Gaussian,
    PoissonGaussian,
    RawGamma,
    SaltAndPepper,
    Speckle,
    linear_to_srgb,
    noise_at,
    srgb_to_linear,
)
from jdcodec.training.noise.named import NoiseModel


def add(model: NoiseModel, level: float, seed: int = 0) -> Tensor:
    """Noise on a flat patch, (4, 3, 96, 96)."""
    clean = torch.full((4, 3, 96, 96), level)
    noisy, target = model(clean, torch.Generator().manual_seed(seed))
    assert torch.equal(target, clean)
    return noisy


@pytest.mark.parametrize("level", [0.3, 0.5, 0.6])
def test_poisson_gaussian_variance_is_linear(level: float) -> None:
    noisy = add(PoissonGaussian(0.001, 0.0004), level)
    assert float(noisy.mean()) == pytest.approx(level, abs=0.002)
    assert float(noisy.var()) == pytest.approx(0.001 * level + 0.0004, rel=0.05)


def test_poisson_gaussian_defaults_are_testolinas() -> None:
    model = PoissonGaussian()
    assert (model.a, model.b) == (pytest.approx(0.2**2), pytest.approx(0.04**2))
    assert noise_at("poisson-gaussian", 0.04) == model


def test_poisson_noise_is_not_gaussian() -> None:
    """At few photons its third moment shows: a·variance, which a Gaussian has not."""
    noisy = add(PoissonGaussian(0.02, 0.0), 0.3)
    third = ((noisy - noisy.mean()) ** 3).mean()
    assert float(third) == pytest.approx(0.02**2 * 0.3, rel=0.25)


@pytest.mark.parametrize("level", [1, 2, 3])
def test_raw_gamma_variance_in_linear_light(level: int) -> None:
    read, shot = RAW_GAMMA_LEVELS[level]
    linear = 0.35
    noisy = srgb_to_linear(add(noise_at("raw-gamma", level), float(linear_to_srgb(torch.tensor(linear)))))
    assert float(noisy.mean()) == pytest.approx(linear, abs=0.003)
    assert float(noisy.var()) == pytest.approx(read**2 + shot * linear, rel=0.06)


def test_raw_gamma_is_the_benchmarks_noise() -> None:
    """Two implementations, one for tensors and one for arrays: same levels, curves and strengths."""
    assert RAW_GAMMA_LEVELS == CHENG_LEVELS
    for compat, name in ((False, "cheng"), (True, "cheng-released")):
        for value in (40, 128, 200):
            array = np.full((96, 96, 3), value, np.uint8)
            theirs = NoiseLevel(name, 2).apply(array, "flat", 0).astype(float)
            read, shot = np.log10(RAW_GAMMA_LEVELS[2])
            ours = add(RawGamma(read, read, shot, shot, compat=compat), value / 255).numpy() * 255
            assert ours.mean() == pytest.approx(theirs.mean(), abs=0.8)
            assert ours.std() == pytest.approx(theirs.std(), rel=0.05)


def test_released_curves_brighten_mid_grey() -> None:
    silent = RawGamma(-6, -6, -9, -9, compat=True)
    assert 4 <= float(add(silent, 128 / 255).mean()) * 255 - 128 <= 6
    assert float(add(RawGamma(-6, -6, -9, -9), 128 / 255).mean()) * 255 == pytest.approx(128, abs=0.01)


def test_raw_gamma_draws_over_its_range() -> None:
    clean = torch.full((64, 3, 24, 24), 0.5)
    noisy, _ = RawGamma()(clean, torch.Generator().manual_seed(3))
    deviations = srgb_to_linear(noisy).std((1, 2, 3))
    assert deviations.max() / deviations.min() > 4


@pytest.mark.parametrize("sigma", [5, 25])
def test_gaussian_deviation_is_sigma(sigma: float) -> None:
    noisy = add(noise_at("gaussian", sigma), 0.5)
    assert float(noisy.mean()) == pytest.approx(0.5, abs=0.003)
    assert float(noisy.std()) * 255 == pytest.approx(sigma, rel=0.03)


def test_gaussian_is_white() -> None:
    residual = add(Gaussian(20, 20), 0.5) - 0.5
    beside = (residual[..., 1:] * residual[..., :-1]).mean() / residual.var()
    assert abs(float(beside)) < 0.02


def test_salt_and_pepper_hits_a_share_half_and_half() -> None:
    noisy = add(SaltAndPepper(0.2, 0.2), 0.5)
    salt, pepper = float((noisy == 1).float().mean()), float((noisy == 0).float().mean())
    assert salt == pytest.approx(0.1, abs=0.01) and pepper == pytest.approx(0.1, abs=0.01)
    assert torch.equal(noisy[:, 0] == 1, noisy[:, 2] == 1)  # all channels of a pixel alike
    untouched = noisy[(noisy > 0) & (noisy < 1)]
    torch.testing.assert_close(untouched, torch.full_like(untouched, 128 / 255))


@pytest.mark.parametrize("level", [0.2, 0.5])
def test_speckle_grows_with_the_signal(level: float) -> None:
    noisy = add(Speckle(0.1, 0.1), level)
    assert float(noisy.std()) == pytest.approx(0.1 * level, rel=0.05)
    assert float(add(Speckle(0.1, 0.1), 0.0).abs().max()) == 0


def test_iso_doubles_the_variance() -> None:
    variances = [
        float(srgb_to_linear(noise_at("camera", iso)(torch.full((8, 3, 64, 64), 0.6), seeded())[0]).var())
        for iso in (1600, 3200, 6400)
    ]
    assert 1.6 < variances[1] / variances[0] < 2.6
    assert 1.6 < variances[2] / variances[1] < 2.8


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(7)


@pytest.mark.parametrize("name", MODELS)
def test_repeats_from_its_seed_and_stays_in_range(name: str) -> None:
    clean = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    model = MODELS[name]()
    first, second = (model(clean, torch.Generator().manual_seed(5))[0] for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first, model(clean, torch.Generator().manual_seed(6))[0])
    assert first.min() >= 0 and first.max() <= 1
    torch.testing.assert_close(first * 255, (first * 255).round(), atol=1e-3, rtol=0)
    assert model.problem() is None


@pytest.mark.parametrize(
    ("model", "level"),
    [
        ("camera", 10), ("raw-gamma", 5), ("raw-gamma", 1.5), ("gaussian", -1), ("gaussian", float("nan")),
        ("salt-and-pepper", 1.1), ("speckle", -0.1), ("poisson-gaussian", 0), ("hiss", 1),
    ],
)  # fmt: skip
def test_a_level_out_of_range(model: str, level: float) -> None:
    with pytest.raises(TrainingError, match=f"noise .*{model}"):
        noise_at(model, level)


@pytest.mark.parametrize(
    "model",
    [
        PoissonGaussian(a=0.0), PoissonGaussian(b=-1.0), RawGamma(log_read_min=1.0),
        RawGamma(log_shot_max=0.5), Gaussian(30, 20), Gaussian(sigma_max=256), SaltAndPepper(0, 1.5),
        Speckle(-1, 1),
    ],
)  # fmt: skip
def test_a_range_that_makes_no_sense(model: NoiseModel) -> None:
    assert model.problem()
