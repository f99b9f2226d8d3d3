"""PSNR, MS-SSIM, SSIMULACRA 2 and bits per pixel of single pictures."""

from __future__ import annotations

import math

import numpy as np
import pytest

from jdcodec.bench import metrics

from .conftest import make_picture


def test_psnr_is_the_formula_over_all_channels() -> None:
    target = np.full((4, 5, 3), 100, np.uint8)
    decoded = target.copy()
    decoded[..., 0] += 6  # mean squared error 36 / 3
    assert metrics.psnr(target, decoded) == pytest.approx(10 * math.log10(255**2 / 12), abs=1e-12)


def test_psnr_does_not_wrap_around_in_eight_bits() -> None:
    black, white = np.zeros((2, 2, 3), np.uint8), np.full((2, 2, 3), 255, np.uint8)
    assert metrics.psnr(black, white) == 0 == metrics.psnr(white, black)


def test_identical_pictures_have_finite_values() -> None:
    picture = make_picture(height=180, width=170)
    assert metrics.psnr(picture, picture) == metrics.IDENTICAL_DB
    similarity = metrics.ms_ssim(picture, picture)
    assert similarity == pytest.approx(1, abs=1e-6)
    assert metrics.ms_ssim_db(1.0) == metrics.IDENTICAL_DB


def test_ms_ssim_falls_with_noise() -> None:
    picture = make_picture(height=161, width=200)
    random = np.random.default_rng(0)
    values = [
        metrics.ms_ssim(picture, (picture + random.normal(0, s, picture.shape)).clip(0, 255).astype(np.uint8))
        for s in (2, 10, 40)
    ]
    assert 1 > values[0] > values[1] > values[2] > 0  # type: ignore[operator]


def test_ms_ssim_is_undefined_below_161_pixels() -> None:
    assert (
        metrics.ms_ssim(make_picture(height=160, width=400), make_picture(1, height=160, width=400)) is None
    )


def test_ms_ssim_in_decibels() -> None:
    assert metrics.ms_ssim_db(0.99) == pytest.approx(20)
    assert metrics.ms_ssim_db(0.0) == 0


def test_bits_per_pixel_counts_the_whole_file() -> None:
    assert metrics.bits_per_pixel(1000, height=50, width=80) == 2.0


def test_ssimulacra2_of_identical_and_spoilt_pictures() -> None:
    pytest.importorskip("ssimulacra2")
    picture = make_picture(height=64, width=64)
    assert metrics.ssimulacra2(picture, picture) == pytest.approx(100, abs=0.01)
    assert metrics.ssimulacra2(picture, 255 - picture) < 20


@pytest.mark.parametrize("measure", [metrics.psnr, metrics.ms_ssim, metrics.ssimulacra2])
def test_pictures_of_different_shapes_are_refused(measure: object) -> None:
    with pytest.raises(ValueError, match="different shapes"):
        measure(make_picture(height=40), make_picture(height=41))  # type: ignore[operator]
