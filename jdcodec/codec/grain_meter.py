"""Measuring the noise that an encoder takes away, for `grain` to put back.

What is missing after denoising is the power of the noisy picture less that of the denoised one. It is
measured in the flattest blocks only, at each brightness, since elsewhere a denoiser takes texture as well. A
picture is given window by window; only a summary of a few of its blocks is kept.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from jdcodec.codec.grain import REACH, filter_noise
from jdcodec.container.grain import (
    BANDS,
    BRIGHTNESS_LEVELS,
    DEVIATION_SCALE,
    MIXING_SCALE,
    Codes,
    Grain,
    pack_grain,
)

Floats = NDArray[np.float32]

#: Standard deviation of removed noise, in levels of 255, below which nobody sees that it is gone.
VISIBLE = 0.5

# What stands for the photo in that: a quarter of its blocks may well be noisier, as shadows are.
_QUANTILE = 0.75

# Pixels a side of a block: coarse enough to hold the coarsest octave.
_BLOCK = 32

# Of larger pictures about so many blocks are looked at, evenly spread.
_BLOCKS_WANTED = 1500

# Brightness is sorted into so many bins. Of each, this share of a window's blocks is measured, and this share
# of those tells roughly how strong the noise is; blocks with more detail than a share of that are not flat.
_BINS = 32
_MEASURED_SHARE = 0.4
_FLATTEST_SHARE = 0.25
_DETAIL_SHARE = 0.5
_ENOUGH = 8

# What Y, Co and Cg contribute to the mean power of R, G and B.
_POWER_OF_RGB = np.array([1, 1 / 6, 1 / 4], np.float32)

# How much deviations at neighbouring brightness levels are drawn together, beside the blocks of a full bin.
_SMOOTHNESS = 0.02
_FULL_BIN = 16


@dataclass(frozen=True)
class _Blocks:
    """Summaries of n blocks.

    brightness, flatness: (n,). power: missing power of Y, Co and Cg, (n, 3). common: what is missing of their
    products, Y Co, Y Cg and Co Cg, (n, 3). spectra: missing power of luma and chroma by ring, (n, 2, rings).
    """

    brightness: Floats
    flatness: Floats
    power: Floats
    common: Floats
    spectra: Floats

    def __getitem__(self, which: NDArray[np.intp]) -> _Blocks:
        return _Blocks(*(values[which] for values in vars(self).values()))

    @staticmethod
    def join(parts: list[_Blocks]) -> _Blocks:
        """All blocks of the parts, in an order that does not depend on that of the parts."""
        columns = zip(*(vars(part).values() for part in parts))
        joined = _Blocks(*(np.concatenate(column) for column in columns))
        return joined[np.lexsort((joined.power[:, 0], joined.flatness, joined.brightness))]


class GrainMeter:
    """Takes windows of a picture of so many pixels before and after denoising; gives the `Grain` removed.

    `add` may be called from several threads; the result does not depend on the order of windows.
    """

    def __init__(self, pixels: int) -> None:
        self._stride = _BLOCK * max(1, round((pixels / _BLOCK**2 / _BLOCKS_WANTED) ** 0.5))
        self._measured: list[_Blocks] = []

    def add(self, noisy: NDArray[Any], denoised: NDArray[Any]) -> None:
        """A window of the picture as it is and denoised, (H, W, 3): integers, or floats from 0 to 1."""
        if min(noisy.shape[:2]) < _BLOCK:
            return
        # To find what is flat, every second pixel will do.
        candidates = _cut(denoised, self._stride, step=2)
        luma = (candidates[:, 0] + 2 * candidates[:, 1] + candidates[:, 2]) / 4
        brightness = luma.mean((1, 2))
        chosen = _flattest(brightness, _detail(luma - brightness[:, None, None]), _MEASURED_SHARE)
        clean = _opponents(_cut(denoised, self._stride, chosen))
        clean -= clean.mean((2, 3), keepdims=True)
        flatness = np.stack([_detail(clean[:, channel]) for channel in range(3)], axis=1) @ _POWER_OF_RGB
        missing = _missing(_opponents(_cut(noisy, self._stride, chosen)), clean)
        self._measured.append(_Blocks(brightness[chosen], flatness, *missing))

    def result(self) -> Grain | None:
        """What was removed; None where that is below visibility, or no place is flat enough to tell."""
        if not self._measured:
            return None
        blocks = _flat(_Blocks.join(self._measured))
        if not len(blocks.flatness):
            return None
        if 255**2 * np.quantile(blocks.power @ _POWER_OF_RGB, _QUANTILE) < VISIBLE**2:
            return None
        usual = np.median(blocks.power[:, 0])
        if usual <= 0:
            # What takes nothing from luma has moved the colours of a smooth picture, and is no noise.
            return None
        typical = blocks[np.flatnonzero(blocks.power[:, 0] >= usual / 4)]
        luma, chroma = (_fit_bands(typical, index) for index in (0, 1))
        codes = np.rint(np.sqrt(255 * DEVIATION_SCALE * _deviations(blocks))).clip(0, 255).astype(int)
        grain = Grain(
            seed=0,
            deviations=(_codes(codes[0]), _codes(codes[1]), _codes(codes[2])),
            mixing=_mixing(typical, luma, chroma),
            luma_bands=luma,
            chroma_bands=chroma,
        )
        return replace(grain, seed=zlib.crc32(pack_grain(grain)))


def _cut(picture: NDArray[Any], stride: int, chosen: NDArray[np.intp] | None = None, step: int = 1) -> Floats:
    """Blocks (n, 3, side, side) every `stride` pixels, or the `chosen` ones of them; from 0 to 1.

    step: of a block, only every so many pixels are taken.
    """
    views: Any = sliding_window_view(picture, (_BLOCK, _BLOCK), axis=(0, 1))  # type: ignore[call-overload]
    grid = views[::stride, ::stride, :, ::step, ::step]
    which = np.arange(grid.shape[0] * grid.shape[1]) if chosen is None else chosen
    blocks: Floats = grid[np.unravel_index(which, grid.shape[:2])].astype(np.float32)
    if picture.dtype.kind == "u":
        blocks /= np.iinfo(picture.dtype).max
    return blocks.clip(0, 1, out=blocks)


def _opponents(rgb: Floats) -> Floats:
    """(n, 3, …) R, G, B to Y = (R + 2 G + B) / 4, Co = R − B, Cg = G − (R + B) / 2, as in `add_grain`."""
    red, green, blue = rgb[:, 0], rgb[:, 1], rgb[:, 2]
    others = (red + blue) / 2
    return np.stack(((green + others) / 2, red - blue, green - others), axis=1)


def _detail(blocks: Floats) -> Floats:
    """How far blocks (n, side, side), less their means, are from planes: a mean square, (n,)."""
    side = blocks.shape[2]
    ramp = np.arange(side, dtype=np.float32) - (side - 1) / 2
    power = np.einsum("nij,nij->n", blocks, blocks) / side**2
    slopes = (blocks.mean(1) @ ramp) ** 2 + (blocks.mean(2) @ ramp) ** 2
    detail: Floats = np.maximum(power - slopes / (side * float(ramp @ ramp)), 0)
    return detail


def _flat(blocks: _Blocks) -> _Blocks:
    """The blocks with much less detail than noise; of a brightness that has none, the flattest ones."""
    bins, power = _bin(blocks.brightness), blocks.power @ _POWER_OF_RGB
    kept = []
    for number in np.unique(bins):
        members = np.flatnonzero(bins == number)
        flattest = members[_flattest(blocks.brightness[members], blocks.flatness[members], _FLATTEST_SHARE)]
        flat = members[blocks.flatness[members] < _DETAIL_SHARE * np.median(power[flattest])]
        kept.append(flattest if not len(flat) and len(members) >= _ENOUGH else flat)
    return blocks[np.concatenate(kept)]


def _flattest(brightness: Floats, flatness: Floats, share: float) -> NDArray[np.intp]:
    """Indices of the flattest blocks of each brightness: a share of them, at least one."""
    bins = _bin(brightness)
    order = np.lexsort((flatness, bins))
    chosen = []
    for start, count in zip(*np.unique(bins[order], return_index=True, return_counts=True)[1:]):
        chosen.append(order[start : start + max(1, round(share * int(count)))])
    return np.concatenate(chosen)


def _bin(brightness: Floats) -> NDArray[np.intp]:
    return (brightness * _BINS).astype(np.intp).clip(0, _BINS - 1)


def _missing(noisy: Floats, clean: Floats) -> tuple[Floats, Floats, Floats]:
    """Power, common and spectra of `_Blocks` for blocks (n, 3, side, side); those denoised have no mean."""
    noisy = noisy - noisy.mean((2, 3), keepdims=True)
    spectra = [np.abs(np.fft.rfft2(blocks * _window())) ** 2 for blocks in (noisy, clean)]
    rings = (spectra[0] - spectra[1]).reshape(*noisy.shape[:2], -1) @ _rings()[0]
    products = []
    for first, second in ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)):
        powers = [np.einsum("nij,nij->n", blocks[:, first], blocks[:, second]) for blocks in (noisy, clean)]
        products.append((powers[0] - powers[1]) / _BLOCK**2)
    table = np.stack(products, axis=1)
    chroma = rings[:, 1] / 4 + rings[:, 2] / 3
    return table[:, :3], table[:, 3:], np.stack((rings[:, 0], chroma), axis=1)


@lru_cache
def _window() -> Floats:
    side = np.hanning(_BLOCK + 2)[1:-1]
    return np.outer(side, side).astype(np.float32)


@lru_cache
def _rings() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """For the real FFT of a block: (frequencies, rings), which averages over rings, and their weights."""
    vertical = np.fft.fftfreq(_BLOCK)[:, None] * _BLOCK
    horizontal = np.fft.rfftfreq(_BLOCK)[None, :] * _BLOCK
    # All columns but the first and the last stand for two.
    counted = np.where((horizontal == 0) | (horizontal == _BLOCK / 2), 1.0, 2.0) + 0 * vertical
    number = np.rint(np.hypot(vertical, horizontal)).astype(int).ravel()
    matrix = np.eye(number.max() + 1)[number] * counted.ravel()[:, None]
    weights = matrix.sum(0)
    return matrix / weights, weights


@lru_cache
def _octaves() -> NDArray[np.float64]:
    """(rings, octaves): the mean response of each octave of `filter_noise` on each ring."""
    size = 4 * REACH + 1
    impulse = np.zeros((size, size))
    impulse[2 * REACH, 2 * REACH] = 1
    responses = []
    for index in range(BANDS):
        kernel = filter_noise(impulse, tuple(int(band == index) for band in range(BANDS)))
        # Wrapped around a block, a kernel has the responses that it has at the block's frequencies.
        wrapped = np.zeros((_BLOCK, _BLOCK))
        wrapped[: kernel.shape[0], : kernel.shape[1]] = kernel
        responses.append(np.abs(np.fft.rfft2(wrapped)).ravel() @ _rings()[0])
    return np.stack(responses, axis=1)


def _deviations(blocks: _Blocks) -> NDArray[np.float64]:
    """Standard deviations of Y, Co and Cg at each brightness level, (3, levels): a share of full scale."""
    bins = _bin(blocks.brightness)
    filled = np.unique(bins)
    power = np.array([np.median(blocks.power[bins == number], axis=0) for number in filled]).clip(0)
    place = np.array([blocks.brightness[bins == number].mean() for number in filled], np.float64)
    weight = np.array([min((bins == number).sum(), _FULL_BIN) / _FULL_BIN for number in filled])
    levels = np.arange(BRIGHTNESS_LEVELS)
    hats = (1 - np.abs(place[:, None] * (BRIGHTNESS_LEVELS - 1) - levels)).clip(0)
    steps = np.diff(np.eye(BRIGHTNESS_LEVELS), axis=0)
    system = hats.T * weight @ hats + _SMOOTHNESS * steps.T @ steps
    fitted: NDArray[np.float64] = np.linalg.solve(system, hats.T * weight @ np.sqrt(power))
    return fitted.T.clip(0)


def _fit_bands(blocks: _Blocks, index: int) -> Codes:
    """Amplitudes of the octaves, the largest 255, whose sum comes nearest to a spectrum of the blocks."""
    spectra = blocks.spectra[:, index]
    # Relative to each block's own power, and medians: where there is some detail, few blocks spoil nothing.
    relative = np.median(spectra / spectra.mean(1, keepdims=True).clip(1e-9), axis=0)
    amplitude = np.sqrt(relative.clip(0)).astype(np.float64)
    octaves, weight = _octaves(), np.sqrt(_rings()[1])
    # Blocks are less their means.
    weight[0] = 0
    free = np.ones(BANDS, bool)
    gains = np.zeros(BANDS)
    # Octaves that would have to be negative are left out, one after the other.
    while free.any():
        gains[:] = 0
        gains[free] = np.linalg.lstsq(octaves[:, free] * weight[:, None], amplitude * weight, rcond=None)[0]
        if gains.min() >= 0:
            break
        free &= gains > gains.min()
    largest = gains.max()
    return _codes(np.rint(255 * gains / largest)) if largest > 0 else (255,) * BANDS


def _mixing(blocks: _Blocks, luma: Codes, chroma: Codes) -> Codes:
    """Codes of how much of Y is in Co, of Y in Cg, and of Co in what is left of Cg."""
    total = np.sqrt(blocks.power.sum(0, dtype=np.float64).clip(1e-12))
    y_co, y_cg, co_cg = blocks.common.sum(0, dtype=np.float64) / (total[[0, 0, 1]] * total[[1, 2, 2]])
    # Mixing is done on white noise: filters of different shape leave less in common.
    weight = _rings()[1]
    first, second = (_octaves() @ np.array(bands) for bands in (luma, chroma))
    overlap = (first * second @ weight) / np.sqrt((first**2 @ weight) * (second**2 @ weight))
    y_co, y_cg = (float(np.clip(value / overlap, -0.99, 0.99)) for value in (y_co, y_cg))
    rest = (co_cg - y_co * y_cg) / np.sqrt((1 - y_co**2) * (1 - y_cg**2))
    return _codes(np.rint(MIXING_SCALE * np.array([y_co, y_cg, np.clip(rest, -0.99, 0.99)])))


def _codes(values: NDArray[np.generic]) -> Codes:
    return tuple(int(value) for value in values)
