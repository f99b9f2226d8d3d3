"""Large pictures: of what lies between two steps only the surroundings of the windows at work are held.

What it saves must cost nothing: the arithmetic, its order and its results are those of one step after the
other.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from conftest import NetworkMaker, PictureMaker, start_on_openvino
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from jdcodec.codec.symbols import (
    Symbols,
    latents_to_picture,
    latents_to_symbols,
    picture_to_latents,
    symbols_to_latents,
    symbols_to_picture,
)
from jdcodec.codec.weights import load_weights
from jdcodec.codec.windows import Window, cover, relay
from jdcodec.container import TileRect
from jdcodec.inference.interface import Denoised, Floats, Inference, PixelType
from jdcodec.model.config import FAST

Sides = tuple[int, int]
TALL, WIDE = (8192, 512), (512, 8192)


class Relayed:
    """A relay over a grid whose values are known, and its sources in the order they were asked for."""

    def __init__(self, sides: Sides, halos: Sides, budgets: Sides) -> None:
        self.grid = np.arange(2 * sides[0] * sides[1]).reshape(2, *sides)
        self.sources = list(cover(*sides, align=4, halo=halos[0], budget=budgets[0]))
        self.targets = list(cover(*sides, align=4, halo=halos[1], budget=budgets[1]))
        self.asked: list[Window] = []

    def __iter__(self) -> Iterator[tuple[Window, NDArray[Any]]]:
        return relay(self.sources, self.targets, self._compute)

    def _compute(self, window: Window) -> NDArray[Any]:
        self.asked.append(window)
        return self.grid[:, *window.core].copy()


relays = st.builds(
    Relayed,
    st.tuples(st.integers(1, 90), st.integers(1, 90)),
    st.tuples(st.sampled_from((0, 4, 8)), st.sampled_from((0, 4, 8, 12))),
    st.tuples(st.integers(1, 3000), st.integers(1, 3000)),
)


@settings(max_examples=100, deadline=None)
@given(relays)
def test_a_target_gets_all_that_is_around_it(relayed: Relayed) -> None:
    targets = []
    for target, values in relayed:
        np.testing.assert_array_equal(values, relayed.grid[:, *target.outer])
        targets.append(target)
    assert targets == relayed.targets


@settings(max_examples=100, deadline=None)
@given(relays)
def test_each_source_is_computed_once_and_not_before_it_is_needed(relayed: Relayed) -> None:
    before = 0
    for target, _ in relayed:
        for source in relayed.asked[before:]:
            assert source.top < target.outer_bottom and source.bottom > target.outer_top
            assert source.left < target.outer_right and source.right > target.outer_left
        before = len(relayed.asked)
    assert sorted(map(str, relayed.asked)) == sorted(map(str, relayed.sources))


@pytest.mark.parametrize("model", ["tiny_model", "scalar_model"])
@pytest.mark.parametrize("shape", [(192, 1000), (1000, 192), (300, 310)])
def test_latents_are_those_of_one_step_after_the_other(
    shape: Sides,
    model: str,
    make_network: NetworkMaker,
    make_picture: PictureMaker,
    request: pytest.FixtureRequest,
) -> None:
    """The denoised picture once in whole, as it would be without a relay: no symbol may differ."""
    tables = load_weights(request.getfixturevalue(model).resolve()).tables
    inference = start_on_openvino(make_network("fast"), 0.7, units=tables.units)
    picture, budget = make_picture(*shape), 70_000
    coded = tuple(-(-side // 64) * 64 for side in shape)
    padded = np.pad(picture, ((0, coded[0] - shape[0]), (0, coded[1] - shape[1]), (0, 0)), mode="edge")
    clean = np.empty((3, *coded), np.float16)
    for window in cover(*coded, align=64, halo=inference.denoiser_halo, budget=budget):
        clean[:, *window.core] = inference.denoise(padded[window.outer], 1.0)[:, *window.inner()]
    expected = np.empty((inference.config.latent_channels, coded[0] // 16, coded[1] // 16), np.float32)
    for window in cover(*coded, align=64, halo=inference.analysis_halo, budget=budget):
        found = inference.latents(clean[:, *window.outer])
        core, inner = (
            tuple(slice(side.start // 16, side.stop // 16) for side in place)
            for place in (window.core, window.inner())
        )
        expected[:, *core] = found[:, *inner]

    y = picture_to_latents(picture, inference, strength=1.0, window_pixels=budget)
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-5 * expected.std())
    tile = TileRect(0, 0, 0, coded[1], coded[0])
    symbols = [
        latents_to_symbols(latents, inference, tables, [tile], quality_step=157, noise=1e-4, denoise=1.0)
        for latents in (y, expected)
    ]
    # At a rounding edge the last bit of a sum decides; here none is that close.
    assert np.count_nonzero(symbols[0].y != symbols[1].y) == 0
    assert np.count_nonzero(symbols[0].z != symbols[1].z) == 0
    assert np.count_nonzero(symbols[0].y) > 1000

    y_hat = symbols_to_latents(symbols[0], inference, window_pixels=budget)
    expected_pixels = latents_to_picture(y_hat, inference, shape, np.uint8, window_pixels=budget)
    pixels = symbols_to_picture(symbols[0], inference, shape, np.uint8, window_pixels=budget)
    assert np.count_nonzero(pixels != expected_pixels) == 0


class Arithmetic(Inference):
    """Shapes of the real network, and next to no work."""

    def __init__(self) -> None:
        super().__init__(FAST, np.ones(FAST.latent_channels, np.float32), 1)

    def denoise(self, pixels: NDArray[Any], strength: float) -> Denoised:
        return (pixels.transpose(2, 0, 1) / np.float32(255)).astype(np.float16)

    def latents(self, picture: Denoised) -> Floats:
        few = picture[:1, ::16, ::16].astype(np.float32)
        return np.broadcast_to(few, (self.config.latent_channels, *few.shape[1:]))

    def hyperlatents(self, y: Floats) -> Floats:
        return np.ascontiguousarray(y[: self.config.hyper_channels, ::4, ::4])

    def anchor_means(self, z: NDArray[np.int8]) -> Floats:
        return np.broadcast_to(np.float32(0), (self.config.latent_channels, 4 * z.shape[1], 4 * z.shape[2]))

    def other_means(self, symbols: NDArray[np.int16], z: NDArray[np.int8]) -> Floats:
        return np.broadcast_to(np.float32(0), symbols.shape)

    def reconstruct_latents(self, symbols: NDArray[np.int16], z: NDArray[np.int8]) -> Floats:
        return symbols.astype(np.float32)

    def picture(self, y_hat: Floats, dtype: PixelType, *, gray: bool = False) -> NDArray[Any]:
        few = y_hat[:3].transpose(1, 2, 0).astype(dtype)
        return few.repeat(16, axis=0).repeat(16, axis=1)


def held(work: Callable[[], Any]) -> int:
    """Bytes that a call held at most, what it returns not counted."""
    tracemalloc.start()
    result = work()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak - sum(array.nbytes for array in (result if isinstance(result, tuple) else (result,)))


@pytest.mark.parametrize("shape", [TALL, WIDE])
def test_the_denoised_picture_is_never_held_in_whole(shape: Sides) -> None:
    """It takes 6 bytes a pixel; beside the latents a picture four times as long must take about as much."""

    def encoding(shape: Sides) -> int:
        pixels = np.zeros((*shape, 3), np.uint8)
        inference = Arithmetic()
        return held(lambda: picture_to_latents(pixels, inference, strength=1.0, window_pixels=1 << 18))

    assert encoding(shape) < 1.3 * encoding(a_quarter_of(shape))
    assert encoding(shape) < 6 * shape[0] * shape[1]


@pytest.mark.parametrize("shape", [TALL, WIDE])
def test_decoded_latents_are_never_held_in_whole(shape: Sides) -> None:
    """They take 5 bytes a pixel."""

    def decoding(shape: Sides) -> int:
        z = np.zeros((FAST.hyper_channels, shape[0] // 64, shape[1] // 64), np.int8)
        symbols = Symbols(z, np.zeros((FAST.latent_channels, shape[0] // 16, shape[1] // 16), np.int16))
        inference = Arithmetic()
        return held(lambda: symbols_to_picture(symbols, inference, shape, np.uint8, window_pixels=1 << 17))

    assert decoding(shape) < 1.3 * decoding(a_quarter_of(shape))
    assert decoding(shape) < 5 * shape[0] * shape[1]


def a_quarter_of(shape: Sides) -> Sides:
    """A picture as broad and a quarter as long."""
    return (shape[0] // 4, shape[1]) if shape[0] > shape[1] else (shape[0], shape[1] // 4)


@pytest.mark.parametrize("shape", [(700, 300), (300, 700)])
def test_the_observer_sees_each_pixel_once_and_always_in_the_same_order(
    shape: Sides, make_picture: PictureMaker
) -> None:
    """Whatever the picture shows: where windows lie follows from its size."""
    first, second = (observed(make_picture(*shape, seed)) for seed in (0, 1))
    assert first == second
    assert len(set(first)) == len(first) > 4
    assert sum(height * width for height, width, *_ in first) == shape[0] * shape[1]


def observed(picture: NDArray[np.uint8]) -> list[tuple[int, ...]]:
    """Height, width, and a quarter of top and left of the windows that an observer sees."""
    picture[..., :2] = np.indices(picture.shape[:2]).transpose(1, 2, 0) // 4
    seen = []

    def observe(pixels: NDArray[Any], denoised: Denoised) -> None:
        assert denoised.shape == pixels.shape and denoised.dtype == np.float16
        np.testing.assert_allclose(denoised, pixels / 255, atol=1e-3)
        seen.append((*pixels.shape[:2], *map(int, pixels[0, 0, :2])))

    picture_to_latents(picture, Arithmetic(), strength=1.0, window_pixels=40_000, observe=observe)
    return seen
