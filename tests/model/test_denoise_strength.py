"""The denoise strength is the share of the predicted noise that is taken away."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import NetworkMaker, Starter
from numpy.typing import NDArray

#: A step of half precision below 1, and the rounding of two such numbers.
STEP = 2.0**-11


@pytest.fixture
def picture() -> NDArray[np.uint16]:
    return np.random.default_rng(0).integers(0, 65536, (64, 64, 3)).astype(np.uint16)


def scaled(picture: NDArray[np.uint16]) -> NDArray[np.float32]:
    return picture.transpose(2, 0, 1) / np.float32(65535)


def test_share_of_the_noise(make_network: NetworkMaker, start: Starter, picture: NDArray[np.uint16]) -> None:
    inference = start(make_network("fast"), 0.5)
    noise = scaled(picture) - inference.denoise(picture, 1.0)
    assert np.abs(noise).max() > 0.1
    quarter = inference.denoise(picture, 0.25).astype(np.float32)
    np.testing.assert_allclose(quarter, scaled(picture) - 0.25 * noise, atol=2 * STEP)
    np.testing.assert_array_equal(inference.denoise(picture, 0.0), scaled(picture).astype(np.float16))


def test_sees_no_quality(make_network: NetworkMaker, start: Starter, picture: NDArray[np.uint16]) -> None:
    """The denoiser comes before the codec: what it takes away is the same at every quality."""
    network = make_network("fast")
    low, high = (start(network, t).denoise(picture, 1.0) for t in (0.0, 1.0))
    np.testing.assert_array_equal(low, high)
