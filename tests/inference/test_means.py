"""Means of latents and what is decoded, on every runtime: held against the modules that are trained."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from conftest import Starter, both_passes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from jdcodec.codec.rounding import Rounding
from jdcodec.inference.interface import Floats, Inference, to_levels

from .conftest import ODD, odd_network

CHANNELS = ODD.latent_channels
POSITION = 0.6

PLAIN = Rounding(np.zeros((2, 64), np.float32), np.ones(CHANNELS, np.float32))


class Case:
    """Latents, hyperlatents, levels (a third of them 0) and symbols, all random."""

    def __init__(self, seed: int, rows: int, columns: int) -> None:
        rng = np.random.default_rng(seed)
        shape = CHANNELS, 4 * rows, 4 * columns
        self.y = (4 * rng.standard_normal(shape)).astype(np.float32)
        self.z = rng.integers(-5, 6, (ODD.hyper_channels, rows, columns)).astype(np.int8)
        self.levels = rng.choice([0, 7, 30], shape).astype(np.uint8)
        self.symbols: NDArray[np.int16] = rng.integers(-7, 8, shape).astype(np.int16)
        self.anchor = np.add.outer(*map(np.arange, shape[1:])) % 2 == 0

    def means(self, symbols: NDArray[np.int16], step: Floats) -> Floats:
        """Where a decoder expects each latent, by the modules; step: (M, 1, 1), what a symbol of 1 adds."""
        entropy = odd_network().entropy
        features = entropy.features(torch.from_numpy(self.z)[None].float())
        of_anchors = entropy.mean_of_anchors(features)[0].numpy()
        decoded = np.where(self.anchor, of_anchors + step * symbols, np.float32(0)).astype(np.float32)
        others = entropy.mean_of_others(features, torch.from_numpy(decoded)[None], torch.tensor([POSITION]))
        return np.where(self.anchor, of_anchors, others[0].numpy())


@pytest.fixture(params=[1, 3])
def inference(start: Starter, request: pytest.FixtureRequest) -> Inference:
    """With symbols in whole quantisation steps, and in thirds of them."""
    return start(odd_network(), POSITION, units=request.param)


cases = st.builds(Case, st.integers(0, 2**32 - 1), st.integers(1, 2), st.integers(1, 3))
many = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def step_of(inference: Inference) -> Floats:
    return 1 / (inference.units * inference.gain[:, None, None])


@many
@given(case=cases)
def test_means_are_those_of_the_modules(inference: Inference, case: Case) -> None:
    """Those of the others follow from any symbols of the anchors, of which some lie between the steps."""
    expected = case.means(case.symbols, step_of(inference))
    first, second = inference.anchor_means(case.z), inference.other_means(case.symbols, case.z)
    assert first.dtype == second.dtype == np.float32
    np.testing.assert_allclose(np.where(case.anchor, first, second), expected, atol=1e-4)
    assert expected[:, case.anchor].std() > 0.01 and expected[:, ~case.anchor].std() > 0.01


@many
@given(case=cases)
def test_symbols_that_are_not_known_yet_do_not_matter(inference: Inference, case: Case) -> None:
    of_anchors = case.symbols * case.anchor
    expected = inference.other_means(of_anchors, case.z)
    np.testing.assert_array_equal(inference.other_means(case.symbols, case.z), expected)
    assert (inference.other_means(case.symbols * ~case.anchor, case.z) != expected).any()


@many
@given(case=cases)
def test_what_is_decoded_is_the_mean_and_the_symbols_steps(inference: Inference, case: Case) -> None:
    """Dependent quantisation has symbols that are no multiples of a step, also of the anchors."""
    step = step_of(inference)
    expected = case.means(case.symbols, step) + step * case.symbols
    np.testing.assert_allclose(inference.reconstruct_latents(case.symbols, case.z), expected, atol=1e-4)


@many
@given(case=cases)
def test_no_latent_is_decoded_further_off_than_it_was_rounded(inference: Inference, case: Case) -> None:
    """Encoder and decoder know the same anchors, or else the means of the others would differ."""
    symbols = both_passes(inference, case.y, case.z, case.levels, PLAIN)
    y_hat = inference.reconstruct_latents(symbols, case.z)
    error = np.abs(y_hat - case.y) * inference.gain[:, None, None]
    assert error[case.levels > 0].max() <= 0.5 + 1e-3
    assert len(np.unique(symbols)) > 5 and not symbols[case.levels == 0].any()


def test_hyperlatents_are_rounded_within_the_limit(
    inference: Inference, monkeypatch: pytest.MonkeyPatch
) -> None:
    z = np.array([0.4, 0.6, -1.2, 5.4, -7.7, 300, -300, 126.6], np.float32)
    monkeypatch.setattr(inference, "hyperlatents", lambda y: z[None, None])
    rounded = inference.rounded_hyperlatents(np.zeros((CHANNELS, 4, 32), np.float32), 127)
    assert rounded.dtype == np.int8
    assert rounded[0, 0].tolist() == [0, 1, -1, 5, -8, 127, -127, 127]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_pixels_cover_the_whole_range_of_their_type(dtype: Any) -> None:
    picture = np.array([[[0, 1]], [[0.25, 1]], [[0.5, 1]]], np.float32)
    largest = 1.0 if dtype is np.float32 else float(np.iinfo(dtype).max)
    pixels, gray = to_levels(picture, dtype), to_levels(picture, dtype, gray=True)
    assert pixels.dtype == gray.dtype == dtype
    assert pixels.shape == gray.shape == (1, 2, 3)
    step = 0.5 / largest + 1e-6
    np.testing.assert_allclose(pixels[0] / largest, [[0.0, 0.25, 0.5], [1.0, 1.0, 1.0]], atol=step)
    np.testing.assert_allclose(gray[0] / largest, [[0.25, 0.25, 0.25], [1.0, 1.0, 1.0]], atol=step)
