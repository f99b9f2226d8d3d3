"""The rendered scene: the same every time, and with the kinds of content that it promises."""

from __future__ import annotations

import numpy as np
import pytest

from jdcodec.demo.scene import render

HEIGHT, WIDTH = 192, 288


@pytest.fixture(scope="module")
def light() -> np.ndarray:
    return render(HEIGHT, WIDTH, seed=7)


def roughness(area: np.ndarray) -> float:
    """Mean difference between neighbours relative to the mean light."""
    return float(np.abs(np.diff(area, axis=1)).mean() / area.mean())


def test_it_is_light(light: np.ndarray) -> None:
    assert light.shape == (HEIGHT, WIDTH, 3)
    assert light.dtype == np.float32
    assert np.isfinite(light).all()
    assert light.min() >= 0


def test_one_seed_makes_one_scene(light: np.ndarray) -> None:
    assert np.array_equal(light, render(HEIGHT, WIDTH, seed=7))
    assert np.abs(light - render(HEIGHT, WIDTH, seed=8)).mean() > 0.005


def test_it_is_an_evening_with_lamps(light: np.ndarray) -> None:
    """Mostly dark, with lamps that saturate a sensor: without those LibRaw would stretch the brightness."""
    assert 0.03 < np.median(light) < 0.25
    assert light[..., 1].max() > 1
    assert (light[..., 1] > 1).mean() < 0.01


def test_it_has_smooth_and_rough_places(light: np.ndarray) -> None:
    hills = light[int(0.27 * HEIGHT) : int(0.31 * HEIGHT), int(0.1 * WIDTH) : int(0.3 * WIDTH)]
    grass = light[int(0.80 * HEIGHT) :, : int(0.1 * WIDTH)]
    assert roughness(grass) > 4 * roughness(hills)


def test_it_spans_the_colours(light: np.ndarray) -> None:
    """Red, green and blue each lead by far somewhere: the chart, the apple, the sky."""
    for channel in range(3):
        others = np.delete(light, channel, axis=2).max(axis=2)
        assert (light[..., channel] > 1.6 * others).mean() > 0.0005


def test_detail_falls_with_frequency_as_in_photographs(light: np.ndarray) -> None:
    """The amplitude spectrum of natural images falls about as 1/f (Field 1987)."""
    luma = np.sqrt(light.mean(axis=2))
    window = np.outer(np.hanning(HEIGHT), np.hanning(WIDTH))
    amplitude = np.abs(np.fft.rfft2((luma - luma.mean()) * window))
    frequency = np.hypot(np.fft.fftfreq(HEIGHT)[:, None], np.fft.rfftfreq(WIDTH)[None, :])
    band = (frequency > 0.03) & (frequency < 0.35)
    slope = np.polyfit(np.log(frequency[band]), np.log(amplitude[band] + 1e-9), 1)[0]
    assert -2.0 < slope < -0.6


@pytest.mark.parametrize("size", [(100, 300), (300, 100)])
def test_refuses_a_size_too_small_to_draw(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="128 pixels"):
        render(*size)
