"""Every shipped recipe brings its loss down, on a small network and small crops.

JDC_RECIPE_STEPS=200 gives each so many steps; without, they take no more than they need.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from reference.systems import NARROW

from jdcodec.training.batches import DataOptions, Order
from jdcodec.training.index import write_index
from jdcodec.training.loop import Trainer
from jdcodec.training.pairs import find_pairs
from jdcodec.training.recipe import Phase, Recipe, load_recipe
from jdcodec.training.shipped import shipped_recipes

from .conftest import OptionsMaker
from .samples import write_pairs

HAVE_COMPRESSAI = importlib.util.find_spec("compressai") is not None


@pytest.fixture(scope="module")
def indexes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Indexed pairs whose targets are clean, and whose targets a denoiser made."""
    root = tmp_path_factory.mktemp("indexes")
    for target in ("clean", "denoised"):
        pairs = find_pairs(write_pairs(root / target, target=target))
        write_index(*pairs, root / f"{target} index", crop=192)
    return {target: root / f"{target} index" for target in ("clean", "denoised")}


def small(name: str) -> Recipe:
    recipe = load_recipe(name)
    changes: dict[str, Any] = {"phases": (Phase(0.0, 64, 5),), "warmup_steps": 5, "warmup_share": 0.0}
    if recipe.reference is None:
        return dataclasses.replace(recipe, arch="tiny", learning_rate=4e-3, **changes)
    return dataclasses.replace(recipe, sizes=NARROW[recipe.arch], learning_rate=1e-3, **changes)


@pytest.mark.parametrize("name", shipped_recipes())
def test_the_loss_falls(
    name: str, indexes: dict[str, Path], pictures: Path, make_options: OptionsMaker
) -> None:
    """On a batch that is not trained on, before and after."""
    recipe = small(name)
    if recipe.reference is not None and not HAVE_COMPRESSAI:
        pytest.skip("compressai is not installed: pip install 'jdcodec[reference]'")
    pairs = indexes[recipe.targets] if recipe.source == "pairs" else None
    # The codec starts as a good DCT codec, and so needs longest to be better.
    steps = 15 if recipe.reference else 120 if recipe.part == "codec" else 40
    steps = int(os.environ.get("JDC_RECIPE_STEPS", steps))
    trainer = Trainer(
        recipe, make_options(data=DataOptions(pictures, pairs), steps=steps), lambda figures: None
    )
    batches = [trainer.data.draw(Order(number, recipe.phases[0])) for number in (10_000, 10_001)]

    def loss() -> float:
        torch.manual_seed(0)
        with torch.no_grad():
            return sum(float(trainer._loss(batch).total) for batch in batches)

    before = loss()
    for _ in range(steps):
        trainer._train_step()
    assert trainer.step == steps and trainer.skipped == 0
    assert loss() < before - 0.02 * abs(before)
