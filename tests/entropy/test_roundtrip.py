"""What `encode_tile` wrote, `decode_tile` reads: every shape, quality and symbol of the range."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jdcodec.entropy import EntropyTables, decode_tile, encode_tile

from .samples import QUALITY_STEPS, TILE_SHAPES, TileSample, extreme_tile, make_tables, typical_tile

TABLES = make_tables()

#: Tables of latents that are all quantised alone, that are so below a level, and that are never so.
KINDS = {
    "scalar": TABLES,
    "trellis": make_tables(trellis_level=14),
    "trellis alone": make_tables(trellis_level=1),
}
both = pytest.mark.parametrize("tables", KINDS.values(), ids=KINDS)


def assert_round_trip(tables: EntropyTables, tile: TileSample) -> bytes:
    data = encode_tile(tables, tile.z, tile.y, tile.quality_step)
    z, y = decode_tile(tables, data, tile.z.shape[1:], tile.quality_step)
    assert z.dtype == np.int8 and y.dtype == np.int16
    np.testing.assert_array_equal(z, tile.z)
    np.testing.assert_array_equal(y, tile.y)
    return data


@both
@pytest.mark.parametrize("quality_step", QUALITY_STEPS)
@pytest.mark.parametrize("shape", TILE_SHAPES)
def test_typical_symbols(tables: EntropyTables, shape: tuple[int, int], quality_step: int) -> None:
    assert_round_trip(tables, typical_tile(tables, shape, quality_step))


@both
@pytest.mark.parametrize("quality_step", QUALITY_STEPS)
@pytest.mark.parametrize("shape", TILE_SHAPES)
def test_symbols_to_the_ends_of_their_ranges(
    tables: EntropyTables, shape: tuple[int, int], quality_step: int
) -> None:
    tile = extreme_tile(tables, shape, quality_step)
    assert np.abs(tile.z).max() == 127 and np.abs(tile.y).max() > 32760
    assert_round_trip(tables, tile)


def test_the_samples_reach_all_levels_and_escape() -> None:
    tile = typical_tile(TABLES, (8, 8), 17)
    levels = TABLES.scale_indices(tile.z, 17)
    assert len(np.unique(levels)) == 64
    assert (np.abs(tile.y) > TABLES.latent_half_width[levels]).any()
    assert (np.abs(tile.z) > TABLES.hyper_half_width[:, None, None]).any()


def test_a_tile_of_zeros_is_small() -> None:
    z = np.zeros((TABLES.hyper_channels, 4, 4), np.int8)
    y = np.zeros((TABLES.latent_channels, 16, 16), np.int16)
    data = assert_round_trip(TABLES, TileSample(z, y, 100))
    assert len(data) < y.size  # 8 bits a latent are far more than zeros cost


def test_a_tile_whose_latents_all_cost_nothing() -> None:
    """All scale levels 0: only hyperlatents are coded."""
    arrays = TABLES.to_arrays()
    arrays |= {"scale_multiplier": 0 * TABLES.scale_multiplier, "scale_bias": 0 * TABLES.scale_bias}
    arrays["quality_offset"] = np.full_like(TABLES.quality_offset, -1)
    tables = EntropyTables.from_arrays(arrays)
    y = np.zeros((tables.latent_channels, 8, 8), np.int16)
    z = typical_tile(TABLES, (2, 2), 0).z
    assert not tables.scale_indices(z, 0).any()
    assert_round_trip(tables, TileSample(z, y, 0))


def test_a_latent_that_cannot_be_coded_is_refused() -> None:
    tile = typical_tile(TABLES, (8, 8), 0)
    uncoded = np.flatnonzero(TABLES.scale_indices(tile.z, 0) == 0)
    tile.y.flat[uncoded[0]] = 1
    with pytest.raises(ValueError, match="scale level 0"):
        encode_tile(TABLES, tile.z, tile.y, 0)


@pytest.mark.parametrize(
    ("lowest", "highest", "reason"),
    [(14, 63, "no point of its quantiser"), (1, 13, "no multiple of a quantisation step")],
)
def test_a_latent_between_points_is_refused(lowest: int, highest: int, reason: str) -> None:
    """With dependent quantisation and, at the levels below, without."""
    tables = KINDS["trellis"]
    tile = typical_tile(tables, (8, 8), 0)
    levels = tables.scale_indices(tile.z, 0)
    tile.y.flat[np.flatnonzero((levels >= lowest) & (levels <= highest))[-1]] += 1
    with pytest.raises(ValueError, match=reason):
        encode_tile(tables, tile.z, tile.y, 0)


def test_bytes_are_a_function_of_the_symbols() -> None:
    tile = typical_tile(TABLES, (3, 3), 55)
    first = encode_tile(TABLES, tile.z, tile.y, 55)
    assert first == encode_tile(TABLES, tile.z.copy(), tile.y.copy(), 55)
    assert len(first) % 4 == 0


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_symbols(data: st.DataObject) -> None:
    shape = data.draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    make = data.draw(st.sampled_from((typical_tile, extreme_tile)))
    step, seed = data.draw(st.integers(0, 224)), data.draw(st.integers(0, 2**32 - 1))
    channels = data.draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    level = data.draw(st.integers(1, 64))
    tables = make_tables(*channels, seed % 5, level)
    assert_round_trip(tables, make(tables, shape, step, seed))
