"""Dependent quantisation finds the cheapest path, and that is cheaper than rounding one by one."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from jdcodec.codec.quantise import Floats, IndexBits, Lanes, Place, quantise, quantise_tiles
from jdcodec.codec.rounding import rate_aware_rounding
from jdcodec.codec.weights import load_weights
from jdcodec.entropy import trellis
from jdcodec.entropy.layout import Layout, Span
from jdcodec.entropy.tables import LATENT_LIMIT

LEVEL = 30


def laplacian_bits(sigma: float) -> IndexBits:
    """Code lengths of Laplacian values of that deviation, in scalar steps, exactly a line from index 1 on."""
    zero, one, rise = (np.zeros((64, 2), np.float32) for _ in range(3))
    k = np.arange(50)
    for quantiser in (0, 1):
        distance = np.maximum(2 * k - quantiser, 0) * 2 / 3
        weight = np.exp(-np.sqrt(2) * distance / sigma)
        bits = -np.log2(weight / (2 * weight.sum() - weight[0]))
        zero[:, quantiser], one[:, quantiser], rise[:, quantiser] = bits[0], bits[1], bits[2] - bits[1]
    return IndexBits(zero, one, rise)


def cost_of(points: np.ndarray, values: Floats, worth: Floats, bits: IndexBits) -> float:  # type: ignore[type-arg]
    """Bits and worth of the errors, reckoned from the points alone."""
    k, q = trellis.indices_of(points)
    length = np.where(k == 0, bits.zero[LEVEL, q], bits.one[LEVEL, q] + bits.rise[LEVEL, q] * (np.abs(k) - 1))
    return float((length + worth * (values - points / trellis.UNITS) ** 2).sum())


def whole(count: int) -> list[Span]:
    return [(LEVEL, 0, count)] if count else []


def test_no_path_is_cheaper() -> None:
    """Against all paths of one lane whose indices are not much larger than the values."""
    rng = np.random.default_rng(0)
    bits = laplacian_bits(0.8)
    paths = np.array(list(product(range(-3, 4), repeat=5)))
    states, points = np.zeros(len(paths), np.uint8), np.empty(paths.shape)
    lengths = np.zeros(len(paths))
    for step, k in enumerate(paths.T):
        q = states & 1
        points[:, step] = trellis.points(k, q)
        further = bits.one[LEVEL, q] + bits.rise[LEVEL, q] * (np.abs(k) - 1)
        lengths += np.where(k == 0, bits.zero[LEVEL, q], further)
        states = trellis.advance(states, k)
    for _ in range(20):
        values = rng.laplace(0, 0.7, 5).astype(np.float32)
        worth = rng.uniform(2, 20, 5).astype(np.float32)
        # One lane takes up to 256 symbols; as many as there are lanes would each stand alone.
        found = quantise([Lanes(values, worth, whole(5))], bits)[0]
        costs = lengths + (worth * (values - points / trellis.UNITS) ** 2).sum(1)
        best = costs.argmin()
        assert cost_of(points[best].astype(np.int32), values, worth, bits) == pytest.approx(
            costs[best], rel=1e-4
        )
        assert cost_of(found, values, worth, bits) == pytest.approx(costs[best], rel=1e-4)


@pytest.mark.parametrize(("sigma", "gain"), [(1.0, 0.02), (4.0, 0.015)])
def test_cheaper_than_rounding_alone(sigma: float, gain: float) -> None:
    """Rounding one by one, as well as that can be done, costs more; tables are fitted for both."""
    rng = np.random.default_rng(1)
    values = rng.laplace(0, sigma / np.sqrt(2), 60_000).astype(np.float32)
    worth = np.full(values.shape, 10.0, np.float32)
    bits = laplacian_bits(sigma)
    scalar_bits = np.arange(100) * 2.0 / sigma
    for _ in range(4):
        found = quantise([Lanes(values, worth, whole(len(values)))], bits)[0]
        dependent = cost_of(found, values, worth, bits)
        k, q = trellis.indices_of(found)
        bits = IndexBits.of({(LEVEL, quantiser): counted(k[q == quantiser]) for quantiser in (0, 1)})

        nearest = np.rint(np.abs(values)).astype(int)
        choices = np.stack([np.maximum(nearest - less, 0) for less in (0, 1)])
        costs = scalar_bits[choices] + worth * (np.abs(values) - choices) ** 2
        scalar = costs.min(0).sum()
        symbols = np.copysign(np.take_along_axis(choices, costs.argmin(0)[None], 0)[0], values).astype(int)
        table = counted(symbols)[100:-1]
        scalar_bits = -np.log2(table / (2 * table.sum() - table[0]))
    assert dependent < (1 - gain) * scalar


def counted(indices: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    """A table −100 … 100, escape of what was counted."""
    counts = np.bincount(indices + 100, minlength=202) + 1
    return counts + np.append(counts[-2::-1], counts[-1])


def test_tiles_together_are_as_each_alone() -> None:
    rng = np.random.default_rng(2)
    bits = laplacian_bits(1.0)
    tiles = []
    for count in (1, 255, 256, 257, 3000, 70_001):
        values = rng.laplace(0, 1, count).astype(np.float32)
        tiles.append(Lanes(values, np.full(count, 8.0, np.float32), whole(count)))
    for tile, found in zip(tiles, quantise(tiles, bits)):
        np.testing.assert_array_equal(found, quantise([tile], bits)[0])
        trellis.indices_of(found)  # raises for points that are off the trellis


@pytest.mark.parametrize("size", [1e4, 1e30])
def test_values_far_out_stay_within_what_symbols_hold(size: float) -> None:
    values = np.array([size, -size, 0.2, size], np.float32)
    found = quantise([Lanes(values, np.full(4, 10.0, np.float32), whole(4))], laplacian_bits(20.0))[0]
    indices, _ = trellis.indices_of(found)
    assert np.abs(found).max() <= 32767 and np.abs(indices).max() <= 8191
    assert found[0] > 29_000 and found[1] < -29_000


def test_worthless_errors_cost_no_bits() -> None:
    values = np.full(2000, 0.9, np.float32)
    found = quantise([Lanes(values, np.full(2000, 1e-3, np.float32), whole(2000))], laplacian_bits(0.5))[0]
    assert not found.any()


class Grid:
    """Two tiles beside each other, with latents of which some lie far out, and all kinds of levels."""

    places: tuple[Place, ...] = (np.s_[:, 0:12, 0:8], np.s_[:, 0:12, 8:20])

    def __init__(self, model: Path) -> None:
        self.tables = load_weights(model.resolve()).tables
        rng = np.random.default_rng(3)
        shape = (self.tables.latent_channels, 12, 20)
        self.levels = rng.choice(np.array([0, 3, 9, 13, 14, 30], np.uint8), shape)
        values = rng.laplace(0, 1, shape) * np.where(rng.random(shape) < 0.01, 1e6, 1)
        self.values = values.astype(np.float32)
        self.worth = rng.uniform(4, 12, shape[0]).astype(np.float32)
        self.other = np.broadcast_to(np.add.outer(np.arange(12), np.arange(20)) % 2 == 1, shape)
        layouts = (Layout.of(self.tables, self.levels[place]) for place in self.places)
        self.tiles = list(zip(self.places, layouts))

    def quantise(self, symbols: NDArray[np.int16], phase: int) -> None:
        rows = [self.values[:, row, (row + phase) % 2 :: 2] for row in range(12)]
        quantise_tiles(np.stack(rows, 1), symbols, self.tiles, self.worth, self.tables, phase)


@pytest.fixture(params=["tiny_model", "scalar_model"])
def grid(request: pytest.FixtureRequest) -> Grid:
    """With dependent quantisation from some level on, and without."""
    return Grid(request.getfixturevalue(request.param))


def test_a_phase_fills_in_its_own_sites(grid: Grid) -> None:
    symbols = np.zeros(grid.levels.shape, np.int16)
    grid.quantise(symbols, 0)
    assert not symbols[grid.other].any() and len(np.unique(symbols)) > 9
    anchors = symbols.copy()
    grid.quantise(symbols, 1)
    np.testing.assert_array_equal(symbols[~grid.other], anchors[~grid.other])
    assert len(np.unique(symbols[grid.other])) > 9
    assert not symbols[grid.levels == 0].any()


def test_low_levels_are_rounded_alone_and_within_the_limit(grid: Grid) -> None:
    symbols = np.zeros(grid.levels.shape, np.int16)
    for phase in (0, 1):
        grid.quantise(symbols, phase)
    tables, values = grid.tables, grid.values
    channels = np.broadcast_to(np.arange(len(values))[:, None, None], values.shape)
    whole = rate_aware_rounding(tables, grid.worth)(values, grid.levels, channels)
    limit = LATENT_LIMIT // tables.units
    alone = (grid.levels > 0) & (grid.levels < tables.trellis_level)
    np.testing.assert_array_equal(symbols[alone], tables.units * whole.clip(-limit, limit)[alone])
    assert (np.abs(symbols[alone]) == tables.units * limit).any()
    dependent = symbols[grid.levels >= tables.trellis_level]
    assert bool((dependent % tables.units).any()) == (len(dependent) > 0)
