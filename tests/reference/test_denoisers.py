"""The systems without a bitstream: U-Net, autoencoder, residual network with stochastic depth."""

from __future__ import annotations

import pytest
import torch

from jdcodec.reference.small import ResidualDenoiser, StochasticBlock
from jdcodec.reference.unet import UNet

from .systems import narrow, needs_compressai, pictures


@pytest.mark.parametrize("side", [1, 7, 96, 103, 104, 105, 120, 137])
def test_the_unet_takes_any_size(side: int) -> None:
    model = UNet(2)
    with torch.no_grad():
        assert model(torch.rand(1, 3, side, 104)).reconstruction.shape == (1, 3, side, 104)


def test_the_unet_keeps_pixels_where_they_are() -> None:
    """A network that passes its first layer's red channel through shifts nothing."""
    model = UNet(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        for layer in model.modules():
            if isinstance(layer, torch.nn.PReLU):
                layer.weight.fill_(1.0)
        model.down[0][0].weight[0, 0, 1, 1] = 1.0
        model.down[0][2].weight[0, 0, 1, 1] = 1.0
        # Of the last level's two channels the second is the skip.
        model.up[-1][0].weight[1, 0, 1, 1] = 1.0
        model.up[-1][2].weight[0, 0, 1, 1] = 1.0
        model.last.weight.fill_(1.0)
        x = pictures(1, 3, 110, 123)
        out = model(x).reconstruction
    torch.testing.assert_close(out, x[:, :1].expand(-1, 3, -1, -1))


def test_a_block_is_dropped_for_a_picture_as_a_whole() -> None:
    torch.manual_seed(0)
    block = StochasticBlock(2, survival=0.5)
    x = torch.rand(400, 2, 4, 4)
    with torch.no_grad():
        change = (block(x) - x).flatten(1).abs()
        full = block.branch(x).flatten(1).abs()
    kept = change.amax(1) > 0
    assert 0.4 < float(kept.float().mean()) < 0.6
    torch.testing.assert_close(change[kept], full[kept], atol=1e-6, rtol=1e-5)


def test_in_evaluation_a_block_has_its_expected_strength() -> None:
    torch.manual_seed(0)
    block = StochasticBlock(2, survival=0.25).eval()
    x = torch.rand(3, 2, 4, 4)
    with torch.no_grad():
        torch.testing.assert_close(block(x), x + 0.25 * block.branch(x))


def test_survival_falls_evenly_with_depth() -> None:
    blocks = ResidualDenoiser(width=2, blocks=4, last_survival=0.5).blocks
    assert [block.survival for block in blocks] == [0.875, 0.75, 0.625, 0.5]


def test_the_residual_network_subtracts_what_it_predicts() -> None:
    model = narrow("residual").eval()
    with torch.no_grad():
        model.last.weight.zero_()
        model.last.bias.fill_(0.125)
        x = pictures(1, 3, 9, 11)
        torch.testing.assert_close(model(x).reconstruction, x - 0.125)


@needs_compressai
def test_the_two_step_baseline_codes_what_the_denoiser_made() -> None:
    model = narrow("unet-manypriors").eval()
    x = pictures(1, 3, 50, 64)
    with torch.no_grad():
        clean = model.denoiser(x).reconstruction
        torch.testing.assert_close(model(x).reconstruction, model.codec(clean).reconstruction)
    assert model.compress(x) == model.codec.compress(clean)
