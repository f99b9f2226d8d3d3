"""One tile's symbols to range-coded 32-bit words, and back.

Order in the stream: hyperlatents, channel by channel, and what their tables escaped; latents that are
quantised alone, grouped by scale level from 1 up, in raster order within a level (level 0 is not coded), and
what theirs escaped; then latents with dependent quantisation, step by step (`trellis`), each step's by level
and quantiser, each with what it escaped. All symbols of a group share one model, so a group is a single call
into the coder. The range coder is constriction's queue coder (Bamler, "Understanding entropy coding with
asymmetric numeral systems", 2022).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jdcodec.errors import DamagedError

from . import trellis
from .layout import Layout, Span
from .tables import HYPER_LIMIT, LATENT_LIMIT, PROBABILITY_BITS, TRELLIS_LIMIT, EntropyTables

#: An escaped symbol is coded as 16 plain bits: value + 32768.
ESCAPE_BITS = 16
_ESCAPE_BIAS = 1 << (ESCAPE_BITS - 1)


def encode_tile(
    tables: EntropyTables,
    z: NDArray[np.int8],
    y: NDArray[np.int16],
    quality_step: int,
    layout: Layout | None = None,
) -> bytes:
    """Code hyperlatents z (N, h, w) and latents y (M, 4 h, 4 w); little-endian words.

    y must be zero wherever the scale level is 0, and elsewhere a point of its quantiser, and z within ±127:
    the caller sees to it. ValueError is raised for y that is not. layout: that of the tile, where the caller
    has it.
    """
    from constriction import stream

    coder = stream.queue.RangeEncoder()
    escaped: list[NDArray[Any]] = []
    for channel, table in _hyper_tables(tables, quality_step):
        _encode_group(coder, table, z[channel].ravel(), escaped)
    _encode_escaped(coder, escaped)
    layout = layout or Layout.of(tables, tables.scale_indices(z, quality_step))
    scalar, dependent = _split(tables, layout, y)
    escaped = []
    for level, start, end in layout.scalar():
        _encode_group(coder, tables.latent_table(level), scalar[start:end], escaped)
    _encode_escaped(coder, escaped)
    models = _Models(tables)
    for groups, indices, quantisers in dependent:
        _encode_dependent(coder, models, groups, indices, quantisers)
    words: NDArray[np.uint32] = coder.get_compressed()
    return words.astype("<u4").tobytes()


def decode_tile(
    tables: EntropyTables, data: bytes | memoryview, hyper_shape: tuple[int, int], quality_step: int
) -> tuple[NDArray[np.int8], NDArray[np.int16]]:
    """Inverse of `encode_tile` for a tile of `hyper_shape` = (h, w) hyperlatent sites.

    Any bytes decode to something; the caller compares the CRC-32 of the symbols. Raises DamagedError
    where the words are no range code or a symbol is outside its range.
    """
    from constriction import stream

    try:
        words = np.frombuffer(data, dtype="<u4").astype(np.uint32)
        if not len(words):  # the coder writes nothing for symbols that cost nothing
            words = np.zeros(1, dtype=np.uint32)
        return _decode_symbols(stream.queue.RangeDecoder(words), tables, hyper_shape, quality_step)
    except (AssertionError, KeyError, ValueError) as error:
        raise DamagedError(f"the entropy-coded data is damaged: {error}") from error
    except BaseException as error:
        # What Rust code panics with is no Exception, and has no public name to catch it by.
        if type(error).__name__ != "PanicException":
            raise
        raise DamagedError(f"the entropy-coded data is damaged: {error}") from error


def estimate_bits(
    tables: EntropyTables,
    z: NDArray[np.int8],
    y: NDArray[np.int16],
    quality_step: int,
    layout: Layout | None = None,
) -> float:
    """Information content in bits of a tile's symbols under the tables, without coding them.

    layout: that of the tile, where the caller has it.
    """
    total = 0.0
    for channel, table in _hyper_tables(tables, quality_step):
        total += _group_bits(table, z[channel].ravel())
    layout = layout or Layout.of(tables, tables.scale_indices(z, quality_step))
    for level, quantiser, indices in indices_by_table(tables, layout, y):
        total += _group_bits(tables.latent_table(level, quantiser), indices)
    return total


def indices_by_table(
    tables: EntropyTables, layout: Layout, y: NDArray[np.int16]
) -> Iterator[tuple[int, int, NDArray[np.signedinteger[Any]]]]:
    """(level, quantiser, what is coded by their table) of a tile's latents, in no special order."""
    scalar, dependent = _split(tables, layout, y)
    for level, start, end in layout.scalar():
        yield level, 0, scalar[start:end]
    for groups, indices, quantisers in dependent:
        for level, start, end in groups:
            for quantiser in (0, 1):
                yield level, quantiser, indices[start:end][quantisers[start:end] == quantiser]


def _hyper_tables(tables: EntropyTables, quality_step: int) -> Iterator[tuple[int, NDArray[np.int32]]]:
    for channel in range(tables.hyper_channels):
        yield channel, tables.hyper_table(channel, quality_step)


#: The groups of one phase, and its indices and quantisers in the order of its layout.
_Dependent = tuple[list[Span], NDArray[np.int32], NDArray[np.uint8]]


def _split(
    tables: EntropyTables, layout: Layout, y: NDArray[np.int16]
) -> tuple[NDArray[np.int16], list[_Dependent]]:
    """(indices of latents that are quantised alone, those of anchors and of others that are not)."""
    values = y.ravel()[layout.order]
    if np.count_nonzero(values) < np.count_nonzero(y):
        raise ValueError("a latent of scale level 0 is not zero")
    dependent = []
    for phase in (0, 1):
        places, groups = layout.trellis(phase)
        dependent.append((groups, *trellis.indices_of(values[places])))
    scalar = values[: layout.trellis(0)[0].start]
    if tables.units > 1:
        scalar, rest = np.divmod(scalar, tables.units)
        if rest.any():
            raise ValueError("a latent is no multiple of a quantisation step")
    return scalar, dependent


def _by_step(groups: list[Span], symbols: int) -> Iterator[tuple[int, int, int]]:
    """(level, start, end) of the parts of each step that are of one level."""
    number = 0
    for step in trellis.steps(symbols):
        start = step.start
        while start < step.stop:
            level, _, last = groups[number]
            end = min(last, step.stop)
            yield level, start, end
            number += end == last
            start = end


class _Models:
    """Coder models of the levels with two quantisers, each made once for a tile."""

    def __init__(self, tables: EntropyTables) -> None:
        self.half_width = tables.latent_half_width
        self._tables = tables
        self._made: dict[tuple[int, int], Any] = {}

    def of(self, level: int, quantiser: int) -> Any:
        model = self._made.get((level, quantiser))
        if model is None:
            model = self._made[level, quantiser] = _model(self._tables.latent_table(level, quantiser))
        return model


def _model(table: NDArray[np.int32]) -> Any:
    """A coder model with exactly these frequencies.

    constriction gives each symbol 1 and shares the remaining 2^24 − n in proportion; handed the
    frequencies less 1, which sum to just that, its arithmetic is exact.
    """
    from constriction import stream

    return stream.model.Categorical((table - 1).astype(np.float64), perfect=False)


def _indices(table: NDArray[np.int32], values: NDArray[Any]) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Table positions of values, and which of them escape."""
    half_width = (len(table) - 2) // 2
    indices = values.astype(np.int32) + half_width
    outside = (indices < 0) | (indices > 2 * half_width)
    indices[outside] = 2 * half_width + 1
    return indices, outside


def _encode_group(
    coder: Any, table: NDArray[np.int32], values: NDArray[Any], escaped: list[NDArray[Any]]
) -> None:
    indices, outside = _indices(table, values)
    coder.encode(indices, _model(table))
    if outside.any():
        escaped.append(values[outside])


def _decode_group(coder: Any, table: NDArray[np.int32], out: NDArray[Any]) -> NDArray[np.intp]:
    """Fill `out` with values; returns where it holds escapes instead."""
    indices = coder.decode(_model(table), len(out))
    half_width = (len(table) - 2) // 2
    np.subtract(indices, half_width, out=out, casting="unsafe")
    return np.flatnonzero(indices == 2 * half_width + 1)


def _encode_escaped(coder: Any, escaped: list[NDArray[Any]]) -> None:
    from constriction import stream

    if escaped:
        plain = np.concatenate(escaped).astype(np.int32) + _ESCAPE_BIAS
        coder.encode(plain, stream.model.Uniform(1 << ESCAPE_BITS))


def _decode_escaped(coder: Any, places: list[NDArray[np.intp]], out: NDArray[Any], limit: int) -> None:
    """Read the escaped values into `out` at `places`; DamagedError beyond ±limit."""
    from constriction import stream

    where = np.concatenate(places)
    if not len(where):
        return
    plain = coder.decode(stream.model.Uniform(1 << ESCAPE_BITS), len(where)) - _ESCAPE_BIAS
    if np.abs(plain).max() > limit:
        raise DamagedError("the entropy-coded data is damaged: an escaped symbol is out of range")
    out[where] = plain


def _group_bits(table: NDArray[np.int32], values: NDArray[Any]) -> float:
    indices, outside = _indices(table, values)
    bits = PROBABILITY_BITS - np.log2(table.astype(np.float64))
    return float(bits[indices].sum()) + ESCAPE_BITS * int(outside.sum())


def _decode_symbols(
    coder: Any, tables: EntropyTables, hyper_shape: tuple[int, int], quality_step: int
) -> tuple[NDArray[np.int8], NDArray[np.int16]]:
    sites = hyper_shape[0] * hyper_shape[1]
    z = np.empty(tables.hyper_channels * sites, dtype=np.int8)
    places = []
    for channel, table in _hyper_tables(tables, quality_step):
        start = channel * sites
        places.append(start + _decode_group(coder, table, z[start : start + sites]))
    _decode_escaped(coder, places, z, HYPER_LIMIT)
    shaped = z.reshape(tables.hyper_channels, *hyper_shape)

    levels = tables.scale_indices(shaped, quality_step)
    layout = Layout.of(tables, levels)
    values = np.empty(len(layout.order), dtype=np.int32)
    places = [np.empty(0, dtype=np.intp)]
    for level, start, end in layout.scalar():
        places.append(start + _decode_group(coder, tables.latent_table(level), values[start:end]))
    limit = LATENT_LIMIT // tables.units
    _decode_escaped(coder, places, values, limit)
    values[: layout.trellis(0)[0].start] *= tables.units
    models = _Models(tables)
    for phase in (0, 1):
        part, groups = layout.trellis(phase)
        _decode_dependent(coder, models, groups, values[part])
    y = np.zeros(levels.size, dtype=np.int16)
    y[layout.order] = values
    return shaped, y.reshape(levels.shape)


def _encode_dependent(
    coder: Any,
    models: _Models,
    groups: list[Span],
    indices: NDArray[np.int32],
    quantisers: NDArray[np.uint8],
) -> None:
    """Code one phase. There are many small groups, so what can be done for all at once is done before."""
    parts = list(_by_step(groups, len(indices)))
    if not parts:
        return
    level, start, end = np.array(parts).T
    half = np.repeat(models.half_width[level], end - start)
    codes = indices + half
    outside = np.flatnonzero((codes < 0) | (codes > 2 * half))
    codes[outside] = 2 * half[outside] + 1
    # Of each part those of quantiser 0 go first: how many are before each symbol, and in all of its part.
    first = np.concatenate(([0], np.cumsum(quantisers == 0)))
    zeros = first[end] - first[start]
    before = first[:-1] - np.repeat(first[start], end - start)
    place = np.where(
        quantisers == 0,
        np.repeat(start, end - start) + before,
        np.arange(len(codes)) - before + np.repeat(zeros, end - start),
    )
    ordered = np.empty_like(codes)
    ordered[place] = codes
    sequence = outside[np.argsort(place[outside])]
    escapes, escaped = place[sequence], indices[sequence]
    for (number, low, high), middle in zip(parts, (start + zeros).tolist()):
        for quantiser, one, other in ((0, low, middle), (1, middle, high)):
            if one < other:
                coder.encode(ordered[one:other], models.of(number, quantiser))
                if len(escapes):
                    here = slice(*np.searchsorted(escapes, (one, other)))
                    _encode_escaped(coder, [escaped[here]] if here.start < here.stop else [])


def _decode_dependent(coder: Any, models: _Models, groups: list[Span], values: NDArray[np.int32]) -> None:
    """Fill `values` with the points of one phase; DamagedError where one is out of range."""
    lanes = trellis.lane_count(len(values))
    states = np.zeros(lanes, np.uint8)
    quantisers = np.empty(len(values), np.uint8)
    for level, start, end in _by_step(groups, len(values)):
        if start % lanes == 0:  # a new step
            if start:
                states = trellis.advance(states, values[start - lanes : start])
            quantisers[start : start + lanes] = states[: len(values) - start] & 1
        half = int(models.half_width[level])
        mask = quantisers[start:end].view(np.bool_)
        part = values[start:end]
        ones = np.count_nonzero(mask)
        for quantiser, where, count in ((0, ~mask, end - start - ones), (1, mask, ones)):
            if count:
                found = coder.decode(models.of(level, quantiser), count)
                found -= half
                if found.max() > half:
                    _decode_escaped(coder, [np.flatnonzero(found > half)], found, TRELLIS_LIMIT)
                part[where] = found
    values[:] = trellis.points(values, quantisers)
