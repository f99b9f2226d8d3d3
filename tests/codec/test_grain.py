"""Synthetic grain: the look that its numbers say, the same for every part of a picture and every time."""

from __future__ import annotations

import zlib
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from jdcodec.codec.grain import REACH, add_grain
from jdcodec.container.grain import Grain

WHITE = (255,) * 5
GRAIN = Grain(
    seed=7,
    deviations=((40, 44, 48, 52, 56, 60, 64, 68), (50,) * 8, (45,) * 8),
    mixing=(-20, 30, 50),
    luma_bands=(20, 200, 255, 90, 40),
    chroma_bands=(0, 30, 180, 255, 120),
)


def picture(height: int, width: int, dtype: Any = np.uint8) -> NDArray[Any]:
    """Smooth colours from dark to bright."""
    ramp = np.linspace(0.2, 0.8, width)[None, :, None] * np.linspace(0.6, 1, height)[:, None, None]
    levels = ramp * np.array([1, 0.9, 0.8])
    return (
        levels.astype(dtype) if dtype is np.float32 else np.rint(levels * np.iinfo(dtype).max).astype(dtype)
    )


def noise_on(grain: Grain, level: float, size: int = 400, **options: Any) -> NDArray[Any]:
    """The grain on an even gray, in levels of 255."""
    gray = np.full((size, size, 3), level, np.float32)
    return 255 * (add_grain(gray, grain, 1.0, **options) - gray)


def test_white_grain_has_the_deviation_of_its_codes_at_each_brightness() -> None:
    only_luma = replace(GRAIN, deviations=(GRAIN.deviations[0], (0,) * 8, (0,) * 8), luma_bands=WHITE)
    for index in range(1, 7):
        noise = noise_on(only_luma, index / 7)
        assert noise.std() == pytest.approx(GRAIN.deviations[0][index] ** 2 / 512, rel=0.03)
        assert np.ptp(noise, axis=2).max() < 1e-3
        assert abs(noise.mean()) < 0.05
        neighbours = np.mean(noise[:, 1:] * noise[:, :-1]) / noise.var()
        assert abs(neighbours) < 0.02


def test_filtered_grain_keeps_its_deviation_and_channels_what_they_share() -> None:
    noise = noise_on(GRAIN, 0.5, 800)
    red, green, blue = (noise[..., channel] for channel in range(3))
    opponents = (red + 2 * green + blue) / 4, red - blue, green - (red + blue) / 2
    # 0.5 lies between two levels of brightness.
    wanted = [np.mean([codes[3] ** 2, codes[4] ** 2]) / 512 for codes in GRAIN.deviations]
    for channel, deviation in zip(opponents, wanted):
        assert channel.std() == pytest.approx(deviation, rel=0.05)
    # Co and Cg have the same filter, so that all of what they share is left.
    a, b, d = (code / 128 for code in GRAIN.mixing)
    expected = a * b + np.sqrt((1 - a * a) * (1 - b * b)) * d
    assert np.corrcoef(opponents[1].ravel(), opponents[2].ravel())[0, 1] == pytest.approx(expected, abs=0.06)
    coarse = [np.mean(x[:, 2:] * x[:, :-2]) / x.var() for x in opponents]
    assert coarse[1] > coarse[0] + 0.2 > 0.2


def test_bands_are_octaves() -> None:
    """The finer a band, the higher the frequencies that have its power."""
    frequency = np.hypot(np.fft.fftfreq(256)[:, None], np.fft.rfftfreq(256)[None])
    means = []
    for band in range(5):
        bands = tuple(int(index == band) for index in range(5))
        noise = noise_on(
            replace(GRAIN, luma_bands=bands, deviations=((60,) * 8, (0,) * 8, (0,) * 8)), 0.5, 256
        )
        power = np.abs(np.fft.rfft2(noise[..., 0])) ** 2
        means.append((power * frequency).sum() / power.sum())
    assert all(finer > 1.5 * coarser for finer, coarser in pairwise(means))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_part_has_the_grain_of_the_whole(dtype: Any) -> None:
    pixels = picture(300, 530, dtype)
    whole = add_grain(pixels, GRAIN, 0.7)
    for top, left, height, width in ((0, 0, 1, 1), (37, 255, 200, 3), (250, 250, 50, 280), (299, 529, 1, 1)):
        part = pixels[top : top + height, left : left + width]
        grained = add_grain(part, GRAIN, 0.7, left=left, top=top)
        np.testing.assert_array_equal(grained, whole[top : top + height, left : left + width])


def test_grain_of_a_preview_is_the_mean_of_what_it_covers() -> None:
    gray = np.full((64, 96, 3), 0.5, np.float32)
    whole = add_grain(gray, GRAIN, 1.0)
    for scale in (2, 16):
        small = gray[::scale, ::scale]
        means = whole.reshape(64 // scale, scale, 96 // scale, scale, 3).mean((1, 3))
        np.testing.assert_allclose(add_grain(small, GRAIN, 1.0, scale=scale), means, atol=1e-5)
        part = add_grain(small[1:, 2:], GRAIN, 1.0, left=2, top=1, scale=scale)
        np.testing.assert_allclose(part, means[1:, 2:], atol=1e-5)


def test_the_same_on_every_machine() -> None:
    """Float arithmetic in one order only, so the bytes are those of the machine that this was written on."""
    grained = add_grain(picture(40, 300), GRAIN, 1.0, left=1000, top=65_000)
    assert zlib.crc32(grained.tobytes()) == 0xE6766218


def test_other_seeds_give_other_grain_and_rows_do_not_repeat() -> None:
    first, second = (noise_on(replace(GRAIN, seed=seed), 0.5) for seed in (1, 2))
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.02
    row = noise_on(replace(GRAIN, luma_bands=WHITE), 0.5)[..., 1]
    unit = (row - row.mean()) / row.std()
    # The correlation with itself moved anywhere: at 160,000 places, white noise reaches about 5 / 400.
    spectrum = np.fft.rfft2(unit)
    moved = np.fft.irfft2(np.abs(spectrum) ** 2, s=unit.shape) / unit.size
    near = np.hypot(*np.meshgrid(*(np.minimum(np.arange(400), 400 - np.arange(400)),) * 2)) <= 2 * REACH
    assert np.abs(moved[~near]).max() < 0.03


def test_amount_scales_the_grain_and_gray_stays_gray() -> None:
    pixels = picture(64, 64)
    assert add_grain(pixels, GRAIN, 0.0) is pixels
    half, full = (np.std(add_grain(pixels, GRAIN, amount).astype(float) - pixels) for amount in (0.5, 1.0))
    assert half == pytest.approx(full / 2, rel=0.05)
    gray = np.repeat(pixels[..., :1], 3, axis=2)
    grained = add_grain(gray, GRAIN, 1.0, gray=True)
    assert np.ptp(grained, axis=2).max() == 0 and (grained != gray).mean() > 0.5


def test_pixels_stay_in_range() -> None:
    loud = replace(GRAIN, deviations=((255,) * 8,) * 3)
    for level in (0, 255):
        grained = add_grain(np.full((50, 50, 3), level, np.uint8), loud, 1.0)
        assert {0, 255} <= set(np.unique(grained).tolist())
    floats = add_grain(np.full((50, 50, 3), 1.0, np.float32), loud, 1.0)
    assert floats.min() == 0 and floats.max() == 1
