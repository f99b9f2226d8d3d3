"""How strongly the encoder rounds towards zero: as in training, and more so what is noisy for its quality."""

from __future__ import annotations

import random

import numpy as np
import pytest

from jdcodec.codec.noise import NoisePower
from jdcodec.codec.rounding import rounding_shifts, rounding_strength
from jdcodec.codec.weights import find_model, shipped_models
from jdcodec.inference.interface import latent_gain
from jdcodec.model.config import ROUNDING_STRENGTH, quality_to_t

GAIN = np.array([0.4, 1.0, 3.0], np.float32)


def test_without_noise_it_is_that_of_training() -> None:
    assert rounding_strength(GAIN, 0.0) == ROUNDING_STRENGTH


def test_it_rises_with_noise_and_quality_to_a_bound() -> None:
    noises = [0.0, 1e-5, 1e-4, 0.1, 1.0]
    for gain in (GAIN, 2 * GAIN):
        strengths = [rounding_strength(gain, noise) for noise in noises]
        assert strengths == sorted(strengths) and strengths[1] > strengths[0]
        assert strengths[-1] == strengths[-2] == 1.6
    assert rounding_strength(2 * GAIN, 1e-4) > rounding_strength(GAIN, 1e-4)


@pytest.mark.skipif("fast" not in shipped_models(), reason="no weights/fast.safetensors")
def test_shifts_grow_with_the_strength() -> None:
    weights = find_model("fast")
    gain = latent_gain(weights.network, quality_to_t(6))
    weak, strong = (rounding_shifts(weights.tables, gain, 6, strength) for strength in (0.8, 1.6))
    np.testing.assert_array_equal(weak[0], strong[0])
    np.testing.assert_allclose(2 * weak[1], strong[1], rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_power_of_what_was_removed(dtype: type[np.integer]) -> None:
    largest, generator = np.iinfo(dtype).max, np.random.default_rng(0)
    clean = generator.uniform(0.2, 0.8, (203, 40, 3)).astype(np.float16)
    noise = generator.normal(0, 0.05, clean.shape)
    noisy = np.rint((clean + noise) * largest).astype(dtype)
    power = NoisePower()
    assert power.result() == 0
    for rows in (slice(0, 64), slice(64, 203)):
        power.add(noisy[rows], clean[rows])
    assert power.result() == pytest.approx(0.05**2, rel=0.05)


def test_the_order_of_windows_does_not_matter() -> None:
    generator = np.random.default_rng(1)
    windows = [(generator.integers(0, 256, (9, 8, 3), np.uint8), np.zeros((9, 8, 3), np.float16))] * 3
    windows += [(window // np.uint8(k), clean) for k, (window, clean) in enumerate(windows * 5, 2)]
    found = set()
    for seed in range(6):
        power = NoisePower()
        for window in random.Random(seed).sample(windows, len(windows)):
            power.add(*window)
        found.add(power.result())
    assert len(found) == 1
