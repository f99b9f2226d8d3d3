"""jdc's own curve: what `bench` says is what files written and read by hand say, to the last digit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import jdcodec
from jdcodec.bench.metrics import psnr
from jdcodec.bench.ours import our_denoiser, ours
from jdcodec.bench.runner import Measuring, prepare, run
from jdcodec.bench.sets import open_set, read_pixels
from jdcodec.codec.weights import shipped_models

from .conftest import make_picture

if "fast" not in shipped_models():
    pytest.skip("the weights of the model 'fast' are not here", allow_module_level=True)


def test_the_curve_is_that_of_files_coded_by_hand(clean_set: Path, tmp_path: Path) -> None:
    (entrant,), _ = prepare([ours(device="cpu")], {"jdc": (1, 4.3, 8)}, strict=True)
    points = list(run(open_set(clean_set, max_images=1), [entrant], {}, Measuring(read_pixels)))
    assert len(points) == 3
    for point in points:
        picture = clean_set / f"{point.image}.png"
        coded, decoded = tmp_path / "by-hand.jdc", tmp_path / "by-hand.png"
        coded.write_bytes(jdcodec.encode(picture, quality=point.quality, device="cpu"))
        Image.fromarray(jdcodec.decode(coded.read_bytes(), device="cpu")).save(decoded)
        with Image.open(picture) as target, Image.open(decoded) as result:
            assert point.psnr == psnr(np.asarray(target), np.asarray(result))
        assert point.bytes == coded.stat().st_size


def test_a_name_chooses_strength_and_effort(clean_set: Path) -> None:
    codec = ours("jdc@0^6", device="cpu")
    assert codec.title == "jdc (fast, denoise 0, effort 6)"
    picture = np.array(Image.open(next(clean_set.glob("*.png"))).convert("RGB"))
    options: dict[str, Any] = {"quality": 4.0, "denoise": 0.0, "device": "cpu"}
    data = codec.encode(picture, 4.0)
    assert data == jdcodec.encode(picture, effort=6, **options)
    assert data != jdcodec.encode(picture, **options)
    described = codec.describe(4.0)
    assert "effort=6" in described and "denoise=0" in described


def test_the_denoiser_alone_keeps_sizes_and_removes_noise() -> None:
    clean = make_picture(0, 90, 111)
    noisy = (clean + np.random.default_rng(0).normal(0, 20, clean.shape)).clip(0, 255).astype(np.uint8)
    denoiser = our_denoiser(device="cpu")
    assert denoiser.load().startswith("jdcodec ")
    denoised, _ = denoiser.run(noisy)
    assert denoised.shape == clean.shape and denoised.dtype == np.uint8
    assert psnr(clean, denoised) > psnr(clean, noisy)
