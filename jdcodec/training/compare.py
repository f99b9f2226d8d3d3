"""The papers' strategies side by side: same photographs, same start, same time.

    python -m jdcodec.training.compare photos/ --work comparison --minutes 60 -o table.md

Every tenth photograph is set apart and only measured on. The others get noisy copies (`jdc data noise`),
which are indexed as pairs; a denoiser makes the targets of jdc-ud. A comparison that was cut off goes on
where it was when it is started again with the same folder.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from jdcodec.atomic import atomic_output, check_output
from jdcodec.errors import JdcError, TrainingError

from .batches import DataOptions
from .checkpoint import open_checkpoint, section
from .data import find_photographs, hold_out
from .denoisers import open_denoiser
from .index import INDEX_NAME, PairIndex, write_index
from .loop import CHECKPOINT_NAME, RunOptions, train
from .noise import CameraNoise
from .pairs import find_pairs
from .prepare import write_denoised, write_noisy
from .recipe import Recipe, load_recipe
from .task import build_task
from .validation import Validation

STRATEGIES = ("standard", "jdc-n", "jdc-cn", "jdc-cn.8", "jdc-ud", "jdc")
_APART = 10


def prepare(photographs: Path, work: Path, denoiser: Path | None, crop: int, device: str) -> None:
    """Training and test photographs, their noisy copies and indexes, below `work`; what is there is kept.

    Raises TrainingError, OutputError.
    """
    kept, apart = hold_out(find_photographs(photographs), _APART)
    if not apart:
        raise TrainingError(f"{photographs}: {_APART} photographs are needed, one of them to measure on")
    for part, paths in (("train", kept), ("test", apart)):
        if (work / f"{part}-index" / INDEX_NAME).exists():
            continue
        for path in paths:
            _link(path, work / part / path.relative_to(photographs))
        noisy = work / f"{part}-noisy"
        write_noisy(work / part, noisy, CameraNoise(), seed=0, force=True, report=_quiet)
        write_index(*find_pairs(noisy, "pairs"), work / f"{part}-index", crop=crop, force=True)
    if denoiser is not None and not (work / "denoised-index" / INDEX_NAME).exists():
        network = open_denoiser(denoiser, device)
        write_denoised(work / "train-noisy", work / "denoised", network, force=True, report=_quiet)
        pairs = find_pairs(work / "denoised", "denoised")
        write_index(*pairs, work / "denoised-index", crop=crop, force=True)


@dataclass(frozen=True)
class Budget:
    """What each strategy gets: so many steps, or minutes where `steps` is None, from the same weights."""

    minutes: float
    steps: int | None = None
    start_from: tuple[Path, ...] = ()
    device: str = "cpu"
    threads: int | None = None


def run(recipe: Recipe, work: Path, budget: Budget) -> Path:
    """Train by one recipe on what `prepare` made, or go on with it; returns the checkpoint."""
    index = work / ("denoised-index" if recipe.targets == "denoised" else "train-index")
    folder = work / "runs" / recipe.name
    checkpoint = folder / CHECKPOINT_NAME
    options = RunOptions(
        run=folder,
        data=DataOptions(work / "train", index if recipe.source == "pairs" else None),
        minutes=budget.minutes,
        steps=budget.steps,
        resume=checkpoint if checkpoint.exists() else None,
        start_from=budget.start_from,
        device=budget.device,
        threads=budget.threads,
    )
    return train(recipe, options, _tell, lambda line: typer.echo(line, err=True))


def measure(recipe: Recipe, checkpoint: Path, work: Path, device: str) -> dict[str, list[float]]:
    """`Validation.measure` of averaged weights on the photographs that were set apart."""
    place = torch.device(device)
    task = build_task(recipe, place)
    task.network.load_state_dict(section(open_checkpoint(checkpoint).tensors, "average"))
    return Validation.of_pairs(PairIndex.open(work / "test-index"), place).measure(task)


def table(results: dict[str, dict[str, list[float]]], steps: dict[str, int]) -> str:
    """Markdown: bpp and PSNR in dB against the clean picture, of noisy and of clean input, at each rate."""
    columns = [name for name in next(iter(results.values())) if "@" in name]
    columns.sort(key=lambda name: name.startswith("clean"))  # noisy first; the sort keeps the rates' order
    heads = [f"{kind} input, {rate}" for kind, _, rate in (name.partition("@") for name in columns)]
    lines = ["| strategy | steps | " + " | ".join(heads) + " |", "|---|--:|" + "--:|" * len(heads)]
    for name, figures in results.items():
        cells = (f"{bpp:.3f} bpp, {psnr:.2f} dB" for bpp, psnr in (figures[column] for column in columns))
        lines.append(f"| {name} | {steps[name]} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def compare(
    photographs: Annotated[Path, typer.Argument(help="Folder of clean photographs, ten or more.")],
    work: Annotated[Path, typer.Option(help="Folder for data and runs.")] = Path("comparison"),
    minutes: Annotated[float, typer.Option(min=0.01, help="Budget of each strategy.")] = 60.0,
    steps: Annotated[int | None, typer.Option(min=1, help="A budget in steps instead.")] = None,
    start_from: Annotated[
        list[Path] | None, typer.Option(help="Checkpoint or weights that all begin with; repeatable.")
    ] = None,
    strategies: Annotated[str, typer.Option(help="Recipes, with commas.")] = ",".join(STRATEGIES),
    denoiser: Annotated[
        Path | None,
        typer.Option(help="Checkpoint or weights that make jdc-ud's targets; without, it is left out."),
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the table here too.")] = None,
    arch: Annotated[str | None, typer.Option(help="Network instead of the recipes'.")] = None,
    weight: Annotated[float | None, typer.Option("--lambda", help="As jdc train has it.")] = None,
    crop: Annotated[int, typer.Option(help="Side of the indexed crops, a multiple of 64.")] = 256,
    device: Annotated[str, typer.Option(help="cpu, cuda, …")] = "cpu",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
) -> None:
    """Train the papers' strategies for an equal budget each and print a Markdown table.

    Rates are estimated by the networks. 0, 0.5 and 1 are places on the quality scale, low to high.
    """
    names = [name.strip() for name in strategies.split(",")]
    recipes = [load_recipe(name, arch=arch, weight=weight) for name in names]
    if output is not None:
        check_output(output, force=False)
    if denoiser is None and any(recipe.targets == "denoised" for recipe in recipes):
        recipes = [recipe for recipe in recipes if recipe.targets != "denoised"]
        typer.echo("jdc-ud is left out: it needs --denoiser", err=True)
    prepare(photographs, work, denoiser, crop, device)
    budget = Budget(minutes, steps, tuple(start_from or ()), device, threads)
    results, counts = {}, {}
    for recipe in recipes:
        typer.echo(f"training {recipe.name}", err=True)
        checkpoint = run(recipe, work, budget)
        results[recipe.name] = measure(recipe, checkpoint, work, device)
        counts[recipe.name] = open_checkpoint(checkpoint).progress["step"]
    text = table(results, counts)
    typer.echo(text, nl=False)
    if output is not None:
        with atomic_output(output, force=False) as file:
            file.write(text.encode())


def _link(source: Path, target: Path) -> None:
    """The file under another name, copied where the disk cannot link it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        return
    try:
        os.link(source, target)
    except OSError:
        with contextlib.suppress(FileExistsError):
            shutil.copyfile(source, target)


def _quiet(done: int, total: int) -> None:
    """No progress."""


def _tell(figures: dict[str, Any]) -> None:
    shown: Sequence[str] = ("step", "progress", "loss")
    if "loss" in figures:
        typer.echo("  ".join(f"{name} {figures[name]}" for name in shown), err=True)


if __name__ == "__main__":
    try:
        typer.run(compare)
    except JdcError as error:
        raise SystemExit(f"compare: {error}") from None
