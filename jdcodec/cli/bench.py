"""`jdc bench`: compare jdc with other codecs on a set of pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_SOURCES = "Where codecs and sets come from"
_MEASURING = "Measuring"
_REPORT = "Report"


def bench(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="SET", help="Folder of clean pictures, or of NAME_noisy and NAME_clean pairs."
        ),
    ],
    vs: Annotated[
        str,
        typer.Option(
            metavar="CODECS",
            help="Codecs to compare with, separated by commas. Libraries: jpeg, webp, avif, jxl, heic, jp2. "
            "Programs: cjpeg, gm, cjxl, avifenc, cwebp, heif-enc, opj_compress, bpg. Another jdc: "
            "jdc:WEIGHTS, jdc@0 (no denoising). A paper's codec, trained by jdc train --arch: "
            "ref:CHECKPOINT, or 'ref:runs/manypriors-*' for a curve of several. Denoise first: nlm+jxl, "
            "bm3d+avif, stem+bpg (the denoiser of jdc's encoder), denoiser:CHECKPOINT+jxl "
            "(a trained one: unet, dncnn …).",
        ),
    ] = "jpeg,webp,avif,jxl",
    out: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "--out",
            "-o",
            metavar="FOLDER",
            help="Folder for the report.",
            show_default="bench-SET",
        ),
    ] = None,
    max_images: Annotated[int | None, typer.Option(min=1, help="Only the first pictures, by name.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in the folder.")] = False,
    force: Annotated[
        bool, typer.Option("--force", "-f", help="Start again where the folder holds a run.")
    ] = False,
    model: Annotated[
        str,
        typer.Option(
            metavar="MODEL",
            help="jdc's: a shipped model (fast) or the path of a weights file.",
            rich_help_panel=_SOURCES,
        ),
    ] = "fast",
    denoise: Annotated[
        float, typer.Option(min=0, max=1, help="jdc's strength of denoising.", rich_help_panel=_SOURCES)
    ] = 1.0,
    device: Annotated[
        str,
        typer.Option(
            metavar="DEVICE", help="Device of the networks: auto, cpu, cuda.", rich_help_panel=_SOURCES
        ),
    ] = "auto",
    noise: Annotated[
        str | None,
        typer.Option(
            metavar="NOISE",
            help="Add noise to clean pictures: cheng (four gains), cheng:1,3, gaussian:10,25 (σ of 255), "
            "cheng-released (as in that paper's code).",
            rich_help_panel=_SOURCES,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of that noise.", rich_help_panel=_SOURCES)] = 0,
    qualities: Annotated[
        list[str] | None,
        typer.Option(
            metavar="QUALITIES",
            help="Qualities of one codec: 1,3,5 (jdc) or jpeg=10,50.",
            rich_help_panel=_MEASURING,
        ),
    ] = None,
    jobs: Annotated[
        int,
        typer.Option("--jobs", "-j", min=1, help="Codings side by side.", rich_help_panel=_MEASURING),
    ] = 1,
    time_limit: Annotated[
        float,
        typer.Option(
            min=0.1, help="Seconds that a program may take for one step.", rich_help_panel=_MEASURING
        ),
    ] = 300.0,
    ssimulacra2: Annotated[
        bool,
        typer.Option("--ssimulacra2", help="Measure SSIMULACRA 2, too.", rich_help_panel=_MEASURING),
    ] = False,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict", help="A missing codec or a failed point is an error.", rich_help_panel=_MEASURING
        ),
    ] = False,
    name: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Name of the set.", show_default="the folder's", rich_help_panel=_REPORT
        ),
    ] = None,
    anchors: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="JSON file of published curves to draw in grey.", rich_help_panel=_REPORT
        ),
    ] = None,
    show: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PICTURE", help="Picture for the slider; may be repeated.", rich_help_panel=_REPORT
        ),
    ] = None,
) -> None:
    """Compare jdc with other codecs on a set of pictures, in numbers and in pictures.

    Codes every picture with jdc and with the codecs of --vs, decodes what they wrote, and writes a report
    (HTML, plots, JSON, CSV) into a folder.
    """
    from rich.console import Console

    from jdcodec.bench.command import BenchSettings
    from jdcodec.bench.command import bench as run_bench
    from jdcodec.bench.registry import Choice

    settings = BenchSettings(
        folder=folder,
        out=out,
        rivals=tuple(vs.split(",")),
        choice=Choice(model, denoise, device, time_limit),
        qualities=tuple(qualities or ()),
        noise=noise,
        seed=seed,
        name=name,
        max_images=max_images,
        jobs=jobs,
        resume=resume,
        force=force,
        strict=strict,
        anchors=anchors,
        show=tuple(show or ()),
        ssimulacra2=ssimulacra2,
    )
    outcome = run_bench(settings, Console(stderr=True))
    typer.echo(outcome.report)
