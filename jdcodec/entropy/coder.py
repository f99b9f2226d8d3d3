"""One tile's symbols to range-coded 32-bit words, and back.

Order in the stream: hyperlatents, channel by channel, and what their tables escaped; latents, grouped by
scale level from 1 up, in raster order within a level (level 0 is not coded), and what theirs escaped. All
symbols of a group share one model, so a group is a single call into the coder. The range coder is
constriction's queue coder (Bamler, "Understanding entropy coding with asymmetric numeral systems", 2022).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jdcodec.errors import DamagedError

from .tables import HYPER_LIMIT, PROBABILITY_BITS, EntropyTables

#: Latent symbols lie in −LATENT_LIMIT … LATENT_LIMIT.
LATENT_LIMIT = 32767

#: An escaped symbol is coded as 16 plain bits: value + 32768.
ESCAPE_BITS = 16
_ESCAPE_BIAS = 1 << (ESCAPE_BITS - 1)


def encode_tile(tables: EntropyTables, z: NDArray[np.int8], y: NDArray[np.int16], quality_step: int) -> bytes:
    """Code hyperlatents z (N, h, w) and latents y (M, 4 h, 4 w); little-endian words.

    y must be zero wherever the scale level is 0, and z within ±127: the caller's transform sees to it.
    """
    from constriction import stream

    coder = stream.queue.RangeEncoder()
    escaped: list[NDArray[Any]] = []
    for channel, table in _hyper_tables(tables, quality_step):
        _encode_group(coder, table, z[channel].ravel(), escaped)
    _encode_escaped(coder, escaped)
    order, bounds = _group(tables.scale_indices(z, quality_step))
    values = y.ravel()[order]
    if np.count_nonzero(values) < np.count_nonzero(y):
        raise ValueError("a latent of scale level 0 is not zero")
    escaped = []
    for level, start, end in _spans(bounds):
        _encode_group(coder, tables.latent_table(level), values[start:end], escaped)
    _encode_escaped(coder, escaped)
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
    tables: EntropyTables, z: NDArray[np.int8], y: NDArray[np.int16], quality_step: int
) -> float:
    """Information content in bits of a tile's symbols under the tables, without coding them."""
    total = 0.0
    for channel, table in _hyper_tables(tables, quality_step):
        total += _group_bits(table, z[channel].ravel())
    order, bounds = _group(tables.scale_indices(z, quality_step))
    values = y.ravel()[order]
    for level, start, end in _spans(bounds):
        total += _group_bits(tables.latent_table(level), values[start:end])
    return total


def _hyper_tables(tables: EntropyTables, quality_step: int) -> Iterator[tuple[int, NDArray[np.int32]]]:
    for channel in range(tables.hyper_channels):
        yield channel, tables.hyper_table(channel, quality_step)


def _group(levels: NDArray[np.uint8]) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """(sites of levels above 0, sorted stably by level; end of each level's span among them)."""
    flat = levels.ravel()
    coded = np.flatnonzero(flat)  # a quarter to six tenths of them, by quality
    found = flat[coded]
    return coded[np.argsort(found, kind="stable")], np.cumsum(np.bincount(found, minlength=64))


def _spans(bounds: NDArray[np.int64]) -> Iterator[tuple[int, int, int]]:
    """(level, start, end) of each level above 0 that has symbols."""
    for level in range(1, len(bounds)):
        if bounds[level] > bounds[level - 1]:
            yield level, int(bounds[level - 1]), int(bounds[level])


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
    order, bounds = _group(levels)
    values = np.empty(len(order), dtype=np.int16)
    places = [np.empty(0, dtype=np.intp)]
    for level, start, end in _spans(bounds):
        places.append(start + _decode_group(coder, tables.latent_table(level), values[start:end]))
    _decode_escaped(coder, places, values, LATENT_LIMIT)
    y = np.zeros(levels.size, dtype=np.int16)
    y[order] = values
    return shaped, y.reshape(levels.shape)
