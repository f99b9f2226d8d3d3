"""The training loop: draw a batch, take a step, average, report, save; stop on time and resume."""

from __future__ import annotations

import math
import signal
import time
import traceback
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor

from jdcodec.allocator import keep_freed_memory
from jdcodec.errors import TrainingError, first_line

from .batches import Batch, Batches, DataOptions, Order, Sources
from .checkpoint import open_checkpoint, restore, save_checkpoint
from .compiling import compiler_failure, compiler_of
from .data import mixed_seed
from .distributed import ALONE, TIMEOUT, Team, is_lost_peer, joined, team_from_environment
from .loss import Loss
from .optim import build_optimizers, fill_state
from .prefetch import Prefetch, is_out_of_memory, share_cores
from .recipe import Recipe
from .run_folder import CHECKPOINT_NAME, METRICS_NAME, RunFolder
from .schedule import Schedule
from .task import build_task

__all__ = ["CHECKPOINT_NAME", "METRICS_NAME", "RunOptions", "Trainer", "train"]

#: A step whose gradient is this many times its usual norm, or not finite, is left out.
_SPIKE = 20.0

#: Seconds between two lines of metrics.
_REPORT_EVERY = 5.0

#: So many such steps in a row end the run.
_MOST_SKIPPED = 50


@dataclass(frozen=True)
class RunOptions:
    """On what, where and for how long.

    The schedule runs over `minutes` of training, or over `steps` if given; without both it is that of the run
    which is resumed, or an hour. A run that lies in `run` already is replaced only with `force`, and one that
    is resumed goes on with other data only with it. What is trained goes through the backend of torch.compile
    that `compile` names. A step takes so many `threads` of a CPU, and batches are made ahead by so many
    `data_workers` besides; with 0 each step makes its own. Where they are None `share_cores` chooses.
    `save_every` and `validate_every` are in seconds, and so is `patience`, for which one of several processes
    waits for the others.
    """

    run: Path
    data: DataOptions = field(default_factory=DataOptions)
    minutes: float | None = None
    steps: int | None = None
    resume: Path | None = None
    start_from: tuple[Path, ...] = ()
    device: str = "cpu"
    threads: int | None = None
    data_workers: int | None = None
    compile: str | None = None
    force: bool = False
    tensorboard: bool = False
    save_every: float = 120.0
    validate_every: float = 600.0
    patience: float = TIMEOUT


def train(
    recipe: Recipe,
    options: RunOptions,
    report: Callable[[dict[str, Any]], None],
    note: Callable[[str], None] = lambda line: None,
) -> Path:
    """Train by a recipe; returns the checkpoint's path.

    `report` gets a dict of figures now and then, `note` a line on what a user should know before it starts.
    Under torchrun this process trains as one of several; the first of them writes and reports. Raises
    TrainingError, before the first step, where data, recipe or checkpoint do not fit.
    """
    try:
        team = team_from_environment()
        trainer = Trainer(recipe, options, report, team, note)  # each finds for itself what does not fit
        with joined(team, trainer.device, options.patience), _graceful_stop() as stop:
            trainer.run(stop)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise TrainingError(
            f"{options.device}: out of memory before the first step; take fewer photographs, which all lie "
            "in it, or a smaller network"
        ) from error
    return trainer.folder.checkpoint


class Trainer:
    """The state of one run."""

    def __init__(
        self,
        recipe: Recipe,
        options: RunOptions,
        report: Callable[[dict[str, Any]], None],
        team: Team = ALONE,
        note: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.note = note if team.leads else lambda line: None
        self.recipe, self.options, self.report, self.team = recipe, options, report, team
        self.device = _device(team.device(options.device))
        self.step, self.elapsed, self.usual_norm, self.skipped = 0, 0.0, 0.0, 0
        self.updating = False
        self.waiting, self.started = 0.0, time.monotonic()
        self.folder = RunFolder(
            options.run,
            recipe,
            resume=options.resume is not None,
            force=options.force,
            tensorboard=options.tensorboard,
            writes=team.leads,
        )
        sources = Sources.find(recipe, options.data)
        self._note(self.folder.check_data(sources.fingerprint()))
        self.data = Batches.load(recipe, sources, self.device, team)
        self._note(self.data.unmeasured())
        wanted = options.threads, options.data_workers
        threads, workers = share_cores(*wanted, self.device, team.local_size)
        torch.set_num_threads(threads)
        if self.device.type == "cpu":
            keep_freed_memory()
        self.makers = Prefetch(self.data.draw, workers, self.device)
        torch.manual_seed(recipe.seed)
        self.task = build_task(recipe, self.device, compiler_of(options.compile))
        self.model = self.task.network
        self.optimizers = build_optimizers(self.model, recipe.optimizer, recipe.learning_rate)
        fill_state(self.optimizers)
        self.schedule = Schedule.choose(options.minutes, options.steps, None)
        if options.resume is None:
            for path in options.start_from:
                self.task.start_from(path)
            if not options.start_from:
                self.task.prepare(self.data)
        self.average = {name: tensor.detach().clone() for name, tensor in self.model.state_dict().items()}
        if options.resume is not None:
            self._resume(options.resume)
        self.forward: Callable[..., Any] = self.task

    def run(self, stop: Callable[[], bool]) -> None:
        """Steps until the budget is used or `stop()` says so; always leaves a checkpoint."""
        self.forward = self.team.wrapped(self.task, self.device)
        self.task.begin(self.data)
        self.folder.start(self.step)
        if not self.folder.checkpoint.exists():
            self.save()
        self.save()  # beside the old one, as later: a disk without room is found out now and not in an hour
        try:
            with closing(self.makers):
                self._steps(stop)
            self.save()
            self.validate()
        except TrainingError:
            self.save()  # without batch or usable gradients, the weights are those of the last whole step
            raise
        except (RuntimeError, MemoryError) as error:
            reason = self._reason(error)
            if reason is None:
                raise
            traceback.clear_frames(error.__traceback__)  # what the step had made takes memory
            self._save_what_is_whole()
            raise TrainingError(f"step {self.step}: {reason}") from error
        self.folder.close()

    def _reason(self, error: RuntimeError | MemoryError) -> str | None:
        """What to say of an error within a step that the surroundings caused; None of a bug."""
        saved = self.folder.checkpoint
        if is_out_of_memory(error):
            phase = self.data.order(self.step, self.progress()).phase
            return (
                f"out of memory on {self.device} with {phase.batch} crops of {phase.crop} pixels; {saved} is "
                "usable: free memory and --resume, or give the recipe's phases a smaller batch or crop and "
                "--start-from it in another --run"
            )
        if self.team.size > 1 and is_lost_peer(error):
            return (
                f"process {self.team.rank} of {self.team.size} has lost another one; {saved} is usable: "
                "start again with --resume"
            )
        return compiler_failure(error) if self.options.compile is not None else None

    def _save_what_is_whole(self) -> None:
        """Save, unless weights are half changed or memory is short for that too: the last file stays then."""
        if self.updating:
            return
        try:
            self.save()
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise

    def _steps(self, stop: Callable[[], bool]) -> None:
        self.started = time.monotonic() - self.elapsed
        last_saved = last_validated = last_reported = time.monotonic()
        recent: list[Loss] = []
        while self._goes_on(stop):
            recent.append(self._train_step())
            now = time.monotonic()
            self.elapsed = now - self.started
            if now - last_reported >= _REPORT_EVERY:
                self._log(recent, now - last_reported)
                recent, last_reported = [], now
            if now - last_saved >= self.options.save_every:
                self.save()
                last_saved = time.monotonic()
            if now - last_validated >= self.options.validate_every:
                self.validate()
                last_validated = time.monotonic()
        if recent:
            self._log(recent, max(time.monotonic() - last_reported, 1e-9))

    def _goes_on(self, stop: Callable[[], bool]) -> bool:
        """Whether there is another step; all processes get the same answer, and the same time spent."""
        self.elapsed, asked = self.team.most(self.elapsed, float(stop()))
        return self.progress() < 1 and not asked

    def progress(self, ahead: int = 0) -> float:
        """Share of the schedule that is done, 0 to 1, or will be `ahead` steps later as far as is known."""
        return self.schedule.progress(self.step + ahead, self.elapsed)

    def save(self) -> None:
        progress: dict[str, Any] = {"step": self.step, "elapsed": self.elapsed, "usual_norm": self.usual_norm}
        progress |= {"recipe": self.recipe.name, "part": self.recipe.part, "skipped": self.skipped}
        progress |= self.schedule.to_progress()
        if self.team.leads:
            architecture = self.task.architecture
            save_checkpoint(
                self.folder.checkpoint, self.model, self.average, self.optimizers, progress, architecture
            )

    def validate(self) -> None:
        """Rate and quality of the averaged weights on held-out photographs."""
        validation = self.data.validation
        if validation is None or not self.team.leads:
            return
        task = build_task(self.recipe, self.device)
        task.network.load_state_dict(self.average)
        task.take_fitted(self.task)
        self._write({"step": self.step, "validation": validation.measure(task)})
        self.folder.write_sample(self.step, validation.sheet(task))

    def _batch(self) -> Batch:
        started = time.monotonic()
        batch = self.makers.take(self._orders())
        self.waiting += time.monotonic() - started
        return batch

    def _orders(self) -> list[Order]:
        """Of the batch of this step, and of those of the next steps as far as is known."""
        known = [(ahead, self.progress(ahead)) for ahead in range(self.makers.ahead + 1)]
        return [self.data.order(self.step + n, progress) for n, progress in known if n == 0 or progress < 1]

    def _train_step(self) -> Loss:
        rate = self._learning_rate()
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] * rate
        batch = self._batch()
        seed = mixed_seed(self.recipe.seed, self.step, "latents", *self.team.own)  # for their uniform noise
        torch.manual_seed(seed)
        loss = self._loss(batch)
        loss.total.backward()  # type: ignore[no-untyped-call]
        norm = float(torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip))
        loss = replace(loss, total=self.team.mean(loss.total))
        if self._is_sane(norm, loss.total):
            self.updating = True
            for optimizer in self.optimizers:
                optimizer.step()
            self._update_average()
            self.updating = False
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
        self.step += 1
        return loss

    def _loss(self, batch: Batch) -> Loss:
        loss: Loss = self.forward(batch.noisy, batch.target, batch.strength, batch.t)
        return loss

    def _is_sane(self, norm: float, loss: Tensor) -> bool:
        """Whether a gradient, of this norm and this loss, is fit to be used; TrainingError when few are."""
        cap = self.recipe.loss_cap
        usual = self.usual_norm or norm
        spike = self.step > 100 and norm > _SPIKE * usual
        if not math.isfinite(norm) or spike or (cap is not None and not float(loss) < cap):
            self.skipped += 1
            if self.skipped > _MOST_SKIPPED:
                raise TrainingError(
                    f"step {self.step}: the last {self.skipped} gradients were not usable; the checkpoint "
                    "has the weights from before them: --start-from it with a lower learning rate"
                )
            return False
        self.skipped = 0
        self.usual_norm = 0.99 * usual + 0.01 * norm
        return True

    def _learning_rate(self) -> float:
        return self.schedule.learning_rate(self.recipe, self.step, self.elapsed)

    @torch.no_grad()
    def _update_average(self) -> None:
        keep = min(self.recipe.ema, (1 + self.step) / (10 + self.step))
        state = self.model.state_dict()
        counts = [name for name, tensor in self.average.items() if not tensor.is_floating_point()]
        for name in counts:
            self.average[name].copy_(state[name])
        means = self.average.keys() - counts
        torch._foreach_lerp_(
            [self.average[name] for name in means], [state[name] for name in means], 1 - keep
        )

    def _resume(self, path: Path) -> None:
        checkpoint = open_checkpoint(path)
        self.task.check(checkpoint, path)
        restore(checkpoint.tensors, self.model, self.average, self.optimizers, str(path))
        progress = checkpoint.progress
        try:
            self.step, self.elapsed = progress["step"], progress["elapsed"]
            self.usual_norm, self.skipped = progress["usual_norm"], progress.get("skipped", 0)
            before = Schedule.of_progress(progress)
        except KeyError as error:
            raise TrainingError(f"{path}: a checkpoint that lacks {error}") from error
        except ValueError as error:
            raise TrainingError(f"{path}: a checkpoint with {error}") from error
        self.schedule = Schedule.choose(self.options.minutes, self.options.steps, before)
        self._note(self.schedule.change_from(before, self.recipe, self.step, self.elapsed))

    def _log(self, recent: list[Loss], seconds: float) -> None:
        """Means over the recent steps; `data_share` is the part of their time that they waited for data."""
        mean = {
            "loss": torch.stack([loss.total.detach() for loss in recent]).mean(),
            "bpp": torch.cat([loss.bpp for loss in recent]).mean(),
            "psnr": -10 * torch.log10(torch.cat([loss.mse for loss in recent])).mean(),
            "stem_psnr": -10 * torch.log10(torch.cat([loss.stem_mse for loss in recent]) + 1e-6).mean(),
        }
        mean |= {name: torch.stack([loss.terms[name] for loss in recent]).mean() for name in recent[0].terms}
        mean = {name: value for name, value in mean.items() if torch.isfinite(value)}
        figures: dict[str, Any] = {name: round(float(value), 4) for name, value in mean.items()}
        figures |= {
            "step": self.step,
            "steps_per_second": round(len(recent) / seconds, 2),
            "data_share": round(min(1.0, self.waiting / seconds), 3),
            "progress": round(self.progress(), 4),
        }
        if self.skipped:
            figures["skipped"] = self.skipped
        self.waiting = 0.0
        self._write(figures)

    def _note(self, line: str | None) -> None:
        if line is not None:
            self.note(line)

    def _write(self, figures: dict[str, Any]) -> None:
        if self.team.leads:
            self.folder.write(figures)
            self.report(figures)


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise TrainingError(f"device {name!r} cannot be used: {first_line(error)}") from error
    return device


class _graceful_stop:
    """Within it, the first SIGINT or SIGTERM asks the loop to stop after its step; the next ends at once."""

    def __enter__(self) -> Callable[[], bool]:
        self.asked = False
        self.old = {number: signal.signal(number, self._ask) for number in (signal.SIGINT, signal.SIGTERM)}
        return lambda: self.asked

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    def __exit__(self, *exception: object) -> None:
        for number, handler in self.old.items():
            signal.signal(number, handler)
