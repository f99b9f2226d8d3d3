"""Measuring removed noise: what is put back has the deviation and the spectrum of what was taken."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from jdcodec.codec.grain import add_grain
from jdcodec.codec.grain_meter import GrainMeter
from jdcodec.container.grain import Grain, pack_grain

Floats = NDArray[np.float64]


def scene(height: int = 448, width: int = 512) -> Floats:
    """Brightness rising to the right, even for the most part, with a strong pattern in the upper third."""
    picture = np.repeat(np.linspace(0.1, 0.9, width)[None, :, None], height, axis=0).repeat(3, axis=2)
    rows, columns = np.mgrid[0 : height // 3, 0:width]
    picture[: height // 3] += (0.1 * np.sin(rows) * np.cos(0.8 * columns))[..., None]
    return picture.clip(0, 1)


def noise(shape: tuple[int, ...], width: float, seed: int = 0) -> Floats:
    """Noise of variance 1 through a Gaussian low-pass of so many pixels, stronger in blue than in green."""
    white = np.random.default_rng(seed).normal(size=shape)
    squared = np.fft.fftfreq(shape[0])[:, None] ** 2 + np.fft.rfftfreq(shape[1])[None] ** 2
    response = np.exp(-2 * np.pi**2 * width**2 * squared)[..., None]
    filtered = np.fft.irfft2(np.fft.rfft2(white, axes=(0, 1)) * response, s=shape[:2], axes=(0, 1))
    return filtered / filtered.std() * np.array([1.0, 0.8, 1.3])


def measure(noisy: Floats, clean: Floats) -> Grain | None:
    meter = GrainMeter(noisy.shape[0] * noisy.shape[1])
    meter.add(np.rint(255 * noisy.clip(0, 1)).astype(np.uint8), clean.astype(np.float16))
    return meter.result()


def looks(picture: Floats) -> Floats:
    """Of the even part at middle brightness: deviations of R, G, B, and correlations over 1 and 3 pixels."""
    part = picture[200:440, 192:320]
    columns = np.linspace(-0.5, 0.5, part.shape[1])
    slope = (part * columns[None, :, None]).mean((0, 1)) / (columns**2).mean()
    rest = part - part.mean((0, 1)) - slope * columns[None, :, None]
    variance = rest.var((0, 1))
    near, far = ((rest[:, n:] * rest[:, :-n]).mean((0, 1)) / variance for n in (1, 3))
    return np.stack([255 * np.sqrt(variance), near, far])


@pytest.mark.parametrize("width", [0.0, 0.7, 1.5, 3.0])
def test_grain_looks_like_the_noise(width: float) -> None:
    clean = scene()
    noisy = clean + noise(clean.shape, width) * (0.01 + 0.04 * clean)
    grain = measure(noisy, clean)
    assert grain is not None
    wanted, found = looks(noisy), looks(add_grain(clean.astype(np.float32), grain, 1.0).astype(np.float64))
    np.testing.assert_allclose(found[0], wanted[0], rtol=0.2)
    np.testing.assert_allclose(found[1:], wanted[1:], atol=0.15)


def test_strength_follows_brightness() -> None:
    clean = scene()
    grain = measure(clean + noise(clean.shape, 0.0) * 0.05 * clean, clean)
    assert grain is not None
    dark, bright = (grain.deviation_levels[0][level] for level in (2, 6))
    assert bright / dark == pytest.approx(3.0, rel=0.2)


def test_texture_that_was_taken_is_not_noise() -> None:
    """The pattern is flattened in what is given as denoised: only the even part tells of the noise."""
    clean = scene()
    noisy = clean + noise(clean.shape, 0.0) * 0.02
    spoilt = clean.copy()
    spoilt[:149] = 0.25 * clean[:149] + 0.75 * clean[200:201]
    honest, misled = measure(noisy, clean), measure(noisy, spoilt)
    assert honest is not None and misled is not None
    np.testing.assert_allclose(misled.deviation_levels[0][2:6], honest.deviation_levels[0][2:6], rtol=0.25)


def test_only_what_was_removed_counts() -> None:
    clean = scene()
    added = noise(clean.shape, 0.0) * 0.04
    all_of_it, half = measure(clean + added, clean), measure(clean + added, clean + added / 2)
    assert all_of_it is not None and half is not None
    # Half of the amplitude is left, a quarter of the power: three quarters are missing.
    assert half.deviation_levels[0][4] / all_of_it.deviation_levels[0][4] == pytest.approx(0.75**0.5, rel=0.1)


def test_noise_that_nobody_sees_is_not_told() -> None:
    clean = scene()
    assert measure(clean + noise(clean.shape, 0.0) * 0.2 / 255, clean) is None
    assert measure(clean + noise(clean.shape, 0.0) * 1.5 / 255, clean) is not None


@pytest.mark.parametrize("shape", [(1, 1, 3), (31, 300, 3), (33, 32, 3)])
@pytest.mark.parametrize("level", [0, 255])
def test_small_and_blank_pictures_have_no_grain(shape: tuple[int, ...], level: int) -> None:
    meter = GrainMeter(shape[0] * shape[1])
    blank = np.full(shape, level, np.uint8)
    meter.add(blank, (blank / 255).astype(np.float16))
    assert meter.result() is None
    assert GrainMeter(1).result() is None


def test_windows_may_come_in_any_order() -> None:
    clean = scene()
    noisy = np.rint(255 * (clean + noise(clean.shape, 1.0) * 0.02).clip(0, 1)).astype(np.uint8)
    found = []
    for order in ([0, 1, 2], [2, 0, 1]):
        meter = GrainMeter(clean.shape[0] * clean.shape[1])
        for part in order:
            rows = slice(128 * part, 128 * part + 128)
            meter.add(noisy[rows], clean[rows].astype(np.float16))
        grain = meter.result()
        assert grain is not None
        found.append(pack_grain(grain))
    assert found[0] == found[1]
