"""Each shipped strategy trains on the batches and targets that its paper says."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image

from jdcodec.errors import TrainingError
from jdcodec.training.batches import Batch, Batches, DataOptions, Order
from jdcodec.training.index import write_index
from jdcodec.training.pairs import find_pairs
from jdcodec.training.recipe import Phase, Recipe, load_recipe

from .samples import LIFT, write_pairs

#: All pixels of the clean photographs, which no crop of a pair has.
FLAT = 7


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DataOptions:
    """Flat photographs, and an index of three lightly noisy pairs and a heavily noisy one."""
    root = tmp_path_factory.mktemp("strategies")
    (root / "photographs").mkdir()
    for number in range(2):
        pixels = np.full((80, 90, 3), FLAT, np.uint8)
        Image.fromarray(pixels).save(root / "photographs" / f"{number}.png")
    for target in ("clean", "denoised"):
        write_index(
            *find_pairs(write_pairs(root / target, target=target)), root / f"{target} index", crop=192
        )
    return DataOptions(root / "photographs", root / "clean index")


def small(name: str, **changes: object) -> Recipe:
    """A shipped recipe on crops and a network that a test can afford."""
    recipe = load_recipe(name)
    batch = 5 if recipe.exact_mix else 4
    return dataclasses.replace(recipe, arch="tiny", phases=(Phase(0.0, 64, batch),), **changes)


def draw(recipe: Recipe, data: DataOptions, step: int = 0) -> Batch:
    return Batches.open(recipe, data, torch.device("cpu")).draw(Order(step, recipe.phases[0]))


def lifted(batch: Batch) -> list[bool]:
    """Which pictures are from a lightly noisy pair, and still in place beside their target."""
    return [bool(((n - c) * 255).sub(LIFT).abs().max() < 0.01) for n, c in zip(batch.noisy, batch.target)]


def clean(batch: Batch) -> list[bool]:
    """Which pictures are a clean photograph that is its own target."""
    return [
        torch.equal(n, c) and bool((n * 255).sub(FLAT).abs().max() < 0.01)
        for n, c in zip(batch.noisy, batch.target)
    ]


def test_jdc_n_is_noisy_to_clean(data: DataOptions) -> None:
    batches = [draw(small("jdc-n"), data, step) for step in range(6)]
    assert not any(any(clean(batch)) for batch in batches)
    shares = [sum(lifted(batch)) for batch in batches]
    assert 0 < sum(shares) < 24  # the heavily noisy pair is in it too
    assert all(bool((batch.strength == 1).all()) for batch in batches)


def test_jdc_cn_has_four_noisy_and_one_clean(data: DataOptions) -> None:
    for step in range(4):
        batch = draw(small("jdc-cn"), data, step)
        assert clean(batch) == [False] * 4 + [True]
        assert not any(torch.equal(n, c) for n, c in zip(batch.noisy[:4], batch.target[:4]))


@pytest.mark.parametrize("name", ["jdc-cn.8", "jdc-cn.65"])
def test_a_threshold_leaves_heavy_noise_out(name: str, data: DataOptions) -> None:
    for step in range(8):
        batch = draw(small(name), data, step)
        assert lifted(batch) == [True] * 4 + [False]
        assert clean(batch)[4]


def test_thresholds_are_in_the_name() -> None:
    assert load_recipe("jdc-cn.8").threshold == 0.8
    other = load_recipe("jdc-cn.65")
    assert (other.name, other.threshold) == ("jdc-cn.65", 0.65)
    assert "0.65" not in other.name and ".65" in other.description
    assert load_recipe("jdc-cn").threshold == 0


def test_jdc_ud_wants_a_denoisers_targets(data: DataOptions) -> None:
    assert data.pairs is not None
    denoised = dataclasses.replace(data, photographs=None, pairs=data.pairs.with_name("denoised index"))
    assert any(lifted(draw(small("jdc-ud"), denoised)))
    with pytest.raises(TrainingError, match="its targets are clean; recipe jdc-ud asks for denoised"):
        draw(small("jdc-ud"), data)
    with pytest.raises(TrainingError, match="its targets are denoised; recipe jdc-n asks for clean"):
        draw(small("jdc-n"), denoised)


def test_testolina_adds_one_strength_to_all(data: DataOptions) -> None:
    batch = draw(small("testolina"), data)
    torch.testing.assert_close(batch.target * 255, torch.full_like(batch.target, FLAT))
    assert not any(torch.equal(n, c) for n, c in zip(batch.noisy, batch.target))
    assert bool((batch.strength == 1).all())


def test_standard_compresses_what_it_gets(data: DataOptions) -> None:
    batch = draw(small("standard"), data)
    assert all(clean(batch))


def test_jdc_mixes_noise_clean_pictures_and_strengths(data: DataOptions) -> None:
    batches = [draw(small("jdc"), data, step) for step in range(20)]
    untouched = sum(torch.equal(n, c) for b in batches for n, c in zip(b.noisy, b.target))
    full = sum(int((batch.strength == 1).sum()) for batch in batches)
    assert 8 <= untouched <= 35  # a quarter of 80
    assert 45 <= full <= 67  # 70 in 100


def test_another_seed_draws_other_batches(data: DataOptions) -> None:
    """torch's CPU generator ignores the upper half of a seed: what is put there is lost."""
    for name in ("jdc", "jdc-n"):
        first, second = (draw(small(name, seed=seed), data) for seed in (1, 2))
        assert not torch.equal(first.t, second.t)
        assert not torch.equal(first.noisy, second.noisy)


def test_batches_repeat(data: DataOptions) -> None:
    for name in ("jdc", "jdc-cn.8"):
        first, second, other = (draw(small(name), data, step) for step in (3, 3, 4))
        assert torch.equal(first.noisy, second.noisy) and torch.equal(first.t, second.t)
        assert not torch.equal(first.noisy, other.noisy)


def test_data_that_is_missing_or_too_small(data: DataOptions) -> None:
    with pytest.raises(TrainingError, match=r"recipe jdc-n needs indexed pairs: .*jdc data index"):
        draw(small("jdc-n"), DataOptions(data.photographs))
    with pytest.raises(TrainingError, match="recipe jdc-cn needs a folder of clean photographs: --data"):
        draw(small("jdc-cn"), DataOptions(pairs=data.pairs))
    large = dataclasses.replace(small("jdc-n"), phases=(Phase(0.0, 256, 1),))
    with pytest.raises(TrainingError, match="crops of 192 pixels are smaller than the recipe's 256"):
        draw(large, data)
