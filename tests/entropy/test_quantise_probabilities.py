"""Whatever weights a table is made of, its frequencies are at least 1 and sum to 2^24."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from jdcodec.entropy.tables import quantise_probabilities

TOTAL = 2**24

HOSTILE: dict[str, NDArray[np.float64]] = {
    "all zero": np.zeros(5),
    "smallest numbers there are": np.full(9, 5e-324),
    "one smallest among zeros": np.append(np.zeros(300), 5e-324),
    "one-hot": np.eye(1, 2050, 77)[0],
    "one-hot in the longest table": np.eye(1, 8194, 8193)[0],
    "uniform in the longest table": np.full(8194, 1 / 8194),
    "two entries": np.array([1.0, 0.0]),
    "far apart": np.array([1e300, 1e-300, 1.0, 0.0]),
    "large": np.full(4, 1e308),
    "just below zero": np.array([0.5, -1e-18, 0.5]),
}


def assert_table(table: NDArray[np.int32], size: int) -> None:
    assert table.dtype == np.int32 and table.shape == (size,)
    assert table.min() >= 1
    assert int(table.sum(dtype=np.int64)) == TOTAL


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_weights(case: str) -> None:
    assert_table(quantise_probabilities(HOSTILE[case]), len(HOSTILE[case]))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1e6), min_size=2, max_size=80))
def test_any_weights(weights: list[float]) -> None:
    assert_table(quantise_probabilities(np.array(weights)), len(weights))


def test_in_proportion() -> None:
    weights = np.array([1.0, 2.0, 4.0, 0.0, 1.0])
    table = quantise_probabilities(weights)
    np.testing.assert_allclose(table / TOTAL, weights / weights.sum(), atol=1e-6)


def test_nothing_known_is_uniform() -> None:
    table = quantise_probabilities(np.zeros(1000))
    assert table.max() - table.min() <= 1000
