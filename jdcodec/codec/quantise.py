"""Dependent quantisation in the encoder: the cheapest path through the states, by Viterbi's algorithm.

Which points a value may take depends on those before it in its lane (`jdcodec.entropy.trellis`). For each
state the cheapest way there is kept, in bits + lambda · 255² · MSE as in `rounding`, and the cheapest end is
followed back. Decoders need not know of any of this.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from jdcodec.codec.rounding import rate_aware_rounding
from jdcodec.entropy import EntropyTables, trellis
from jdcodec.entropy.layout import Layout, Span
from jdcodec.entropy.tables import LATENT_LIMIT, LEVELS, TRELLIS_LIMIT
from jdcodec.threads import in_order

Floats = NDArray[np.float32]

#: Points are 4 k − 2 sign(k) q thirds of a step: here they are counted in double thirds, 2 k − q.
_STEP = np.float32(2.0 / trellis.UNITS)

#: Magnitude up to which the rise of code lengths from index to index is measured; it is nearly even.
_REACH = 12

#: Branches are numbered 2 · quantiser + parity of the index. Points of each lie 4 apart: its t-th has index
#: 2 t + parity, and lies at 4 t + _BASE[branch]; only index 0 of quantiser 1, which is 0, is out of line.
_BASE = (0.0, 2.0, -1.0, 1.0)

#: Where a tile lies in a grid (channels, rows, columns).
Place = tuple[slice, slice, slice]

#: Symbols at most that are quantised at once, at about 70 bytes each.
_BATCH = 1 << 19

#: Values worked on at a time, so that they stay in the cache.
_CHUNK = 8192

#: Rows that hold the states while looking for a path, such that each step is a few operations on blocks of
#: rows.
_STATE_OF_ROW = np.array([0, 2, 4, 6, 1, 3, 7, 5])


def _ways() -> tuple[NDArray[np.intp], NDArray[np.int8]]:
    """(row before, branch taken) by 2 · row + whether it was the second of the two ways to get there."""
    row_of_state = np.argsort(_STATE_OF_ROW)
    rows, branches = np.empty(2 * trellis.STATES, np.intp), np.empty(2 * trellis.STATES, np.int8)
    for row, state in enumerate(_STATE_OF_ROW):
        before = [(row_of_state[s], s, p) for s, p in np.argwhere(state == trellis.NEXT)]
        for way, (place, start, parity) in enumerate(sorted(before)):
            rows[2 * row + way] = place
            branches[2 * row + way] = 2 * (start & 1) + parity
    return rows, branches


_ROW_BEFORE, _BRANCH = _ways()


@dataclass(frozen=True)
class IndexBits:
    """Code lengths in bits by level and quantiser, (LEVELS, 2), with a straight line for indices above 0."""

    zero: Floats
    one: Floats
    rise: Floats

    @classmethod
    def of(cls, frequencies: Mapping[tuple[int, int], NDArray[np.int32]]) -> IndexBits:
        """From tables −h … h, escape by level and quantiser."""
        zero, one, rise = (np.zeros((LEVELS, 2), np.float32) for _ in range(3))
        for place, table in frequencies.items():
            half = (len(table) - 2) // 2
            weights = table[half:-1].astype(np.float64)
            lengths = -np.log2(weights / table.sum())
            zero[place], one[place] = lengths[:2]
            rise[place] = _rise(weights[1 : _REACH + 1], lengths[1 : _REACH + 1])
        return cls(zero, one, rise)

    @classmethod
    @lru_cache(maxsize=32)
    def of_tables(cls, tables: EntropyTables) -> IndexBits:
        """As files have them."""
        return cls.of(
            {
                (level, quantiser): tables.latent_table(level, quantiser)
                for level in range(tables.trellis_level, LEVELS)
                for quantiser in (0, 1)
            }
        )


def _rise(frequencies: NDArray[np.float64], lengths: NDArray[np.float64]) -> float:
    """Slope of the line through the first code length that fits the others best, by their frequencies."""
    steps = np.arange(len(lengths))
    weight = float((frequencies * steps**2).sum())
    return max(0.0, float((frequencies * steps * (lengths - lengths[0])).sum()) / weight) if weight else 0.0


def half_place(place: Place) -> Place:
    """Where a tile lies in a grid that holds the sites of one phase alone, half of each row."""
    channels, rows, columns = place
    return channels, rows, slice(columns.start // 2, columns.stop // 2)


def quantise_tiles(
    values: Floats,
    symbols: NDArray[np.int16],
    tiles: Iterable[tuple[Place, Layout]],
    worth: Floats,
    tables: EntropyTables,
    phase: int,
) -> None:
    """Fill in the symbols, (M, h, w), of a phase's sites: 0 for anchors, 1 for others.

    values: differences from the means, in scalar steps, of these sites alone, (M, h, w/2). tiles: their
    places in the grid. worth: (M,), bits that a squared error of one step is worth.
    """
    bits = IndexBits.of_tables(tables)
    rounding = rate_aware_rounding(tables, worth)
    largest = LATENT_LIMIT // tables.units

    def fill(batch: list[tuple[Place, Layout]]) -> None:
        alone, lanes = [], []
        for place, layout in batch:
            given = _TileValues(values[half_place(place)], phase)
            sites, levels = _alone(layout, given)
            steps = rounding(given.at(sites), levels, given.channels(sites))
            alone.append((sites, tables.units * steps.clip(-largest, largest).astype(np.int16)))
            lanes.append(_lanes(given, layout, worth))
        for (place, layout), (sites, whole), points in zip(batch, alone, quantise(lanes, bits)):
            tile = symbols[place]
            flat = tile.ravel()  # a copy, as a tile is no contiguous part
            flat[sites] = whole
            flat[layout.order[layout.trellis(phase)[0]]] = points
            tile[:] = flat.reshape(tile.shape)

    for _ in in_order(fill, _batches(tiles, phase)):
        pass


def _batches(tiles: Iterable[tuple[Place, Layout]], phase: int) -> Iterator[list[tuple[Place, Layout]]]:
    """Tiles to be quantised at once: as many as have _BATCH dependent symbols together, at least one."""
    batch: list[tuple[Place, Layout]] = []
    symbols = 0
    for tile in tiles:
        part, _ = tile[1].trellis(phase)
        count = part.stop - part.start
        if batch and symbols + count > _BATCH:
            yield batch
            batch, symbols = [], 0
        batch.append(tile)
        symbols += count
    if batch:
        yield batch


class _TileValues:
    """What there is to quantise of a tile in one phase, (M, h, w/2), by places in the flattened tile."""

    def __init__(self, values: Floats, phase: int) -> None:
        _, self._rows, half = values.shape
        self._width = 2 * half
        self._flat = values.ravel()
        self.phase = phase

    def at(self, places: NDArray[np.int32]) -> Floats:
        found: Floats = self._flat[places >> 1]
        return found

    def channels(self, places: NDArray[np.int32]) -> NDArray[np.int32]:
        found: NDArray[np.int32] = places // np.int32(self._rows * self._width)
        return found

    def of_phase(self, places: NDArray[np.int32]) -> NDArray[np.intp]:
        """Which of the places belong to the phase."""
        rows, columns = np.ogrid[: self._rows, : self._width]
        here = ((rows + columns) % 2 == self.phase).ravel()
        return np.flatnonzero(here[places % np.int32(here.size)])


def _lanes(tile: _TileValues, layout: Layout, worth: Floats) -> Lanes:
    places, groups = layout.trellis(tile.phase)
    order = layout.order[places]
    return Lanes(tile.at(order), worth[tile.channels(order)], groups)


def _alone(layout: Layout, tile: _TileValues) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """(places, levels) of the latents of a phase that are quantised alone."""
    order = layout.order[: layout.bounds[layout.trellis_level - 1]]
    counts = np.diff(layout.bounds[: layout.trellis_level], prepend=0)
    levels = np.repeat(np.arange(layout.trellis_level, dtype=np.uint8), counts)
    chosen = tile.of_phase(order)
    return order[chosen], levels[chosen]


@dataclass(frozen=True)
class Lanes:
    """One phase of a tile, to be quantised: all (n,) in the order of its lanes.

    values: what is to be coded, in scalar steps. worth: bits that a squared error of one step is worth.
    groups: the scale level of each, rising.
    """

    values: Floats
    worth: Floats
    groups: list[Span]

    @property
    def count(self) -> int:
        return trellis.lane_count(len(self.values))


def quantise(tiles: Sequence[Lanes], bits: IndexBits) -> list[NDArray[np.int32]]:
    """Points of each in units, (n,); together they take fewer and larger operations."""
    if not any(len(tile.values) for tile in tiles):
        return [np.empty(0, np.int32) for _ in tiles]
    ends = np.cumsum([tile.count for tile in tiles])
    places = np.zeros((trellis.LANE_LENGTH, 4, ends[-1]), np.float32)
    costs = np.zeros_like(places)  # a lane that has ended goes on for nothing
    for tile, end in zip(tiles, ends):
        columns = slice(end - tile.count, end)
        for lanes, found in zip((places, costs), _candidates(tile, bits)):
            whole = len(tile.values) // tile.count
            rest = len(tile.values) - whole * tile.count
            split = whole * tile.count
            lanes[:whole, :, columns] = found[:, :split].reshape(4, whole, tile.count).transpose(1, 0, 2)
            if rest:
                lanes[whole, :, columns.start : columns.start + rest] = found[:, split:]
    branch = _cheapest_path(costs)
    index = np.take_along_axis(places, branch[:, None].astype(np.intp), axis=1)[:, 0].astype(np.int32)
    index *= 2
    index += branch & 1
    points = trellis.points(index, (branch >> 1).view(np.uint8))
    signless = (
        points[:, end - tile.count : end].reshape(-1)[: len(tile.values)] for tile, end in zip(tiles, ends)
    )
    return [np.where(tile.values < 0, -found, found) for tile, found in zip(tiles, signless)]


def _candidates(tile: Lanes, bits: IndexBits) -> tuple[Floats, Floats]:
    """For each branch which of its points is best, and what that costs in bits: both (4, n)."""
    places = np.empty((4, len(tile.values)), np.float32)
    costs = np.empty((4, len(tile.values)), np.float32)
    base = np.array(_BASE, np.float32)[:, None]
    offset, least = 0.5 - 0.25 * base, np.array([[1.0], [0.0], [1.0], [0.0]], np.float32)
    for level, first, last in tile.groups:
        rise = np.repeat(bits.rise[level], 2)[:, None]
        first_bits = np.repeat(bits.one[level], 2)[:, None] - rise * least
        no_bits = bits.zero[level][:, None]
        # Two points of a branch are 4 apart and 2 indices: the upper one is cheaper from a little above the
        # middle on.
        shift = np.float32(bits.rise[level].mean() / 16)
        for start in range(first, last, _CHUNK):
            part = slice(start, min(start + _CHUNK, last))
            place, cost = places[:, part], costs[:, part]
            weight = tile.worth[part] * _STEP**2
            x = np.abs(tile.values[part])
            x /= _STEP
            np.minimum(x, 2 * TRELLIS_LIMIT - 8, out=x)
            np.add(x * np.float32(0.25) - np.minimum(shift / weight, np.float32(0.5)), offset, out=place)
            np.floor(place, out=place)
            np.maximum(place, least, out=place)
            np.multiply(place, np.float32(-4.0), out=cost)
            cost += x - base
            cost *= cost
            cost *= weight
            cost += first_bits
            cost += place * (2 * rise)
            x *= x
            x *= weight
            nothing, even = x + no_bits, cost[0::2]
            place[0::2] *= even < nothing
            np.minimum(even, nothing, out=even)
    return places, costs


def _cheapest_path(costs: Floats) -> NDArray[np.int8]:
    """The branch that each symbol takes, (steps, lanes), where branches cost so much, (steps, 4, lanes)."""
    steps, _, lanes = costs.shape
    total = np.full((trellis.STATES, lanes), np.inf, np.float32)
    total[0] = 0.0  # the row of state 0
    second = np.empty((steps, trellis.STATES, lanes), np.bool_)
    for way, cost in zip(second, costs):
        even, even_odd = total[:4] + cost[0], total[:4] + cost[1]
        odd, odd_odd = total[4:] + cost[2], total[4:] + cost[3]
        for rows, one, other in (
            (slice(0, None, 4), even[:2], even_odd[2:]),  # to states 0 and 1
            (slice(1, None, 4), even_odd[:2], even[2:]),  # 2 and 3
            (slice(7, None, -4), odd[:2], odd_odd[2:]),  # 5 and 6
            (slice(6, None, -4), odd_odd[:2], odd[2:]),  # 7 and 4
        ):
            np.less(other, one, out=way[rows])
            np.minimum(one, other, out=total[rows])
    row = total.argmin(axis=0)
    branch = np.empty((steps, lanes), np.int8)
    columns = np.arange(lanes)
    for step in range(steps - 1, -1, -1):
        taken = 2 * row + second[step].ravel()[row * lanes + columns]
        branch[step] = _BRANCH[taken]
        row = _ROW_BEFORE[taken]
    return branch
