"""Windows over a grid: their cores tile it exactly, all are of one size, none is larger than the budget."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jdcodec.codec.windows import Window, cover


def area(window: Window) -> int:
    rows, columns = window.outer
    return (rows.stop - rows.start) * (columns.stop - columns.start)


@settings(max_examples=150, deadline=None)
@given(
    height=st.integers(1, 80),
    width=st.integers(1, 80),
    align=st.sampled_from((1, 4, 16)),
    halo=st.integers(0, 20),
    budget=st.integers(1, 4000),
)
def test_cores_tile_the_grid_within_the_budget(
    height: int, width: int, align: int, halo: int, budget: int
) -> None:
    seen = np.zeros((height, width), int)
    sizes = set()
    smallest = (align + 2 * halo) ** 2
    for window in cover(height, width, align=align, halo=halo, budget=budget):
        seen[window.core] += 1
        assert window.top % align == 0 and window.left % align == 0
        assert window.bottom % align == 0 or window.bottom == height
        assert window.right % align == 0 or window.right == width
        assert 0 <= window.outer_top <= max(0, window.top - halo)
        assert min(height, window.bottom + halo) <= window.outer_bottom <= height
        assert 0 <= window.outer_left <= max(0, window.left - halo)
        assert min(width, window.right + halo) <= window.outer_right <= width
        sizes.add((window.outer_bottom - window.outer_top, window.outer_right - window.outer_left))
        assert area(window) <= max(budget, smallest)
    assert (seen == 1).all()
    assert len(sizes) == 1  # so that what is compiled for one window serves them all


@settings(max_examples=50, deadline=None)
@given(height=st.integers(1, 60), width=st.integers(1, 60), scale=st.sampled_from((1, 16)))
def test_inner_is_the_core_within_the_outer_range(height: int, width: int, scale: int) -> None:
    grid = np.arange(height * scale)[:, None] * 10_000 + np.arange(width * scale)
    for window in cover(height, width, align=4, halo=6, budget=400):
        rows, columns = (slice(s.start * scale, s.stop * scale) for s in window.outer)
        core_rows, core_columns = (slice(s.start * scale, s.stop * scale) for s in window.core)
        np.testing.assert_array_equal(grid[rows, columns][window.inner(scale)], grid[core_rows, core_columns])


def test_a_grid_within_the_budget_is_one_window() -> None:
    windows = list(cover(100, 80, align=4, halo=8, budget=8000))
    assert [window.core for window in windows] == [(slice(0, 100), slice(0, 80))]
    assert windows[0].outer == windows[0].core


@settings(max_examples=100, deadline=None)
@given(
    rows=st.integers(1, 90),
    columns=st.integers(1, 90),
    of=st.sampled_from(((64, 0, 16), (64, 48, 16), (64, 80, 16), (4, 8, 4))),
    budget=st.integers(1, 1000),
)
def test_windows_hold_whole_sites(rows: int, columns: int, of: tuple[int, int, int], budget: int) -> None:
    """Windows of pixels begin and end with a latent site, and windows of latents with a hyperlatent site."""
    align, halo, site = of
    for window in cover(align * rows, align * columns, align=align, halo=halo, budget=align**2 * budget):
        for edge in (window.outer_top, window.outer_bottom, window.outer_left, window.outer_right):
            assert edge % site == 0


@pytest.mark.parametrize(("height", "width"), [(4096, 6144), (6144, 4096), (64, 65_536), (65_536, 64)])
def test_the_halo_costs_little_at_the_sizes_in_use(height: int, width: int) -> None:
    windows = list(cover(height, width, align=64, halo=160, budget=8_000_000))
    assert sum(map(area, windows)) < 1.25 * height * width
    assert max(map(area, windows)) <= 8_000_000


def test_two_windows_in_a_row_have_a_halo_on_one_side_only() -> None:
    """Counted on both sides, two rows would be too high for the budget, and three take a sixth more time."""
    windows = list(cover(188, 252, align=4, halo=6, budget=7812))
    assert len({window.top for window in windows}) == 2
    assert sum(map(area, windows)) < 1.32 * 188 * 252


def test_no_split_into_strips_that_are_over_the_budget() -> None:
    """A strip over the full width had to hold the halo, and took more than the budget."""
    windows = list(cover(512, 512, align=64, halo=160, budget=384 * 384))
    assert max(map(area, windows)) <= 384 * 384
