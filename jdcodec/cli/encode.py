"""`jdc encode`: photos to `.jdc` files."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import typer

from jdcodec.allocator import keep_freed_memory
from jdcodec.cli import common, options, scheduled
from jdcodec.cli.jobs import Job, passing_over, plan_jobs
from jdcodec.cli.progress import Done
from jdcodec.cli.running import json_failure, run_jobs
from jdcodec.cli.streams import STANDARD, named, opened, source_name, write_standard_output
from jdcodec.container.layout import MAX_PIXELS, MAX_SIDE, Limits
from jdcodec.photo.endings import PHOTO_ENDINGS, PICTURE_ENDINGS

if TYPE_CHECKING:
    from jdcodec.codec.encoder import EncodeSettings
    from jdcodec.codec.target import SizeGoal
    from jdcodec.photo import Photo, ReadOptions

_SIZE = "Size instead of quality"
_INPUT = "Camera RAW"
_CLUSTER = "Many machines (docs/scale.md)"
_DEFAULT_QUALITY = 5.0


class WhiteBalance(StrEnum):
    """How RAW is balanced."""

    camera = "camera"
    auto = "auto"
    daylight = "daylight"


def encode(
    photos: list[str] = typer.Argument(
        ..., metavar="PHOTO...", help="Photos, folders of photos, or - for standard input."
    ),
    output: str | None = typer.Option(
        None,
        "-o",
        "--output",
        metavar="PATH",
        help="File, folder, or - for standard output.",
        show_default="beside the photo",
    ),
    quality: float | None = typer.Option(
        None,
        "-q",
        "--quality",
        min=1,
        max=8,
        help="1 (smallest) to 8 (best); above 6 noisy photos have a little less.",
        show_default="5",
    ),
    denoise: str = typer.Option(
        "1",
        "-d",
        "--denoise",
        metavar="0…1|auto",
        help="0 (keep what the sensor saw) to 1 (the clean scene); auto leaves clean photos alone.",
    ),
    effort: int = typer.Option(
        4, "-e", "--effort", min=1, max=9, help="1 (fastest) to 9 (smallest for what it shows)."
    ),
    force: options.Force = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    recursive: options.Recursive = False,
    update: options.Update = False,
    workers: options.Workers = 1,
    target_size: str | None = typer.Option(
        None, "--target-size", metavar="SIZE", help="As 300kB: within 2 %.", rich_help_panel=_SIZE
    ),
    target_bpp: float | None = typer.Option(
        None, "--target-bpp", metavar="BITS", help="Bits per pixel: within 2 %.", rich_help_panel=_SIZE
    ),
    max_size: str | None = typer.Option(
        None,
        "--max-size",
        metavar="SIZE",
        help="Never above it: lowers the quality where it has to.",
        rich_help_panel=_SIZE,
    ),
    strip: options.Strip = None,
    model: str = typer.Option(
        "fast",
        "--model",
        metavar="MODEL",
        help="A shipped model (fast) or the path of a weights file.",
        rich_help_panel=options.MACHINE,
    ),
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    white_balance: WhiteBalance = typer.Option(
        WhiteBalance.camera, "--wb", help="White balance.", rich_help_panel=_INPUT
    ),
    exposure: float = typer.Option(
        0.0, "--exposure", min=-10, max=10, help="Correction in stops.", rich_help_panel=_INPUT
    ),
    auto_brighten: bool = typer.Option(
        False, "--auto-brighten", help="Brighten until 1 % of pixels are white.", rich_help_panel=_INPUT
    ),
    max_pixels: options.MaxPixels = MAX_PIXELS,
    max_side: options.MaxSide = MAX_SIDE,
    scheduler: str | None = typer.Option(
        None,
        "--scheduler",
        metavar="ADDRESS|local",
        help="Do it on a Dask cluster, as tcp://host:8786, or with --workers on this machine. Photos and "
        "output may then be buckets, as s3://bucket/folder.",
        rich_help_panel=_CLUSTER,
    ),
    manifest: str | None = typer.Option(
        None,
        "--manifest",
        metavar="FILE",
        help="What became of each photo; the next run goes on from there.",
        show_default="jdc-manifest.jsonl",
        rich_help_panel=_CLUSTER,
    ),
    batch: int | None = typer.Option(
        None,
        "--batch",
        min=1,
        max=1000,
        help="Photos handed to a worker at a time.",
        show_default="8",
        rich_help_panel=_CLUSTER,
    ),
    give_up_after: int | None = typer.Option(
        None,
        "--give-up-after",
        min=0,
        metavar="N",
        help="Stop when no worker could read, code or write N photos in a row; 0: never.",
        show_default="100",
        rich_help_panel=_CLUSTER,
    ),
) -> None:
    """Code photos as .jdc files, less their noise.

    jdc encode photo.NEF -o photo.jdc --quality 4
    """
    goal = _goal(quality, target_size, target_bpp, max_size)
    strength = _strength(denoise)
    kinds = common.kinds_to_strip(strip)
    scheduled.check_options(
        scheduler, output, update=update, manifest=manifest, batch=batch, give_up_after=give_up_after
    )
    from jdcodec.codec.encoder import EncodeSettings
    from jdcodec.photo import ReadOptions

    limits = Limits(max_side, max_pixels)
    settings = EncodeSettings(
        quality or _DEFAULT_QUALITY,
        strength,
        model,
        device,
        precision,
        limits=limits,
        size=goal,
        effort=effort,
    )
    reading = ReadOptions(white_balance.value, exposure, auto_brighten, max_side, max_pixels)
    if scheduler is not None:
        choice = scheduled.Choice(scheduler, manifest, batch, give_up_after, workers, force)
        scheduled.encode_scheduled(
            photos,
            output,
            settings,
            reading,
            kinds,
            choice,
            recursive=recursive,
            as_json=as_json,
            quiet=quiet,
        )
        return
    keep_freed_memory()
    order = _Order(settings, reading, kinds, force or update)

    def finish(job: Job, figures: dict[str, Any]) -> Done:
        to_stdout = job.target == STANDARD
        if as_json and not to_stdout:
            common.say_json(figures)
        elif not quiet:
            common.say(_sentence(figures), err=to_stdout)
            for note in figures["notes"]:
                common.say(f"  {note}", err=to_stdout)
        return Done(figures["width"] * figures["height"], figures["input_bytes"], figures["bytes"])

    with passing_over(quiet=quiet) as passed_over:
        jobs = plan_jobs(
            photos,
            output,
            suffix=".jdc",
            endings=PHOTO_ENDINGS,
            recursive=recursive,
            passed_over=passed_over,
        )
        _check_names(jobs)
        if min(workers, len(jobs)) == 1:
            common.start_runtime_meanwhile(device)
        run_jobs(
            jobs,
            partial(_encode_one, order=order),
            quiet=quiet or as_json,
            finish=finish,
            fail=json_failure if as_json else None,
            workers=workers,
            update=update,
        )


def _check_names(jobs: list[Job]) -> None:
    """Raises OptionError for a .jdc file that would go under the name of an image."""
    from jdcodec.errors import OptionError

    for job in jobs:
        if not job.problem and Path(job.target).suffix.lower() in PICTURE_ENDINGS:
            raise OptionError(f"{job.target}: has the ending of an image; jdc encode writes .jdc files")


@dataclass(frozen=True)
class _Order:
    """How photos are read, coded and written. stripped: kinds of metadata to leave out."""

    settings: EncodeSettings
    reading: ReadOptions
    stripped: frozenset[str]
    force: bool


def _goal(
    quality: float | None, target_size: str | None, target_bpp: float | None, max_size: str | None
) -> SizeGoal | None:
    """The wanted size; raises BadParameter where it is none, or more than one thing is wanted."""
    from jdcodec.codec.target import size_goal
    from jdcodec.errors import JdcError

    sizes = {"target_size": target_size, "target_bpp": target_bpp, "max_size": max_size}
    try:
        return size_goal(quality, target_size, target_bpp, max_size, word=_option)
    except JdcError as error:
        given = [_option(name) for name, value in sizes.items() if value is not None]
        raise typer.BadParameter(str(error), param_hint=given) from error


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _strength(text: str) -> float | Literal["auto"]:
    """The value of --denoise; raises BadParameter."""
    if text == "auto":
        return "auto"
    try:
        strength = float(text)
    except ValueError:
        strength = -1.0
    if not 0 <= strength <= 1:
        raise typer.BadParameter(f"{text!r} is no number from 0 to 1, nor auto", param_hint="--denoise")
    return strength


def _encode_one(job: Job, order: _Order) -> dict[str, Any]:
    """Code one photo; returns what there is to say about it."""
    from jdcodec.codec.encoder import code_photo

    job.check_output(force=order.force)
    started = time.perf_counter()
    photo, size = _read(job.source, order)
    with named(source_name(job.source)):
        coded = code_photo(photo, order.settings)
    seconds = time.perf_counter() - started
    if job.target == STANDARD:
        write_standard_output(coded.data)
    else:
        with job.output(force=order.force) as file:
            file.write(coded.data)
    return {
        "input": job.source,
        "output": job.target,
        "width": photo.width,
        "height": photo.height,
        "input_bytes": size,
        "bytes": len(coded.data),
        "bpp": round(8 * len(coded.data) / (photo.width * photo.height), 5),
        "quality": coded.header.quality,
        "denoise": coded.header.denoise,
        "seconds": round(seconds, 3),
        "notes": [*photo.notes, *coded.notes],
    }


def _read(source: str, order: _Order) -> tuple[Photo, int]:
    """The photo less the metadata that is not wanted, and the bytes it took."""
    from dataclasses import replace

    from jdcodec.photo import read_photo
    from jdcodec.photo.metadata import MetadataBlocks, strip

    # Of what is no image, or larger than any may be, `read_photo` takes the beginning only.
    with opened(source) as file:
        photo = read_photo(file, order.reading)
        size = file.seek(0, os.SEEK_END)
    kept = strip(MetadataBlocks(photo.exif, photo.xmp, photo.icc), order.stripped)
    return replace(photo, exif=kept.exif, xmp=kept.xmp, icc=kept.icc), size


def _sentence(figures: dict[str, Any]) -> str:
    return (
        f"{figures['output']}: {figures['width']} × {figures['height']}, {figures['bytes']:,} bytes, "
        f"{figures['bpp']:.3f} bpp, quality {figures['quality']:g}, denoise {figures['denoise']:g}, "
        f"{figures['seconds']:.1f} s"
    )
