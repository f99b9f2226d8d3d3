"""Synthetic grain: noise of the look that the encoder removed, put back into decoded pixels.

White noise comes from a hash of place, channel and seed, so any part of a picture gets the grain that the
whole one has, on every machine. It is mixed between channels, filtered by a stack of binomial low-passes
whose differences are octaves (the à trous wavelets of Holschneider et al., 1989), and scaled by the
brightness of the pixel it falls on, as film grain synthesis of AV1 does (Norkin and Birkbeck, DCC 2018).
`docs/format.md` is normative. How the numbers are measured is in `grain_meter`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jdcodec.container.grain import (
    BANDS,
    BRIGHTNESS_LEVELS,
    DEVIATION_SCALE,
    MIXING_SCALE,
    Codes,
    Grain,
)

Floats = NDArray[np.float32]

#: Pixels beyond a place whose white noise is in the grain there: 1 + 2 + 4 + 8.
REACH = 2 ** (BANDS - 1) - 1

# Full-size pixels that grain is made for at once, per side: the arrays fit into a core's cache.
_BLOCK = 256

_GOLDEN = 0x9E3779B9

# Four bytes of a hash sum up to 510 on average, with a variance of 4 · (256² − 1) / 12.
_MEAN = np.float32(510)
_WHITE_DEVIATION = math.sqrt(21_845)


def add_grain(
    pixels: NDArray[Any],
    grain: Grain,
    amount: float,
    *,
    left: int = 0,
    top: int = 0,
    scale: int = 1,
    gray: bool = False,
) -> NDArray[Any]:
    """Pixels (H, W, 3) uint8, uint16 or float32 (0 to 1), with `amount` (0 to 1) of the grain; a new array.

    left, top: where the pixels begin in their picture, in pixels of their own. scale: how many times smaller
    the picture is than the one that the grain belongs to, in each direction; pixels then get the mean of the
    grain that falls on them. gray: all channels get the grain of Y.
    """
    if amount == 0:
        return pixels
    deviations = [_deviation_by_brightness(codes, amount) for codes in grain.deviations]
    # Of a gray picture only Y has grain.
    used = 1 if gray or not (deviations[1].any() or deviations[2].any()) else 3
    largest = np.float32(1 if pixels.dtype == np.float32 else np.iinfo(pixels.dtype).max)
    out = np.empty_like(pixels)
    for rows, columns in _blocks(pixels.shape[0], pixels.shape[1], max(1, _BLOCK // scale)):
        part = pixels[rows, columns].astype(np.float32)
        place = (top + rows.start) * scale, (left + columns.start) * scale
        fields = _fields(grain, used, place, (part.shape[0] * scale, part.shape[1] * scale))
        brightness = _brightness(part, largest)
        scaled = [
            _reduced(field, scale) * deviation[brightness] * largest
            for field, deviation in zip(fields, deviations)
        ]
        _add(part, scaled)
        np.clip(part, 0, largest, out=part)
        out[rows, columns] = part if pixels.dtype == np.float32 else np.rint(part, out=part)
    return out


def filter_noise(noise: NDArray[Any], bands: Codes) -> NDArray[Any]:
    """(…, H + 2 REACH, W + 2 REACH) to (…, H, W): each octave of the noise times its entry of `bands`."""
    low = noise
    total: NDArray[Any] | None = None
    margin, previous = REACH, 0
    for index, gain in enumerate(bands):
        if gain != previous:
            centre = low[..., margin : low.shape[-2] - margin, margin : low.shape[-1] - margin]
            step = noise.dtype.type(gain - previous) * centre
            total = step if total is None else total + step
        previous = gain
        if index + 1 < len(bands) and any(later != gain for later in bands[index + 1 :]):
            low = _smooth(low, 2**index)
            margin -= 2**index
    assert total is not None
    return total


def _smooth(x: NDArray[Any], spacing: int) -> NDArray[Any]:
    """Low-pass by [1 2 1] / 4 along both axes, taps `spacing` apart; the borders are cut off."""
    two, quarter = x.dtype.type(2), x.dtype.type(0.25)
    for outer, inner, both in (
        (np.s_[..., : -2 * spacing, :], np.s_[..., spacing:-spacing, :], np.s_[..., 2 * spacing :, :]),
        (np.s_[..., : -2 * spacing], np.s_[..., spacing:-spacing], np.s_[..., 2 * spacing :]),
    ):
        y = x[inner] * two
        y += x[outer]
        y += x[both]
        y *= quarter
        x = y
    return x


def _fields(grain: Grain, count: int, place: tuple[int, int], shape: tuple[int, int]) -> list[Floats]:
    """Noise of Y, or of Y, Co and Cg, with a variance of 1, for `shape` pixels from (row, column) `place`."""
    white = [_white(grain.seed, channel, place, shape) for channel in range(count)]
    luma = filter_noise(white[0], grain.luma_bands) * _to_unit(grain.luma_bands)
    if count == 1:
        return [luma]
    (y_co, co_rest), (y_cg, cg_rest), (co_cg, rest) = (_shares(code) for code in grain.mixing)
    co = y_co * white[0] + co_rest * white[1]
    cg = y_cg * white[0] + cg_rest * (co_cg * white[1] + rest * white[2])
    unit = _to_unit(grain.chroma_bands)
    return [luma, *(filter_noise(channel, grain.chroma_bands) * unit for channel in (co, cg))]


def _shares(code: int) -> tuple[np.float32, np.float32]:
    """A share c and the √(1 − c²) that keeps the variance."""
    share = code / MIXING_SCALE
    return np.float32(share), np.float32(math.sqrt(1 - share * share))


def _to_unit(bands: Codes) -> np.float32:
    """The factor that gives filtered white noise a variance of 1."""
    kernel = np.zeros((4 * REACH + 1, 4 * REACH + 1))
    kernel[2 * REACH, 2 * REACH] = 1
    # `fsum` rounds once, so that all machines agree on the last bit.
    power = math.fsum((filter_noise(kernel, bands) ** 2).ravel())
    return np.float32(1 / (_WHITE_DEVIATION * math.sqrt(power)))


def _white(seed: int, channel: int, place: tuple[int, int], shape: tuple[int, int]) -> Floats:
    """White noise around −510 … 510, REACH pixels wider than `shape` on each side."""
    rows, columns = (
        np.arange(start - REACH, start + size + REACH).astype(np.uint32) for start, size in zip(place, shape)
    )
    # A key for each row of each channel.
    numbers = rows * np.uint32(4) + np.uint32(channel)
    x = _mix(np.uint32(seed) + np.uint32(_GOLDEN) * numbers)[:, None] + _mix(columns)
    x = _mix(x)
    pairs = (x & np.uint32(0x00FF00FF)) + ((x >> np.uint32(8)) & np.uint32(0x00FF00FF))
    total = (pairs & np.uint32(0xFFFF)) + (pairs >> np.uint32(16))
    noise: Floats = total.astype(np.float32)
    noise -= _MEAN
    return noise


def _mix(x: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """A hash of 32-bit words, one to one: `lowbias32` of Wellons, "Prospecting for hash functions", 2018."""
    x = x ^ (x >> np.uint32(16))
    x *= np.uint32(0x7FEB352D)
    x ^= x >> np.uint32(15)
    x *= np.uint32(0x846CA68B)
    x ^= x >> np.uint32(16)
    return x


def _deviation_by_brightness(codes: Codes, amount: float) -> Floats:
    """Standard deviation as a share of full scale for brightness 0 … 255, linear between the levels."""
    knots = np.array([code**2 for code in (*codes, codes[-1])], np.int64)
    position = np.arange(256) * (BRIGHTNESS_LEVELS - 1)
    level, share = position // 255, position % 255
    exact = knots[level] * (255 - share) + knots[level + 1] * share
    deviation: Floats = (exact * (amount / (DEVIATION_SCALE * 255.0 * 255.0))).astype(np.float32)
    return deviation


def _brightness(pixels: Floats, largest: np.float32) -> NDArray[np.uint8]:
    """(R + 2 G + B) / 4 of pixels (H, W, 3), rounded to 0 … 255."""
    total = pixels[..., 0] + pixels[..., 1]
    total += pixels[..., 1]
    total += pixels[..., 2]
    total *= np.float32(255) / (np.float32(4) * largest)
    total += np.float32(0.5)
    rounded: NDArray[np.uint8] = total.astype(np.uint8)
    return rounded


def _reduced(field: Floats, scale: int) -> Floats:
    """The means of scale × scale boxes."""
    if scale == 1:
        return field
    height, width = field.shape[0] // scale, field.shape[1] // scale
    means: Floats = field.reshape(height, scale, width, scale).mean((1, 3), dtype=np.float32)
    return means


def _add(pixels: Floats, noise: list[Floats]) -> None:
    """Add noise of Y, or of Y, Co and Cg, to pixels (H, W, 3): the inverse of `to_opponents`."""
    if len(noise) == 1:
        pixels += noise[0][..., None]
        return
    half = np.float32(0.5)
    luma, co, cg = noise[0], noise[1] * half, noise[2] * half
    others = luma - cg
    pixels[..., 0] += others + co
    pixels[..., 1] += luma + cg
    pixels[..., 2] += others - co


def _blocks(height: int, width: int, side: int) -> Iterator[tuple[slice, slice]]:
    for row, column in product(range(0, height, side), range(0, width, side)):
        yield slice(row, min(row + side, height)), slice(column, min(column + side, width))
