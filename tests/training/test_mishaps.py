"""Gradients that cannot be used, full disks and missing packages cost a step or a clear line, not a run."""

from __future__ import annotations

import errno
import json
import sys
import types
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from jdcodec.errors import TrainingError
from jdcodec.training import checkpoint, loop
from jdcodec.training.batches import Batch, DataOptions
from jdcodec.training.checkpoint import read_checkpoint
from jdcodec.training.loop import Trainer, train
from jdcodec.training.loss import Loss
from jdcodec.training.run_folder import RunFolder

from .conftest import OptionsMaker, short_recipe
from .samples import picture


def ignore(figures: dict[str, Any]) -> None:
    """Where the figures are not of interest."""


def spoil(monkeypatch: pytest.MonkeyPatch, first: int, last: int, factor: float) -> None:
    """Multiply the loss of some steps, and so their gradients."""
    loss = Trainer._loss

    def spoilt(self: Trainer, batch: Batch) -> Loss:
        result = loss(self, batch)
        return replace(result, total=result.total * factor) if first <= self.step <= last else result

    monkeypatch.setattr(Trainer, "_loss", spoilt)


def test_a_step_that_is_not_finite_is_left_out(
    make_options: OptionsMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch, 1, 1, float("nan"))
    trainer = Trainer(short_recipe(), make_options(steps=4), ignore)
    trainer._train_step()
    before = {name: tensor.clone() for name, tensor in trainer.model.state_dict().items()}
    trainer._train_step()
    assert all(torch.equal(tensor, before[name]) for name, tensor in trainer.model.state_dict().items())
    assert (trainer.step, trainer.skipped) == (2, 1)
    trainer._train_step()
    assert trainer.skipped == 0
    assert all(bool(torch.isfinite(tensor).all()) for tensor in trainer.model.state_dict().values())


def test_a_spike_is_left_out_once_the_usual_is_known(make_options: OptionsMaker) -> None:
    trainer = Trainer(short_recipe(), make_options(), ignore)
    trainer.step, trainer.usual_norm = 50, 1.0
    loss = torch.tensor(1.0)
    assert trainer._is_sane(100.0, loss)  # so early, norms still move
    trainer.step, trainer.usual_norm = 500, 1.0
    assert trainer._is_sane(19.0, loss)
    assert not trainer._is_sane(1000.0, loss)
    assert trainer.usual_norm < 2


def test_gradients_that_stay_bad_end_the_run_with_a_checkpoint(
    make_options: OptionsMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "_MOST_SKIPPED", 2)
    spoil(monkeypatch, 2, 99, float("inf"))
    options = make_options(steps=50)
    with pytest.raises(TrainingError, match="step 4: the last 3 gradients were not usable"):
        train(short_recipe(), options, ignore)
    _, progress, tensors = read_checkpoint(options.run / "checkpoint.safetensors")
    assert progress["step"] == 4
    assert all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values())


def test_a_disk_without_room_is_found_before_the_first_step(
    make_options: OptionsMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def save_file(tensors: Any, path: Path, metadata: Any) -> None:
        path.write_bytes(b"some")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", save_file)
    monkeypatch.setattr(Trainer, "_train_step", lambda self: pytest.fail("a step was taken"))
    options = make_options()
    with pytest.raises(TrainingError, match=r"checkpoint\.safetensors: cannot be written: .*No space left"):
        train(short_recipe(), options, ignore)
    assert not list(options.run.glob("*.partial"))


def test_a_run_folder_that_cannot_be(make_options: OptionsMaker, tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file")
    with pytest.raises(TrainingError, match="run: cannot be written"):
        train(short_recipe(), make_options(), ignore)


def test_out_of_memory_says_what_to_do(make_options: OptionsMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    def train_step(self: Trainer) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Trainer, "_train_step", train_step)
    with pytest.raises(TrainingError, match="out of memory; take smaller batches or crops"):
        train(short_recipe(), make_options(), ignore)


def test_samples_show_noisy_decoded_clean(make_options: OptionsMaker, tmp_path: Path) -> None:
    (tmp_path / "large").mkdir()
    for number in range(2):
        Image.fromarray(picture(70, 80, number)).save(tmp_path / "large" / f"{number}.png")
    options = make_options(steps=1, data=DataOptions(tmp_path / "large"))
    train(short_recipe(hold_out_every=2), options, ignore)
    (sample,) = (options.run / "samples").iterdir()
    assert sample.name == "00000001.png"
    with Image.open(sample) as image:
        pixels = np.asarray(image)
    assert pixels.shape == (64, 192, 3)
    held_out = picture(70, 80, 1)[3:67, 8:72]
    assert np.array_equal(pixels[:, 128:], held_out)
    assert not np.array_equal(pixels[:, :64], held_out)


def test_tensorboard_has_the_figures_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: dict[str, float] = {}

    class SummaryWriter:
        def __init__(self, folder: str, purge_step: int) -> None:
            assert (folder, purge_step) == (str(tmp_path), 0)

        def add_scalar(self, name: str, value: float, step: int) -> None:
            assert step == 3
            written[name] = value

        def close(self) -> None:
            written["closed"] = 1

    module = types.ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = SummaryWriter  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    folder = RunFolder(tmp_path, short_recipe(), resume=False, force=False, tensorboard=True)
    folder.start(0)
    folder.write({"step": 3, "loss": 0.5})
    folder.write({"step": 3, "validation": {"clean@0": [0.1, 30.0], "cost": [2.0]}})
    folder.close()
    assert written == {
        "loss": 0.5,
        "validation/clean@0/bpp": 0.1,
        "validation/clean@0/psnr": 30.0,
        "validation/cost": 2.0,
        "closed": 1,
    }
    assert len([json.loads(line) for line in folder.metrics.read_text().splitlines()]) == 2


def test_tensorboard_that_is_not_there(make_options: OptionsMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(TrainingError, match="TensorBoard is not installed: pip install"):
        train(short_recipe(), make_options(tensorboard=True), ignore)
