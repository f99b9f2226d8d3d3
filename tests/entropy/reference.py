"""A second implementation of the tile payload, written from `docs/format.md` in Python integers alone.

It shares nothing with the code under test but the arrays of the weights file.
"""

from __future__ import annotations

import struct
from itertools import accumulate, product

from jdcodec.entropy import EntropyTables

Channels = list[list[list[int]]]


class ReferenceRangeDecoder:
    """The decoder of the chapter 'Range coder'."""

    def __init__(self, data: bytes) -> None:
        self.words = iter(struct.unpack(f"<{len(data) // 4}I", data))
        self.lower, self.range = 0, 2**64 - 1
        self.point = next(self.words, 0) << 32 | next(self.words, 0)

    def decode(self, table: list[int]) -> int:
        scale = self.range >> 24
        quantile = (self.point - self.lower) % 2**64 // scale
        if quantile >= 2**24:
            raise ValueError("no range code")
        ends = list(accumulate(table))
        symbol = next(t for t, end in enumerate(ends) if quantile < end)
        self.lower = (self.lower + scale * (ends[symbol] - table[symbol])) % 2**64
        self.range = scale * table[symbol]
        if self.range < 2**32:
            self.lower = (self.lower << 32) % 2**64
            self.range <<= 32
            self.point = (self.point << 32) % 2**64 | next(self.words, 0)
        return symbol


def scale_index(tables: EntropyTables, z: Channels, v: int, m: int, row: int, column: int) -> int:
    """The chapter 'Scale index' for one latent."""
    (r, i), (c, j) = divmod(row, 4), divmod(column, 4)
    k, a, f = 16 * m + 4 * i + j, v // 32, v % 32
    b = min(a + 1, 7)
    s = sum(int(tables.scale_weight[k, n]) * channel[r][c] for n, channel in enumerate(z))
    u = 32 * int(tables.scale_multiplier[k]) * s + 32 * int(tables.scale_bias[k])
    u += (32 - f) * int(tables.quality_offset[a, m]) + f * int(tables.quality_offset[b, m])
    return min(63, max(0, u // 2**21))


def _tables(frequencies: list[int], half_widths: list[int]) -> list[list[int]]:
    ends = list(accumulate(2 * h + 2 for h in half_widths))
    return [frequencies[end - 2 * h - 2 : end] for end, h in zip(ends, half_widths)]


def _decode_values(
    decoder: ReferenceRangeDecoder, places: list[tuple[list[int], int, list[int], int]]
) -> None:
    """Fill each place (list, position) by its (table, half width), then those that escaped."""
    escaped = []
    for target, position, table, half_width in places:
        symbol = decoder.decode(table)
        if symbol == 2 * half_width + 1:
            escaped.append((target, position))
        else:
            target[position] = symbol - half_width
    for target, position in escaped:
        target[position] = decoder.decode([256] * 2**16) - 32768


def reference_decode(
    tables: EntropyTables, data: bytes, rows: int, columns: int, v: int
) -> tuple[Channels, Channels]:
    """(z, y) of a tile of rows × columns hyperlatent sites, as nested lists: channel, row, column."""
    decoder = ReferenceRangeDecoder(data)
    half = tables.hyper_half_width.tolist()
    hyper = _tables(tables.hyper_frequency[(v + 16) // 32].tolist(), half)
    z = [[[0] * columns for _ in range(rows)] for _ in half]
    sites = product(range(len(half)), range(rows), range(columns))
    _decode_values(decoder, [(z[n][r], c, hyper[n], half[n]) for n, r, c in sites])

    first, units = int(tables.trellis[0]), 3 if tables.trellis[0] < 64 else 1
    half = tables.latent_half_width.tolist()
    halves = [half[k] for k in range(1, 64) for _ in range(1 + (k >= first))]
    latent = iter(_tables(tables.latent_frequency.tolist(), halves))
    table = {(k, q): next(latent) for k in range(1, 64) for q in range(1 + (k >= first))}
    y = [[[0] * (4 * columns) for _ in range(4 * rows)] for _ in range(tables.latent_channels)]
    sites = product(range(len(y)), range(4 * rows), range(4 * columns))
    indexed = [(scale_index(tables, z, v, m, r, c), y[m][r], c, (r + c) % 2) for m, r, c in sites]
    coded = [
        (line, c, table[level, 0], half[level])
        for level in range(1, first)
        for index, line, c, _ in indexed
        if index == level
    ]
    _decode_values(decoder, coded)
    for line, c, _, _ in coded:
        line[c] *= units
    for phase in (0, 1):
        dependent = [place for place in indexed if place[0] >= first and place[3] == phase]
        _decode_phase(decoder, sorted(dependent, key=lambda place: place[0]), table, half)
    return z, y


#: The state after an even, and after an odd index.
_NEXT = ((0, 5, 1, 6, 2, 4, 3, 7), (2, 7, 3, 4, 0, 6, 1, 5))


def _decode_phase(
    decoder: ReferenceRangeDecoder,
    places: list[tuple[int, list[int], int, int]],
    table: dict[tuple[int, int], list[int]],
    half: list[int],
) -> None:
    """The chapter 'Dependent quantisation' for one phase."""
    lanes = max(1, -(-len(places) // 256))
    states = [0] * lanes
    for start in range(0, len(places), lanes):
        step = list(zip(places[start : start + lanes], range(lanes)))
        for level in sorted({place[0] for place, _ in step}):
            for q in (0, 1):
                group = [place for place, lane in step if place[0] == level and states[lane] % 2 == q]
                _decode_values(decoder, [(line, c, table[level, q], half[level]) for _, line, c, _ in group])
        for (_, line, c, _), lane in step:
            index, q = line[c], states[lane] % 2
            line[c] = 4 * index - 2 * q * ((index > 0) - (index < 0))
            states[lane] = _NEXT[index % 2][states[lane]]
