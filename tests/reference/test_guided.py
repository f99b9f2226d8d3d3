"""Guided codecs: where the denoisers sit, what guides them, and the order in which latents are decoded."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from jdcodec.reference.losses import (
    CONTRASTIVE_WEIGHT,
    GUIDANCE_WEIGHT,
    TEMPERATURE,
    bits_per_pixel,
    contrastive_loss,
    guidance_loss,
    training_loss,
)
from jdcodec.reference.output import Output

from .systems import narrow, needs_compressai, pictures


def _output(**fields: object) -> Output:
    return Output(torch.zeros(2, 3, 4, 4), {}, **fields)  # type: ignore[arg-type]


@needs_compressai
def test_features_lie_at_a_quarter_and_a_sixteenth() -> None:
    model = narrow("guided-128")
    x = pictures(1, 3, 64, 128)
    output = model(x, x)
    shapes = [(1, 16, 16, 32), (1, 16, 4, 8)]
    assert [tuple(f.shape) for f in output.features] == shapes
    assert [tuple(f.shape) for f in output.clean_features] == shapes
    assert model(x).clean_features == ()
    assert output.projections is None


@needs_compressai
def test_only_noisy_pictures_go_through_the_denoisers() -> None:
    model = narrow("guided-128")
    x = pictures(1, 3, 64, 64)
    with torch.no_grad():
        before = model(x, x)
        assert float(guidance_loss(before)) > 0
        for denoiser in (model.denoiser_fine, model.denoiser_coarse):
            denoiser.forward = lambda features: features
        after = model(x, x)
    assert float(guidance_loss(after)) == 0
    for old, new in zip(before.clean_features, after.clean_features):
        torch.testing.assert_close(old, new)


@needs_compressai
def test_the_context_reaches_back_only() -> None:
    model = narrow("guided-128").eval()
    hyper, y_hat = torch.randn(1, 32, 4, 4), torch.randn(1, 16, 4, 4)
    changed = y_hat.clone()
    changed[:, :, 2, 1] += 1.0
    with torch.no_grad():
        before = torch.cat(model._distributions(hyper, y_hat), 1)
        after = torch.cat(model._distributions(hyper, changed), 1)
    sites = {(int(r), int(c)) for r, c in (before != after).any(1)[0].nonzero()}
    assert sites and min(sites) > (2, 1)


@needs_compressai
def test_walking_site_by_site_gives_what_all_at_once_would() -> None:
    model = narrow("guided-128").eval()
    hyper, y = torch.randn(1, 32, 4, 4), 3 * torch.randn(1, 16, 4, 4)

    def code(row: int, column: int, scales: torch.Tensor, means: torch.Tensor) -> torch.Tensor:
        return (y[:, :, row : row + 1, column : column + 1] - means).round()

    with torch.no_grad():
        y_hat = model._walk(hyper, code)
        _, means = model._distributions(hyper, y_hat)
    residual = y_hat - means
    torch.testing.assert_close(residual, residual.round(), atol=1e-4, rtol=0)
    assert float((y_hat - y).abs().max()) <= 0.5 + 1e-4


@needs_compressai
def test_jicdcls_projects_both_pictures_to_unit_vectors() -> None:
    model = narrow("jicdcls-128")
    x = pictures(2, 3, 64, 64)
    noisy, clean = model(x, x).projections
    assert noisy.shape == clean.shape == (2, 128)
    torch.testing.assert_close(noisy.norm(dim=1), torch.ones(2))
    assert model(x).projections is None


@needs_compressai
def test_a_self_onn_layer_is_a_convolution_over_three_powers() -> None:
    from jdcodec.reference.jicdcls import SelfOnn

    torch.manual_seed(0)
    layer = SelfOnn(2)
    x = torch.rand(1, 2, 5, 5) * 2 - 1
    weights = layer.mix.weight.chunk(3, 1)
    expected = sum(F.conv2d(x**q, w, padding=1) for q, w in zip((1, 2, 3), weights))
    torch.testing.assert_close(layer(x), expected + layer.mix.bias[:, None, None])


@needs_compressai
def test_cbam_gates_between_nothing_and_all() -> None:
    from jdcodec.reference.jicdcls import ChannelSpatialAttention

    torch.manual_seed(0)
    attention = ChannelSpatialAttention(16)
    x = torch.rand(2, 16, 6, 6) + 0.1
    with torch.no_grad():
        share = attention(x) / x
    assert 0 < float(share.min()) < float(share.max()) < 1
    # The product of a gate for the channel and one for the place, nothing else.
    torch.testing.assert_close(
        share[:, :1, :1, :1] * share[:, 1:2, 1:2, 1:2], share[:, :1, 1:2, 1:2] * share[:, 1:2, :1, :1]
    )


def test_guidance_is_the_mean_absolute_difference_of_each_scale() -> None:
    fine, coarse = torch.zeros(2, 4, 4, 4), torch.ones(2, 4, 1, 1)
    output = _output(features=(fine, coarse), clean_features=(fine + 0.5, coarse - 2.0))
    assert float(guidance_loss(output)) == pytest.approx(2.5)
    assert float(guidance_loss(_output(features=(fine, coarse)))) == 0


def test_info_nce_of_known_projections() -> None:
    one, other = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    own = torch.stack((one, other))
    expected = math.log(1 + math.exp(-1 / TEMPERATURE))
    assert float(contrastive_loss(_output(projections=(own, own)))) == pytest.approx(expected, abs=1e-6)
    swapped = torch.stack((other, one))
    assert float(contrastive_loss(_output(projections=(own, swapped)))) == pytest.approx(
        1 / TEMPERATURE, rel=1e-4
    )
    assert float(contrastive_loss(_output())) == 0


def test_the_training_loss_is_the_sum_of_its_terms() -> None:
    fine = torch.zeros(2, 1, 1, 1)
    own = torch.eye(2)
    output = Output(
        torch.full((2, 3, 4, 4), 0.1),
        {"y": torch.full((2, 8), 0.25), "z": torch.full((2, 1, 2), 0.5)},
        (fine,),
        (fine + 1,),
        (own, own),
    )
    assert bits_per_pixel(output).tolist() == [18 / 16, 18 / 16]
    loss = training_loss(output, torch.zeros(2, 3, 4, 4), 0.01)
    expected = (
        18 / 16
        + 0.01 * 255**2 * 0.01
        + GUIDANCE_WEIGHT
        + CONTRASTIVE_WEIGHT * float(contrastive_loss(output))
    )
    assert float(loss) == pytest.approx(expected, rel=1e-5)
