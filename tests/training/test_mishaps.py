"""Gradients that cannot be used, full disks and missing packages cost a step or a clear line, not a run."""

from __future__ import annotations

import errno
import json
import os
import sys
import types
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from jdcodec.errors import TrainingError
from jdcodec.model.config import CONFIGS
from jdcodec.training import checkpoint, loop
from jdcodec.training.batches import Batch, DataOptions
from jdcodec.training.checkpoint import read_checkpoint, save_checkpoint
from jdcodec.training.index import write_index
from jdcodec.training.loop import Trainer, train
from jdcodec.training.loss import Loss
from jdcodec.training.pairs import find_pairs
from jdcodec.training.run_folder import RunFolder
from jdcodec.training.validation import Validation

from .conftest import OptionsMaker, short_recipe
from .samples import picture, write_pairs


def ignore(figures: dict[str, Any]) -> None:
    """Where the figures are not of interest."""


def no_room(file: int) -> None:
    """In the place of a function that writes."""
    raise OSError(errno.ENOSPC, "No space left on device")


def left_in(folder: Path) -> set[str]:
    """Names of files that are no text, hidden ones too."""
    return {path.name for path in folder.iterdir() if path.suffix not in (".json", ".jsonl")}


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
    def save(tensors: Any, metadata: Any) -> bytes:
        monkeypatch.setattr(os, "fsync", no_room)
        return original(tensors, metadata)

    original = checkpoint.save
    monkeypatch.setattr(checkpoint, "save", save)
    monkeypatch.setattr(Trainer, "_train_step", lambda self: pytest.fail("a step was taken"))
    options = make_options()
    with pytest.raises(
        TrainingError, match=r"checkpoint\.safetensors: cannot be written: no room on the disk"
    ):
        train(short_recipe(), options, ignore)
    assert left_in(options.run) == set()


def test_room_for_one_checkpoint_is_too_little(
    make_options: OptionsMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new one lies beside the old one until it is complete."""

    options = make_options()

    def save(tensors: Any, metadata: Any) -> bytes:
        if (options.run / "checkpoint.safetensors").exists():
            monkeypatch.setattr(os, "fsync", no_room)
        return original(tensors, metadata)

    original = checkpoint.save
    monkeypatch.setattr(checkpoint, "save", save)
    monkeypatch.setattr(Trainer, "_train_step", lambda self: pytest.fail("a step was taken"))
    with pytest.raises(TrainingError, match=r"a checkpoint takes \d\.\d MB, and two lie there while one"):
        train(short_recipe(), options, ignore)
    assert left_in(options.run) == {"checkpoint.safetensors"}


def test_a_checkpoint_is_on_the_disk_before_it_has_its_name(
    make_options: OptionsMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a power failure could leave an empty one in the place of the old one."""
    options = make_options(steps=1)
    synced: list[int] = []

    def fsync(file: int) -> None:
        synced.append(os.fstat(file).st_ino)
        original(file)

    original = os.fsync
    monkeypatch.setattr(os, "fsync", fsync)
    train(short_recipe(), options, ignore)
    assert (options.run / "checkpoint.safetensors").stat().st_ino in synced


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt])
def test_nothing_is_left_of_a_checkpoint_that_was_broken_off(
    error: type[BaseException], make_options: OptionsMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = make_options(steps=1)
    path = train(short_recipe(), options, ignore)
    before = path.read_bytes()
    config, progress, _ = read_checkpoint(path)
    model = torch.nn.Linear(3, 3)

    def fsync(file: int) -> None:
        raise error

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(error):
        save_checkpoint(path, model, {}, [], progress, {"config": json.dumps(config.to_dict())})
    assert path.read_bytes() == before and left_in(options.run) == {path.name}


@pytest.mark.parametrize(
    ("place", "reason"),
    [("nowhere", "no such folder: "), ("file", "cannot be written: [Errno 20] Not a dir")],
)
def test_a_checkpoint_that_cannot_be_written_is_told_in_one_line(
    tmp_path: Path, place: str, reason: str
) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / place / "checkpoint.safetensors"
    with pytest.raises(TrainingError) as caught:
        save_checkpoint(path, torch.nn.Linear(3, 3), {}, [], {}, {})
    said = str(caught.value)
    assert said.startswith(f"{path}: {reason}") and "\n" not in said


def test_what_a_run_says_of_itself_is_replaced_whole(
    make_options: OptionsMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = make_options(steps=1)
    train(short_recipe(), options, ignore)
    before = {path: path.read_bytes() for path in options.run.iterdir() if path.suffix in (".json", ".jsonl")}
    assert len(before) == 3
    monkeypatch.setattr(os, "fsync", no_room)
    with pytest.raises(TrainingError, match=r"recipe\.json: no room left on the disk"):
        train(short_recipe(seed=7), make_options(steps=1, force=True), ignore)
    assert {path: path.read_bytes() for path in before} == before
    assert left_in(options.run) == {"checkpoint.safetensors"}


@pytest.mark.parametrize(("part", "optimizer"), [("all", "muon"), ("all", "adam"), ("stem", "muon")])
def test_the_first_checkpoint_is_as_large_as_the_others(
    part: str, optimizer: str, make_options: OptionsMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[dict[str, torch.Size]] = []

    def save(tensors: Any, metadata: Any) -> bytes:
        sizes.append({name: tensor.shape for name, tensor in tensors.items()})
        return original(tensors, metadata)

    original = checkpoint.save
    monkeypatch.setattr(checkpoint, "save", save)
    train(short_recipe(part=part, optimizer=optimizer), make_options(steps=2), ignore)
    assert len(sizes) == 3 and sizes[0] == sizes[2]
    assert any(name.startswith("optimizer/") for name in sizes[0])


def test_a_run_folder_that_cannot_be(make_options: OptionsMaker, tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file")
    with pytest.raises(TrainingError, match="run: cannot be written"):
        train(short_recipe(), make_options(), ignore)


def on_a_gpu() -> None:
    raise torch.OutOfMemoryError("CUDA out of memory")


def on_a_processor() -> None:
    torch.empty(1 << 55, dtype=torch.uint8)


def in_python() -> None:
    raise MemoryError


@pytest.mark.parametrize("run_out", [on_a_gpu, on_a_processor, in_python])
def test_out_of_memory_costs_no_step_and_says_what_to_do(
    run_out: Callable[[], None], make_options: OptionsMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    loss = Trainer._loss

    def starved(self: Trainer, batch: Batch) -> Loss:
        if self.step == 3:
            run_out()
        return loss(self, batch)

    monkeypatch.setattr(Trainer, "_loss", starved)
    options = make_options(steps=9)
    told = "step 3: out of memory on cpu with 2 crops of 64 pixels; .*smaller batch or crop and --start-from"
    with pytest.raises(TrainingError, match=told) as caught:
        train(short_recipe(), options, ignore)
    assert "\n" not in str(caught.value)
    path = options.run / "checkpoint.safetensors"
    assert read_checkpoint(path)[1]["step"] == 3
    monkeypatch.undo()
    monkeypatch.setitem(CONFIGS, "tiny", read_checkpoint(path)[0])
    train(short_recipe(), make_options(steps=4, resume=path), ignore)
    assert read_checkpoint(path)[1]["step"] == 4


def test_out_of_memory_amid_an_update_keeps_the_last_whole_checkpoint(
    make_options: OptionsMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Trainer, "_update_average", lambda self: on_a_processor())
    options = make_options()
    with pytest.raises(TrainingError, match="step 0: out of memory"):
        train(short_recipe(), options, ignore)
    _, progress, tensors = read_checkpoint(options.run / "checkpoint.safetensors")
    assert progress["step"] == 0
    assert not any(tensor.any() for name, tensor in tensors.items() if name.startswith("optimizer/"))


def test_out_of_memory_while_measuring_costs_nothing(
    make_options: OptionsMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Validation, "measure", lambda self, task: in_python())
    options = make_options(steps=2)
    with pytest.raises(TrainingError, match="step 2: out of memory"):
        train(short_recipe(hold_out_every=2), options, ignore)
    assert read_checkpoint(options.run / "checkpoint.safetensors")[1]["step"] == 2


def test_out_of_memory_for_saving_too(make_options: OptionsMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    def starved(self: Trainer, batch: Batch) -> Loss:
        monkeypatch.setattr(Trainer, "save", lambda self: in_python())
        raise MemoryError

    monkeypatch.setattr(Trainer, "_loss", starved)
    with pytest.raises(TrainingError, match="step 0: out of memory"):
        train(short_recipe(), make_options(), ignore)


def test_out_of_memory_before_the_first_step(
    make_options: OptionsMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jdcodec.training.batches.load_photographs", lambda *a: on_a_processor())
    with pytest.raises(
        TrainingError, match="cpu: out of memory before the first step; take fewer photographs"
    ):
        train(short_recipe(), make_options(), ignore)


def test_other_errors_of_a_step_are_bugs(make_options: OptionsMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Trainer, "_loss", lambda self, batch: torch.ones(2) @ torch.ones(3))
    with pytest.raises(RuntimeError, match="size"):
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


@pytest.mark.parametrize(("part", "shown"), [("stem", "denoise"), ("codec", "decode")])
def test_samples_and_figures_are_of_what_is_trained(
    part: str, shown: str, make_options: OptionsMaker, tmp_path: Path
) -> None:
    (tmp_path / "large").mkdir()
    for number in range(2):
        Image.fromarray(picture(70, 80, number)).save(tmp_path / "large" / f"{number}.png")
    options = make_options(steps=2, data=DataOptions(tmp_path / "large"))
    trainer = Trainer(
        short_recipe(part=part, hold_out_every=2, learning_rate=0.01, warmup_steps=1), options, ignore
    )
    figures: list[dict[str, Any]] = []
    trainer.report = figures.append
    with torch.no_grad():  # an untrained denoiser that is far from doing nothing
        trainer.model.denoiser.to_noise.mix.bias.fill_(0.3)
        trainer.average["denoiser.to_noise.mix.bias"].fill_(0.3)
    trainer.run(lambda: False)
    trainer.model.load_state_dict(trainer.average)
    assert trainer.data.validation is not None
    noisy = trainer.data.validation.noisy
    with torch.no_grad():
        if part == "stem":
            expected = trainer.task.denoise(noisy)
        else:
            with torch.autocast("cpu", dtype=torch.bfloat16):
                expected = trainer.model.code(noisy, torch.full((1,), 0.5))[0].float()
    with Image.open(next((options.run / "samples").iterdir())) as image:
        sample = torch.from_numpy(np.array(image))[:, 64:128]
    pixels = (expected[0].clamp(0, 1) * 255).round().permute(1, 2, 0)
    assert float((sample.float() - pixels).abs().max()) <= 1
    measured = figures[-1]["validation"]
    qualities = {f"{kind}@{t}" for kind in ("clean", "noisy") for t in ("0", "0.5", "1")}
    assert set(measured) == ({"stem"} if part == "stem" else qualities | {"cost"})


def test_too_few_photographs_to_hold_one_out_are_told(make_options: OptionsMaker) -> None:
    lines: list[str] = []
    options = make_options(steps=1)
    train(short_recipe(), options, ignore, lines.append)
    (line,) = lines
    assert line.startswith("only 4 photographs, and every 20th would be held out: none is, so nothing is")
    assert not (options.run / "samples").exists()
    lines.clear()
    train(short_recipe(hold_out_every=4), make_options("other", steps=1), ignore, lines.append)
    assert lines == []


def test_too_few_scenes_to_hold_one_out_are_told(make_options: OptionsMaker, tmp_path: Path) -> None:
    write_index(*find_pairs(write_pairs(tmp_path / "pairs", light=3, heavy=0)), tmp_path / "index", crop=192)
    lines: list[str] = []
    recipe = short_recipe(source="pairs", clean_share=0.0, part="stem")
    train(recipe, make_options(steps=1, data=DataOptions(pairs=tmp_path / "index")), ignore, lines.append)
    assert len(lines) == 1 and lines[0].startswith("only pairs of 3 scenes, and every 20th would be held out")


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
