"""Dependent quantisation: states, lanes, points, and the layout of a tile."""

from __future__ import annotations

import numpy as np
import pytest

from jdcodec.entropy import trellis
from jdcodec.entropy.layout import Layout

from .samples import make_tables

TABLES = make_tables(trellis_level=14)


def test_points_of_both_quantisers_together_lie_on_every_second_unit() -> None:
    k = np.arange(-6, 7)
    first, second = (trellis.points(k, np.full(k.shape, q, np.uint8)) for q in (0, 1))
    assert first.tolist() == (4 * k).tolist()
    assert second.tolist() == [-22, -18, -14, -10, -6, -2, 0, 2, 6, 10, 14, 18, 22]
    assert sorted({*first.tolist(), *second.tolist()} & set(range(-20, 21))) == list(range(-20, 21, 2))


def test_each_state_can_be_reached_from_two_and_leads_to_two() -> None:
    assert np.bincount(trellis.NEXT.ravel()).tolist() == [2] * trellis.STATES
    assert all(len(set(row)) == 2 for row in trellis.NEXT.tolist())


@pytest.mark.parametrize("symbols", [0, 1, 255, 256, 257, 511, 512, 513, 100_000])
def test_steps_take_each_symbol_once_and_no_lane_twice(symbols: int) -> None:
    lanes, parts = trellis.lane_count(symbols), list(trellis.steps(symbols))
    assert len(parts) <= trellis.LANE_LENGTH
    assert [i for part in parts for i in range(part.start, part.stop)] == list(range(symbols))
    assert all(part.stop - part.start == lanes for part in parts[:-1])
    assert all(part.stop - part.start <= lanes for part in parts)


def test_points_tell_indices_and_quantisers() -> None:
    """Any indices make a path; from its points alone they are found again."""
    rng = np.random.default_rng(3)
    k = rng.integers(-5, 6, 1000).astype(np.int32)
    states = np.zeros(trellis.lane_count(len(k)), np.uint8)
    points, quantisers = np.empty_like(k), np.empty(len(k), np.uint8)
    for part in trellis.steps(len(k)):
        quantisers[part] = states[: part.stop - part.start] & 1
        points[part] = trellis.points(k[part], quantisers[part])
        states = trellis.advance(states[: part.stop - part.start], k[part])
    found, by = trellis.indices_of(points)
    np.testing.assert_array_equal(found, k)
    np.testing.assert_array_equal(by, quantisers)
    points[500] += 2
    with pytest.raises(ValueError, match="no point of its quantiser"):
        trellis.indices_of(points)


def test_the_layout_has_each_coded_latent_once() -> None:
    rng = np.random.default_rng(1)
    levels = rng.integers(0, 64, (6, 8, 12)).astype(np.uint8)
    layout = Layout.of(TABLES, levels)
    assert sorted(layout.order.tolist()) == np.flatnonzero(levels).tolist()
    flat = levels.ravel()[layout.order]
    rows, columns = np.indices(levels.shape[1:])
    odd = np.broadcast_to((rows + columns) % 2, levels.shape).ravel()[layout.order]
    for level, start, end in layout.scalar():
        assert level < 14 and set(flat[start:end]) == {level}
        assert (np.diff(layout.order[start:end]) > 0).all()
    for phase in (0, 1):
        places, groups = layout.trellis(phase)
        assert set(odd[places]) == {phase}
        for level, start, end in groups:
            assert level >= 14 and set(flat[places][start:end]) == {level}


def test_a_layout_may_have_no_latents() -> None:
    layout = Layout.of(TABLES, np.zeros((2, 4, 4), np.uint8))
    assert not len(layout.order) and not list(layout.scalar())
    assert [layout.trellis(phase) for phase in (0, 1)] == [(slice(0, 0), [])] * 2
