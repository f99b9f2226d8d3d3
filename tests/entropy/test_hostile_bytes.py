"""Bytes that no encoder wrote give DamagedError or symbols in their ranges, soon, and nothing else."""

from __future__ import annotations

import contextlib
import time

import constriction
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from jdcodec.entropy import EntropyTables, decode_tile, encode_tile
from jdcodec.errors import DamagedError

from .samples import extreme_tile, make_tables, typical_tile

TABLES = make_tables()
TRELLIS = make_tables(trellis_level=14)
TILE = typical_tile(TABLES, (2, 3), 17)
DATA = encode_tile(TABLES, TILE.z, TILE.y, 17)
TRELLIS_TILE = typical_tile(TRELLIS, (2, 3), 17)
TRELLIS_DATA = encode_tile(TRELLIS, TRELLIS_TILE.z, TRELLIS_TILE.y, 17)

both = pytest.mark.parametrize(
    ("tables", "good"), [(TABLES, DATA), (TRELLIS, TRELLIS_DATA)], ids=["scalar", "trellis"]
)


def decode(data: bytes, tables: EntropyTables = TABLES) -> tuple[NDArray[np.int8], NDArray[np.int16]] | None:
    """Symbols, checked to be in their ranges; None where the bytes were refused."""
    try:
        z, y = decode_tile(tables, data, (2, 3), 17)
    except DamagedError as error:
        assert "\n" not in str(error)
        return None
    assert z.shape == (tables.hyper_channels, 2, 3) and y.shape == (tables.latent_channels, 8, 12)
    assert z.min() >= -127 and y.min() >= -32767
    assert not y[tables.scale_indices(z, 17) == 0].any()
    return z, y


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=400), st.sampled_from((TABLES, TRELLIS)))
def test_any_bytes(data: bytes, tables: EntropyTables) -> None:
    decode(data, tables)


@pytest.mark.parametrize("word", [0x00000000, 0xFFFFFFFF, 0xFFFFFF00, 0x7FFFFFFF, 0x80000000, 0x00000001])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 400])
@both
def test_words_that_are_all_alike(word: int, count: int, tables: EntropyTables, good: bytes) -> None:
    decode(np.full(count, word, "<u4").tobytes(), tables)


@both
def test_every_length_short_of_the_whole(tables: EntropyTables, good: bytes) -> None:
    for length in range(len(good)):
        found = decode(good[:length], tables)
        if length % 4:
            assert found is None
    assert decode(good, tables) is not None


@both
def test_flipped_bits(tables: EntropyTables, good: bytes) -> None:
    """The range coder does not see most of them: that is what the CRC of the symbols is for."""
    rng = np.random.default_rng(0)
    for bit in rng.choice(8 * len(good), 200, replace=False).tolist():
        data = bytearray(good)
        data[bit // 8] ^= 1 << bit % 8
        decode(bytes(data), tables)


def test_words_after_the_end_are_not_looked_at() -> None:
    found = decode(DATA + bytes(4) + b"\xff" * 400)
    assert found is not None
    np.testing.assert_array_equal(found[1], TILE.y)


def test_a_value_that_its_escape_must_not_have_is_refused() -> None:
    """-128 and -32768 have plain codes but are outside the ranges of z and y."""
    z, y = TILE.z.astype(np.int16), TILE.y.astype(np.int32)
    z[1, 0, 0] = -128
    assert decode(encode_tile(TABLES, z, np.zeros_like(TILE.y), 17)) is None  # type: ignore[arg-type]
    y.flat[np.argmax(TABLES.scale_indices(TILE.z, 17))] = -32768
    assert decode(encode_tile(TABLES, TILE.z, y, 17)) is None  # type: ignore[arg-type]


def test_an_index_whose_point_symbols_cannot_hold_is_refused() -> None:
    """Points of dependent quantisation are four times their indices: 8191 is the last that fits."""
    levels = TRELLIS.scale_indices(TRELLIS_TILE.z, 17)
    place = np.argmax(levels >= 14)
    for index, refused in ((8191, False), (8192, True)):
        y = np.zeros(levels.shape, np.int32)
        y.flat[place] = 4 * index
        found = decode(encode_tile(TRELLIS, TRELLIS_TILE.z, y, 17), TRELLIS)  # type: ignore[arg-type]
        assert (found is None) == refused


def test_the_wrong_tables_give_garbage_or_an_error() -> None:
    other = make_tables(seed=9)
    found = decode(DATA, other)
    assert found is None or not np.array_equal(found[1], TILE.y)


class PanicException(BaseException):
    """By this name, and not as an Exception, the coder's library reports a failed assertion of its own."""


@pytest.mark.parametrize("error", [AssertionError, KeyError, ValueError, PanicException])
def test_whatever_the_library_raises_is_damage(
    error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing:
        def __init__(self, words: object) -> None: ...

        def decode(self, *arguments: object) -> None:
            raise error("called `Option::unwrap()` on a `None` value")

    monkeypatch.setattr(constriction.stream.queue, "RangeDecoder", Failing)
    with pytest.raises(DamagedError, match="entropy-coded data is damaged"):
        decode_tile(TABLES, DATA, (2, 3), 17)


def test_an_interrupt_is_no_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(words: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(constriction.stream.queue, "RangeDecoder", interrupt)
    with pytest.raises(KeyboardInterrupt):
        decode_tile(TABLES, DATA, (2, 3), 17)


def test_time_is_bounded_by_the_size_of_the_tile() -> None:
    """A few bytes that claim escapes throughout cost no more than as many honest symbols."""
    tile = extreme_tile(TABLES, (16, 16), 17)
    honest = encode_tile(TABLES, tile.z, tile.y, 17)
    spent = []
    for data in (honest, b"\xff\xff\xff\xfe" * 4, b"", bytes(4000)):
        start = time.process_time()
        with contextlib.suppress(DamagedError):
            decode_tile(TABLES, data, (16, 16), 17)
        spent.append(time.process_time() - start)
    assert max(spent[1:]) < 3 * spent[0] + 0.05
