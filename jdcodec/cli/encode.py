"""`jdc encode`: photos to `.jdc` files."""

from __future__ import annotations

import json
import time
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import typer

from jdcodec.cli import common
from jdcodec.cli.common import STANDARD, Job

if TYPE_CHECKING:
    from jdcodec.codec.encoder import EncodeSettings
    from jdcodec.photo import ReadOptions

_INPUT = "Camera RAW"
_MACHINE = "Machine"


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
        None, "-o", "--output", help="File, folder, or - for standard output. [default: beside the photo]"
    ),
    quality: float = typer.Option(5.0, "-q", "--quality", min=1, max=8, help="1 (smallest) to 8 (best)."),
    denoise: float = typer.Option(
        1.0, "-d", "--denoise", min=0, max=1, help="0 (keep what the sensor saw) to 1 (the clean scene)."
    ),
    force: bool = typer.Option(False, "-f", "--force", help="Overwrite files that exist."),
    recursive: bool = typer.Option(False, "-r", "--recursive", help="Read folders below folders too."),
    as_json: bool = typer.Option(False, "--json", help="Print a line of JSON for each photo."),
    quiet: bool = typer.Option(False, "--quiet", help="Print errors only."),
    model: str = typer.Option(
        "fast", "--model", help="fast, best, or a weights file.", rich_help_panel=_MACHINE
    ),
    device: str = typer.Option("auto", "--device", help="auto, cpu, cuda, …", rich_help_panel=_MACHINE),
    precision: str = typer.Option(
        "auto", "--precision", help="auto, fp32 or bf16.", rich_help_panel=_MACHINE
    ),
    white_balance: WhiteBalance = typer.Option(
        WhiteBalance.camera, "--wb", help="White balance.", rich_help_panel=_INPUT
    ),
    exposure: float = typer.Option(
        0.0, "--exposure", min=-10, max=10, help="Correction in stops.", rich_help_panel=_INPUT
    ),
    auto_brighten: bool = typer.Option(
        False, "--auto-brighten", help="Brighten until 1 % of pixels are white.", rich_help_panel=_INPUT
    ),
) -> None:
    """Code photos as .jdc files, less their noise.

    jdc encode photo.NEF -o photo.jdc --quality 4
    """
    from jdcodec.codec.encoder import EncodeSettings
    from jdcodec.photo import ReadOptions

    common.keep_freed_memory()
    jobs = common.plan_jobs(photos, output, suffix=".jdc", endings=common.PHOTO_ENDINGS, recursive=recursive)
    common.import_torch_meanwhile()
    settings = EncodeSettings(quality, denoise, model, device, precision)
    options = ReadOptions(white_balance.value, exposure, auto_brighten)

    def work(job: Job) -> None:
        figures = _encode_one(job, settings, options, force)
        to_stdout = job.target == STANDARD
        if as_json and not to_stdout:
            typer.echo(json.dumps(figures, ensure_ascii=False))
        elif not quiet:
            typer.echo(_sentence(figures), err=to_stdout)
            for note in figures["notes"]:
                typer.echo(f"  {note}", err=to_stdout)

    common.run_jobs(jobs, work, quiet=quiet or as_json)


def _encode_one(job: Job, settings: EncodeSettings, options: ReadOptions, force: bool) -> dict[str, Any]:
    """Code one photo; returns what there is to say about it."""
    from jdcodec.atomic import atomic_output, check_output
    from jdcodec.codec.encoder import encode_photo
    from jdcodec.photo import read_photo

    if job.target != STANDARD:
        check_output(job.target, force=force)
    started = time.perf_counter()
    photo = read_photo(common.read_input(STANDARD) if job.source == STANDARD else job.source, options)
    data = encode_photo(photo, settings)
    seconds = time.perf_counter() - started
    if job.target == STANDARD:
        common.write_standard_output(data)
    else:
        with atomic_output(job.target, force=force) as file:
            file.write(data)
    return {
        "input": job.source,
        "output": job.target,
        "width": photo.width,
        "height": photo.height,
        "bytes": len(data),
        "bpp": round(8 * len(data) / (photo.width * photo.height), 5),
        "seconds": round(seconds, 3),
        "notes": list(photo.notes),
    }


def _sentence(figures: dict[str, Any]) -> str:
    return (
        f"{figures['output']}: {figures['width']} × {figures['height']}, {figures['bytes']:,} bytes, "
        f"{figures['bpp']:.3f} bpp, {figures['seconds']:.1f} s"
    )
