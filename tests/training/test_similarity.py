"""Our MS-SSIM is the field's, and its gradient stays finite."""

from __future__ import annotations

import pytest
import torch

from jdcodec.training.loss import rate_distortion_loss
from jdcodec.training.similarity import SMALLEST_SIDE, ms_ssim


def pictures(height: int, width: int, sigma: float) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    coarse = torch.rand(2, 3, height // 8, width // 8, generator=generator)
    x = torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")
    return x, (x + sigma * torch.randn(x.shape, generator=generator)).clamp(0, 1)


@pytest.mark.parametrize(("height", "width"), [(192, 256), (193, 201), (161, 161)])
@pytest.mark.parametrize("sigma", [0.02, 0.3])
def test_as_pytorch_msssim_computes_it(height: int, width: int, sigma: float) -> None:
    reference = pytest.importorskip("pytorch_msssim")
    x, y = pictures(height, width, sigma)
    expected = reference.ms_ssim(x, y, data_range=1.0, size_average=False)
    torch.testing.assert_close(ms_ssim(x, y), expected, atol=2e-4, rtol=0)


def test_of_itself_is_one() -> None:
    x, _ = pictures(192, 192, 0)
    torch.testing.assert_close(ms_ssim(x, x), torch.ones(2))


def test_keeps_its_precision_under_autocast() -> None:
    x, y = pictures(192, 192, 0.1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = ms_ssim(x, y)
    torch.testing.assert_close(inside, ms_ssim(x, y), atol=1e-6, rtol=0)


@pytest.mark.parametrize("flat", [True, False])
def test_gradient_is_finite_even_where_pictures_are_opposites(flat: bool) -> None:
    x, _ = pictures(SMALLEST_SIDE + 31, SMALLEST_SIDE + 31, 0)
    x = torch.full_like(x, 0.5) if flat else x
    y = (1 - x).requires_grad_()
    ms_ssim(x, y).sum().backward()
    assert y.grad is not None and bool(torch.isfinite(y.grad).all())


def test_loss_by_ms_ssim_prefers_the_likeness() -> None:
    x, near = pictures(192, 192, 0.02)
    _, far = pictures(192, 192, 0.2)
    bits, t = torch.full((2,), 1000.0), torch.full((2,), 0.5)
    losses = [float(rate_distortion_loss(y, bits, x, t, "ms-ssim")[0]) for y in (x, near, far)]
    assert losses[0] < losses[1] < losses[2]
