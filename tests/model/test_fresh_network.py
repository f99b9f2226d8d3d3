"""A network that nothing has trained is a plain block DCT codec; training starts from there."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from conftest import PictureMaker, Starter, both_passes
from numpy.typing import NDArray

from jdcodec.codec.rounding import Rounding
from jdcodec.inference.interface import Inference
from jdcodec.model.config import FAST, LATENT_STEP
from jdcodec.model.network import JointCodec
from jdcodec.model.transforms import opponent_dct_basis

ROWS = 320

PLAIN_ROUNDING = Rounding(np.zeros((2, 64), np.float32), np.zeros(ROWS, np.float32))


@pytest.fixture(scope="module")
def network() -> JointCodec:
    torch.manual_seed(0)
    config = dataclasses.replace(
        FAST, analysis_stages=((8, 1),), synthesis_stages=((8, 1),), hyper_channels=8, hyper_width=8
    )
    return JointCodec(dataclasses.replace(config, latent_channels=ROWS)).requires_grad_(False).eval()


def code(inference: Inference, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    y = inference.latents(inference.denoise(picture, 1.0))
    z = inference.rounded_hyperlatents(y, 127)
    symbols = both_passes(inference, y, z, np.ones(y.shape, np.uint8), PLAIN_ROUNDING)
    return inference.picture(inference.reconstruct_latents(symbols, z), np.float32)


def dct_codec(picture: NDArray[np.uint8], step: float) -> NDArray[np.float64]:
    """Quantise the DCT of each 16 × 16 block with one step, and back."""
    basis = opponent_dct_basis(ROWS).double().numpy().reshape(ROWS, 3, 16, 16)
    height, width = picture.shape[0] // 16, picture.shape[1] // 16
    blocks = (picture / 255 - 0.5).reshape(height, 16, width, 16, 3)
    coefficients = np.einsum("mcij,hiwjc->mhw", basis, blocks)
    back = np.einsum("mcij,mhw->hiwjc", basis, np.round(coefficients / step) * step)
    return np.asarray(back.reshape(picture.shape) + 0.5).clip(0, 1)


@pytest.fixture(scope="module")
def picture(make_picture: PictureMaker) -> NDArray[np.uint8]:
    return make_picture(64, 128)


def test_basis_is_orthonormal_and_starts_with_the_mean_brightness() -> None:
    basis = opponent_dct_basis(ROWS).double()
    torch.testing.assert_close(basis @ basis.T, torch.eye(ROWS, dtype=torch.float64), atol=1e-6, rtol=0)
    assert basis[0].min() == basis[0].max()
    assert (basis[1:].sum(1).abs() < 1e-5).all()


@pytest.mark.parametrize("units", [1, 3])
@pytest.mark.parametrize("t", [0.0, 0.4, 1.0])
def test_decodes_as_a_dct_codec_does(
    network: JointCodec, start: Starter, picture: NDArray[np.uint8], t: float, units: int
) -> None:
    """Whatever symbols are counted in, each coefficient is rounded to whole steps on its own here."""
    inference = start(network, t, units=units)
    step = LATENT_STEP / float(inference.gain[0])
    difference = np.abs(code(inference, picture) - dct_codec(picture, step))
    # A coefficient that lies on the edge between two steps may fall either way.
    assert np.median(difference) < 1e-4
    assert difference.max() < 2 * step / 16


def test_the_denoiser_starts_at_no_noise(
    network: JointCodec, start: Starter, picture: NDArray[np.uint8]
) -> None:
    inference = start(network, 0.5)
    np.testing.assert_array_equal(inference.denoise(picture, 1.0), inference.denoise(picture, 0.0))


def test_close_to_the_input_at_the_best_quality_and_not_at_the_worst(
    network: JointCodec, start: Starter, picture: NDArray[np.uint8]
) -> None:
    worst, best = (
        -10 * np.log10(np.square(code(start(network, t), picture) - picture / 255).mean()) for t in (0.0, 1.0)
    )
    assert best > 26
    assert worst < best - 2
