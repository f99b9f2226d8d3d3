"""Counting: against sums made by hand, against torch's own counter, and against the papers' numbers."""

from __future__ import annotations

from functools import lru_cache

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from jdcodec.gmac.count import Cost, Ledger, Macs, count_parts
from jdcodec.gmac.report import Report, measure
from jdcodec.gmac.subjects import all_subjects, subject
from jdcodec.model.config import CONFIGS
from jdcodec.model.network import JointCodec
from jdcodec.reference import architectures
from jdcodec.reference.parts import Part
from jdcodec.reference.unet import UNet

from .systems import CODECS, HAVE_COMPRESSAI, narrow, needs_compressai


@lru_cache
def _report(name: str) -> Report:
    return measure(subject(name), None)


def _cost(module: nn.Module, channels: int = 3) -> Cost:
    return count_parts([Part("part", "encoder", (module,), module)], channels)[0]


def _macs(report: Report) -> dict[str, Macs]:
    return {part.name: part.macs for part in (*report.parts, *report.sums)}


class _Shortcut(nn.Module):
    """A 1×1 product with a weight that is computed first, as in GDN, and a square."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.eye(8))

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x * x, self.weight.abs()[:, :, None, None])


def test_layers_by_hand() -> None:
    cases = {
        "strided, with bias": (nn.Conv2d(3, 8, 5, stride=2, padding=2), Macs(3 * 8 * 25 / 4, 0, 8 / 4)),
        "without bias": (nn.Conv2d(3, 8, 3, padding=1, bias=False), Macs(3 * 8 * 9, 0, 0)),
        "grouped": (nn.Conv2d(3, 6, 3, padding=1, groups=3), Macs(6 * 9, 0, 6)),
        "transposed": (nn.ConvTranspose2d(3, 8, 5, 2, 2, output_padding=1), Macs(3 * 8 * 25, 0, 4 * 8)),
        "activation": (nn.LeakyReLU(), Macs(0, 0, 3)),
        "PReLU": (nn.PReLU(), Macs(0, 0, 3)),
        "pooling": (nn.MaxPool2d(2), Macs(0, 0, 3)),
        "unshuffle": (nn.PixelUnshuffle(2), Macs(0, 0, 0)),
        "padding": (nn.ReflectionPad2d(2), Macs(0, 0, 0)),
    }
    for name, (layer, expected) in cases.items():
        assert _cost(layer).macs == expected, name


def test_products_with_computed_weights_are_told_apart() -> None:
    assert _cost(_Shortcut(), channels=8).macs == Macs(0, 64, 8)


def test_borders_and_what_is_done_once_a_picture_cancel() -> None:
    # A valid 3×3 layer has fewer sites than pixels, and |weight| is computed once.
    chain = nn.Sequential(nn.ReflectionPad2d(3), nn.Conv2d(8, 8, 3, bias=False), _Shortcut())
    assert _cost(chain, channels=8).macs == Macs(8 * 8 * 9, 64, 8)


def test_memory_is_the_most_that_is_alive_at_once() -> None:
    # Input 3, then 8 beside it, then the input is gone for the next layer, 8 and 16, then 16 and 2.
    chain = nn.Sequential(nn.Conv2d(3, 8, 1), nn.Conv2d(8, 16, 1), nn.Conv2d(16, 2, 1))
    assert _cost(chain).activation_bytes == 4 * (3 + 8 + 16)  # the chain's caller holds its input
    in_place = nn.Sequential(nn.Conv2d(3, 8, 1), nn.ReLU(inplace=True))
    assert _cost(in_place).activation_bytes == 4 * (3 + 8)


@pytest.mark.parametrize("name", ["manypriors", "guided-128"])
@needs_compressai
def test_products_are_those_of_torchs_counter(name: str) -> None:
    state = torch.rand(1, 3, 64, 64)
    for part in narrow(name).eval().parts():
        counter, ledger, inference = FlopCounterMode(display=False), Ledger(), Ledger()
        with torch.no_grad(), ledger:
            part.run(state)
        with torch.inference_mode(), inference:
            part.run(state)
        with torch.no_grad(), counter:
            state = part.run(state)
        macs = ledger.macs()
        assert 2 * (macs.convolutions + macs.other_products) == counter.get_total_flops(), part.name
        assert inference.macs() == macs


@needs_compressai
def test_manypriors_encoder_is_92812_mac_a_pixel() -> None:
    """The published 92.8 GMac a megapixel, to the digit."""
    macs = _macs(_report("manypriors"))
    assert macs["analysis"] == Macs(convolutions=80_400, other_products=12_096, element_wise=316)
    assert macs["analysis"].total == 92_812
    assert macs["choice of priors"].convolutions == 0
    # The choice: an addition for each prior and channel, then a minimum and the rounding.
    assert macs["choice of priors"].element_wise == pytest.approx(64, abs=4)


@needs_compressai
@pytest.mark.parametrize(("n", "analysis", "coarse", "fine"), [(128, 165, 1.3, 21.3), (192, 371, 3.0, 47.6)])
def test_guided_denoisers_cost_what_they_cost(n: int, analysis: float, coarse: float, fine: float) -> None:
    macs = _macs(_report(f"guided-{n}"))
    assert macs["analysis"].total / 1000 == pytest.approx(analysis, abs=0.5)
    assert macs["denoiser at 1/16"].total / 1000 == pytest.approx(coarse, abs=0.05)
    assert macs["denoiser at 1/4"].total / 1000 == pytest.approx(fine, abs=0.05)
    assert macs["denoiser at 1/16"].convolutions == 20.5 * n**2 / 256
    assert macs["denoiser at 1/4"].convolutions == 20.5 * n**2 / 16


def test_the_unet_is_the_published_one() -> None:
    """Parameters and GMac of a 504 × 504 crop as the authors' repository prints them.

    By the pixel that is not what their paper says: docs/papers.md.
    """
    report = _report("unet")
    assert report.parts[0].parameters == 31_031_893  # "31.032 M"
    assert report.parts[0].macs.convolutions == 735_104
    assert report.parts[0].macs.total == pytest.approx(736_323, abs=1)
    ledger = Ledger()
    with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad():
        crop = torch.empty(1, 3, 504, 504)
        with ledger:
            UNet().denoise(crop)
    assert f"{ledger.macs().total / 1e9:.3f}" == "169.303"


@pytest.mark.parametrize("name", CONFIGS)
def test_our_parts_hold_every_parameter(name: str) -> None:
    one = subject(name)
    model = one.make()
    assert isinstance(model, JointCodec)
    parts = one.parts(model)
    held = [id(p) for part in parts for module in part.modules for p in module.parameters()]
    assert sorted(held) == sorted(id(p) for p in model.parameters())
    assert [part.role for part in parts] == ["encoder", "encoder", "entropy", "entropy", "decoder"]


def test_our_block_transform_is_a_product_of_its_own() -> None:
    macs = _macs(_report("fast"))
    # 3·16·16 coefficients by the latents, for each 16 × 16 pixels.
    assert macs["analysis"].other_products == macs["synthesis"].other_products == 3 * 320


@pytest.mark.parametrize("name", CODECS)
def test_a_systems_parts_hold_every_parameter_but_the_projection(name: str) -> None:
    model = narrow(name)
    parts = {id(p) for part in model.parts() for module in part.modules for p in module.parameters()}
    rest = {n.partition(".")[0] for n, p in model.named_parameters() if id(p) not in parts}
    assert rest == ({"projection"} if name.startswith("jicdcls") else set())


@pytest.mark.parametrize("name", CODECS)
def test_a_chain_ends_in_the_picture_that_decoding_gives(name: str) -> None:
    model = narrow(name).eval()
    x = torch.rand(1, 3, 64, 64)
    state = x
    with torch.no_grad():
        for part in model.parts():
            state = (part.coding or part.run)(state)
        expected = model(x).reconstruction
    # Chains round hyperlatents to integers, coding to integers from their medians.
    assert state.shape == expected.shape
    assert float((state - expected).abs().mean()) < 0.1 * float(expected.abs().mean())


def test_sums_add_up_and_leave_the_hyper_analysis_out_of_decoding() -> None:
    report = _report("fast")
    macs = _macs(report)
    encoding = sum(macs[n].total for n in ("denoiser", "analysis", "hyper analysis", "scales and means"))
    assert macs["all to encode"].total == pytest.approx(encoding)
    assert macs["all to decode"].total == pytest.approx(
        macs["scales and means"].total + macs["synthesis"].total
    )


@pytest.mark.skipif(HAVE_COMPRESSAI, reason="compressai is installed here")
def test_our_models_are_counted_without_compressai() -> None:
    assert _report("fast").parts


def test_all_means_ours_first_and_then_every_system() -> None:
    assert [one.name for one in all_subjects()] == [*CONFIGS, *architectures()]
