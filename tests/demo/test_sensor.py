"""The sensor model: its noise has the variance that its formula promises, and nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest

from jdcodec.demo.sensor import Sensor


def gray(level: float, side: int = 300) -> np.ndarray:
    return np.full((side, side, 3), level, np.float32)


def greens(mosaic: np.ndarray, sensor: Sensor) -> np.ndarray:
    """The green pixels of the first row pair as signals in [0, 1]; green sees the scene's gray unscaled."""
    return (mosaic[0::2, 1::2].astype(float) - sensor.black_level) / (sensor.white_level - sensor.black_level)


@pytest.mark.parametrize("level", [0.05, 0.2, 0.6])
@pytest.mark.parametrize("iso", [400, 6400])
def test_noise_has_the_mean_and_variance_of_the_formula(level: float, iso: int) -> None:
    sensor = Sensor()
    shot, read = sensor.noise(iso)
    signal = greens(sensor.expose(gray(level), iso, np.random.default_rng(1)), sensor)

    # Rounding to integers adds 1/12 of a squared level.
    expected = shot * level + read**2 + 1 / 12 / (sensor.white_level - sensor.black_level) ** 2
    assert signal.var() == pytest.approx(expected, rel=0.04)
    assert signal.mean() == pytest.approx(level, abs=4 * (expected / signal.size) ** 0.5)


def test_noise_grows_with_iso() -> None:
    sensor = Sensor(full_well=40_000, read_noise=2.5)
    shot, read = sensor.noise(800)
    # 5,000 electrons saturate at ISO 800: one is a 5,000th of the signal.
    assert (shot, read) == pytest.approx((1 / 5000, 2.5 / 5000))
    assert sensor.noise(6400) == pytest.approx((8 * shot, 8 * read))


def test_without_a_generator_there_is_no_noise() -> None:
    sensor = Sensor()
    signal = greens(sensor.expose(gray(0.3), 6400, None), sensor)
    assert np.ptp(signal) == 0
    assert signal[0, 0] == pytest.approx(0.3, abs=1e-4)


def test_one_seed_makes_one_photograph() -> None:
    sensor = Sensor()
    first, again, other = (
        sensor.expose(gray(0.3, 32), 6400, np.random.default_rng(seed)) for seed in (5, 5, 6)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_white_reads_as_the_neutral_of_the_tags() -> None:
    sensor = Sensor()
    mosaic = sensor.expose(gray(1.0, 2), 100, None)
    signal = (mosaic.astype(float) - sensor.black_level) / (sensor.white_level - sensor.black_level)
    red, green, blue = sensor.dng_tags(100).as_shot_neutral
    assert green == 1
    assert signal == pytest.approx(np.array([[red, green], [green, blue]]), abs=1e-4)


def test_light_beyond_saturation_and_below_nothing_clips() -> None:
    sensor = Sensor()
    assert (sensor.expose(gray(50.0, 4), 100, None) == sensor.white_level).all()
    assert (sensor.expose(gray(-1.0, 4), 100, np.random.default_rng(0)) < 2 * sensor.black_level).all()


def test_darkness_keeps_its_noise_on_both_sides_of_the_black_level() -> None:
    sensor = Sensor()
    mosaic = sensor.expose(gray(0.0), 6400, np.random.default_rng(0))
    assert mosaic.mean() == pytest.approx(sensor.black_level, abs=1)
    assert 0.4 < (mosaic < sensor.black_level).mean() < 0.6


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (2, 7)])
def test_odd_sizes_have_a_mosaic(shape: tuple[int, int]) -> None:
    mosaic = Sensor().expose(np.full((*shape, 3), 0.5, np.float32), 100, None)
    assert mosaic.shape == shape
    assert mosaic.dtype == np.uint16
