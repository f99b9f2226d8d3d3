"""A run that is killed outright goes on, by --resume, as if it had not been."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from collections.abc import Callable
from typing import Any

import pytest
import torch

from jdcodec.errors import TrainingError
from jdcodec.training import checkpoint, loop
from jdcodec.training.checkpoint import read_checkpoint
from jdcodec.training.loop import RunOptions, Trainer, train
from jdcodec.training.run_folder import RunFolder

from .conftest import OptionsMaker, short_recipe

STEPS = 6


def ignore(figures: dict[str, Any]) -> None:
    """Where the figures are not of interest."""


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_after_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    step = Trainer._train_step

    def train_step(self: Trainer) -> Any:
        loss = step(self)
        if self.step == 4:
            die()
        return loss

    monkeypatch.setattr(Trainer, "_train_step", train_step)


def die_while_saving(monkeypatch: pytest.MonkeyPatch) -> None:
    saved = []

    def save(tensors: Any, metadata: Any) -> bytes:
        saved.append(metadata)
        data = original(tensors, metadata)
        if len(saved) == 4:
            monkeypatch.setattr(os, "fsync", lambda file: die())
            return data[: len(data) // 2]
        return data

    original = checkpoint.save
    monkeypatch.setattr(checkpoint, "save", save)


def die_within_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    write = RunFolder.write

    def write_half(self: RunFolder, figures: dict[str, Any]) -> None:
        if figures["step"] == 4:
            with self.metrics.open("a", encoding="utf-8") as file:
                file.write(json.dumps(figures)[:20])
            die()
        write(self, figures)

    monkeypatch.setattr(RunFolder, "write", write_half)


def metrics(options: RunOptions) -> list[tuple[int, float]]:
    lines = (options.run / "metrics.jsonl").read_text().splitlines()
    return [(figures["step"], figures["loss"]) for figures in map(json.loads, lines)]


@pytest.fixture(scope="module")
def kept() -> dict[str, Any]:
    """What the uninterrupted run left, made once."""
    return {}


@pytest.mark.parametrize("death", [die_after_a_step, die_while_saving, die_within_a_line])
def test_killed_and_resumed_equals_uninterrupted(
    death: Callable[[pytest.MonkeyPatch], None],
    make_options: OptionsMaker,
    monkeypatch: pytest.MonkeyPatch,
    kept: dict[str, Any],
) -> None:
    monkeypatch.setattr(loop, "_REPORT_EVERY", 0.0)
    if not kept:
        options = make_options("whole", steps=STEPS, save_every=0.0, data_workers=0)
        kept["tensors"] = read_checkpoint(train(short_recipe(), options, ignore))[2]
        kept["metrics"] = metrics(options)
    options = make_options("killed", steps=STEPS, save_every=0.0, data_workers=2)
    with monkeypatch.context() as patches:
        death(patches)
        child = multiprocessing.get_context("fork").Process(
            target=train, args=(short_recipe(), options, ignore)
        )
        child.start()
        child.join(120)
    assert child.exitcode == -signal.SIGKILL
    saved = read_checkpoint(options.run / "checkpoint.safetensors")[1]["step"]
    assert 0 < saved < STEPS

    resumed = make_options(
        "killed", steps=STEPS, resume=options.run / "checkpoint.safetensors", data_workers=3
    )
    tensors = read_checkpoint(train(short_recipe(), resumed, ignore))[2]
    for name, tensor in kept["tensors"].items():
        torch.testing.assert_close(tensors[name], tensor, atol=1e-6, rtol=1e-4, msg=name)
    assert not list(options.run.glob(".*"))  # half a checkpoint of the killed run
    assert [step for step, _ in metrics(resumed)] == list(range(1, STEPS + 1))
    assert [loss for _, loss in metrics(resumed)] == pytest.approx(
        [loss for _, loss in kept["metrics"]], abs=1e-3
    )


def test_a_run_is_not_begun_over_another(make_options: OptionsMaker) -> None:
    train(short_recipe(), make_options(steps=1), ignore)
    with pytest.raises(TrainingError, match="run: holds a run already; go on with it by --resume"):
        train(short_recipe(), make_options(steps=1), ignore)
    train(short_recipe(), make_options(steps=1, force=True), ignore)


def test_a_run_keeps_its_recipe(make_options: OptionsMaker) -> None:
    options = make_options(steps=2)
    path = train(short_recipe(), options, ignore)
    recipe = json.loads((options.run / "recipe.json").read_text())
    assert (recipe["name"], recipe["noise"]["model"], recipe["seed"]) == ("short", "CameraNoise", 1)
    with pytest.raises(TrainingError, match=r"was started with clip = 1\.0, not 0\.5; a changed recipe"):
        train(short_recipe(clip=0.5), make_options(steps=2, resume=path), ignore)
    (options.run / "recipe.json").write_text("{")
    with pytest.raises(TrainingError, match=r"recipe\.json: cannot be read"):
        train(short_recipe(), make_options(steps=2, resume=path), ignore)
