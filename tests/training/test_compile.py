"""--compile compiles what a recipe trains, changes nothing in the loss, and says where it cannot."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import nn
from torch._dynamo.backends.registry import register_backend
from typer.testing import CliRunner

from jdcodec.cli import app
from jdcodec.errors import TrainingError
from jdcodec.training import loop
from jdcodec.training.checkpoint import open_checkpoint
from jdcodec.training.compiling import compiler_of
from jdcodec.training.loop import train
from jdcodec.training.recipe import Phase, Recipe, load_recipe
from jdcodec.training.task import build_task

from .conftest import OptionsMaker, short_recipe

#: Operations of the graphs that the backend "counting" was given.
OPERATIONS: list[int] = []


def _counting(graph: Any, inputs: Any) -> Any:
    OPERATIONS.append(sum(node.op == "call_function" for node in graph.graph.nodes))
    return graph.forward


def _failing(graph: Any, inputs: Any) -> Any:
    raise RuntimeError("no compiler\nfound here\n\nand much advice")


register_backend(_counting, name="counting")
register_backend(_failing, name="failing")


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    OPERATIONS.clear()
    yield
    torch._dynamo.reset()


def paper_denoiser() -> Recipe:
    return dataclasses.replace(load_recipe("testolina", arch="dncnn"), sizes={"depth": 3, "width": 4})


@pytest.mark.parametrize(
    ("recipe", "least"),
    [
        (short_recipe(part="stem"), 20),
        (short_recipe(part="codec"), 100),
        (short_recipe(), 100),
        (short_recipe(guidance_weight=3.0), 100),
        (paper_denoiser(), 3),
    ],
    ids=["stem", "codec", "all", "guided", "paper"],
)
def test_what_is_trained_is_compiled(recipe: Recipe, least: int) -> None:
    generator = torch.Generator().manual_seed(0)
    noisy, target = torch.rand(2, 2, 3, 64, 64, generator=generator)
    losses, gradients = [], []
    for backend in (None, "counting"):
        torch.manual_seed(1)
        task = build_task(recipe, torch.device("cpu"), compiler_of(backend))
        torch.manual_seed(2)
        loss = task(noisy, target, torch.tensor([1.0, 0.5]), torch.tensor([0.2, 0.9]))
        loss.total.backward()
        losses.append(loss.total.detach())
        gradients.append([p.grad.norm() for p in task.parameters() if p.grad is not None])
        assert (sum(OPERATIONS) >= least) == (backend is not None)
    torch.testing.assert_close(losses[1], losses[0], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(gradients[1], gradients[0], atol=1e-4, rtol=1e-2)
    assert not [name for name, _ in task.named_modules() if "orig_mod" in name]
    assert isinstance(task.network, nn.Module)


def test_a_run_that_is_compiled(make_options: OptionsMaker) -> None:
    recipe = short_recipe(part="stem", hold_out_every=2, phases=(Phase(0.0, 64, 2),))
    path = train(recipe, make_options(steps=2, compile="counting"), lambda figures: None)
    assert OPERATIONS and open_checkpoint(path).progress["step"] == 2


@pytest.mark.parametrize(
    ("backend", "reason"), [("abacus", "Invalid backend: 'abacus'"), ("failing", "no compiler found here$")]
)
def test_where_it_cannot_be(backend: str, reason: str, make_options: OptionsMaker) -> None:
    options = make_options(compile=backend)
    with pytest.raises(
        TrainingError, match=f"--compile does not work here, leave it out: .*{reason}"
    ) as caught:
        train(short_recipe(part="stem"), options, lambda figures: None)
    assert "\n" not in str(caught.value)


def test_the_option_reaches_the_run(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str | None] = []
    monkeypatch.setattr(loop, "train", lambda recipe, options, *tell: seen.append(options.compile))
    for words in (["--compile"], []):
        assert CliRunner().invoke(app, ["train", "--run", str(tmp_path / "run"), *words]).exit_code == 0
    assert seen == ["inductor", None]
