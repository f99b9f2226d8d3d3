"""Batches made ahead are those that each step would have made, and whatever ends a run ends their makers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from jdcodec.cli import app
from jdcodec.errors import TrainingError
from jdcodec.training import loop, prefetch
from jdcodec.training.batches import Batch, Batches, DataOptions, Order
from jdcodec.training.checkpoint import open_checkpoint, read_checkpoint
from jdcodec.training.loop import RunOptions, Trainer, train
from jdcodec.training.prefetch import Prefetch, share_cores
from jdcodec.training.recipe import Phase

from .conftest import OptionsMaker, short_recipe

CPU = torch.device("cpu")
WHOLE, SMALL = Phase(0.0, 64, 4), Phase(0.5, 64, 1)


def ignore(figures: dict[str, Any]) -> None:
    """Where the figures are not of interest."""


def empty(order: Order) -> Batch:
    """A batch that says what it was made for."""
    pictures = torch.full((order.phase.batch, 3, 1, 1), float(order.step))
    return Batch(pictures, pictures, pictures, pictures)


def makers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("batches")]


def losses(options: RunOptions) -> list[float]:
    lines = (options.run / "metrics.jsonl").read_text().splitlines()
    return [figures["loss"] for figures in map(json.loads, lines)]


@pytest.fixture
def every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line of metrics for each step."""
    monkeypatch.setattr(loop, "_REPORT_EVERY", 0.0)


def test_batches_do_not_depend_on_makers_or_threads(pictures: Path) -> None:
    recipe = short_recipe(phases=(WHOLE, SMALL), clean_share=0.0)
    data = Batches.open(recipe, DataOptions(pictures), CPU)
    orders = [Order(step, SMALL if step > 4 else WHOLE, step < 2) for step in range(10)]
    expected = [data.draw(order) for order in orders]
    for workers, threads in ((0, 3), (1, 1), (3, 2)):
        torch.set_num_threads(threads)
        ahead = Prefetch(data.draw, workers, CPU)
        for place, batch in enumerate(expected):
            taken = ahead.take(orders[place : place + 1 + ahead.ahead])
            for name, tensor in vars(batch).items():
                assert torch.equal(getattr(taken, name), tensor), (workers, place, name)
        ahead.close()
        assert torch.get_num_threads() == threads


@pytest.mark.usefixtures("every_step")
def test_a_run_does_not_depend_on_its_makers(make_options: OptionsMaker) -> None:
    recipe = short_recipe(phases=(Phase(0.0, 64, 2), Phase(0.5, 64, 1)), high_rates_first=0.3)
    runs = [make_options(f"run{workers}", steps=8, data_workers=workers) for workers in (0, 1, 3)]
    for options in runs:
        train(recipe, options, ignore)
        assert losses(options) == losses(runs[0])
    assert len(losses(runs[0])) == 8
    assert makers() == []


def test_a_maker_is_never_further_ahead_than_told() -> None:
    made: list[int] = []

    def draw(order: Order) -> Batch:
        made.append(order.step)
        return empty(order)

    ahead = Prefetch(draw, 2, CPU)
    orders = [Order(step, WHOLE) for step in range(20)]
    for step in range(3):
        ahead.take(orders[step : step + 1 + ahead.ahead])
    deadline = time.monotonic() + 10
    while len(made) < 7 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.05)
    ahead.close()
    assert sorted(made) == list(range(7))  # three that were taken and two for each maker


def test_a_phase_that_comes_unforeseen_has_its_own_batches() -> None:
    """Under --max-minutes nobody knows before a step which phase it is in."""
    ahead = Prefetch(empty, 1, CPU)
    ahead.take([Order(step, WHOLE) for step in range(3)])
    batch = ahead.take([Order(step, SMALL) for step in range(1, 4)])
    assert batch.noisy.shape[0] == SMALL.batch and float(batch.noisy[0, 0, 0, 0]) == 1
    assert set(ahead._begun) == {Order(2, SMALL), Order(3, SMALL)}
    ahead.close()


def test_phases_by_the_clock(make_options: OptionsMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[bool, int]] = []
    step = Trainer._loss

    def remember(self: Trainer, batch: Batch) -> Any:
        seen.append((self.progress() >= 0.5, len(batch.noisy)))
        return step(self, batch)

    monkeypatch.setattr(Trainer, "_loss", remember)
    recipe = short_recipe(phases=(Phase(0.0, 64, 2), Phase(0.5, 64, 1)))
    train(recipe, make_options(steps=None, minutes=2 / 60, data_workers=2), ignore)
    assert set(seen) == {(False, 2), (True, 1)}


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(5, "Input/output error", "crops.u8"), r"\[Errno 5\] Input/output error: 'crops.u8'"),
        (TrainingError("7.png: cannot be read as a picture"), r"7.png: cannot be read as a picture"),
        (torch.OutOfMemoryError("CUDA out of memory\nmany lines"), "out of memory; take fewer --data-work"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "out of memory; take fewer"),
    ],
)
def test_a_batch_that_cannot_be_made_ends_the_run(
    workers: int, error: Exception, reason: str, make_options: OptionsMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = Batches.draw

    def fail(self: Batches, order: Order) -> Batch:
        if order.step == 3:
            raise error
        return draw(self, order)

    options = make_options(steps=6, data_workers=workers)
    with monkeypatch.context() as patches:
        patches.setattr(Batches, "draw", fail)
        with pytest.raises(TrainingError, match=reason) as caught:
            train(short_recipe(), options, ignore)
    assert "\n" not in str(caught.value)
    assert isinstance(error, TrainingError) or "step 3: its batch could not be made" in str(caught.value)
    assert makers() == []
    checkpoint = options.run / "checkpoint.safetensors"
    assert read_checkpoint(checkpoint)[1]["step"] == 3
    train(short_recipe(), replace(options, resume=checkpoint), ignore)
    assert read_checkpoint(checkpoint)[1]["step"] == 6


def test_data_share_is_what_steps_wait(make_options: OptionsMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    draw, loss = Batches.draw, Trainer._loss

    def draw_slowly(self: Batches, order: Order) -> Batch:
        time.sleep(0.1)
        return draw(self, order)

    def work(self: Trainer, batch: Batch) -> Any:
        time.sleep(0.1)
        return loss(self, batch)

    monkeypatch.setattr(Batches, "draw", draw_slowly)
    monkeypatch.setattr(Trainer, "_loss", work)
    shares = []
    for workers in (0, 2):
        figures: list[dict[str, Any]] = []
        options = make_options(f"run{workers}", steps=6, data_workers=workers)
        train(short_recipe(phases=(Phase(0.0, 64, 1),)), options, figures.append)
        shares.append(figures[0]["data_share"])
    assert shares[0] > 0.1 and shares[1] < 0.5 * shares[0]


@pytest.mark.parametrize(
    ("cores", "processes", "threads", "workers", "expected"),
    [
        (1, 1, None, None, (1, 0)),
        (2, 1, None, None, (2, 0)),
        (2, 1, 1, None, (1, 1)),
        (2, 1, None, 1, (1, 1)),
        (4, 1, None, None, (3, 1)),
        (16, 1, None, None, (12, 4)),
        (64, 1, 8, None, (8, 4)),
        (8, 4, None, None, (2, 0)),
        (8, 16, None, None, (1, 0)),
        (4, 1, 8, None, (8, 0)),
        (4, 1, 4, 3, (4, 3)),
        (2, 1, None, 9, (1, 9)),
    ],
)
def test_cores_are_shared_between_step_and_makers(
    cores: int,
    processes: int,
    threads: int | None,
    workers: int | None,
    expected: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(prefetch, "available_cores", lambda: cores)
    monkeypatch.setattr(torch, "get_num_threads", lambda: cores)
    assert share_cores(threads, workers, CPU, processes) == expected


def test_makers_beside_other_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefetch, "available_cores", lambda: 8)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    assert share_cores(None, None, torch.device("cuda"), 1) == (8, 1)
    assert share_cores(None, None, torch.device("cuda"), 4) == (8, 1)
    assert share_cores(None, None, torch.device("cuda"), 8) == (8, 0)
    assert share_cores(None, None, torch.device("mps"), 1) == (8, 0)
    assert share_cores(2, 5, torch.device("cuda"), 8) == (2, 5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_makers_on_a_gpu_draw_the_same(pictures: Path) -> None:
    device = torch.device("cuda")
    data = Batches.open(short_recipe(clean_share=0.0), DataOptions(pictures), device)
    orders = [Order(step, WHOLE) for step in range(8)]
    expected = [data.draw(order) for order in orders]
    ahead = Prefetch(data.draw, 2, device)
    for place, batch in enumerate(expected):
        taken = ahead.take(orders[place : place + 1 + ahead.ahead])
        assert taken.noisy.device.type == "cuda"
        for name, tensor in vars(batch).items():
            torch.testing.assert_close(getattr(taken, name), tensor, atol=1 / 255, rtol=0)
    ahead.close()


def test_a_second_interrupt_ends_the_makers_too(
    make_options: OptionsMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(self: Trainer, batch: Batch) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(1)

    monkeypatch.setattr(Trainer, "_loss", interrupted)
    options = make_options(data_workers=2)
    with pytest.raises(KeyboardInterrupt):
        train(short_recipe(), options, ignore)
    assert makers() == []
    assert read_checkpoint(options.run / "checkpoint.safetensors")[1]["step"] == 0


def test_an_interrupted_command_leaves_no_process(pictures: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "small.toml"
    recipe.write_text('arch = "dncnn-small"\nphases = [{ start = 0.0, crop = 64, batch = 2 }]\n')
    words = ["train", recipe, "--data", pictures, "--run", tmp_path / "run", "--data-workers", "3"]
    process = subprocess.Popen(
        [sys.executable, "-c", "from jdcodec.cli import main; main()", *map(str, words)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        start_new_session=True,
    )
    assert process.stdout is not None and "data_share" in process.stdout.readline()  # after some seconds
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 0
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
    checkpoint = open_checkpoint(tmp_path / "run" / "checkpoint.safetensors")
    assert checkpoint.progress["step"] > 0


def test_the_option_reaches_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int | None] = []
    monkeypatch.setattr(loop, "train", lambda recipe, options, *tell: seen.append(options.data_workers))
    for words in (["--data-workers", "3"], []):
        result = CliRunner().invoke(app, ["train", "--run", str(tmp_path / "run"), *words])
        assert result.exit_code == 0
    assert seen == [3, None]


@pytest.mark.parametrize("workers", ["-1", "65", "many"])
def test_an_impossible_number_of_makers(workers: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["train", "--run", str(tmp_path / "run"), "--data-workers", workers])
    assert result.exit_code == 2
    assert not (tmp_path / "run").exists()


def test_steps_and_minutes_are_one_or_the_other(tmp_path: Path) -> None:
    words = ["train", "--run", str(tmp_path / "run"), "--steps", "5", "--max-minutes", "1"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2 and "choose one" in result.output
    assert not (tmp_path / "run").exists()
