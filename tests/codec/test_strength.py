"""The denoise strength acts smoothly: each step of it takes more noise, none much more than the others."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from jdcodec.bench.strength import residual_noise
from jdcodec.codec.weights import shipped_models

pytestmark = pytest.mark.skipif("fast" not in shipped_models(), reason="no weights/fast.safetensors")


def test_noise_left_falls_smoothly_with_the_strength() -> None:
    rows, columns = np.mgrid[0:192, 0:256] / 64.0
    scene = np.stack([0.5 + 0.2 * np.sin(rows + k) * np.cos(columns - k) for k in range(3)], axis=2)
    noise = np.random.default_rng(0).normal(0, 0.08, scene.shape)
    noisy = np.rint(255 * (scene + noise).clip(0, 1)).astype(np.uint8)
    left = residual_noise(noisy, (0.0, 0.25, 0.5, 0.75, 1.0))
    steps = [before - after for before, after in pairwise(left)]
    # Coding itself smooths what is left of weak noise, so the last step is the shortest.
    assert all(0.2 * left[0] < step < 0.45 * left[0] for step in steps[:-1])
    assert 0 < steps[-1] < 0.45 * left[0]
    assert left[0] > 5 and left[-1] < 0.1 * left[0]
