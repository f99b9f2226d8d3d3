"""A network that nothing has trained is a plain block DCT codec; training starts from there."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from conftest import PictureMaker

from jdcodec.model.config import FAST
from jdcodec.model.inference import Inference
from jdcodec.model.network import JointCodec
from jdcodec.model.transforms import LATENT_STEP, opponent_dct_basis

ROWS = 320


@pytest.fixture(scope="module")
def network() -> JointCodec:
    torch.manual_seed(0)
    config = dataclasses.replace(
        FAST, analysis_stages=((8, 1),), synthesis_stages=((8, 1),), hyper_channels=8, hyper_width=8
    )
    return JointCodec(dataclasses.replace(config, latent_channels=ROWS)).requires_grad_(False).eval()


def code(network: JointCodec, picture: torch.Tensor, t: float) -> torch.Tensor:
    inference = Inference(network, t, torch.float32)
    y = inference.latents(inference.denoise(picture, 1.0))
    z = inference.hyperlatents(y, 127)
    all_coded = torch.ones_like(y, dtype=torch.uint8)
    plain_rounding = (torch.zeros(2, 64), torch.zeros(ROWS))
    symbols = inference.residuals(y, z, all_coded, plain_rounding, 32767)
    return inference.picture(inference.reconstruct_latents(symbols, z))


def dct_codec(picture: torch.Tensor, step: float) -> torch.Tensor:
    """Quantise the DCT of each 16 × 16 block with one step, and back."""
    basis = opponent_dct_basis(ROWS).double()
    blocks = torch.nn.functional.pixel_unshuffle(picture.double() - 0.5, 16)
    coefficients = torch.einsum("mc,bchw->bmhw", basis, blocks)
    quantised = torch.round(coefficients / step) * step
    back = torch.einsum("mc,bmhw->bchw", basis, quantised)
    return (torch.nn.functional.pixel_shuffle(back, 16) + 0.5).clamp(0, 1).float()


@pytest.fixture(scope="module")
def picture(make_picture: PictureMaker) -> torch.Tensor:
    return torch.from_numpy(make_picture(64, 128)).permute(2, 0, 1)[None] / 255


def test_basis_is_orthonormal_and_starts_with_the_mean_brightness() -> None:
    basis = opponent_dct_basis(ROWS).double()
    torch.testing.assert_close(basis @ basis.T, torch.eye(ROWS, dtype=torch.float64), atol=1e-6, rtol=0)
    assert basis[0].min() == basis[0].max()
    assert (basis[1:].sum(1).abs() < 1e-5).all()


@pytest.mark.parametrize("t", [0.0, 0.4, 1.0])
def test_decodes_as_a_dct_codec_does(network: JointCodec, picture: torch.Tensor, t: float) -> None:
    step = LATENT_STEP / float(network.gain(torch.tensor([t])).exp()[0, 0])
    difference = (code(network, picture, t) - dct_codec(picture, step)).abs()
    # A coefficient that lies on the edge between two steps may fall either way.
    assert difference.median() < 1e-4
    assert (difference.amax((1, 2, 3)) < 2 * step / 16).all()


def test_the_denoiser_starts_at_no_noise(network: JointCodec, picture: torch.Tensor) -> None:
    inference = Inference(network, 0.5, torch.float32)
    torch.testing.assert_close(inference.denoise(picture, 1.0), picture, atol=0, rtol=0)


def test_close_to_the_input_at_the_best_quality_and_not_at_the_worst(
    network: JointCodec, picture: torch.Tensor
) -> None:
    worst, best = (
        float(-10 * torch.log10((code(network, picture, t) - picture).square().mean())) for t in (0.0, 1.0)
    )
    assert best > 26
    assert worst < best - 2
