"""Muon steps along an orthogonal matrix; each parameter has one optimiser."""

from __future__ import annotations

import pytest
import torch
from conftest import NetworkMaker
from torch import nn

from jdcodec.training.optim import LINEAR_RATE, Muon, build_optimizers


@pytest.mark.parametrize("shape", [(24, 24), (16, 64), (64, 16), (32, 8, 1, 1), (16, 4, 2, 2)])
def test_a_step_is_orthogonal(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    parameter = nn.Parameter(torch.zeros(shape))
    parameter.grad = torch.randn(shape)
    Muon([parameter], lr=1.0).step()
    step = parameter.detach().flatten(1)
    singular = torch.linalg.svdvals(step / (0.2 * max(step.shape) ** 0.5))
    # The quintic iteration settles at 0.7 to 1.2, as its author intends.
    assert singular.min() > 0.5 and singular.max() < 1.3
    assert (step * parameter.grad.flatten(1)).sum() < 0


def test_singular_vectors_are_those_of_the_gradient() -> None:
    torch.manual_seed(0)
    u, _, vt = torch.linalg.svd(torch.randn(20, 20))
    parameter = nn.Parameter(torch.zeros(20, 20))
    parameter.grad = u @ torch.diag(torch.linspace(0.2, 3, 20)) @ vt
    Muon([parameter], lr=1.0).step()
    rotated = -(u.T @ parameter.detach() @ vt.T) / (0.2 * 20**0.5)
    off_diagonal = rotated - torch.diag(rotated.diagonal())
    assert off_diagonal.abs().max() < 0.15
    assert rotated.diagonal().min() > 0.5


def test_momentum_outlives_a_gradient() -> None:
    parameter = nn.Parameter(torch.zeros(16, 16))
    optimizer = Muon([parameter], lr=1.0)
    parameter.grad = torch.eye(16)
    optimizer.step()
    first = parameter.detach().clone()
    parameter.grad = torch.zeros(16, 16)
    optimizer.step()
    assert (parameter - first).trace() < -1


def test_a_parameter_without_gradient_stays() -> None:
    parameter = nn.Parameter(torch.ones(16, 16))
    Muon([parameter], lr=1.0).step()
    assert torch.equal(parameter, torch.ones(16, 16))


@pytest.mark.parametrize(("name", "count"), [("muon", 2), ("adam", 1)])
def test_each_parameter_has_one_optimiser(name: str, count: int, make_network: NetworkMaker) -> None:
    network = make_network("fast")
    optimizers = build_optimizers(network, name, 0.01)
    assert len(optimizers) == count
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    owned = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(owned) == sorted(map(id, network.parameters()))
    slow = [group for group in groups if group["lr"] == pytest.approx(0.01 * LINEAR_RATE)]
    linear = {id(network.analysis.linear), id(network.synthesis.linear)}
    assert {id(parameter) for group in slow for parameter in group["params"]} == linear
