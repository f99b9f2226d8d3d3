"""The entropy model alone learns what the symbols in files cost, and says so truly."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import PictureMaker

from jdcodec.codec.weights import Weights, load_weights
from jdcodec.entropy import estimate_bits, trellis
from jdcodec.entropy.tables import LEVELS
from jdcodec.errors import TrainingError
from jdcodec.model.config import TRELLIS_LEVEL
from jdcodec.model.network import JointCodec
from jdcodec.training import entropy_task
from jdcodec.training.dependent import logistic_bits
from jdcodec.training.entropy_task import EntropyTask
from jdcodec.training.export import export_weights
from jdcodec.training.loop import Trainer, train
from jdcodec.training.recipe import load_recipe
from jdcodec.training.symbol_costs import SymbolCosts

from .conftest import OptionsMaker, short_recipe
from .test_export import coded

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def few_batches(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """To fit tables to; as many as there are where tables are compared."""
    if "measured" not in request.node.name:
        monkeypatch.setattr(entropy_task, "_FIT_BATCHES", 4)


def ignore(figures: dict[str, Any]) -> None:
    """Where the figures are not of interest."""


def trained(make_options: OptionsMaker, steps: int, **options: Any) -> Trainer:
    recipe = short_recipe(part="entropy", warmup_steps=1, learning_rate=2e-3, seed=2)
    trainer = Trainer(recipe, make_options("entropy", steps=steps, **options), ignore)
    trainer.run(lambda: False)
    return trainer


def test_only_the_entropy_model_is_trained(make_options: OptionsMaker) -> None:
    codec = train(short_recipe(), make_options("all", steps=3), ignore)
    recipe = short_recipe(part="entropy", warmup_steps=1, seed=2)
    trainer = Trainer(recipe, make_options("entropy", start_from=(codec,)), ignore)
    before = {name: tensor.clone() for name, tensor in trainer.model.state_dict().items()}
    trainer.run(lambda: False)
    after = trainer.model.state_dict()
    moved = {name for name, tensor in before.items() if not torch.equal(after[name], tensor)}
    assert moved == {name for name in before if name.startswith("entropy.")}


def test_a_resumed_run_ends_with_every_step_and_fitted_tables(make_options: OptionsMaker) -> None:
    recipe = short_recipe(part="entropy", warmup_steps=1)
    stopped = Trainer(recipe, make_options("stopped", steps=6), ignore)
    stopped.run(lambda: stopped.step == 3)
    resumed = Trainer(recipe, make_options("stopped", steps=6, resume=stopped.folder.checkpoint), ignore)
    resumed.run(lambda: False)
    assert resumed.step == 6
    assert isinstance(resumed.task, EntropyTask)
    fresh = SymbolCosts(CPU).step_bits()[0]
    assert not torch.equal(resumed.task._costs.step_bits()[0], fresh)


def test_descends_what_it_measures(make_options: OptionsMaker) -> None:
    """On one and the same batch, with the tables as they are, fewer bits and less error together."""
    trainer = trained(make_options, steps=1)
    task = trainer.task
    batch = trainer.data.draw(trainer.data.order(0, 0.0))

    def loss() -> float:
        torch.manual_seed(0)
        with torch.no_grad():
            return float(task(batch.noisy, batch.target, batch.strength, batch.t).total)

    before = loss()
    optimizer = torch.optim.Adam([p for p in task.parameters() if p.requires_grad], lr=1e-3)
    for _ in range(30):
        optimizer.zero_grad()
        task(batch.noisy, batch.target, batch.strength, batch.t).total.backward()
        optimizer.step()
    assert loss() < 0.97 * before


@pytest.mark.parametrize("t", [0.0, 0.5, 1.0])
def test_measured_bits_are_those_of_the_codec(
    t: float, make_options: OptionsMaker, make_picture: PictureMaker, tmp_path: Path
) -> None:
    """What `decode` says that a picture costs is what the exported weights' own tables make of it."""
    trainer = trained(make_options, steps=2)
    network = trainer.task.network
    assert isinstance(network, JointCodec)
    picture = make_picture(192, 256, 50)
    x = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        bits = float(trainer.task.decode(x, t)[1])

    exported = tmp_path / "exported.safetensors"
    batches = [trainer.data.draw(trainer.data.order(step, 0.0)).noisy for step in range(20)]
    export_weights(network.state_dict(), network.config, batches, exported)
    weights: Weights = load_weights(exported)
    step = round(t * 224)
    symbols = coded(picture, weights, step)
    assert bits == pytest.approx(estimate_bits(weights.tables, symbols.z, symbols.y, step), rel=0.1)


@pytest.mark.parametrize("level", [12, 20])
@pytest.mark.parametrize("quantiser", [0, 1])
def test_costs_are_code_lengths_of_what_was_counted(level: int, quantiser: int) -> None:
    if level < TRELLIS_LEVEL and quantiser:
        quantiser = 0
    generator = torch.Generator().manual_seed(0)
    indices = torch.randint(-1, 2, (1, 4, 200, 200), generator=generator)
    levels, of = torch.full_like(indices, level), torch.full_like(indices, quantiser)
    costs = SymbolCosts(CPU)
    costs.count(indices, of, levels)
    costs.fit()
    assert costs.of(indices, of, levels).mean() == pytest.approx(math.log2(3), abs=0.02)
    far = costs.of(torch.tensor([[[[5000]]]]), of[:, :1, :1, :1], levels[:, :1, :1, :1])
    assert far > 16 + 10  # an escape and its plain code
    assert costs.of(indices, torch.zeros_like(of), torch.zeros_like(levels)).abs().max() == 0
    first, further = costs.step_bits()
    assert len(first) == LEVELS
    if level < TRELLIS_LEVEL:
        assert first[level] == pytest.approx(0, abs=0.05) and further[level] > 5
    else:
        assert first[level] == further[level] == 0  # left to the trellis
        bits = costs.index_bits()
        assert bits.zero[level, quantiser] == pytest.approx(math.log2(3), abs=0.02)
        other = logistic_bits().zero[level, 1 - quantiser]
        assert bits.zero[level, 1 - quantiser] == pytest.approx(other, rel=1e-4)


def test_a_fit_takes_the_counts_of_all_processes() -> None:
    ones = torch.ones(1, 1, 100, 100)
    nothing, level = torch.zeros_like(ones), torch.full_like(ones, 9)
    alone, doubled = SymbolCosts(CPU), SymbolCosts(CPU)
    for costs in (alone, doubled):
        costs.count(ones, nothing, level)
    alone.fit()
    doubled.fit(lambda counts: 2 * counts)
    assert doubled.of(ones, nothing, level).mean() < alone.of(ones, nothing, level).mean()


@pytest.mark.parametrize(("level", "large"), [(6, 1), (20, 6)])
def test_costs_between_levels_lead_to_the_scale(level: int, large: int) -> None:
    """Where symbols are larger than a level expects its cost falls with the index, and the reverse."""
    costs = SymbolCosts(CPU)
    nothing = torch.zeros(1, 1, 1, 1)
    for symbol, falls in ((0, False), (large, True)):
        index = torch.full((1, 1, 1, 1), level + 0.4, requires_grad=True)
        symbols = torch.full((1, 1, 1, 1), symbol)
        bits = costs.between(symbols, nothing, index)
        at = [float(costs.of(symbols, nothing, nothing + around)) for around in (level, level + 1)]
        assert float(bits.detach()) == pytest.approx(0.6 * at[0] + 0.4 * at[1], rel=1e-5)
        bits.sum().backward()
        assert index.grad is not None and (float(index.grad) < 0) == falls
    uncoded = torch.full((1, 1, 1, 1), 0.4, requires_grad=True)
    bits = costs.between(nothing, nothing, uncoded)
    bits.sum().backward()
    assert float(bits.detach()) == 0 and uncoded.grad is not None and float(uncoded.grad) == 0


def test_costs_between_the_ways_of_quantising_go_on_as_on_their_own_side() -> None:
    costs, one = SymbolCosts(CPU), torch.ones(1, 1, 1, 1)
    for index, quantiser, low in (
        (TRELLIS_LEVEL - 0.6, 0, TRELLIS_LEVEL - 2),
        (TRELLIS_LEVEL - 0.4, 1, TRELLIS_LEVEL),
    ):
        at = [float(costs.of(one, quantiser * one, level * one)) for level in (low, low + 1)]
        line = at[0] + (at[1] - at[0]) * (index - low)
        assert float(costs.between(one, quantiser * one, index * one)) == pytest.approx(line, rel=1e-4)


def test_a_reference_system_has_no_such_part(tmp_path: Path) -> None:
    recipe = tmp_path / "mine.toml"
    recipe.write_text('arch = "dncnn"\npart = "entropy"\n')
    with pytest.raises(TrainingError, match='part = "entropy" is of networks with both'):
        load_recipe(str(recipe))


def test_symbols_are_what_files_hold(make_options: OptionsMaker) -> None:
    """Nothing at level 0, whole steps where latents are quantised alone, else points of the trellis."""
    trainer = trained(make_options, steps=1)
    task = trainer.task
    assert isinstance(task, EntropyTask)
    batch = trainer.data.draw(trainer.data.order(0, 0.0))
    with torch.no_grad():
        coded = task._coded(*task._latents(batch.noisy, batch.strength, batch.t))
    symbols, levels = coded.symbols.numpy(), coded.levels.numpy()
    indices, quantisers = coded.indices.numpy(), coded.quantisers.numpy().astype(np.uint8)
    assert not symbols[levels == 0].any()
    alone = levels < TRELLIS_LEVEL
    assert np.abs(symbols - indices)[alone].max() < 1e-3 and not quantisers[alone].any()
    np.testing.assert_array_equal(indices, np.rint(indices))
    assert (~alone).any()
    points = trellis.points(indices[~alone].astype(np.int32), quantisers[~alone])
    np.testing.assert_allclose(symbols[~alone] * trellis.UNITS, points, atol=1e-2)
    assert 0.2 < quantisers[~alone].mean() < 0.8
