"""A short run leaves a checkpoint and metrics; one that is stopped goes on as if it had not been."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from jdcodec.errors import TrainingError
from jdcodec.training.checkpoint import read_checkpoint, section
from jdcodec.training.export import export_weights
from jdcodec.training.loop import CHECKPOINT_NAME, METRICS_NAME, RunOptions, Trainer, train
from jdcodec.training.recipe import Recipe

from .conftest import OptionsMaker, short_recipe

Tensors = dict[str, torch.Tensor]


def ignore(figures: dict[str, Any]) -> None:
    """Where the figures are not of interest."""


def run(recipe: Recipe, options: RunOptions) -> Tensors:
    return read_checkpoint(train(recipe, options, ignore))[2]


def assert_same(a: Tensors, b: Tensors) -> None:
    assert a.keys() == b.keys()
    for name, tensor in a.items():
        torch.testing.assert_close(b[name], tensor, atol=1e-6, rtol=1e-4, msg=name)


def test_leaves_a_checkpoint_and_metrics(make_options: OptionsMaker) -> None:
    options, figures = make_options(steps=12), []
    path = train(short_recipe(), options, figures.append)
    assert path == options.run / CHECKPOINT_NAME
    lines = [json.loads(line) for line in (options.run / METRICS_NAME).read_text().splitlines()]
    assert lines == figures
    last = lines[-1]
    assert last["step"] == 12 and last["progress"] == 1
    assert all(math.isfinite(last[name]) for name in ("loss", "bpp", "psnr", "stem_psnr"))

    config, progress, tensors = read_checkpoint(path)
    assert config.name == "tiny fast"
    assert (progress["step"], progress["recipe"], progress["part"]) == (12, "short", "all")
    assert all(torch.isfinite(tensor).all() for tensor in tensors.values())
    assert section(tensors, "model").keys() == section(tensors, "average").keys()
    assert section(tensors, "optimizer")
    assert [file.name for file in options.run.iterdir() if "partial" in file.name] == []


def test_moves_every_parameter(make_options: OptionsMaker) -> None:
    """Where a parameter stays as it was, a part of the network hangs loose."""
    recipe = short_recipe(warmup_steps=1, learning_rate=0.01)
    trainer = Trainer(recipe, make_options(steps=6), ignore)
    before = {name: tensor.clone() for name, tensor in trainer.model.state_dict().items()}
    trainer.run(lambda: False)
    still = [name for name, tensor in trainer.model.state_dict().items() if torch.equal(tensor, before[name])]
    assert still == []


def test_same_seed_same_run(make_options: OptionsMaker) -> None:
    first = run(short_recipe(), make_options("a"))
    assert_same(first, run(short_recipe(), make_options("b")))
    other = run(short_recipe(seed=2), make_options("c"))
    assert not torch.equal(other["model/gain.slope"], first["model/gain.slope"])


@pytest.mark.parametrize("optimizer", ["muon", "adam"])
def test_resumed_equals_uninterrupted(optimizer: str, make_options: OptionsMaker) -> None:
    recipe = short_recipe(optimizer=optimizer)
    whole = run(recipe, make_options("whole", steps=8))
    stopped = Trainer(recipe, make_options("stopped", steps=8), ignore)
    stopped.run(lambda: stopped.step == 3)
    _, progress, part = read_checkpoint(stopped.folder.checkpoint)
    assert progress["step"] == 3
    assert not torch.equal(part["model/gain.slope"], whole["model/gain.slope"])
    assert_same(run(recipe, make_options("stopped", steps=8, resume=stopped.folder.checkpoint)), whole)


def test_a_signal_stops_after_the_step(make_options: OptionsMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(signal.SIGTERM)
    step = Trainer._train_step

    def step_and_signal(self: Trainer) -> Any:
        loss = step(self)
        if self.step == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return loss

    monkeypatch.setattr(Trainer, "_train_step", step_and_signal)
    path = train(short_recipe(), make_options(steps=50), ignore)
    assert read_checkpoint(path)[1]["step"] == 2
    assert signal.getsignal(signal.SIGTERM) == before


def test_minutes_are_a_budget(make_options: OptionsMaker) -> None:
    path = train(short_recipe(), make_options(steps=None, minutes=0.2 / 60), ignore)
    assert 1 <= read_checkpoint(path)[1]["step"] < 1000


def test_held_out_photographs_are_measured(make_options: OptionsMaker) -> None:
    figures: list[dict[str, Any]] = []
    train(short_recipe(hold_out_every=2), make_options(steps=1), figures.append)
    measured = figures[-1]["validation"]
    qualities = [f"{kind}@{t}" for kind in ("clean", "noisy") for t in ("0", "0.5", "1")]
    assert set(measured) == {*qualities, "stem", "cost"}
    bpp, psnr = zip(*(measured[f"clean@{t}"] for t in ("0", "0.5", "1")))
    assert bpp[0] < bpp[1] < bpp[2] and psnr[0] < psnr[2]


def test_start_from_an_exported_weights_file(make_options: OptionsMaker, tmp_path: Path) -> None:
    path = train(short_recipe(), make_options("first", steps=2), ignore)
    config, _, tensors = read_checkpoint(path)
    averaged = section(tensors, "average")
    exported = tmp_path / "exported.safetensors"
    export_weights(averaged, config, [torch.rand(1, 3, 64, 64)], exported)
    second = Trainer(short_recipe(seed=3), make_options("second", start_from=(exported,)), ignore)
    for name, tensor in second.model.state_dict().items():
        assert torch.equal(tensor, averaged[name].half().float()), name


def test_start_from_takes_of_each_run_what_it_trained(make_options: OptionsMaker) -> None:
    stem = train(short_recipe(part="stem"), make_options("stem", steps=2), ignore)
    codec = train(short_recipe(part="codec", seed=2), make_options("codec", steps=2), ignore)
    joint = Trainer(short_recipe(seed=3), make_options("joint", start_from=(stem, codec)), ignore)
    sources = {True: section(read_checkpoint(stem)[2], "average")}
    sources[False] = section(read_checkpoint(codec)[2], "average")
    for name, tensor in joint.model.state_dict().items():
        assert torch.equal(tensor, sources[name.startswith("denoiser.")][name]), name
        assert torch.equal(tensor, joint.average[name])
    assert joint.step == 0


@pytest.mark.parametrize("part", ["stem", "codec", "codec-after-stem"])
def test_a_part_trains_itself_alone(part: str, make_options: OptionsMaker) -> None:
    trainer = Trainer(short_recipe(part=part, warmup_steps=1), make_options(steps=3), ignore)
    before = {name: tensor.clone() for name, tensor in trainer.model.state_dict().items()}
    trainer.run(lambda: False)
    after = trainer.model.state_dict()
    moved = {name for name, tensor in before.items() if not torch.equal(after[name], tensor)}
    assert moved
    assert all(name.startswith("denoiser.") == (part == "stem") for name in moved)


def test_a_codec_starts_from_the_denoiser_it_was_trained_behind(make_options: OptionsMaker) -> None:
    stem = train(short_recipe(part="stem"), make_options("stem", steps=2), ignore)
    behind = short_recipe(part="codec-after-stem", seed=2)
    codec = train(behind, make_options("codec", steps=2, start_from=(stem,)), ignore)
    joint = Trainer(short_recipe(seed=3), make_options("joint", start_from=(codec,)), ignore)
    denoiser = section(read_checkpoint(stem)[2], "average")
    for name, tensor in joint.model.denoiser.state_dict().items():
        assert torch.equal(tensor, denoiser[f"denoiser.{name}"]), name


def test_resume_from_what_is_no_checkpoint(
    make_options: OptionsMaker, tmp_path: Path, tiny_model: Path
) -> None:
    (tmp_path / "noise.bin").write_bytes(bytes(range(256)))
    for path, reason in (
        (tmp_path / "nowhere", "not a readable checkpoint"),
        (tmp_path / "noise.bin", "not a readable checkpoint"),
        (tiny_model, "not a training checkpoint"),
    ):
        options: tuple[dict[str, Any], ...] = ({"resume": path}, {"start_from": (path,)})
        for option in options[: 1 if path == tiny_model else 2]:  # exported weights may be started from
            with pytest.raises(TrainingError, match=reason) as caught:
                train(short_recipe(), make_options(**option), ignore)
            assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_resume_with_another_architecture(
    make_options: OptionsMaker, make_network: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jdcodec.model.config import CONFIGS

    path = train(short_recipe(), make_options(steps=1), ignore)
    monkeypatch.setitem(CONFIGS, "other", make_network("best").config)
    for option in ({"resume": path}, {"start_from": (path,)}):
        with pytest.raises(TrainingError, match="other sizes than other"):
            train(short_recipe(arch="other"), make_options("other", **option), ignore)


def test_a_truncated_checkpoint(make_options: OptionsMaker, tmp_path: Path) -> None:
    path = train(short_recipe(), make_options(steps=1), ignore)
    cut = tmp_path / "cut.safetensors"
    shutil.copy(path, cut)
    with cut.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)
    with pytest.raises(TrainingError, match="not a readable checkpoint"):
        train(short_recipe(), make_options(resume=cut), ignore)


def test_a_device_that_is_not_there(make_options: OptionsMaker) -> None:
    with pytest.raises(TrainingError, match="device 'abacus' cannot be used"):
        train(short_recipe(), make_options(device="abacus"), ignore)


def test_photographs_smaller_than_the_crop(make_options: OptionsMaker) -> None:
    from jdcodec.training.recipe import Phase

    with pytest.raises(TrainingError, match="no photograph has 128 pixels a side"):
        train(short_recipe(phases=(Phase(0, 128, 1),)), make_options(), ignore)
