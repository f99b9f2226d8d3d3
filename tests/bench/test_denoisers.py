"""Denoise first, then compress."""

from __future__ import annotations

import numpy as np
import pytest

from jdcodec.bench.codec import CodecFailure, Unavailable
from jdcodec.bench.denoisers import KEPT_PICTURES, DenoiseFirst, Denoiser, classic_denoisers
from jdcodec.bench.metrics import Pixels, psnr
from jdcodec.bench.noise import NoiseLevel

from .conftest import make_picture, quantiser

CLEAN = make_picture(5, 64, 72)
NOISY = NoiseLevel("gaussian", 25).apply(CLEAN, "a", 0)


@pytest.mark.parametrize("name", ["nlm", "bm3d"])
def test_denoisers_denoise(name: str) -> None:
    denoiser = next(d for d in classic_denoisers() if d.name == name)
    try:
        assert any(c.isdigit() for c in denoiser.load())
    except Unavailable as error:
        pytest.skip(str(error))
    denoised, cost = denoiser.run(NOISY)
    assert denoised.dtype == np.uint8 and denoised.shape == CLEAN.shape
    assert psnr(CLEAN, denoised) > psnr(CLEAN, NOISY) + 3
    assert cost.seconds > 0


def test_a_picture_without_noise_comes_back() -> None:
    denoiser = classic_denoisers()[0]
    try:
        denoiser.load()
    except Unavailable as error:
        pytest.skip(str(error))
    flat = np.full((40, 40, 3), 99, np.uint8)
    assert np.array_equal(denoiser.run(flat)[0], flat)


def counting() -> tuple[Denoiser, list[Pixels]]:
    seen: list[Pixels] = []

    def halve(pixels: Pixels) -> Pixels:
        seen.append(pixels)
        return pixels // 2

    return Denoiser("half", "Half", lambda: "half 1", halve), seen


def test_each_picture_is_denoised_once() -> None:
    denoiser, seen = counting()
    front = DenoiseFirst(denoiser, quantiser())
    assert front.prepare() == "half 1, fake 1"
    first, second = front.code(CLEAN, 3), front.code(CLEAN, 4)
    assert len(seen) == 1
    cost = denoiser.run(CLEAN)[1]
    assert min(first.encode.seconds, second.encode.seconds) > cost.seconds
    assert np.array_equal(first.pixels, quantiser().code(CLEAN // 2, 3).pixels)


def test_few_pictures_are_kept() -> None:
    denoiser, seen = counting()
    for seed in range(KEPT_PICTURES + 1):
        denoiser.run(make_picture(seed, 8, 8))
    denoiser.run(make_picture(0, 8, 8))
    assert len(seen) == KEPT_PICTURES + 2


def test_names_and_commands() -> None:
    front = DenoiseFirst(counting()[0], quantiser())
    assert (front.name, front.title) == ("half+fake", "Half, then Fake codec")
    assert front.command(3) == "half(image), then fake(image, quality=3)"


def test_a_denoiser_that_fails_is_a_failure() -> None:
    def broken(pixels: Pixels) -> Pixels:
        raise ValueError("too\nnoisy")

    front = DenoiseFirst(Denoiser("bad", "Bad", lambda: "1", broken), quantiser())
    with pytest.raises(CodecFailure, match="bad failed: too noisy"):
        front.code(CLEAN, 3)
