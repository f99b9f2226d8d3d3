"""Two processes train as one would, write one folder, and end when one of them is lost."""

from __future__ import annotations

import dataclasses
import faulthandler
import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from jdcodec.errors import TrainingError
from jdcodec.model.config import CONFIGS, ModelConfig
from jdcodec.training import loop
from jdcodec.training.batches import Batches, DataOptions, Order
from jdcodec.training.checkpoint import read_checkpoint
from jdcodec.training.distributed import Team, is_lost_peer, team_from_environment
from jdcodec.training.index import write_index
from jdcodec.training.loop import RunOptions, Trainer, train
from jdcodec.training.pairs import find_pairs
from jdcodec.training.recipe import Phase, Recipe, load_recipe

from .conftest import OptionsMaker, short_recipe
from .samples import write_pairs

#: What one of the two does differently: called with its rank before it trains.
Act = Callable[[int, pytest.MonkeyPatch], None]

#: Seconds after which a process hangs; it says where ten seconds before that.
_PATIENCE = 60

# Workers are forks of a process that has imported torch and never used it: a fork of one that has had threads
# may wait for them for ever.
_server = multiprocessing.get_context("forkserver")
_server.set_forkserver_preload(["torch", "jdcodec.training.loop"])


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("distributed")
    write_index(*find_pairs(write_pairs(root / "pairs", light=4, heavy=0)), root / "index", crop=192)
    return root / "index"


def ignore(figures: dict[str, Any]) -> None:
    """Where the figures are not of interest."""


def work(
    rank: int, port: int, config: ModelConfig, recipe: Recipe, options: RunOptions, act: Act | None, said: Any
) -> None:
    """One of two processes, as torchrun would start it. What it ends with goes into the queue `said`."""
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_RANK": str(rank)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    CONFIGS["tiny"] = config
    faulthandler.dump_traceback_later(_PATIENCE - 10)
    patches = pytest.MonkeyPatch()
    if act is not None:
        act(rank, patches)
    try:
        train(recipe, options, ignore)
        said.put((rank, "done"))
    except TrainingError as error:
        said.put((rank, str(error)))


def two(recipe: Recipe, options: RunOptions, act: Act | None = None) -> tuple[dict[int, str], list[int]]:
    """What the two processes end with, by rank, and their exit codes; fails where one hangs."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    said = _server.SimpleQueue()
    rest = (port, CONFIGS["tiny"], recipe, options, act, said)
    workers = [_server.Process(target=work, args=(rank, *rest)) for rank in (0, 1)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(_PATIENCE)
    hung = [worker for worker in workers if worker.is_alive()]
    for worker in hung:
        worker.kill()
    assert not hung, "a process hangs"
    ends = {}
    while not said.empty():
        rank, text = said.get()
        ends[rank] = text
    return ends, [worker.exitcode or 0 for worker in workers]


def report_every_step(rank: int, patches: pytest.MonkeyPatch) -> None:
    """A line of metrics for each step."""
    patches.setattr(loop, "_REPORT_EVERY", 0.0)


def tell_the_last_step(rank: int, patches: pytest.MonkeyPatch) -> None:
    """End with the step that the budget ended at; the second process is the slower one."""
    run = Trainer.run

    def run_and_tell(self: Trainer, stop: Any) -> None:
        if rank:
            self._train_step = slowly(self._train_step)  # type: ignore[method-assign]
        run(self, stop)
        raise TrainingError(f"step {self.step}")

    patches.setattr(Trainer, "run", run_and_tell)


def slowly(step: Callable[[], Any]) -> Callable[[], Any]:
    def wait_and_step() -> Any:
        time.sleep(0.05)
        return step()

    return wait_and_step


def die(rank: int, patches: pytest.MonkeyPatch, *, lost: int) -> None:
    """Be killed at the fourth step, if it is this process that is to be lost."""
    step = Trainer._train_step

    def train_step(self: Trainer) -> Any:
        if rank == lost and self.step == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return step(self)

    patches.setattr(Trainer, "_train_step", train_step)


def losses(options: RunOptions) -> list[float]:
    lines = (options.run / "metrics.jsonl").read_text().splitlines()
    return [figures["loss"] for figures in map(json.loads, lines) if "loss" in figures]


@pytest.fixture
def every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    report_every_step(0, monkeypatch)


def test_together_they_draw_the_batch_of_one(pairs: Path, pictures: Path) -> None:
    options = DataOptions(pictures, pairs)
    for name, side in (("jdc-cn", "noisy"), ("testolina", "target")):
        recipe = dataclasses.replace(load_recipe(name), phases=(Phase(0.0, 64, 10),), clean_share=0.2)
        teams = (Team(), Team(0, 2, 0), Team(1, 2, 1))
        device = torch.device("cpu")
        whole, first, second = (
            Batches.open(recipe, options, device, team).draw(Order(3, recipe.phases[0])) for team in teams
        )
        for field in (side, "strength", "t"):
            together = torch.stack((getattr(first, field), getattr(second, field)), 1).flatten(0, 1)
            torch.testing.assert_close(together, getattr(whole, field), atol=0, rtol=0)


def test_made_noise_is_not_the_same_twice(pictures: Path) -> None:
    recipe = short_recipe(phases=(Phase(0.0, 64, 8),), clean_share=0.0)
    first, second = (
        Batches.open(recipe, DataOptions(pictures), torch.device("cpu"), Team(rank, 2, rank)).draw(
            Order(0, recipe.phases[0])
        )
        for rank in (0, 1)
    )
    noises = [(batch.noisy - batch.target).flatten() for batch in (first, second)]
    assert abs(float(torch.corrcoef(torch.stack(noises))[0, 1])) < 0.1


@pytest.mark.usefixtures("every_step")
def test_two_learn_what_one_does(pairs: Path, make_options: OptionsMaker) -> None:
    """The denoiser on pairs draws nothing at random but its batch, so the two agree to rounding."""
    recipe = short_recipe(part="stem", source="pairs", clean_share=0.0, phases=(Phase(0.0, 64, 4),))
    data = DataOptions(pairs=pairs)
    one = make_options("one", steps=8, data=data)
    train(recipe, one, ignore)
    both = make_options("both", steps=8, data=data, data_workers=2)
    ends, codes = two(recipe, both, report_every_step)
    assert (ends, codes) == ({0: "done", 1: "done"}, [0, 0])
    assert losses(both) == pytest.approx(losses(one), abs=2e-3)
    whole, shared = (read_checkpoint(options.run / "checkpoint.safetensors")[2] for options in (one, both))
    for name, tensor in whole.items():
        if name.startswith("model/"):
            torch.testing.assert_close(shared[name], tensor, atol=2e-3, rtol=2e-2, msg=name)


@pytest.mark.usefixtures("every_step")
def test_two_learn_joint_coding_like_one(pairs: Path, make_options: OptionsMaker) -> None:
    recipe = short_recipe(source="pairs", clean_share=0.0, phases=(Phase(0.0, 64, 4),), learning_rate=4e-3)
    data = DataOptions(pairs=pairs)
    one, both = (make_options(name, steps=6, data=data) for name in ("one", "both"))
    train(recipe, one, ignore)
    assert two(recipe, both, report_every_step)[0] == {0: "done", 1: "done"}
    alone, shared = (torch.tensor(losses(options)) for options in (one, both))
    assert float(shared[-4:].mean()) == pytest.approx(float(alone[-4:].mean()), rel=0.05)
    assert float(shared[-4:].mean()) < float(shared[:4].mean())


def test_a_budget_of_minutes_ends_both_after_the_same_step(make_options: OptionsMaker) -> None:
    options = make_options(steps=None, minutes=1 / 60)
    ends, _ = two(short_recipe(phases=(Phase(0.0, 64, 2),)), options, tell_the_last_step)
    assert ends[0] == ends[1]
    assert 1 <= read_checkpoint(options.run / "checkpoint.safetensors")[1]["step"] <= 20


@pytest.mark.parametrize("lost", [0, 1])
def test_a_killed_worker_ends_the_run_with_a_usable_checkpoint(lost: int, make_options: OptionsMaker) -> None:
    options = make_options(steps=8, save_every=0.0, data_workers=1)
    recipe = short_recipe(phases=(Phase(0.0, 64, 2),))
    ends, codes = two(recipe, options, partial(die, lost=lost))
    assert codes[lost] == -signal.SIGKILL
    assert "step 3: process" in ends[1 - lost] and "start again with --resume" in ends[1 - lost]
    checkpoint = options.run / "checkpoint.safetensors"
    assert read_checkpoint(checkpoint)[1]["step"] == 3
    train(recipe, make_options(steps=8, resume=checkpoint), ignore)
    assert read_checkpoint(checkpoint)[1]["step"] == 8


def test_a_batch_that_cannot_be_shared(make_options: OptionsMaker) -> None:
    ends, _ = two(short_recipe(), make_options())  # its second phase has batches of one
    assert all("batches of 1 pictures cannot be shared among 2 processes" in end for end in ends.values())


def test_torchruns_variables_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert team_from_environment() == Team()
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(TrainingError, match="WORLD_SIZE is set, but not RANK"):
        team_from_environment()
    monkeypatch.setenv("LOCAL_RANK", "0")
    for rank, reason in (("x", "invalid literal"), ("2", "RANK 2 of WORLD_SIZE 2")):
        monkeypatch.setenv("RANK", rank)
        with pytest.raises(TrainingError, match=reason):
            team_from_environment()
    monkeypatch.setenv("RANK", "1")
    team = team_from_environment()
    assert team == Team(1, 2, 0, 2)
    assert not team.leads and team.device("cuda") == "cuda:0" and team.device("cpu") == "cpu"
    for size, local_rank in (("0", "0"), ("1", "1")):
        monkeypatch.setenv("LOCAL_WORLD_SIZE", size)
        monkeypatch.setenv("LOCAL_RANK", local_rank)
        with pytest.raises(TrainingError, match=f"LOCAL_RANK {local_rank} of LOCAL_WORLD_SIZE {size}"):
            team_from_environment()
    monkeypatch.setenv("LOCAL_RANK", "0")
    assert team_from_environment() == Team(1, 2, 0, 1)


def test_only_errors_of_communication_are_lost_peers() -> None:
    assert is_lost_peer(RuntimeError("[gloo/transport/tcp/pair.cc] Connection closed by peer [127.0.0.1]"))
    assert is_lost_peer(torch.distributed.DistBackendError("NCCL error"))
    assert not is_lost_peer(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


def test_torchrun_starts_the_command(pictures: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "small.toml"
    recipe.write_text(
        'arch = "autoencoder"\nclean_share = 0.0\nphases = [{ start = 0.0, crop = 64, batch = 4 }]\n'
        'sizes = { width = 8 }\n[noise]\nmodel = "gaussian"\n'
    )
    run = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--no-python", "--"]
    code = "from jdcodec.cli import main; main()"
    words = ["train", recipe, "--data", pictures, "--run", tmp_path / "run", "--steps", "4", "--threads", "1"]
    done = subprocess.run(
        [*run, sys.executable, "-c", code, *map(str, words)],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stdout.splitlines() if "progress 1.0" in line]
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    steps = [figures["step"] for figures in map(json.loads, lines) if "loss" in figures]
    assert steps and steps == sorted(set(steps))  # one process reported
