"""Pairs of pictures on disk, made so that a test can tell from a pixel where it came from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

#: What noise adds to every pixel of a lightly noisy picture, so that pairs stay recognisable.
LIFT = 10


def picture(height: int, width: int, seed: int) -> NDArray[np.uint8]:
    """Smooth, with values from 40 to 200, none alike."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:height, 0:width]
    waves = [np.sin(rows / rng.uniform(9, 30)) * np.cos(columns / rng.uniform(9, 30)) for _ in range(3)]
    return np.rint(120 + 80 * np.stack(waves, axis=2)).astype(np.uint8)


def write_pairs(folder: Path, light: int = 3, heavy: int = 1, target: str = "clean") -> Path:
    """NAME_noisy/NAME_clean pictures of 192 × 400: some lifted by LIFT, some lost in noise."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for number in range(light + heavy):
        clean = picture(192, 400, number)
        noisy = clean + LIFT if number < light else rng.integers(0, 256, clean.shape)
        for name, pixels in (("noisy", noisy), (target, clean)):
            Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number}_{name}.png")
    return folder
