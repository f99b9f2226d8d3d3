"""The recipes guided and contrastive: batches, targets, and each term of the loss, after the papers."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from reference.systems import NARROW, needs_compressai
from torch import Tensor

from jdcodec.reference.losses import TEMPERATURE, bits_per_pixel, training_loss
from jdcodec.training.batches import Batch
from jdcodec.training.loop import Trainer
from jdcodec.training.loss import joint_loss
from jdcodec.training.noise import RawGamma
from jdcodec.training.recipe import Phase, Recipe, load_recipe

from .conftest import OptionsMaker


def small(name: str, arch: str, **changes: Any) -> Recipe:
    recipe = load_recipe(name, arch=arch, weight=0.01 if arch in NARROW else None)
    changes = {"phases": (Phase(0.0, 64, 3),), "sizes": NARROW.get(arch, {}), **changes}
    return dataclasses.replace(recipe, **changes)


def trainer_and_batch(recipe: Recipe, make_options: OptionsMaker) -> tuple[Trainer, Batch]:
    trainer = Trainer(recipe, make_options(), lambda figures: None)
    return trainer, trainer._batch()


def terms(trainer: Trainer, batch: Batch) -> tuple[Any, Any]:
    """(what the task says, what the network returns) with the same random numbers."""
    torch.manual_seed(3)
    loss = trainer._loss(batch)
    torch.manual_seed(3)
    return loss, trainer.model(batch.noisy, batch.target)


def test_constants_are_the_papers() -> None:
    guided, contrastive = load_recipe("guided"), load_recipe("contrastive")
    assert (guided.arch, contrastive.arch) == ("guided-192", "jicdcls-192")
    for recipe in (guided, contrastive):
        assert recipe.guidance_weight == 3.0
        assert (recipe.optimizer, recipe.learning_rate, recipe.clip) == ("adam", 1e-4, 1.0)
        assert recipe.warmup_share == pytest.approx(20 / 600, rel=0.01)
        assert recipe.loss_cap == 1000
        assert recipe.phases == (Phase(0.0, 256, 16),)
        noise = recipe.noise
        assert isinstance(noise, RawGamma)
        assert (noise.log_read_min, noise.log_read_max) == (-3, -1.5)
        assert (noise.log_shot_min, noise.log_shot_max) == (-4, -2)
    assert (guided.contrastive_weight, contrastive.contrastive_weight, TEMPERATURE) == (0, 0.5, 0.07)


@needs_compressai
@pytest.mark.parametrize(("name", "arch"), [("guided", "guided-128"), ("contrastive", "jicdcls-128")])
def test_every_picture_is_noisy_and_its_target_clean(
    name: str, arch: str, make_options: OptionsMaker
) -> None:
    trainer, batch = trainer_and_batch(small(name, arch), make_options)
    clean = trainer.data.photographs
    assert not any(torch.equal(n, c) for n, c in zip(batch.noisy, batch.target))
    for target in batch.target * 255:
        torch.testing.assert_close(target, target.round(), atol=1e-3, rtol=0)  # a photograph's own values
    assert clean and bool((batch.strength == 1).all())


@needs_compressai
def test_guided_adds_the_distance_of_features(make_options: OptionsMaker) -> None:
    trainer, batch = trainer_and_batch(small("guided", "guided-128"), make_options)
    loss, out = terms(trainer, batch)
    with torch.no_grad():
        fine = trainer.model.analysis_fine(batch.target.contiguous())
        clean = (fine, trainer.model.analysis_coarse(fine))
    guidance = sum(F.l1_loss(noisy, other) for noisy, other in zip(out.features, clean))
    assert set(loss.terms) == {"guidance"}
    torch.testing.assert_close(loss.terms["guidance"], guidance)
    rate, mse = bits_per_pixel(out), (out.reconstruction - batch.target).square().mean((1, 2, 3))
    torch.testing.assert_close(loss.bpp, rate)
    torch.testing.assert_close(loss.mse, mse)
    torch.testing.assert_close(loss.total, (rate + 0.01 * 255**2 * mse).mean() + 3.0 * guidance)


@needs_compressai
def test_contrastive_adds_info_nce_as_published(make_options: OptionsMaker) -> None:
    trainer, batch = trainer_and_batch(small("contrastive", "jicdcls-128"), make_options)
    loss, out = terms(trainer, batch)
    noisy, clean = out.projections
    similar = noisy @ clean.T / 0.07
    nce = (torch.logsumexp(similar, 1) - similar.diagonal()).mean()
    torch.testing.assert_close(loss.terms["contrast"], nce)
    torch.testing.assert_close(loss.total, training_loss(out, batch.target, 0.01))


@needs_compressai
def test_without_the_recipe_the_systems_train_unguided(make_options: OptionsMaker) -> None:
    recipe = small("jdc", "jicdcls-128")
    trainer, batch = trainer_and_batch(recipe, make_options)
    seen: list[tuple[Any, ...]] = []
    trainer.model.register_forward_pre_hook(lambda module, arguments: seen.append(arguments))
    loss = trainer._loss(batch)
    assert seen[0][1] is None and loss.terms == {}
    loss.total.backward()  # type: ignore[no-untyped-call]
    trained = {name for name, p in trainer.model.named_parameters() if p.requires_grad}
    assert all(p.grad is not None for n, p in trainer.model.named_parameters() if n in trained)
    assert not any(name.startswith("projection") for name in trained)


def test_our_latents_are_guided_too(make_options: OptionsMaker, tiny: str) -> None:
    recipe = dataclasses.replace(load_recipe("guided", arch="fast"), arch=tiny, phases=(Phase(0.0, 64, 3),))
    trainer, batch = trainer_and_batch(recipe, make_options)
    with torch.no_grad():  # a fresh stem finds no noise
        trainer.model.denoiser.to_noise.mix.weight.normal_(std=0.1)
    latents: list[Tensor] = []
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        torch.manual_seed(3)
        handle = trainer.model.analysis.register_forward_hook(lambda m, a, y: latents.append(y.float()))
        noisy = batch.noisy.contiguous(memory_format=torch.channels_last)
        out = trainer.model(noisy, batch.strength, batch.t)
        trainer.model.analysis(batch.target, batch.t)
        handle.remove()
    plain = joint_loss(out, batch.noisy, batch.target, batch.strength, batch.t, recipe.stem_weight)
    torch.manual_seed(3)
    loss = trainer._loss(batch)
    guidance = (latents[0] - latents[1]).abs().mean()
    assert float(guidance) > 0
    torch.testing.assert_close(loss.terms["guidance"], guidance, atol=1e-3, rtol=1e-2)
    torch.testing.assert_close(loss.total.detach(), plain.total.detach() + 3 * guidance, atol=2e-2, rtol=1e-2)


def test_a_loss_above_the_cap_is_left_out(make_options: OptionsMaker, tiny: str) -> None:
    recipe = Recipe("capped", arch=tiny, phases=(Phase(0.0, 64, 2),), loss_cap=1e-6)
    trainer = Trainer(recipe, make_options(), lambda figures: None)
    before = {name: tensor.clone() for name, tensor in trainer.model.state_dict().items()}
    trainer.recipe = dataclasses.replace(recipe, loss_cap=-1e6)  # below any loss
    trainer._train_step()
    assert trainer.skipped == 1
    assert all(torch.equal(tensor, before[name]) for name, tensor in trainer.model.state_dict().items())
    trainer.recipe = dataclasses.replace(recipe, loss_cap=1e6)
    trainer._train_step()
    assert trainer.skipped == 0


def test_the_learning_rate_warms_up_over_a_share(make_options: OptionsMaker, tiny: str) -> None:
    recipe = Recipe("warm", arch=tiny, phases=(Phase(0.0, 64, 2),), warmup_steps=1, warmup_share=0.1)
    trainer = Trainer(recipe, make_options(steps=1000), lambda figures: None)
    rates = []
    for trainer.step in (0, 50, 100, 200):
        rates.append(trainer._learning_rate())
    assert rates[0] == 0 and rates[1] == pytest.approx(0.5, abs=0.01)
    assert rates[2] > 0.95 and rates[3] < rates[2]
