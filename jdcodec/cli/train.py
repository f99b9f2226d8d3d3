"""`jdc train`: train a network by a recipe, and export its weights."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

_DATA = "Data"
_MACHINE = "Machine"


def train(
    recipe: Annotated[
        str, typer.Argument(metavar="RECIPE", help="Name of a shipped recipe (--list), or a TOML file.")
    ] = "jdc",
    arch: Annotated[
        str | None,
        typer.Option(
            metavar="NETWORK",
            help="Network instead of the recipe's: fast, best, or a system of the papers (manypriors, "
            "guided-192, unet, dncnn, …; see docs/papers.md).",
            show_default=False,
        ),
    ] = None,
    weight: Annotated[
        float | None,
        typer.Option(
            "--lambda",
            metavar="WEIGHT",
            help="The one rate of a codec of the papers, in compressai's scale: bpp + λ·255²·MSE. fast and "
            "best learn all rates at once.",
            show_default="0.013",
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Folder of clean photographs.",
            show_default="$JDC_DATA/clean",
            rich_help_panel=_DATA,
        ),
    ] = None,
    pairs: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Index of noisy pictures, from jdc data index.", rich_help_panel=_DATA
        ),
    ] = None,
    max_iso: Annotated[
        int | None,
        typer.Option(
            min=1, help="Only photographs of at most this ISO, by their EXIF.", rich_help_panel=_DATA
        ),
    ] = None,
    unknown_iso: Annotated[
        bool,
        typer.Option("--unknown-iso", help="With --max-iso, keep those without ISO.", rich_help_panel=_DATA),
    ] = False,
    run: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Folder for checkpoint, metrics and samples.",
            show_default="runs/RECIPE[-ARCH]",
        ),
    ] = None,
    max_minutes: Annotated[float, typer.Option(min=0.01, help="Time budget of the schedule.")] = 60.0,
    steps: Annotated[int | None, typer.Option(min=1, help="Schedule by steps instead of time.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the checkpoint in the run's folder.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", "-f", help="Begin anew where the folder holds a run.")
    ] = False,
    start_from: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Checkpoint to start a new schedule from; repeatable."),
    ] = None,
    export: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a weights file at the end.")
    ] = None,
    device: Annotated[
        str, typer.Option(metavar="DEVICE", help="cpu, cuda, …", rich_help_panel=_MACHINE)
    ] = "cpu",
    threads: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="CPU threads of a step.",
            show_default="the cores that data workers leave",
            rich_help_panel=_MACHINE,
        ),
    ] = None,
    data_workers: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=0,
            max=64,
            help="Threads that make batches ahead of the steps; 0: each step makes its own.",
            show_default="by the cores that are free",
            rich_help_panel=_MACHINE,
        ),
    ] = None,
    compile: Annotated[
        bool, typer.Option("--compile", help="Compile the network first (CUDA).", rich_help_panel=_MACHINE)
    ] = False,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write TensorBoard events too.", rich_help_panel=_MACHINE)
    ] = False,
    list_recipes: Annotated[bool, typer.Option("--list", help="List the shipped recipes and leave.")] = False,
) -> None:
    """Train a network on clean photographs with made noise, or on noisy pictures and their clean ones.

    jdc train jdc --data photos/ --run runs/first --max-minutes 30 --export mine.safetensors

    torchrun --nproc-per-node 4 --no-python jdc train jdc --data photos/ --device cuda
    """
    if list_recipes:
        from jdcodec.training.shipped import description, shipped_recipes

        for name in shipped_recipes():
            typer.echo(f"{name:<12} {description(name)}")
        return
    from jdcodec.training.recipe import load_recipe

    loaded = load_recipe(recipe, arch=arch, weight=weight)
    folder = run or Path("runs") / (f"{loaded.name}-{arch}" if arch else loaded.name)
    from jdcodec.training.batches import DataOptions
    from jdcodec.training.distributed import team_from_environment
    from jdcodec.training.loop import CHECKPOINT_NAME, RunOptions
    from jdcodec.training.loop import train as run_training

    photographs = data or _default_photographs()
    options = RunOptions(
        run=folder,
        data=DataOptions(photographs, pairs, max_iso, unknown_iso),
        minutes=max_minutes,
        steps=steps,
        resume=folder / CHECKPOINT_NAME if resume else None,
        start_from=tuple(start_from or ()),
        device=device,
        threads=threads,
        data_workers=data_workers,
        compile=compile,
        force=force,
        tensorboard=tensorboard,
    )
    if export is not None:
        from jdcodec.training.export import check_export

        check_export(export, photographs, loaded)
    checkpoint = run_training(loaded, options, _print_progress)
    if export is not None and photographs is not None and team_from_environment().leads:
        from jdcodec.training.export import export_checkpoint

        identity = export_checkpoint(checkpoint, photographs, export, lambda line: typer.echo(line))
        typer.echo(f"{export}: model {identity.hex()}")


def _default_photographs() -> Path | None:
    root = os.environ.get("JDC_DATA")
    return Path(root) / "clean" if root else None


def _print_progress(figures: dict[str, Any]) -> None:
    words = (f"{name} {value}" for name, value in figures.items())
    typer.echo("  ".join(words))
