"""The training loop: draw a batch, take a step, average, report, save; stop on time and resume."""

from __future__ import annotations

import json
import math
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor

from jdcodec.errors import TrainingError
from jdcodec.model.config import CONFIGS
from jdcodec.model.network import JointCodec

from .checkpoint import read_checkpoint, restore, save_checkpoint, section
from .data import find_photographs, hold_out, load_photographs, random_crops
from .loss import Loss, joint_loss, rate_distortion_loss, stem_loss
from .optim import build_optimizers
from .recipe import Phase, Recipe
from .validation import Validation

CHECKPOINT_NAME = "checkpoint.safetensors"
METRICS_NAME = "metrics.jsonl"

#: A step whose gradient is this many times its usual norm, or not finite, is left out.
_SPIKE = 20.0


@dataclass(frozen=True)
class RunOptions:
    """Where and for how long. The schedule runs over `minutes` of training, or over `steps` if given."""

    data: Path
    run: Path
    minutes: float = 60.0
    steps: int | None = None
    resume: Path | None = None
    start_from: tuple[Path, ...] = ()
    device: str = "cpu"
    threads: int | None = None
    compile: bool = False
    save_every: float = 120.0
    validate_every: float = 600.0


def train(recipe: Recipe, options: RunOptions, report: Callable[[dict[str, Any]], None]) -> Path:
    """Train by a recipe; returns the checkpoint's path. `report` gets a dict of figures now and then.

    Raises TrainingError, before the first step, where data, recipe or checkpoint do not fit.
    """
    if options.threads:
        torch.set_num_threads(options.threads)
    trainer = Trainer(recipe, options, report)
    with _graceful_stop() as stop:
        trainer.run(stop)
    return trainer.checkpoint


class Trainer:
    """The state of one run."""

    def __init__(self, recipe: Recipe, options: RunOptions, report: Callable[[dict[str, Any]], None]) -> None:
        self.recipe, self.options, self.report = recipe, options, report
        self.device = torch.device(options.device)
        self.step, self.elapsed, self.usual_norm, self.skipped = 0, 0.0, 0.0, 0
        paths, held_out = hold_out(find_photographs(options.data), recipe.hold_out_every)
        largest = max(phase.crop for phase in recipe.phases)
        self.photographs = [p.to(self.device) for p in load_photographs(paths, largest)]
        self.validation = Validation(load_photographs(held_out, 256), self.device) if held_out else None
        torch.manual_seed(recipe.seed)
        self.model = JointCodec(CONFIGS[recipe.arch]).channels_last(self.device)
        self.average = {name: tensor.detach().clone() for name, tensor in self.model.state_dict().items()}
        self.optimizers = build_optimizers(self.model, recipe.optimizer, recipe.learning_rate)
        options.run.mkdir(parents=True, exist_ok=True)
        self.checkpoint = options.run / CHECKPOINT_NAME
        if options.resume is not None:
            self._resume(options.resume)
        elif options.start_from:
            self._start_from(options.start_from)
        else:
            self._start_scales()
        self.forward: Callable[..., Any] = torch.compile(self.model) if options.compile else self.model

    def run(self, stop: Callable[[], bool]) -> None:
        """Steps until the budget is used or `stop()` says so; always leaves a checkpoint."""
        started = time.monotonic() - self.elapsed
        last_saved = last_validated = last_reported = time.monotonic()
        recent: list[Loss] = []
        while self.progress() < 1 and not stop():
            loss = self._train_step()
            recent.append(loss)
            now = time.monotonic()
            self.elapsed = now - started
            if now - last_reported >= 5:
                self._log(recent, len(recent) / (now - last_reported))
                recent, last_reported = [], now
            if now - last_saved >= self.options.save_every:
                self.save()
                last_saved = time.monotonic()
            if now - last_validated >= self.options.validate_every:
                self.validate()
                last_validated = time.monotonic()
        if recent:
            self._log(recent, len(recent) / max(time.monotonic() - last_reported, 1e-9))
        self.save()
        self.validate()

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
        progress |= {"recipe": self.recipe.name, "part": self.recipe.part}
        save_checkpoint(
            self.checkpoint, self.model, self.average, self.optimizers, progress, self.model.config
        )

    def validate(self) -> None:
        """Rate and quality of the averaged weights on held-out photographs."""
        if self.validation is None:
            return
        model = JointCodec(self.model.config).channels_last(self.device)
        model.load_state_dict(self.average)
        self._write({"step": self.step, "validation": self.validation.measure(model)})

    def _batch(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(noisy, clean, strength, t), drawn from seed and step alone, so that a resume repeats it."""
        recipe, phase = self.recipe, self.phase()
        seed = (recipe.seed << 40) + self.step
        cpu_generator = torch.Generator().manual_seed(seed)
        generator = torch.Generator(self.device).manual_seed(seed + 1)
        clean = random_crops(self.photographs, phase.batch, phase.crop, cpu_generator, self.device)
        if recipe.part == "codec":
            noisy, clean_target = clean, clean
        else:
            noisy, clean_target = recipe.noise(clean, generator)
        unit = torch.rand(4, phase.batch, device=self.device, generator=generator)
        keep_clean = (unit[0] < recipe.clean_share)[:, None, None, None]
        noisy = torch.where(keep_clean, clean, noisy)
        clean_target = torch.where(keep_clean, clean, clean_target)
        strength = torch.where(unit[1] < recipe.full_strength_share, torch.ones_like(unit[1]), unit[2])
        t = unit[3]
        if self.progress() < recipe.high_rates_first:
            t = t.sqrt()
        return noisy, clean_target, strength, t

    def _train_step(self) -> Loss:
        rate = self._learning_rate()
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] * rate
        noisy, clean, strength, t = self._batch()
        noisy = noisy.contiguous(memory_format=torch.channels_last)
        torch.manual_seed((self.recipe.seed << 40) + self.step)  # the uniform noise on the latents
        loss = self._loss(noisy, clean, strength, t)
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
                total, bpp, mse = rate_distortion_loss(decoded, latent_bits + hyper_bits, noisy, t)
                return Loss(total, bpp, mse, nothing)
            out = self.forward(noisy, strength, t)
        return joint_loss(out, noisy, clean, strength, t, self.recipe.stem_weight)

    def _is_sane(self, norm: float) -> bool:
        """Whether a gradient is fit to be used; TrainingError when hardly any are."""
        usual = self.usual_norm or norm
        if not math.isfinite(norm) or (self.step > 100 and norm > _SPIKE * usual):
            self.skipped += 1
            if self.skipped > 50:
                raise TrainingError(f"step {self.step}: gradients are not usable; lower the learning rate")
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
        generator = torch.Generator().manual_seed(self.recipe.seed)
        crop = min(phase.crop for phase in self.recipe.phases)
        clean = random_crops(self.photographs, 32, crop, generator, self.device)
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
        self.usual_norm = progress["usual_norm"]

    def _start_from(self, paths: Sequence[Path]) -> None:
        """Averaged weights of other runs, from each the part that it trained; a new schedule."""
        for path in paths:
            config, progress, tensors = read_checkpoint(path)
            if config != self.model.config:
                raise TrainingError(f"{path}: holds a network of other sizes than {self.recipe.arch}")
            averaged = section(tensors, "average")
            if progress["part"] != "all":
                wants_stem = progress["part"] == "stem"
                averaged = {n: v for n, v in averaged.items() if n.startswith("denoiser.") == wants_stem}
            self.model.load_state_dict(averaged, strict=False)
        self.average = {name: tensor.detach().clone() for name, tensor in self.model.state_dict().items()}

    def _log(self, recent: list[Loss], speed: float) -> None:
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
            "steps_per_second": round(speed, 2),
            "progress": round(self.progress(), 4),
        }
        self._write(figures)

    def _write(self, figures: dict[str, Any]) -> None:
        with (self.options.run / METRICS_NAME).open("a", encoding="utf-8") as file:
            file.write(json.dumps(figures) + "\n")
        self.report(figures)


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
