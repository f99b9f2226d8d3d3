"""`estimate_bits` says what a tile costs without coding it."""

from __future__ import annotations

import numpy as np
import pytest

from jdcodec.entropy import EntropyTables, encode_tile, estimate_bits

from .samples import QUALITY_STEPS, extreme_tile, make_tables, typical_tile

TABLES = make_tables()
TRELLIS = make_tables(trellis_level=14)


@pytest.mark.parametrize("quality_step", QUALITY_STEPS)
@pytest.mark.parametrize("make", [typical_tile, extreme_tile])
@pytest.mark.parametrize("tables", [TABLES, TRELLIS], ids=["scalar", "trellis"])
def test_within_one_percent_of_the_bytes(tables: EntropyTables, make: type, quality_step: int) -> None:
    tile = make(tables, (8, 8), quality_step)
    bits = 8 * len(encode_tile(tables, tile.z, tile.y, quality_step))
    assert bits > 20_000
    assert estimate_bits(tables, tile.z, tile.y, quality_step) == pytest.approx(bits, rel=0.01)


def test_never_more_than_two_words_below_the_bytes() -> None:
    """A range code ends with at most two words more than its information."""
    for seed in range(5):
        tile = typical_tile(TABLES, (1, 1), 100, seed)
        bits = 8 * len(encode_tile(TABLES, tile.z, tile.y, 100))
        assert bits - 64 <= estimate_bits(TABLES, tile.z, tile.y, 100) <= bits


def test_one_symbol_costs_its_information() -> None:
    tile = typical_tile(TABLES, (2, 2), 100)
    before = estimate_bits(TABLES, tile.z, tile.y, 100)
    levels = TABLES.scale_indices(tile.z, 100)
    place = np.unravel_index(int(np.argmax((levels > 20) & (tile.y == 0))), levels.shape)
    table = TABLES.latent_table(int(levels[place]))
    half_width = (len(table) - 2) // 2
    tile.y[place] = half_width + 1
    rise = estimate_bits(TABLES, tile.z, tile.y, 100) - before
    assert rise == pytest.approx(np.log2(table[half_width] / table[-1]) + 16)
