"""Scale levels are exact integer arithmetic: any order of summation and any float type gives the same."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from jdcodec.entropy import EntropyTables
from jdcodec.entropy.tables import HYPER_LIMIT, LEVELS

from .reference import scale_index
from .samples import QUALITY_STEPS, make_tables


def slow_indices(tables: EntropyTables, z: NDArray[np.int8], quality_step: int) -> NDArray[np.uint8]:
    rows, columns = 4 * z.shape[1], 4 * z.shape[2]
    levels = np.empty((tables.latent_channels, rows, columns), np.uint8)
    values = z.tolist()
    for place in np.ndindex(*levels.shape):
        levels[place] = scale_index(tables, values, quality_step, *place)
    return levels


def extreme_tables() -> EntropyTables:
    """The largest sums and factors that tables may have: a scale sum is one short of 2^24."""
    tables = make_tables(latent_channels=2, hyper_channels=1040)
    # 1040 · 127 · 127 = 16,774,160 < 2^24 = 16,777,216
    sign = np.where(np.arange(tables.scale_weight.size).reshape(tables.scale_weight.shape) % 3, 1, -1)
    multiplier = np.resize([2**31 - 1, -(2**31), 1, 0], 32)
    bias = np.resize([2**31 - 1, -(2**31), 0, 1, -1], 32)
    return dataclasses.replace(
        tables,
        scale_weight=(127 * sign).astype(np.int8),
        scale_multiplier=multiplier.astype(np.int32),
        scale_bias=bias.astype(np.int32),
        quality_offset=np.resize(bias, (8, 2)).astype(np.int32),
    )


def extreme_z(tables: EntropyTables) -> NDArray[np.int8]:
    """z whose products with row 0 all have one sign, and their opposites, and zeros."""
    aligned = np.sign(tables.scale_weight[0].astype(np.int64)) * HYPER_LIMIT
    return np.stack((aligned, -aligned, 0 * aligned), axis=1)[:, None, :].astype(np.int8)


@pytest.mark.parametrize("quality_step", [*QUALITY_STEPS, 31, 32, 223])
def test_equals_slow_integer_arithmetic(quality_step: int) -> None:
    tables = make_tables()
    z = np.random.default_rng(quality_step).integers(-127, 128, (tables.hyper_channels, 2, 3)).astype(np.int8)
    np.testing.assert_array_equal(
        tables.scale_indices(z, quality_step), slow_indices(tables, z, quality_step)
    )


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 2**32 - 1), st.integers(0, 224), st.integers(1, 4), st.integers(1, 9), st.integers(1, 127)
)
def test_equals_slow_integer_arithmetic_for_any(
    seed: int, step: int, latents: int, hyper: int, limit: int
) -> None:
    tables = make_tables(latents, hyper, seed)
    z = np.random.default_rng(seed).integers(-limit, limit + 1, (hyper, 1, 2)).astype(np.int8)
    np.testing.assert_array_equal(tables.scale_indices(z, step), slow_indices(tables, z, step))


@pytest.mark.parametrize("quality_step", QUALITY_STEPS)
def test_exact_at_the_largest_values_allowed(quality_step: int) -> None:
    tables = EntropyTables.from_arrays(extreme_tables().to_arrays())
    z = extreme_z(tables)
    largest = int(np.abs(tables.scale_weight.astype(np.int64) @ z[:, 0].astype(np.int64)).max())
    assert 2**24 - 2**12 < largest < 2**24
    np.testing.assert_array_equal(
        tables.scale_indices(z, quality_step), slow_indices(tables, z, quality_step)
    )


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int64])
def test_any_type_and_order_of_the_products_gives_the_same(
    kind: type[np.generic], monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = extreme_tables()
    rng = np.random.default_rng(3)
    z = rng.integers(-127, 128, (tables.hyper_channels, 3, 5)).astype(np.int8)
    order = rng.permutation(tables.hyper_channels)
    shuffled = dataclasses.replace(tables, scale_weight=tables.scale_weight[:, order])
    expected = tables.scale_indices(z, 100)
    np.testing.assert_array_equal(shuffled.scale_indices(z[order], 100), expected)
    # The products that the method asks for in float32, made in another type instead.
    monkeypatch.setattr(np, "float32", kind)
    np.testing.assert_array_equal(shuffled.scale_indices(z[order], 100), expected)


@pytest.mark.parametrize("chunk", [1, 16 * 6 * 3])
def test_any_number_of_channels_at_a_time_gives_the_same(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """One latent channel of the 2 × 3 hyperlatent sites at a time, and three."""
    tables = make_tables(latent_channels=7)
    z = np.random.default_rng(0).integers(-127, 128, (tables.hyper_channels, 2, 3)).astype(np.int8)
    expected = tables.scale_indices(z, 100)
    assert len(np.unique(expected)) > 8
    monkeypatch.setattr("jdcodec.entropy.tables._CHUNK", chunk)
    np.testing.assert_array_equal(tables.scale_indices(z, 100), expected)


def test_levels_clamp_at_both_ends() -> None:
    tables = make_tables()
    low = dataclasses.replace(tables, scale_bias=np.full_like(tables.scale_bias, -(2**31)))
    high = dataclasses.replace(tables, scale_bias=np.full_like(tables.scale_bias, 2**31 - 1))
    z = np.zeros((tables.hyper_channels, 1, 1), np.int8)
    assert not low.scale_indices(z, 0).any()
    assert (high.scale_indices(z, 0) == LEVELS - 1).all()
