"""`jdc train`: train a network by a recipe, and export its weights."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import typer

from jdcodec.errors import TrainingError


def train(
    recipe: str = typer.Argument("jdc", help="Name of a shipped recipe, or a TOML file."),
    data: Path | None = typer.Option(
        None, "--data", help="Folder of clean photographs. [default: $JDC_DATA/clean]"
    ),
    run: Path = typer.Option(Path("runs/jdc"), "--run", help="Folder for checkpoint and metrics."),
    max_minutes: float = typer.Option(60.0, "--max-minutes", min=0.01, help="Time budget of the schedule."),
    steps: int | None = typer.Option(None, "--steps", min=1, help="Schedule by steps instead of time."),
    resume: bool = typer.Option(False, "--resume", help="Go on with the checkpoint in the run's folder."),
    start_from: list[Path] = typer.Option(
        [], "--start-from", help="Checkpoint or weights to start a new schedule from; repeatable."
    ),
    export: Path | None = typer.Option(None, "--export", help="Write a weights file at the end."),
    device: str = typer.Option("cpu", "--device", help="cpu, cuda, …"),
    threads: int | None = typer.Option(None, "--threads", min=1, help="CPU threads."),
    compile: bool = typer.Option(False, "--compile", help="Compile the network first (CUDA)."),
    list_recipes: bool = typer.Option(False, "--list", help="List the shipped recipes and leave."),
) -> None:
    """Train a network on clean photographs with made camera noise.

    jdc train jdc --data photos/ --run runs/first --max-minutes 30 --export mine.safetensors
    """
    from jdcodec.training.recipe import load_recipe, shipped_recipes

    if list_recipes:
        for name in shipped_recipes():
            typer.echo(f"{name:<12} {load_recipe(name).description}")
        return
    folder = data or _default_data()
    loaded = load_recipe(recipe)
    from jdcodec.training.loop import CHECKPOINT_NAME, RunOptions
    from jdcodec.training.loop import train as run_training

    options = RunOptions(
        data=folder,
        run=run,
        minutes=max_minutes,
        steps=steps,
        resume=run / CHECKPOINT_NAME if resume else None,
        start_from=tuple(start_from),
        device=device,
        threads=threads,
        compile=compile,
    )
    checkpoint = run_training(loaded, options, _print_progress)
    if export is not None:
        from jdcodec.training.export import export_checkpoint

        identity = export_checkpoint(checkpoint, folder, export, lambda line: typer.echo(line))
        typer.echo(f"{export}: model {identity.hex()}")


def _default_data() -> Path:
    root = os.environ.get("JDC_DATA")
    if not root:
        raise TrainingError("no photographs to train on: name a folder with --data, or set JDC_DATA")
    return Path(root) / "clean"


def _print_progress(figures: dict[str, Any]) -> None:
    words = (f"{name} {value}" for name, value in figures.items())
    typer.echo("  ".join(words))
