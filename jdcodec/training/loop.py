"""The training loop: draw a batch, take a step, average, report, save; stop on time and resume."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor

from jdcodec.errors import TrainingError
from jdcodec.model.config import CONFIGS
from jdcodec.model.network import JointCodec

from .batches import Batch, Batches, DataOptions
from .checkpoint import read_averaged, read_checkpoint, restore, save_checkpoint
from .data import mixed_seed
from .loss import Loss, joint_loss, rate_distortion_loss, stem_loss
from .optim import build_optimizers
from .recipe import Phase, Recipe
from .run_folder import CHECKPOINT_NAME, METRICS_NAME, RunFolder

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

    The schedule runs over `minutes` of training, or over `steps` if given. A run that lies in `run` already
    is replaced only with `force`. `save_every` and `validate_every` are in seconds.
    """

    run: Path
    data: DataOptions = field(default_factory=DataOptions)
    minutes: float = 60.0
    steps: int | None = None
    resume: Path | None = None
    start_from: tuple[Path, ...] = ()
    device: str = "cpu"
    threads: int | None = None
    compile: bool = False
    force: bool = False
    tensorboard: bool = False
    save_every: float = 120.0
    validate_every: float = 600.0


def train(recipe: Recipe, options: RunOptions, report: Callable[[dict[str, Any]], None]) -> Path:
    """Train by a recipe; returns the checkpoint's path. `report` gets a dict of figures now and then.

    Raises TrainingError, before the first step, where data, recipe or checkpoint do not fit.
    """
    if options.threads:
        torch.set_num_threads(options.threads)
    try:
        trainer = Trainer(recipe, options, report)
        with _graceful_stop() as stop:
            trainer.run(stop)
    except torch.OutOfMemoryError as error:
        raise TrainingError(f"{options.device}: out of memory; take smaller batches or crops") from error
    return trainer.folder.checkpoint


class Trainer:
    """The state of one run."""

    def __init__(self, recipe: Recipe, options: RunOptions, report: Callable[[dict[str, Any]], None]) -> None:
        self.recipe, self.options, self.report = recipe, options, report
        self.device = _device(options.device)
        self.step, self.elapsed, self.usual_norm, self.skipped = 0, 0.0, 0.0, 0
        self.drawing = 0.0
        resume, tensorboard = options.resume is not None, options.tensorboard
        self.folder = RunFolder(
            options.run, recipe, resume=resume, force=options.force, tensorboard=tensorboard
        )
        self.data = Batches.open(recipe, options.data, self.device)
        torch.manual_seed(recipe.seed)
        self.model = JointCodec(CONFIGS[recipe.arch]).channels_last(self.device)
        self.average = {name: tensor.detach().clone() for name, tensor in self.model.state_dict().items()}
        self.optimizers = build_optimizers(self.model, recipe.optimizer, recipe.learning_rate)
        if options.resume is not None:
            self._resume(options.resume)
        elif options.start_from:
            self._start_from(options.start_from)
        else:
            self._start_scales()
        self.forward: Callable[..., Any] = torch.compile(self.model) if options.compile else self.model

    def run(self, stop: Callable[[], bool]) -> None:
        """Steps until the budget is used or `stop()` says so; always leaves a checkpoint."""
        self.folder.start(self.step)
        self.save()  # a disk that cannot hold the checkpoint is found out now and not in an hour
        try:
            self._steps(stop)
        except TrainingError:
            self.save()  # gradients that could not be used have left the weights as they were
            raise
        self.save()
        self.validate()
        self.folder.close()

    def _steps(self, stop: Callable[[], bool]) -> None:
        started = time.monotonic() - self.elapsed
        last_saved = last_validated = last_reported = time.monotonic()
        recent: list[Loss] = []
        while self.progress() < 1 and not stop():
            recent.append(self._train_step())
            now = time.monotonic()
            self.elapsed = now - started
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

    def progress(self) -> float:
        """Share of the schedule that is done, 0 to 1."""
        if self.options.steps is not None:
            return min(1.0, self.step / self.options.steps)
        return min(1.0, self.elapsed / (60.0 * self.options.minutes))

    def phase(self) -> Phase:
        progress = self.progress()
        return [phase for phase in self.recipe.phases if phase.start <= progress][-1]

    def save(self) -> None:
        progress: dict[str, Any] = {"step": self.step, "elapsed": self.elapsed, "usual_norm": self.usual_norm}
        progress |= {"recipe": self.recipe.name, "part": self.recipe.part, "skipped": self.skipped}
        save_checkpoint(
            self.folder.checkpoint, self.model, self.average, self.optimizers, progress, self.model.config
        )

    def validate(self) -> None:
        """Rate and quality of the averaged weights on held-out photographs."""
        validation = self.data.validation
        if validation is None:
            return
        model = JointCodec(self.model.config).channels_last(self.device)
        model.load_state_dict(self.average)
        self._write({"step": self.step, "validation": validation.measure(model)})
        self.folder.write_sample(self.step, validation.sheet(model))

    def _batch(self) -> Batch:
        started = time.monotonic()
        batch = self.data.draw(self.step, self.phase(), self.progress())
        self.drawing += time.monotonic() - started
        return batch

    def _train_step(self) -> Loss:
        rate = self._learning_rate()
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] * rate
        batch = self._batch()
        noisy = batch.noisy.contiguous(memory_format=torch.channels_last)
        torch.manual_seed(mixed_seed(self.recipe.seed, self.step, "latents"))  # their uniform noise
        loss = self._loss(noisy, batch.target, batch.strength, batch.t)
        loss.total.backward()  # type: ignore[no-untyped-call]
        norm = float(torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip))
        if self._is_sane(norm):
            for optimizer in self.optimizers:
                optimizer.step()
            self._update_average()
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
        self.step += 1
        return loss

    def _loss(self, noisy: Tensor, clean: Tensor, strength: Tensor, t: Tensor) -> Loss:
        nothing = torch.empty(0, device=self.device)
        with torch.autocast(self.device.type, dtype=torch.bfloat16):
            if self.recipe.part == "stem":
                denoised = noisy - self.model.denoiser(noisy).float()
                total, stem_mse = stem_loss(denoised, clean)
                return Loss(total, nothing, nothing, stem_mse)
            if self.recipe.part == "codec":
                decoded, latent_bits, hyper_bits = self.model.code(noisy, t)
                bits = latent_bits + hyper_bits
                total, bpp, mse = rate_distortion_loss(decoded, bits, noisy, t, self.recipe.loss)
                return Loss(total, bpp, mse, nothing)
            out = self.forward(noisy, strength, t)
        return joint_loss(out, noisy, clean, strength, t, self.recipe.stem_weight, self.recipe.loss)

    def _is_sane(self, norm: float) -> bool:
        """Whether a gradient is fit to be used; TrainingError when hardly any are."""
        usual = self.usual_norm or norm
        if not math.isfinite(norm) or (self.step > 100 and norm > _SPIKE * usual):
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
        """Warm-up, then cosine to the final rate."""
        cosine = 0.5 * (1 + math.cos(math.pi * self.progress()))
        warmup = min(1.0, (self.step + 1) / self.recipe.warmup_steps)
        return warmup * (self.recipe.final_rate + (1 - self.recipe.final_rate) * cosine)

    @torch.no_grad()
    def _update_average(self) -> None:
        keep = min(self.recipe.ema, (1 + self.step) / (10 + self.step))
        state = self.model.state_dict()
        torch._foreach_lerp_(list(self.average.values()), [state[name] for name in self.average], 1 - keep)

    @torch.no_grad()
    def _start_scales(self) -> None:
        clean = self.data.clean(32, min(128, *(phase.crop for phase in self.recipe.phases)))
        y = self.model.analysis(clean, torch.zeros(32, device=self.device))
        self.model.entropy.scale.start_from(y)
        self.average = {name: tensor.detach().clone() for name, tensor in self.model.state_dict().items()}

    def _resume(self, path: Path) -> None:
        config, progress, tensors = read_checkpoint(path)
        if config != self.model.config:
            raise TrainingError(
                f"{path}: holds a {config.name} network of other sizes than {self.recipe.arch}"
            )
        restore(tensors, self.model, self.average, self.optimizers, str(path))
        self.step, self.elapsed = progress["step"], progress["elapsed"]
        self.usual_norm, self.skipped = progress["usual_norm"], progress.get("skipped", 0)

    def _start_from(self, paths: Sequence[Path]) -> None:
        """Averaged or exported weights of other runs, from each the part that it trained."""
        for path in paths:
            config, part, averaged = read_averaged(path)
            if config != self.model.config:
                raise TrainingError(f"{path}: holds a network of other sizes than {self.recipe.arch}")
            if part != "all":
                wants_stem = part == "stem"
                averaged = {n: v for n, v in averaged.items() if n.startswith("denoiser.") == wants_stem}
            self.model.load_state_dict(averaged, strict=False)
        self.average = {name: tensor.detach().clone() for name, tensor in self.model.state_dict().items()}

    def _log(self, recent: list[Loss], seconds: float) -> None:
        """Means over the recent steps; `data_share` is the part of their time that drawing batches took."""
        mean = {
            "loss": torch.stack([loss.total.detach() for loss in recent]).mean(),
            "bpp": torch.cat([loss.bpp for loss in recent]).mean(),
            "psnr": -10 * torch.log10(torch.cat([loss.mse for loss in recent])).mean(),
            "stem_psnr": -10 * torch.log10(torch.cat([loss.stem_mse for loss in recent]) + 1e-6).mean(),
        }
        mean = {name: value for name, value in mean.items() if torch.isfinite(value)}
        figures: dict[str, Any] = {name: round(float(value), 4) for name, value in mean.items()}
        figures |= {
            "step": self.step,
            "steps_per_second": round(len(recent) / seconds, 2),
            "data_share": round(min(1.0, self.drawing / seconds), 3),
            "progress": round(self.progress(), 4),
        }
        if self.skipped:
            figures["skipped"] = self.skipped
        self.drawing = 0.0
        self._write(figures)

    def _write(self, figures: dict[str, Any]) -> None:
        self.folder.write(figures)
        self.report(figures)


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise TrainingError(f"device {name!r} cannot be used: {str(error).splitlines()[0]}") from error
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
