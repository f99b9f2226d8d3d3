"""Every system trains: one step moves every parameter, and a few steps bring the loss down."""

from __future__ import annotations

import pytest
import torch

from jdcodec.reference.base import ReferenceModel
from jdcodec.reference.losses import bits_per_pixel, training_loss
from jdcodec.training.noise import Gaussian, NoiseModel, PoissonGaussian, SaltAndPepper, Speckle

from .systems import CODECS, SYSTEMS, narrow, needs_compressai, pictures


def _step(model: ReferenceModel, optimizer: torch.optim.Optimizer, side: int = 64) -> float:
    clean = pictures(3, model.channels, side, side)
    noisy = (clean + 0.1 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(2))).clamp(0, 1)
    loss = training_loss(model(noisy, clean), clean, 0.01)
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return float(loss.detach())


@pytest.mark.parametrize("name", SYSTEMS)
def test_one_step_changes_every_parameter(name: str) -> None:
    model = narrow(name)
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    before = {n: p.detach().clone() for n, p in trained.items()}
    loss = _step(model, torch.optim.Adam(trained.values(), 1e-3))
    assert torch.isfinite(torch.tensor(loss))
    assert [n for n, p in trained.items() if torch.equal(before[n], p)] == []


@pytest.mark.parametrize("name", SYSTEMS)
def test_only_the_quantiles_are_not_trained(name: str) -> None:
    frozen = [n for n, p in narrow(name).named_parameters() if not p.requires_grad]
    assert all(n.endswith("bottleneck.quantiles") for n in frozen)


@pytest.mark.parametrize(
    "name",
    ["unet", *(pytest.param(n, marks=needs_compressai) for n in ("manypriors", "hyperprior", "guided-128"))],
)
def test_the_loss_falls(name: str) -> None:
    model = narrow(name)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], 3e-3)
    losses = [_step(model, optimizer) for _ in range(8)]
    assert sum(losses[-2:]) < 0.8 * sum(losses[:2])


@pytest.mark.parametrize("name", CODECS)
def test_rates_see_noise_while_training_only(name: str) -> None:
    model = narrow(name)
    x = pictures(1, 3, 64, 64)
    with torch.no_grad():
        rates = [float(bits_per_pixel(model(x))) for _ in range(2)]
        assert rates[0] != rates[1]
        model.eval()
        rates = [float(bits_per_pixel(model(x))) for _ in range(2)]
        assert rates[0] == rates[1] > 0


@pytest.mark.parametrize(
    "noise", [Gaussian(50, 50), SaltAndPepper(0.2, 0.2), Speckle(0.2, 0.2), PoissonGaussian(0.05, 0.0)]
)
@pytest.mark.parametrize("name", ["autoencoder-gray", "residual-gray"])
def test_student_denoisers_train_on_each_noise_at_28_pixels(name: str, noise: NoiseModel) -> None:
    model = narrow(name)
    clean = pictures(4, 1, 28, 28)
    noisy, _ = noise(clean, torch.Generator().manual_seed(3))
    assert noisy.shape == clean.shape and not torch.equal(noisy, clean)
    output = model(noisy)
    assert output.reconstruction.shape == clean.shape
    assert float(bits_per_pixel(output).sum()) == 0
    training_loss(output, clean, 0.01).backward()  # type: ignore[no-untyped-call]
    assert all(p.grad is not None for p in model.parameters())
