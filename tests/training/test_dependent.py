"""What decoders see in training with `trellis = true` is what files hold."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from jdcodec.entropy import trellis
from jdcodec.entropy.layout import Layout
from jdcodec.model.config import CONFIGS, TRELLIS_LEVEL
from jdcodec.model.network import JointCodec
from jdcodec.training.dependent import DependentRounding
from jdcodec.training.recipe import load_recipe
from jdcodec.training.task import JointTask


@pytest.mark.parametrize("phase", [0, 1])
def test_points_are_on_the_trellis_and_all_else_is_left(phase: int) -> None:
    generator = torch.Generator().manual_seed(0)
    index = 50 * torch.rand(2, 8, 16, 16, generator=generator)
    values = 3 * torch.randn(2, 8, 16, 16, generator=generator)
    symbols = values.round()
    worth = torch.full((2, 8, 1, 1), 10.0)
    found = DependentRounding()(values, symbols, index, worth, phase)
    assert found.dtype == symbols.dtype and torch.isfinite(found).all()
    for picture in range(2):
        levels = index[picture].round().to(torch.uint8).numpy()
        layout = Layout.with_trellis(levels, TRELLIS_LEVEL)
        order = layout.order[layout.trellis(phase)[0]]
        coded = found[picture].flatten().numpy()
        trellis.indices_of(np.rint(trellis.UNITS * coded[order]).astype(np.int32))  # raises off the trellis
        rest = np.setdiff1d(np.arange(coded.size), order)
        np.testing.assert_array_equal(coded[rest], symbols[picture].flatten().numpy()[rest])
        assert np.abs(coded - values[picture].flatten().numpy()).mean() < 0.5


def test_gradients_pass_by_it() -> None:
    """The analysis gets the gradient that it would have, were nothing quantised."""
    torch.manual_seed(0)
    network = JointCodec(CONFIGS["fast"])
    network.dependent_rounding = DependentRounding()
    values = torch.randn(1, 320, 4, 4, requires_grad=True)
    index, worth = torch.full((1, 320, 4, 4), 30.0), torch.full((1, 320, 1, 1), 10.0)
    infinite = torch.full_like(values, 0.1)
    network._rounded(values, (infinite, infinite), index, worth, phase=0).sum().backward()
    assert values.grad is not None
    torch.testing.assert_close(values.grad, torch.ones_like(values))


def test_only_recipes_that_ask_have_it() -> None:
    recipe = load_recipe("jdc")
    assert not recipe.trellis
    task = JointTask(recipe, torch.device("cpu"), lambda function: function)
    assert task.network.dependent_rounding is None
    task = JointTask(
        dataclasses.replace(recipe, trellis=True), torch.device("cpu"), lambda function: function
    )
    assert isinstance(task.network.dependent_rounding, DependentRounding)
