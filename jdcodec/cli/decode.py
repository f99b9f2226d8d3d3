"""`jdc decode`: `.jdc` files to ordinary images."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

import typer

from jdcodec.cli import common
from jdcodec.cli.common import STANDARD, Job

if TYPE_CHECKING:
    from jdcodec.codec.decoder import DecodeSettings

_MACHINE = "Machine"


class ImageFormat(StrEnum):
    """What can be written."""

    png = "png"
    tiff = "tiff"
    jpeg = "jpeg"
    webp = "webp"
    avif = "avif"
    ppm = "ppm"


class BitDepth(StrEnum):
    """Bits a channel."""

    eight = "8"
    sixteen = "16"


def decode(
    files: list[str] = typer.Argument(
        ..., metavar="FILE...", help=".jdc files, folders of them, or - for standard input."
    ),
    output: str | None = typer.Option(
        None, "-o", "--output", help="File, folder, or - for standard output. [default: beside the file]"
    ),
    format: ImageFormat | None = typer.Option(
        None, "--format", help="Image format. [default: by the output's ending, else png]"
    ),
    bits: BitDepth = typer.Option(BitDepth.eight, "--bits", help="Bits a channel (png, tiff, ppm)."),
    image_quality: int | None = typer.Option(
        None, "--image-quality", min=1, max=100, help="Quality of a JPEG, WebP or AVIF output."
    ),
    force: bool = typer.Option(False, "-f", "--force", help="Overwrite files that exist."),
    recursive: bool = typer.Option(False, "-r", "--recursive", help="Read folders below folders too."),
    as_json: bool = typer.Option(False, "--json", help="Print a line of JSON for each file."),
    quiet: bool = typer.Option(False, "--quiet", help="Print errors only."),
    model: list[str] = typer.Option(
        [], "--model", help="Weights file to look in before the shipped ones.", rich_help_panel=_MACHINE
    ),
    device: str = typer.Option("auto", "--device", help="auto, cpu, cuda, …", rich_help_panel=_MACHINE),
    precision: str = typer.Option(
        "auto", "--precision", help="auto, fp32 or bf16.", rich_help_panel=_MACHINE
    ),
) -> None:
    """Decode .jdc files to PNG, TIFF, JPEG, WebP, AVIF or PPM.

    jdc decode photo.jdc -o photo.png
    """
    from jdcodec.codec.decoder import DecodeSettings

    suffix = f".{format.value}" if format is not None else ".png"
    jobs = common.plan_jobs(files, output, suffix=suffix, endings=frozenset({".jdc"}), recursive=recursive)
    deep = bits is BitDepth.sixteen
    settings = DecodeSettings("uint16" if deep else "uint8", device, precision, tuple(model))
    writing = _Writing(format.value if format else None, 16 if deep else 8, image_quality, force)

    def work(job: Job) -> None:
        figures = _decode_one(job, settings, writing)
        to_stdout = job.target == STANDARD
        if as_json and not to_stdout:
            typer.echo(json.dumps(figures, ensure_ascii=False))
        elif not quiet:
            size = f"{figures['width']} × {figures['height']}"
            typer.echo(f"{job.target}: {size}, {figures['seconds']:.1f} s", err=to_stdout)

    common.run_jobs(jobs, work, quiet=quiet or as_json)


@dataclass(frozen=True)
class _Writing:
    """How the image is written."""

    format: str | None
    bit_depth: Literal[8, 16]
    quality: int | None
    force: bool


def _decode_one(job: Job, settings: DecodeSettings, writing: _Writing) -> dict[str, Any]:
    """Decode one file; returns what there is to say about it."""
    from jdcodec.atomic import check_output
    from jdcodec.codec.decoder import decode_file
    from jdcodec.container import parse
    from jdcodec.errors import JdcError
    from jdcodec.photo import encode_image, write_photo

    if job.target != STANDARD:
        check_output(job.target, force=writing.force)
    started = time.perf_counter()
    try:
        file = parse(common.read_input(job.source), settings.limits)
        pixels = decode_file(file, settings)
    except JdcError as error:
        name = common.source_name(job.source)
        raise error if str(error).startswith(name) else type(error)(f"{name}: {error}") from error
    seconds = time.perf_counter() - started
    metadata = file.metadata
    extras = {"exif": metadata.exif, "xmp": metadata.xmp, "icc": metadata.icc}
    if job.target == STANDARD:
        data = encode_image(
            pixels,
            format=writing.format or "png",
            bit_depth=writing.bit_depth,
            quality=writing.quality,
            **extras,
        )
        common.write_standard_output(data)
    else:
        write_photo(
            job.target,
            pixels,
            format=writing.format,
            bit_depth=writing.bit_depth,
            quality=writing.quality,
            force=writing.force,
            **extras,
        )
    return {
        "input": job.source,
        "output": job.target,
        "width": file.header.width,
        "height": file.header.height,
        "seconds": round(seconds, 3),
    }
