"""Rounding towards zero where that saves more than it costs, and the noise that its strength depends on."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import PictureMaker

from jdcodec.codec import symbols
from jdcodec.codec.encoder import EncodeSettings, code_photo
from jdcodec.codec.noise import NoisePower
from jdcodec.codec.rounding import (
    LARGEST_SHIFT,
    Rounding,
    error_worth,
    rate_aware_rounding,
)
from jdcodec.codec.target import SizeGoal
from jdcodec.codec.weights import find_model, load_weights, shipped_models
from jdcodec.inference.interface import latent_gain
from jdcodec.model.config import quality_to_t
from jdcodec.photo import from_array


@pytest.mark.skipif("fast" not in shipped_models(), reason="no weights/fast.safetensors")
def test_shifts_grow_with_the_strength() -> None:
    weights = find_model("fast")
    gain = latent_gain(weights.network, quality_to_t(6))
    worth = [error_worth(gain, 6, strength) for strength in (0.8, 1.6)]
    np.testing.assert_allclose(worth[0], 2 * worth[1], rtol=1e-6)
    weak, strong = (rate_aware_rounding(weights.tables, each) for each in worth)
    np.testing.assert_array_equal(weak.by_level, strong.by_level)
    np.testing.assert_allclose(2 * weak.by_channel, strong.by_channel, rtol=1e-6)


class Values:
    """Values in quantisation steps, with their levels and channels, and a rounding: all random."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.steps = rng.normal(0, 3, 4000).astype(np.float32)
        self.levels = rng.integers(1, 64, 4000).astype(np.uint8)
        self.channels = rng.integers(0, 20, 4000)
        by_level = rng.uniform(0, 0.6, (2, 64)).astype(np.float32)
        self.rounding = Rounding(by_level, rng.uniform(0, 1.5, 20).astype(np.float32))


def test_without_shifts_it_is_plain_rounding() -> None:
    given = Values(0)
    plain = Rounding(0 * given.rounding.by_level, given.rounding.by_channel)
    found = plain(given.steps, given.levels, given.channels)
    np.testing.assert_array_equal(found, np.rint(given.steps))
    assert found.dtype == np.float32


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_magnitude_is_reached_from_half_and_the_shift_on(seed: int) -> None:
    """n − 1 + f becomes n where f is at least 1/2 and the shift, which is 1/2 at most."""
    given = Values(seed)
    found = given.rounding(given.steps, given.levels, given.channels)
    magnitude = np.abs(given.steps).astype(np.float64)
    first, further = given.rounding.by_level[:, given.levels].astype(np.float64)
    shift = np.where(magnitude >= 1.5, further, first) * given.rounding.by_channel[given.channels]
    wanted = magnitude - np.minimum(shift, LARGEST_SHIFT) + 0.5
    # Those within float32's rounding of an edge may fall either way.
    clear = (np.abs(wanted - np.rint(wanted)) > 1e-5) & (np.abs(magnitude - 1.5) > 1e-5)
    np.testing.assert_array_equal(found[clear], np.copysign(np.floor(wanted), given.steps)[clear])
    assert clear.mean() > 0.99
    plain = np.rint(given.steps)
    assert (np.abs(found) <= np.abs(plain)).all() and (np.abs(found) < np.abs(plain)).mean() > 0.05
    assert (np.abs(found - given.steps) <= 1 + 1e-6).all()


def test_only_what_is_rounded_alone_is_shifted(tiny_model: Path, scalar_model: Path) -> None:
    """What has dependent quantisation is left to the search for a path, which weighs bits itself."""
    worth = np.ones(48, np.float32)
    for model in (tiny_model, scalar_model):
        tables = load_weights(model.resolve()).tables
        rounding = rate_aware_rounding(tables, worth)
        shifted = np.flatnonzero(rounding.by_level.any(axis=0))
        assert len(shifted) and shifted.max() < tables.trellis_level
        assert set(range(2, min(20, tables.trellis_level))) <= set(shifted.tolist())


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
    """Powers so far apart that plain sums would depend on it."""
    levels = np.array([0, 1, 3, 50, 255], np.uint8)
    windows = [
        (np.full((8 * k + 1, 5, 3), levels[k % 5]), np.full((8 * k + 1, 5, 3), 1e-4, np.float16))
        for k in range(40)
    ]

    def result(order: list[int], total: Callable[[Iterable[float]], float] | None = None) -> float:
        power = NoisePower()
        for number in order:
            power.add(*windows[number])
        return power.result() if total is None else total(value for value, _ in power._windows)

    orders = [random.Random(seed).sample(range(40), 40) for seed in range(30)]
    assert len({result(order, sum) for order in orders}) > 1, "a test that could not fail"
    assert len({result(order) for order in orders}) == 1


def test_every_trial_of_a_size_knows_the_noise(
    tiny_model: Path, make_picture: PictureMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    noises: list[float] = []

    def spy(*arguments: Any, noise: float, **options: Any) -> symbols.Symbols:
        noises.append(noise)
        return given(*arguments, noise=noise, **options)

    given = symbols.latents_to_symbols
    monkeypatch.setattr(symbols, "latents_to_symbols", spy)
    photo = from_array(make_picture(128, 192))
    settings = EncodeSettings(model=str(tiny_model), size=SizeGoal(2000.0, never_above=False))
    assert code_photo(photo, settings).network_runs > 1
    assert len(noises) > 1 and noises[0] > 0 and len(set(noises)) == 1
    noises.clear()
    code_photo(photo, replace(settings, size=None, denoise=0.0))
    assert noises == [0.0]
