"""Residuals and back, on every runtime: held against the arithmetic as `Inference` states it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from conftest import Starter, both_passes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jdcodec.entropy.tables import LATENT_LIMIT
from jdcodec.inference.interface import Floats, Inference, Rounding, to_levels

from .conftest import ODD, odd_network

CHANNELS = ODD.latent_channels
POSITION = 0.6

PLAIN = Rounding(np.zeros((2, 64), np.float32), np.ones(CHANNELS, np.float32))


class Case:
    """Latents, hyperlatents, levels (a third of them 0) and a rounding, all random."""

    def __init__(self, seed: int, rows: int, columns: int) -> None:
        rng = np.random.default_rng(seed)
        shape = CHANNELS, 4 * rows, 4 * columns
        self.y = (4 * rng.standard_normal(shape)).astype(np.float32)
        self.z = rng.integers(-5, 6, (ODD.hyper_channels, rows, columns)).astype(np.int8)
        self.levels = rng.choice([0, 7, 30], shape).astype(np.uint8)
        by_level = rng.uniform(0, 0.6, (2, 64)).astype(np.float32)
        self.rate_aware = Rounding(by_level, rng.uniform(0, 1, CHANNELS).astype(np.float32))

    def there_and_back(self, inference: Inference, rounding: Rounding) -> tuple[Floats, Floats]:
        """Symbols in quantisation steps, and decoded latents."""
        symbols = both_passes(inference, self.y, self.z, self.levels, rounding)
        return symbols / np.float32(inference.units), inference.reconstruct_latents(symbols, self.z)

    def means(self, y_hat: Floats) -> Floats:
        """Where a decoder expects each latent, by the modules that are trained."""
        rows, columns = np.mgrid[0 : y_hat.shape[1], 0 : y_hat.shape[2]]
        anchor = (rows + columns) % 2 == 0
        entropy = odd_network().entropy
        features = entropy.features(torch.from_numpy(self.z)[None].float())
        anchors = torch.from_numpy(np.where(anchor, y_hat, np.float32(0)))[None]
        others = entropy.mean_of_others(features, anchors, torch.tensor([POSITION]))
        return np.where(anchor, entropy.mean_of_anchors(features)[0].numpy(), others[0].numpy())


@pytest.fixture(params=[1, 3])
def inference(start: Starter, request: pytest.FixtureRequest) -> Inference:
    """With symbols in whole quantisation steps, and in thirds of them."""
    return start(odd_network(), POSITION, units=request.param)


cases = st.builds(Case, st.integers(0, 2**32 - 1), st.integers(1, 2), st.integers(1, 3))
many = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@many
@given(case=cases)
def test_plain_rounding(inference: Inference, case: Case) -> None:
    symbols, y_hat = case.there_and_back(inference, PLAIN)
    coded = case.levels > 0
    gain = inference.gain[:, None, None]
    value = (case.y - case.means(y_hat)) * gain
    clear = coded & (np.abs(np.abs(value - np.rint(value)) - 0.5) > 1e-3)
    np.testing.assert_array_equal(symbols[clear], np.rint(value)[clear])
    assert clear.sum() > 0.9 * coded.sum()
    error = np.abs(y_hat - case.y) * gain
    assert error[coded].max() <= 0.5 + 1e-3
    assert (symbols[~coded] == 0).all()
    assert len(np.unique(symbols)) > 5


@many
@given(case=cases)
def test_rate_aware_rounding(inference: Inference, case: Case) -> None:
    """A magnitude n − 1 + f becomes n where f is at least 1/2 and the shift, which is 1/2 at most."""
    symbols, y_hat = case.there_and_back(inference, case.rate_aware)
    gain = inference.gain[:, None, None]
    value = (case.y - case.means(y_hat)) * gain
    magnitude = np.abs(value).astype(np.float64)
    first, further = case.rate_aware.by_level[:, case.levels]
    shift = np.where(magnitude >= 1.5, further, first) * case.rate_aware.by_channel[:, None, None]
    shift = np.minimum(shift, 0.5)
    wanted = magnitude - shift + 0.5
    # Those within rounding of an edge may fall either way.
    clear = (case.levels > 0) & (np.abs(wanted - np.rint(wanted)) > 1e-3) & (np.abs(magnitude - 1.5) > 1e-3)
    assert clear.sum() > 0.5 * (case.levels > 0).sum()
    expected = np.copysign(np.floor(wanted), value)
    np.testing.assert_array_equal(symbols[clear], expected[clear])
    error = np.abs(y_hat - case.y) * gain
    assert (error <= 0.5 + shift + 1e-3)[case.levels > 0].all()
    assert (symbols[case.levels == 0] == 0).all()


@many
@given(case=cases)
def test_what_is_decoded_is_the_mean_and_the_symbols_steps(inference: Inference, case: Case) -> None:
    """Both ends know the same anchors, or else the means off them would differ."""
    symbols, y_hat = case.there_and_back(inference, case.rate_aware)
    expected = case.means(y_hat) + symbols / inference.gain[:, None, None]
    np.testing.assert_allclose(y_hat, expected, atol=1e-4)


@many
@given(case=cases)
def test_points_between_the_steps_are_decoded_too(inference: Inference, case: Case) -> None:
    """Dependent quantisation has symbols that are no multiples of a step, also of the anchors."""
    rng = np.random.default_rng(int(case.levels.sum()))
    symbols = rng.integers(-7, 8, case.y.shape).astype(np.int16)
    y_hat = inference.reconstruct_latents(symbols, case.z)
    expected = case.means(y_hat) + symbols / (inference.units * inference.gain[:, None, None])
    np.testing.assert_allclose(y_hat, expected, atol=1e-4)


@many
@given(case=cases)
def test_values_are_the_differences_from_the_means(inference: Inference, case: Case) -> None:
    """In steps, of all sites that were asked for, coded or not: what the search for a path starts from.

    Means of the others follow from any symbols of the anchors, of which some lie between the steps, and
    from nothing that stands beside them.
    """
    rng = np.random.default_rng(int(case.levels.sum()))
    anchor = np.add.outer(*map(np.arange, case.y.shape[1:])) % 2 == 0
    symbols = rng.integers(-7, 8, case.y.shape).astype(np.int16) * anchor
    first = inference.code_anchors(case.y, case.z, case.levels, PLAIN).values
    second = inference.code_others(case.y, case.z, symbols, case.levels, PLAIN).values
    means = case.means(inference.reconstruct_latents(symbols, case.z))
    expected = (case.y - means) * inference.gain[:, None, None]
    np.testing.assert_allclose(np.where(anchor, first, second), expected, atol=1e-3)


def test_latents_far_out_stay_within_the_limit(inference: Inference) -> None:
    """At so many steps that their units still are symbols that can be coded."""
    case = Case(6, 2, 2)
    case.y *= 1e7
    symbols, y_hat = case.there_and_back(inference, PLAIN)
    assert np.abs(symbols).max() == LATENT_LIMIT // inference.units
    assert np.isfinite(y_hat).all()


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
