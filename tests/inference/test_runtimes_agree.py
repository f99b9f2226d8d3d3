"""OpenVINO computes what torch does: in float32 to rounding, in bf16 as closely as bf16 allows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from conftest import NetworkMaker, start_on_openvino, start_on_torch
from numpy.typing import NDArray

from jdcodec.inference.interface import Inference, latent_gain
from jdcodec.inference.on_openvino import has_fast_bf16
from jdcodec.model.config import PRECISE_ROWS
from jdcodec.model.network import JointCodec

from .conftest import Inputs

#: Pixels, from the smallest picture there is; more of one side than of the other.
SIZES = [(64, 64), (64, 192), (320, 128)]

TYPES = (np.uint8, np.uint16, np.float32)

#: float16 from 1/2 to 1 has steps of this size.
HALF_STEP = 2.0**-11


def close(found: NDArray[Any], expected: NDArray[Any], share: float = 1e-4) -> None:
    """No value further off than a share of the values' spread."""
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    spread = float(expected.astype(np.float64).std())
    assert spread > 0.01
    np.testing.assert_allclose(found, expected, rtol=0, atol=share * spread)


def both(network: JointCodec, t: float, units: int = 1) -> tuple[Inference, Inference]:
    return start_on_openvino(network, t, units=units), start_on_torch(network, t, units=units)


@pytest.mark.parametrize("size", [*SIZES, (8, 8), (24, 136)])
def test_denoise(network: JointCodec, size: tuple[int, int]) -> None:
    """Any multiple of 8 pixels is a size for the denoiser."""
    given = Inputs(network.config, *size)
    for pixels in (given.pixels, given.deep_pixels):
        scaled = pixels.transpose(2, 0, 1) / np.iinfo(pixels.dtype).max
        for strength in (0.0, 0.3, 1.0):
            found, expected = (each.denoise(pixels, strength) for each in both(network, 0.5))
            assert found.dtype == expected.dtype == np.float16
            assert found.shape == expected.shape == (3, *size)
            difference = np.abs(found.astype(np.float32) - expected)
            assert difference.max() <= HALF_STEP * max(1.0, 2 * np.abs(expected).max())
            removed = np.abs(found - scaled).max()
            assert removed > 0.02 if strength else removed < HALF_STEP


def test_pixels_may_be_read_only_or_a_part_of_others(network: JointCodec) -> None:
    """As pictures from PIL are, and windows."""
    pixels = Inputs(network.config, 64, 128).pixels
    part = pixels[:, 16:80]
    part.setflags(write=False)
    for inference in both(network, 0.5):
        np.testing.assert_array_equal(inference.denoise(part, 1.0), inference.denoise(part.copy(), 1.0))
        picture = np.random.default_rng(0).uniform(0, 1, (3, 64, 128)).astype(np.float16)[:, :, 16:80]
        picture.setflags(write=False)
        np.testing.assert_array_equal(inference.latents(picture), inference.latents(picture.copy()))


@pytest.mark.parametrize(("size", "t"), list(zip(SIZES, (0.0, 0.6, 1.0))))
def test_latents_and_hyperlatents(network: JointCodec, size: tuple[int, int], t: float) -> None:
    given = Inputs(network.config, *size)
    found, expected = both(network, t)
    close(found.latents(given.denoised), expected.latents(given.denoised))
    close(found.hyperlatents(given.y), expected.hyperlatents(given.y))


@pytest.mark.parametrize("units", [1, 3])
@pytest.mark.parametrize(("size", "t"), list(zip(SIZES, (0.0, 0.6, 1.0))))
def test_means_and_decoded_latents(network: JointCodec, size: tuple[int, int], t: float, units: int) -> None:
    given = Inputs(network.config, *size)
    found, expected = both(network, t, units)
    symbols, z = given.symbols, given.z
    close(found.anchor_means(z), expected.anchor_means(z))
    close(found.other_means(symbols, z), expected.other_means(symbols, z))
    close(found.reconstruct_latents(symbols, z), expected.reconstruct_latents(symbols, z))


@pytest.mark.parametrize("gray", [False, True])
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("size", SIZES)
def test_picture(network: JointCodec, size: tuple[int, int], dtype: Any, gray: bool) -> None:
    y = 8 * Inputs(network.config, *size).y
    found, expected = (each.picture(y, dtype, gray=gray) for each in both(network, 0.6))
    assert found.dtype == expected.dtype == dtype
    assert found.shape == (*size, 3)
    if gray:
        assert (found == found[..., :1]).all()
    largest = 1.0 if dtype is np.float32 else float(np.iinfo(dtype).max)
    # So that much is clamped at both ends, and much is not.
    assert np.mean(found == 0) > 0.01 and np.mean(found == largest) > 0.01
    assert np.mean((found > 0) & (found < largest)) > 0.3
    level = {np.uint8: 1, np.uint16: 4, np.float32: 1e-5}[dtype]
    assert np.abs(found.astype(np.float64) - expected).max() <= level
    assert np.abs(found.astype(np.float64) - expected).mean() <= level / 20


@pytest.mark.parametrize("t", [0.0, 0.37, 1.0])
def test_gain(network: JointCodec, t: float) -> None:
    arrays = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    expected = start_on_torch(network, t).gain
    np.testing.assert_allclose(latent_gain(arrays, t), expected, rtol=1e-6)
    assert expected.dtype == np.float32


@pytest.mark.skipif(not has_fast_bf16(), reason="this processor has no bf16")
class TestBf16:
    """Against float32: in the mean within a few thousandths of the spread, and nowhere far off."""

    def test_all_within_what_bf16_loses(self, network: JointCodec) -> None:
        given = Inputs(network.config, 64, 128)
        fast, exact = start_on_openvino(network, 0.6, bf16=True), start_on_torch(network, 0.6)
        symbols = given.symbols
        pairs: dict[str, tuple[NDArray[Any], NDArray[Any]]] = {
            "denoised": (fast.denoise(given.pixels, 1.0), exact.denoise(given.pixels, 1.0)),
            "latents": (fast.latents(given.denoised), exact.latents(given.denoised)),
            "hyperlatents": (fast.hyperlatents(given.y), exact.hyperlatents(given.y)),
            "decoded": (
                fast.reconstruct_latents(symbols, given.z),
                exact.reconstruct_latents(symbols, given.z),
            ),
            "picture": (fast.picture(given.y, np.float32), exact.picture(given.y, np.float32)),
        }
        for name, (found, expected) in pairs.items():
            close(found, expected, share=0.1)
            difference = np.abs(found.astype(np.float32) - expected)
            assert 0 < difference.mean() < 0.01 * expected.astype(np.float32).std(), name

    def test_what_matters_of_the_linear_transforms_stays_in_float32(self, network: JointCodec) -> None:
        """Without the networks' part pixels and the latents of low frequencies are those of float32."""
        silent = JointCodec(network.config).requires_grad_(False).eval()
        given = Inputs(network.config, 64, 128)
        fast, exact = start_on_openvino(silent, 0.6, bf16=True), start_on_torch(silent, 0.6)
        found, expected = fast.latents(given.denoised), exact.latents(given.denoised)
        close(found[:PRECISE_ROWS], expected[:PRECISE_ROWS], share=1e-5)
        close(found[PRECISE_ROWS:], expected[PRECISE_ROWS:], share=0.01)
        close(fast.picture(given.y, np.float32), exact.picture(given.y, np.float32), share=1e-5)


def test_a_network_of_the_shipped_width(make_network: NetworkMaker) -> None:
    """Odd widths are easy to get right by luck; the real ones are computed with other kernels."""
    import torch

    from jdcodec.model.config import FAST

    torch.manual_seed(3)
    network = JointCodec(FAST).requires_grad_(False).eval()
    for parameter in network.parameters():
        if parameter.ndim > 1:
            parameter.add_(0.02 * torch.randn_like(parameter))
    given = Inputs(FAST, 64, 128)
    found, expected = both(network, 0.3)
    close(found.latents(given.denoised), expected.latents(given.denoised))
    close(found.picture(given.y, np.float32), expected.picture(given.y, np.float32))
