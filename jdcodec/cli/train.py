"""`jdc train`: train a network by a recipe, and export its weights."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from jdcodec.cli.common import say

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
            help="Folder of clean photographs, searched to the end.",
            show_default="$JDC_DATA/clean",
            rich_help_panel=_DATA,
        ),
    ] = None,
    pairs: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Index of noisy pictures and their targets, made by jdc data index.",
            rich_help_panel=_DATA,
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
    max_minutes: Annotated[
        float | None,
        typer.Option(
            min=0.01,
            help="Minutes to train, over which the learning rate falls.",
            show_default="60; with --resume those of the run",
        ),
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Steps to train, instead of minutes.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in --run where it stopped.")
    ] = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            "-f",
            help="Replace the run in --run and the file of --export; with --resume, go on with other data.",
        ),
    ] = False,
    start_from: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Begin with the weights of a checkpoint or a weights file, on a new schedule; repeatable.",
        ),
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="At the end write weights that jdc encode --model takes."),
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
        bool,
        typer.Option(
            "--compile",
            help="Compile what is trained: minutes at the start for faster steps, on GPUs above all.",
            rich_help_panel=_MACHINE,
        ),
    ] = False,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write TensorBoard events too.", rich_help_panel=_MACHINE)
    ] = False,
    list_recipes: Annotated[
        bool, typer.Option("--list", help="List the shipped recipes and what they need, and leave.")
    ] = False,
) -> None:
    """Train a network on clean photographs with made noise, or on noisy pictures and their clean ones.

    jdc train jdc --data photos/ --run runs/first --max-minutes 30 --export mine.safetensors

    jdc encode photo.NEF -o photo.jdc --model mine.safetensors

    torchrun --nproc-per-node 4 --no-python -- jdc train jdc --data photos/ --device cuda
    """
    if list_recipes:
        _print_recipes()
        return
    if steps is not None and max_minutes is not None:
        raise typer.BadParameter("choose one of them", param_hint=["--steps", "--max-minutes"])
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
        compile="inductor" if compile else None,
        force=force,
        tensorboard=tensorboard,
    )
    if export is not None:
        from jdcodec.training.export import check_export

        check_export(export, photographs, loaded, force=force)
    checkpoint = run_training(loaded, options, _print_progress, lambda line: say(line, err=True))
    if export is not None and photographs is not None and team_from_environment().leads:
        from jdcodec.training.export import export_checkpoint

        identity = export_checkpoint(checkpoint, photographs, export, typer.echo, force=force)
        typer.echo(f"{export}: model {identity.hex()}")


def _print_recipes() -> None:
    from jdcodec.training.shipped import description, needs, shipped_recipes

    rows = [("recipe", "needs", "what it does")]
    rows += [(name, needs(name), description(name)) for name in shipped_recipes()]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for name, needed, text in rows:
        typer.echo(f"{name:<{widths[0]}}  {needed:<{widths[1]}}  {text}")


def _default_photographs() -> Path | None:
    root = os.environ.get("JDC_DATA")
    return Path(root) / "clean" if root else None


def _print_progress(figures: dict[str, Any]) -> None:
    words = (f"{name} {value}" for name, value in figures.items())
    typer.echo("  ".join(words))
