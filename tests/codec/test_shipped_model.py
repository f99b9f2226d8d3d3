"""The model that comes with the package does what quality and denoise promise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import PictureMaker
from numpy.typing import NDArray

import jdcodec
from jdcodec.codec.weights import shipped_models
from jdcodec.photo import read_photo

pytestmark = pytest.mark.skipif("fast" not in shipped_models(), reason="no weights/fast.safetensors")


def psnr(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    return float(-10 * np.log10(np.mean((a / 255.0 - b / 255.0) ** 2)))


def test_quality_on_a_photograph(photographs: Path) -> None:
    photo = read_photo(photographs / "eval" / "kodak" / "kodim23.png").pixels[128:384, 128:512]
    found = []
    for quality in (1, 4, 8):
        data = jdcodec.encode(photo, quality=quality, denoise=0)
        found.append((len(data), psnr(jdcodec.decode(data), photo)))
    sizes, fidelity = zip(*found)
    assert sizes[0] < sizes[1] < sizes[2]
    assert fidelity[0] < fidelity[1] < fidelity[2]
    assert fidelity[0] > 25 and fidelity[2] > 36


def test_denoising_brings_the_picture_closer_to_the_scene(make_picture: PictureMaker) -> None:
    """Smooth gradients with noise: denoised, the file is smaller and closer to what there was without it."""
    rows, columns = np.mgrid[0:192, 0:192] / 64.0
    scene = np.stack([0.5 + 0.3 * np.sin(rows + k) * np.cos(columns - k) for k in range(3)], axis=2)
    noisy = scene + np.random.default_rng(0).normal(0, 0.06, scene.shape)
    scene8, noisy8 = (np.rint(255 * x.clip(0, 1)).astype(np.uint8) for x in (scene, noisy))
    kept, cleaned = (jdcodec.encode(noisy8, quality=6, denoise=share) for share in (0, 1))
    assert len(cleaned) < 0.7 * len(kept)
    assert psnr(jdcodec.decode(cleaned), scene8) > psnr(jdcodec.decode(kept), scene8) + 1
