"""A decoder written from `docs/format.md` alone reads the bytes that `encode_tile` writes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from jdcodec.entropy import EntropyTables, encode_tile

from .reference import ReferenceRangeDecoder, reference_decode
from .samples import QUALITY_STEPS, TileSample, extreme_tile, make_tables, typical_tile

TABLES = make_tables(latent_channels=4)
TRELLIS = make_tables(latent_channels=4, trellis_level=14)


@pytest.mark.parametrize("tables", [TABLES, TRELLIS], ids=["scalar", "trellis"])
@pytest.mark.parametrize("quality_step", QUALITY_STEPS)
@pytest.mark.parametrize(("make", "shape"), [(typical_tile, (3, 4)), (extreme_tile, (1, 1))])
def test_same_symbols(
    make: Callable[..., TileSample], shape: tuple[int, int], quality_step: int, tables: EntropyTables
) -> None:
    tile = make(tables, shape, quality_step)
    data = encode_tile(tables, tile.z, tile.y, quality_step)
    z, y = reference_decode(tables, data, *shape, quality_step)
    np.testing.assert_array_equal(np.array(z), tile.z)
    np.testing.assert_array_equal(np.array(y), tile.y)


def test_missing_words_are_zero() -> None:
    """The last words of a tile may be left out where they are 0, as the format says."""
    tile = typical_tile(TABLES, (2, 2), 17)
    data = encode_tile(TABLES, tile.z, tile.y, 17)
    for padded in (data, data + bytes(8)):
        z, _ = reference_decode(TABLES, padded, 2, 2, 17)
        np.testing.assert_array_equal(np.array(z), tile.z)


def test_an_impossible_quantile_is_refused() -> None:
    """range is 2⁶⁴ − 1, so 2²⁴ · scale falls short of the largest first words by 2⁴⁰."""
    decoder = ReferenceRangeDecoder(b"\xff" * 8)
    with pytest.raises(ValueError, match="no range code"):
        decoder.decode([2**23, 2**23])
