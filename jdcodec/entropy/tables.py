"""The integer tables of a model: everything that chooses or defines a probability.

All of it is integer arithmetic that is exact in any order of summation, so every machine agrees on every
symbol. The tables travel in the weights file, are covered by the model id, and are checked when read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jdcodec.errors import ModelError

from .trellis import UNITS

#: Probabilities are integers out of 2**24, each at least 1.
PROBABILITY_BITS = 24

#: Scale levels; a latent of level 0 is zero and costs nothing.
LEVELS = 64

#: Quality is coded in steps of 1/32 from 1 to 8; anchors lie at the whole numbers.
QUALITY_STEPS = 32
ANCHORS = 8

#: Hyperlatents lie in −HYPER_LIMIT … HYPER_LIMIT, so that they are int8 operands.
HYPER_LIMIT = 127

#: Latent symbols, in units (`EntropyTables.units`), lie in −LATENT_LIMIT … LATENT_LIMIT.
LATENT_LIMIT = 32767

#: Indices of latents with dependent quantisation lie in −TRELLIS_LIMIT … TRELLIS_LIMIT: points are four times
#: that.
TRELLIS_LIMIT = LATENT_LIMIT // 4

#: Half width of a latent table at most; that of a hyperlatent table is at most HYPER_LIMIT.
_LARGEST_HALF_WIDTH = 4096

#: Fractional bits of the scale index's affine map.
AFFINE_BITS = 16

#: Scale indices worked on at a time, so that they stay in the cache.
_CHUNK = 1 << 17

#: The one array that weights files may lack.
_TRELLIS = "trellis"

#: Sums of products must stay below this for float32 to hold each exactly.
_EXACT_FLOAT32 = 2**24


@dataclass(frozen=True, eq=False)
class EntropyTables:
    """Shapes for M latent and N hyperlatent channels.

    - `scale_weight` (16 M, N) int8: accumulator = scale_weight @ z at a hyperlatent site. Row
      16 m + 4 i + j belongs to latent channel m at row 4 y + i, column 4 x + j of the latents.
    - `scale_multiplier` (16 M,) int32 and `scale_bias` (16 M,) int32: affine map in units of
      2^−AFFINE_BITS levels.
    - `quality_offset` (ANCHORS, M) int32: added to the bias, interpolated linearly between anchors.
    - `latent_half_width` (LEVELS,) int32: level k codes −h … h directly, h = latent_half_width[k].
    - `trellis` (1,) int32 in 1 … LEVELS: levels from this one on have dependent quantisation, see
      `trellis`; with LEVELS none has. Weights files from before it lack the array, and mean LEVELS.
    - `latent_frequency` (sum of 2 h + 2,) int32: levels' tables one after the other, from level 1 on, each
      −h, …, h, escape; each sums to 2^PROBABILITY_BITS. A level with dependent quantisation has two, of
      quantiser 0 and of quantiser 1.
    - `hyper_half_width` (N,) int32 and `hyper_frequency` (ANCHORS, sum of 2 h + 2) int32: the same for
      each channel of the hyperlatents, with one row of tables for each quality anchor.
    """

    scale_weight: NDArray[np.int8]
    scale_multiplier: NDArray[np.int32]
    scale_bias: NDArray[np.int32]
    quality_offset: NDArray[np.int32]
    latent_half_width: NDArray[np.int32]
    latent_frequency: NDArray[np.int32]
    hyper_half_width: NDArray[np.int32]
    hyper_frequency: NDArray[np.int32]
    trellis: NDArray[np.int32] = field(default_factory=lambda: np.array([LEVELS], np.int32))

    @property
    def latent_channels(self) -> int:
        return int(self.quality_offset.shape[1])

    @property
    def hyper_channels(self) -> int:
        return int(self.scale_weight.shape[1])

    @property
    def trellis_level(self) -> int:
        """The lowest level with dependent quantisation; LEVELS where none has it."""
        return int(self.trellis[0])

    @property
    def units(self) -> int:
        """In how many units a quantisation step is divided: latents' symbols are multiples of one."""
        return UNITS if self.trellis_level < LEVELS else 1

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]]) -> EntropyTables:
        """Build from named arrays; raises ModelError unless every shape, type, sum and bound holds."""
        wanted = {field.name for field in fields(cls)}
        if _TRELLIS not in arrays:
            wanted.remove(_TRELLIS)
        missing = wanted - set(arrays)
        if missing:
            raise ModelError(f"the weights lack the entropy tables {', '.join(sorted(missing))}")
        for name in wanted:
            kind = np.int8 if name == "scale_weight" else np.int32
            if arrays[name].dtype != kind:
                raise ModelError(f"entropy table {name} has type {arrays[name].dtype}, not {np.dtype(kind)}")
        tables = cls(**{name: arrays[name] for name in wanted})  # type: ignore[arg-type]
        tables._check()
        return tables

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """By name; without dependent quantisation as before there was any, so that model ids stay."""
        arrays = {field.name: getattr(self, field.name) for field in fields(self)}
        if self.trellis_level == LEVELS:
            del arrays[_TRELLIS]
        return arrays

    def _check(self) -> None:
        axes = (self.scale_weight.ndim, self.quality_offset.ndim)
        if axes != (2, 2) or len(self.quality_offset) != ANCHORS:
            raise ModelError("entropy tables: scale_weight must have 2 axes and quality_offset 8 rows")
        if not self.latent_channels or not self.hyper_channels:
            raise ModelError("entropy tables: there must be at least 1 channel of latents and hyperlatents")
        rows = 16 * self.latent_channels
        if self.scale_weight.shape[0] != rows or {
            self.scale_multiplier.shape,
            self.scale_bias.shape,
        } != {(rows,)}:
            raise ModelError(f"entropy tables: the scale map must have {rows} rows")
        largest = self._largest_sums.max(initial=0)
        if largest >= _EXACT_FLOAT32:
            raise ModelError(f"entropy tables: a scale sum can reach {largest}, beyond exact float32")
        _check_half_widths("latent", self.latent_half_width, LEVELS, _LARGEST_HALF_WIDTH)
        if self.trellis.shape != (1,) or not 1 <= self.trellis_level <= LEVELS:
            raise ModelError(f"entropy tables: {_TRELLIS} must be one number in 1 to {LEVELS}")
        _check_frequencies("latent", self._latent_half_widths(), self.latent_frequency[None])
        if self.hyper_frequency.ndim != 2 or self.hyper_frequency.shape[0] != ANCHORS:
            raise ModelError("entropy tables: hyper_frequency must have a row for each of 8 anchors")
        _check_half_widths("hyper", self.hyper_half_width, self.hyper_channels, HYPER_LIMIT)
        _check_frequencies("hyper", self.hyper_half_width, self.hyper_frequency)

    def scale_indices(self, z: NDArray[np.int8], quality_step: int) -> NDArray[np.uint8]:
        """Hyperlatents (N, h, w) to scale levels (M, 4 h, 4 w), exactly.

        quality_step: 0 … 224, quality = 1 + quality_step / 32.
        """
        channels, height, width = z.shape
        flat = z.reshape(channels, -1).astype(np.float32)
        multiplier, bias = self._affine_map(quality_step)
        # Four latents beside each other are one word.
        words = np.empty((self.latent_channels, height, 4, width), "<u4")
        count = max(1, _CHUNK // (16 * flat.shape[1]))
        for start in range(0, self.latent_channels, count):
            part = slice(start, min(start + count, self.latent_channels))
            rows = slice(16 * part.start, 16 * part.stop)
            # float32 is exact here: integers whose partial sums all stay below 2^24 (checked on load). A
            # channel at a time is too little for BLAS to share among threads, as tiles already are.
            weight = self.scale_weight[rows].astype(np.float32).reshape(-1, 16, channels)
            sums = np.matmul(weight, flat).reshape(-1, flat.shape[1]).astype(multiplier.dtype)
            sums *= multiplier[rows, None]
            sums += bias[rows, None]
            sums >>= AFFINE_BITS
            np.maximum(sums, 0, out=sums)
            np.minimum(sums, LEVELS - 1, out=sums)
            four = sums.astype(np.uint32, copy=False).reshape(-1, 4, 4, height, width)
            word = four[:, :, 0] | four[:, :, 1] << 8 | four[:, :, 2] << 16 | four[:, :, 3] << 24
            words[part] = word.transpose(0, 2, 1, 3)
        return words.view(np.uint8).reshape(self.latent_channels, 4 * height, 4 * width)

    def _affine_map(self, quality_step: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """(multiplier, bias) of each row, in units of 2^−AFFINE_BITS levels; int32 where that holds all."""
        anchor, fraction = divmod(quality_step, QUALITY_STEPS)
        following = min(anchor + 1, ANCHORS - 1)
        offset = (
            self.quality_offset[anchor].astype(np.int64) * (QUALITY_STEPS - fraction)
            + self.quality_offset[following].astype(np.int64) * fraction
        )
        # What the division leaves is less than a unit, which the level, rounded down, does not depend on.
        bias = self.scale_bias + np.repeat(offset // QUALITY_STEPS, 16)
        multiplier = self.scale_multiplier.astype(np.int64)
        largest = np.abs(multiplier) * self._largest_sums + np.abs(bias)
        kind = np.int32 if largest.max(initial=0) < 2**31 else np.int64
        return multiplier.astype(kind), bias.astype(kind)

    @cached_property
    def _largest_sums(self) -> NDArray[np.int64]:
        """How large the accumulator of each row can become, (16 M,)."""
        largest: NDArray[np.int64] = np.abs(self.scale_weight.astype(np.int64)).sum(axis=1) * HYPER_LIMIT
        return largest

    def latent_table(self, level: int, quantiser: int = 0) -> NDArray[np.int32]:
        """Frequencies −h … h, escape of a level in 1 … 63, and of one of its quantisers if it has two."""
        sizes = 2 * self._latent_half_widths() + 2
        place = self.table_number(level, quantiser)
        start = int(sizes[:place].sum())
        return self.latent_frequency[start : start + int(sizes[place])]

    def table_number(self, level: int, quantiser: int = 0) -> int:
        """Which of the tables in `latent_frequency`, from 0 on, is that of a level and quantiser."""
        return level - 1 + max(0, level - self.trellis_level) + quantiser

    def _latent_half_widths(self) -> NDArray[np.int32]:
        """Half width of each table in `latent_frequency`."""
        level = self.trellis_level
        return np.concatenate((self.latent_half_width[1:level], np.repeat(self.latent_half_width[level:], 2)))

    def hyper_table(self, channel: int, quality_step: int) -> NDArray[np.int32]:
        """Frequencies −h … h, escape of a hyperlatent channel at the anchor nearest to the quality."""
        anchor = (quality_step + QUALITY_STEPS // 2) // QUALITY_STEPS
        sizes = 2 * self.hyper_half_width + 2
        start = int(sizes[:channel].sum())
        return self.hyper_frequency[anchor, start : start + int(sizes[channel])]


def quantise_probabilities(probabilities: NDArray[np.float64]) -> NDArray[np.int32]:
    """Weights (n,) to integers of at least 1 that sum to 2^24, in proportion.

    Weights below 0 count as 0; if none is above 0, all are alike.
    """
    n = len(probabilities)
    total = 2**PROBABILITY_BITS
    weights = np.maximum(probabilities, 0)
    largest = weights.max()
    share = weights / largest if largest > 0 else np.ones(n)  # so that no sum overflows
    share /= share.sum()
    integers = 1 + np.floor(share * (total - n)).astype(np.int64)
    integers[int(np.argmax(integers))] += total - integers.sum()
    table: NDArray[np.int32] = integers.astype(np.int32)
    return table


def _check_half_widths(name: str, half_width: NDArray[np.int32], count: int, largest: int) -> None:
    if half_width.shape != (count,) or (half_width < 0).any() or (half_width > largest).any():
        raise ModelError(f"entropy tables: {name}_half_width must be {count} numbers in 0 to {largest}")


def _check_frequencies(name: str, half_width: NDArray[np.int32], frequency: NDArray[np.int32]) -> None:
    sizes = 2 * half_width.astype(np.int64) + 2
    if frequency.ndim != 2 or frequency.shape[1] != sizes.sum():
        raise ModelError(f"entropy tables: {name}_frequency must have {sizes.sum()} columns")
    if (frequency < 1).any():
        raise ModelError(f"entropy tables: {name}_frequency has an entry below 1")
    starts = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    sums = np.add.reduceat(frequency.astype(np.int64), starts, axis=1)
    if (sums != 2**PROBABILITY_BITS).any():
        raise ModelError(f"entropy tables: a {name} table does not sum to 2^{PROBABILITY_BITS}")
