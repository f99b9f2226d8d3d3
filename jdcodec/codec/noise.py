"""How noisy a photo is, by the network's own word: what its denoiser takes out.

`--denoise auto` rests on what it would take out of flat places: a photo without visible noise is coded as it
is. How latents are rounded rests on what was taken out of the whole photo.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from jdcodec.inference.interface import Inference

#: Standard deviation of removed noise, in levels of 255, below which a photo counts as clean. Of 22 clean
#: training photographs 19 gave 0.2 to 0.69 and three up to 0.93; with weak made noise on them (shot variance
#: 5e-4) all gave 0.72 to 5.3.
CLEAN_BELOW = 0.7

# A grid of 5 × 5 windows of 128 × 128 pixels, cut into blocks of 8 × 8.
_GRID, _WINDOW, _BLOCK = 5, 128, 8

# Share of a window's blocks that count as flat, and which window's noise stands for the photo: a quarter
# of it may well be noisier, as shadows are.
_FLAT_SHARE, _QUANTILE = 0.1, 0.75

# Mean brightness of blocks that count: nearly black and nearly white ones have lost their noise.
_DARKEST, _BRIGHTEST = 0.03, 0.97


#: A photo may have noise without colour where all but a fifth of its windows have at least such details, as a
#: deviation in levels of 255, and in colours at most so many times that. So do 10 of 11 held-out photographs
#: with such noise, no clean one and none with the coloured noise of a mosaic.
_FLATTEST_WINDOWS, _LEAST_DETAIL, _MOST_COLOUR = 0.2, 1.7, 0.45

#: Of each window every so many rows tell how much noise was removed from it.
_ROWS_APART = 8


class NoisePower:
    """Mean square of what was removed from a picture, pixels in [0, 1], from its windows.

    `add` may be called from several threads; the result does not depend on the order of windows.
    """

    def __init__(self) -> None:
        self._windows: list[tuple[float, int]] = []

    def add(self, noisy: NDArray[Any], clean: NDArray[np.float16]) -> None:
        """A window's pixels (h, w, 3) uint8 or uint16 and what the denoiser made of them, in [0, 1]."""
        rows = noisy[::_ROWS_APART].astype(np.float32)
        removed = rows / np.float32(np.iinfo(noisy.dtype).max) - clean[::_ROWS_APART]
        self._windows.append((float(np.vdot(removed, removed)), removed.size))

    def result(self) -> float:
        """The mean so far; 0 before the first window."""
        power, count = (math.fsum(column) for column in zip(*self._windows)) if self._windows else (0.0, 1)
        return power / count


def auto_strength(pixels: NDArray[Any], inference: Inference) -> float:
    """Share of the noise to remove: 0 for a photo that is clean already, else 1. See `noise_level`."""
    return 0.0 if noise_level(pixels, inference) < CLEAN_BELOW else 1.0


def noise_level(pixels: NDArray[Any], inference: Inference) -> float:
    """Standard deviation of what the denoiser removes in flat places, in levels of 255; 0 if there are none.

    pixels: (H, W, 3) uint8 or uint16. Of each of up to 25 windows the median over its flattest blocks is
    taken, and of these medians the upper quartile. Blocks are flat by the denoised picture.
    """
    powers = [_flat_power(window, inference) for window in _windows(pixels)]
    found = [power for power in powers if power is not None]
    return 255.0 * float(np.quantile(found, _QUANTILE)) ** 0.5 if found else 0.0


def may_lack_colour(pixels: NDArray[Any]) -> bool:
    """Whether a photo may have noise without colour, by its finest details: fast, without a network.

    pixels: as in `noise_level`. Even flat windows have details then, and these have hardly any colour. So has
    gray texture.
    """
    found = [details for window in _windows(pixels) if (details := _flat_details(window)) is not None]
    if not found:
        return False
    luma, chroma = sorted(found)[int(_FLATTEST_WINDOWS * (len(found) - 1))]
    return luma >= _LEAST_DETAIL**2 and chroma <= _MOST_COLOUR**2 * luma


def _windows(pixels: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Up to 25 windows of at most 128 × 128 pixels, spread evenly."""
    for y, x in product(_starts(pixels.shape[0]), _starts(pixels.shape[1])):
        yield pixels[y : y + _WINDOW, x : x + _WINDOW]


def _flat_details(window: NDArray[Any]) -> tuple[float, float] | None:
    """Mean square of Haar details in a window's flattest blocks, of the mean colour and of what it leaves."""
    height, width = (side // _BLOCK * _BLOCK for side in window.shape[:2])
    if not height or not width:
        return None
    values = window[:height, :width] * np.float32(255.0 / np.iinfo(window.dtype).max)
    luma = values.mean(2)
    brightness = _block_means(luma)
    usable = (brightness > 255.0 * _DARKEST) & (brightness < 255.0 * _BRIGHTEST)
    if not usable.any():
        return None
    of_luma = _detail(luma)[usable]
    of_colours = np.mean([_detail(values[..., colour] - luma) for colour in range(3)], axis=0)[usable]
    flattest = of_luma.argsort()[: max(1, round(_FLAT_SHARE * len(of_luma)))]
    return float(np.median(of_luma[flattest])), float(np.median(of_colours[flattest]))


def _detail(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean square of the three finest Haar details in each block, (blocks,): the variance of white noise."""
    a, b, c, d = plane[::2, ::2], plane[::2, 1::2], plane[1::2, ::2], plane[1::2, 1::2]
    across, down, diagonal = a - b + c - d, a + b - c - d, a - b - c + d
    power = (np.square(across) + np.square(down) + np.square(diagonal)) / np.float32(12.0)
    return _block_means(power, _BLOCK // 2)


def _block_means(plane: NDArray[np.float32], side: int = _BLOCK) -> NDArray[np.float32]:
    """Means of blocks of `side` pixels a side, (blocks,)."""
    rows, columns = plane.shape[0] // side, plane.shape[1] // side
    means: NDArray[np.float32] = plane.reshape(rows, side, columns, side).mean((1, 3)).ravel()
    return means


def _starts(size: int) -> list[int]:
    """Where windows start along a side: evenly spread, or once where the side is short."""
    return sorted({round(start) for start in np.linspace(0, max(0, size - _WINDOW), _GRID)})


def _flat_power(window: NDArray[Any], inference: Inference) -> float | None:
    """Median power of the noise in a window's flattest blocks; None where no block is of use."""
    height, width = (side // _BLOCK * _BLOCK for side in window.shape[:2])
    if not height or not width:
        return None
    cut = window[:height, :width]
    noisy, clean = (_blocks(inference.denoise(cut, strength)) for strength in (0.0, 1.0))
    brightness = clean.mean((0, 2))
    usable = (brightness > _DARKEST) & (brightness < _BRIGHTEST)
    count = int(usable.sum())
    if not count:
        return None
    power = np.square(noisy - clean).mean((0, 2))[usable]
    flattest = clean.var(2).mean(0)[usable].argsort()[: max(1, round(_FLAT_SHARE * count))]
    return float(np.median(power[flattest]))


def _blocks(x: NDArray[np.float16]) -> NDArray[np.float32]:
    """(3, H, W) to (3, blocks, 64)."""
    _, height, width = x.shape
    split = x.astype(np.float32).reshape(3, height // _BLOCK, _BLOCK, width // _BLOCK, _BLOCK)
    return split.transpose(0, 1, 3, 2, 4).reshape(3, -1, _BLOCK * _BLOCK)
