"""Residuals and back: what all runtimes share, checked on a network of a few lines."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from jdcodec.inference import interface
from jdcodec.inference.interface import Denoised, Floats, Inference, PixelType, Rounding, to_levels
from jdcodec.model.config import FAST

CHANNELS = 5
LIMIT = 32767


class Means(Inference):
    """Means that depend on the hyperlatents and, off the anchors, on the anchors around."""

    def __init__(self, gain: Floats) -> None:
        super().__init__(FAST, gain)
        self.seen: list[Floats] = []

    def means_of_anchors(self, z: NDArray[np.int8]) -> tuple[Any, Floats]:
        features = z.astype(np.float32).repeat(4, axis=1).repeat(4, axis=2)
        return features, 0.3 * features

    def means_of_others(self, features: Any, y_anchors: Floats) -> Floats:
        self.seen.append(y_anchors.copy())
        around = sum(np.roll(y_anchors, step, axis) for step in (-1, 1) for axis in (1, 2))
        return np.asarray(0.3 * features + 0.2 * around, np.float32)

    def hyperlatents(self, y: Floats) -> Floats:
        return np.ascontiguousarray(y[:, ::4, ::4])

    def denoise(self, pixels: NDArray[Any], strength: float) -> Denoised:
        raise NotImplementedError

    def latents(self, picture: Denoised) -> Floats:
        raise NotImplementedError

    def picture(self, y_hat: Floats, dtype: PixelType, *, gray: bool = False) -> NDArray[Any]:
        raise NotImplementedError


class Case:
    """Latents, hyperlatents, levels (a third of them 0) and gains, all random."""

    def __init__(self, seed: int, rows: int, columns: int) -> None:
        rng = np.random.default_rng(seed)
        shape = CHANNELS, 4 * rows, 4 * columns
        self.y = (4 * rng.standard_normal(shape)).astype(np.float32)
        self.z = rng.integers(-5, 6, (CHANNELS, rows, columns)).astype(np.int8)
        self.levels = rng.choice([0, 7, 30], shape).astype(np.uint8)
        self.inference = Means(rng.uniform(0.3, 5, CHANNELS).astype(np.float32))
        by_level = rng.uniform(0, 0.6, (2, 64)).astype(np.float32)
        self.rate_aware = Rounding(by_level, rng.uniform(0, 1, CHANNELS).astype(np.float32))

    def there_and_back(self, rounding: Rounding, limit: int = LIMIT) -> tuple[NDArray[np.int16], Floats]:
        symbols = self.inference.residuals(self.y, self.z, self.levels, rounding, limit)
        assert symbols.dtype == np.int16
        return symbols, self.inference.reconstruct_latents(symbols, self.z)

    def means(self, y_hat: Floats) -> Floats:
        """Where the decoder expects each latent."""
        rows, columns = np.mgrid[0 : y_hat.shape[1], 0 : y_hat.shape[2]]
        anchor = (rows + columns) % 2 == 0
        features, mean = self.inference.means_of_anchors(self.z)
        others = self.inference.means_of_others(features, np.where(anchor, y_hat, np.float32(0)))
        return np.where(anchor, mean, others)

    @property
    def gain(self) -> Floats:
        return self.inference.gain[:, None, None]


PLAIN = Rounding(np.zeros((2, 64), np.float32), np.ones(CHANNELS, np.float32))

cases = st.builds(Case, st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 4))


@settings(max_examples=40, deadline=None)
@given(cases)
def test_plain_rounding(case: Case) -> None:
    symbols, y_hat = case.there_and_back(PLAIN)
    coded = case.levels > 0
    value = (case.y - case.means(y_hat)) * case.gain
    np.testing.assert_allclose(symbols[coded], np.rint(value)[coded], atol=0)
    error = np.abs(y_hat - case.y) * case.gain
    assert error[coded].max() <= 0.5 + 1e-4
    assert (symbols[~coded] == 0).all()
    assert len(np.unique(symbols)) > 5


@settings(max_examples=40, deadline=None)
@given(cases)
def test_rate_aware_rounding(case: Case) -> None:
    """A magnitude n − 1 + f becomes n where f is at least 1/2 and the shift, which is 1/2 at most."""
    symbols, y_hat = case.there_and_back(case.rate_aware)
    value = (case.y - case.means(y_hat)) * case.gain
    magnitude = np.abs(value).astype(np.float64)
    first, further = case.rate_aware.by_level[:, case.levels]
    shift = np.where(magnitude >= 1.5, further, first) * case.rate_aware.by_channel[:, None, None]
    shift = np.minimum(shift, 0.5)
    wanted = magnitude - shift + 0.5
    # Those within rounding of an edge may fall either way.
    clear = (case.levels > 0) & (np.abs(wanted - np.rint(wanted)) > 1e-4) & (np.abs(magnitude - 1.5) > 1e-4)
    assert clear.sum() > 0.5 * (case.levels > 0).sum()
    expected = np.copysign(np.floor(wanted), value)
    np.testing.assert_array_equal(symbols[clear], expected[clear])
    error = np.abs(y_hat - case.y) * case.gain
    assert (error <= 0.5 + shift + 1e-4)[case.levels > 0].all()
    assert (symbols[case.levels == 0] == 0).all()


@settings(max_examples=20, deadline=None)
@given(cases)
def test_both_ends_know_the_same_anchors(case: Case) -> None:
    """To the last bit: means off the anchors are computed from them, here and in the decoder."""
    case.there_and_back(case.rate_aware)
    encoder, decoder = case.inference.seen
    off_the_anchors = np.add.outer(np.arange(encoder.shape[1]), np.arange(encoder.shape[2])) % 2 == 1
    assert (encoder[:, off_the_anchors] == 0).all()
    np.testing.assert_array_equal(encoder, decoder)


@pytest.mark.parametrize("chunk", [1, 100, 1 << 18])
def test_any_number_of_channels_at_a_time_gives_the_same(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(5, 3, 2)
    expected = case.there_and_back(case.rate_aware)
    monkeypatch.setattr(interface, "_CHUNK", chunk)
    symbols, y_hat = case.there_and_back(case.rate_aware)
    np.testing.assert_array_equal(symbols, expected[0])
    np.testing.assert_array_equal(y_hat, expected[1])


def test_latents_far_out_stay_within_the_limit() -> None:
    case = Case(6, 2, 2)
    case.y *= 1e7
    symbols, _ = case.there_and_back(PLAIN)
    assert np.abs(symbols.astype(int)).max() == LIMIT
    few, _ = case.there_and_back(PLAIN, limit=3)
    assert set(np.unique(few)) <= set(range(-3, 4)) and abs(few).max() == 3


def test_hyperlatents_are_rounded_within_the_limit() -> None:
    y = np.zeros((1, 4, 32), np.float32)
    y[0, 0, ::4] = [0.4, 0.6, -1.2, 5.4, -7.7, 300, -300, 126.6]
    z = Means(np.ones(1, np.float32)).rounded_hyperlatents(y, 127)
    assert z.dtype == np.int8
    assert z[0, 0].tolist() == [0, 1, -1, 5, -8, 127, -127, 127]


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
