"""`jdc decode`: `.jdc` files to ordinary images."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import typer

from jdcodec.allocator import keep_freed_memory
from jdcodec.cli import common, options
from jdcodec.cli.jobs import Job, plan_jobs
from jdcodec.cli.progress import Done
from jdcodec.cli.running import json_failure, run_jobs
from jdcodec.cli.streams import STANDARD, named, opened, source_name, write_standard_output
from jdcodec.container.layout import MAX_PIXELS, MAX_SIDE, Limits

if TYPE_CHECKING:
    from jdcodec.codec.picture import Picture, Reading
    from jdcodec.container import Header
    from jdcodec.photo.photo import Pixels

_PART = "Part of the picture"
_DAMAGE = "Damage"
#: Formats that have a quality; the others keep every pixel.
_LOSSY = ("avif", "jpeg", "jpg", "webp")
#: Netpbm has names for both: a .pgm is gray, a .ppm is not.
_GRAY_ONLY, _COLOUR_ONLY = "pgm", "ppm"


class ImageFormat(StrEnum):
    """What can be written."""

    png = "png"
    tiff = "tiff"
    jpeg = "jpeg"
    webp = "webp"
    avif = "avif"
    ppm = "ppm"


class Scale(StrEnum):
    """How many times smaller in each direction."""

    whole = "1"
    half = "2"
    quarter = "4"
    eighth = "8"
    sixteenth = "16"


class BitDepth(StrEnum):
    """Bits a channel."""

    eight = "8"
    sixteen = "16"


def decode(
    files: list[str] = typer.Argument(
        ..., metavar="FILE...", help=".jdc files, folders of them, or - for standard input."
    ),
    output: str | None = typer.Option(
        None,
        "-o",
        "--output",
        metavar="PATH",
        help="File, folder, or - for standard output.",
        show_default="beside the file",
    ),
    format: ImageFormat | None = typer.Option(
        None, "--format", help="Image format.", show_default="by the output's ending; png without one"
    ),
    bits: BitDepth = typer.Option(BitDepth.eight, "--bits", help="Bits a channel (png, tiff, ppm)."),
    image_quality: int | None = typer.Option(
        None, "--image-quality", min=1, max=100, help="Quality of a JPEG, WebP or AVIF output."
    ),
    grain: float = typer.Option(
        0.0, "--grain", metavar="0…1", min=0, max=1, help="Put back grain of the look of the removed noise."
    ),
    force: options.Force = False,
    recursive: options.Recursive = False,
    update: options.Update = False,
    workers: options.Workers = 1,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    region: str | None = typer.Option(
        None,
        "--region",
        metavar="X,Y,W,H",
        help="Only this rectangle, in pixels of the whole picture.",
        rich_help_panel=_PART,
    ),
    scale: Scale = typer.Option(
        Scale.whole, "--scale", help="A preview so many times smaller: fast.", rich_help_panel=_PART
    ),
    fit: int | None = typer.Option(
        None,
        "--fit",
        metavar="PIXELS",
        min=1,
        help="Shrink so that neither side is longer; a small result takes a preview only: fast.",
        rich_help_panel=_PART,
    ),
    strip: options.Strip = None,
    salvage: bool = typer.Option(
        False,
        "--salvage",
        help="Write what is undamaged of a damaged file, hatch the rest, and exit with status 1.",
        rich_help_panel=_DAMAGE,
    ),
    model: options.Models = None,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    max_pixels: options.MaxPixels = MAX_PIXELS,
    max_side: options.MaxSide = MAX_SIDE,
) -> None:
    """Decode .jdc files to PNG, TIFF, JPEG, WebP, AVIF or PPM; gray photos have one channel.

    jdc decode photo.jdc -o photo.png
    """
    from jdcodec.codec.decoder import DecodeSettings
    from jdcodec.codec.picture import Reading
    from jdcodec.codec.region import Region, View
    from jdcodec.errors import DamagedError, JdcError

    try:
        view = View(Region.parse(region) if region is not None else None, int(scale))
    except JdcError as error:
        raise typer.BadParameter(str(error), param_hint="--region") from error
    stripped = common.kinds_to_strip(strip)
    suffix = f".{format.value}" if format is not None else ".png"
    keep_freed_memory()
    jobs = plan_jobs(files, output, suffix=suffix, endings=frozenset({".jdc"}), recursive=recursive)
    if min(workers, len(jobs)) == 1:
        common.start_runtime_meanwhile(device)
    deep = bits is BitDepth.sixteen
    settings = DecodeSettings(
        "uint16" if deep else "uint8",
        device,
        precision,
        tuple(model or ()),
        Limits(max_side, max_pixels),
        grain=grain,
    )
    reading = Reading(settings, view, salvage)
    # Several files all get the suffix from above.
    target = next((job.target for job in jobs if not job.problem), STANDARD)
    name = format.value if format is not None else Path(target).suffix.lower().removeprefix(".") or "png"
    writing = _Writing(name, 16 if deep else 8, image_quality, stripped, force or update, fit)
    _check_form(writing, target)

    def finish(job: Job, figures: dict[str, Any]) -> Done:
        to_stdout = job.target == STANDARD
        if as_json and not to_stdout:
            common.say_json(figures)
        elif not quiet:
            size = f"{figures['width']} × {figures['height']}"
            common.say(f"{job.target}: {size}, {figures['seconds']:.1f} s", err=to_stdout)
            for note in figures["notes"]:
                common.say(f"  {note}", err=to_stdout)
        if "damage" in figures:
            raise DamagedError(f"{source_name(job.source)}: {figures['damage']}")
        return Done(figures["width"] * figures["height"], bytes_out=figures["bytes"])

    work = partial(_decode_one, reading=reading, writing=writing)
    run_jobs(
        jobs,
        work,
        quiet=quiet or as_json,
        finish=finish,
        fail=json_failure if as_json else None,
        workers=workers,
        update=update,
    )


@dataclass(frozen=True)
class _Writing:
    """How the image is written. stripped: kinds of metadata to leave out. longest: side, None for any."""

    format: str
    bit_depth: Literal[8, 16]
    quality: int | None
    stripped: frozenset[str]
    force: bool
    longest: int | None


def _check_form(writing: _Writing, target: str) -> None:
    """Refuse, before anything is decoded, what the format cannot hold; raises OptionError, BadParameter."""
    import numpy as np

    from jdcodec.errors import OptionError, PhotoError
    from jdcodec.photo import encode_image

    pixel = np.zeros((1, 1, 3), np.uint8)
    try:
        with _named_output(target):
            encode_image(pixel, format=writing.format, bit_depth=writing.bit_depth, quality=writing.quality)
    except PhotoError as error:
        raise OptionError(str(error)) from error
    if writing.quality is not None and writing.format not in _LOSSY:
        raise typer.BadParameter(
            f"has no effect on {writing.format}, which keeps every pixel", param_hint="--image-quality"
        )


def _named_output(target: str) -> AbstractContextManager[None]:
    return named("standard output" if target == STANDARD else target)


def _decode_one(job: Job, reading: Reading, writing: _Writing) -> dict[str, Any]:
    """Decode one file; returns what there is to say about it."""
    from jdcodec.photo import encode_image, fitting_metadata
    from jdcodec.photo.metadata import MetadataBlocks, strip
    from jdcodec.photo.shrink import shrink

    job.check_output(force=writing.force)
    started = time.perf_counter()
    picture, header = _read(job.source, reading, writing)
    pixels = picture.pixels if writing.longest is None else shrink(picture.pixels, writing.longest)
    seconds = time.perf_counter() - started
    kept = picture.metadata
    wanted = strip(MetadataBlocks(kept.exif, kept.xmp, kept.icc), writing.stripped)
    with _named_output(job.target):
        metadata, notes = fitting_metadata(wanted, writing.format)
        data = encode_image(
            _channels(pixels, header, writing.format, metadata.icc),
            format=writing.format,
            bit_depth=writing.bit_depth,
            quality=writing.quality,
            exif=metadata.exif,
            xmp=metadata.xmp,
            icc=metadata.icc,
        )
    if job.target == STANDARD:
        write_standard_output(data)
    else:
        with job.output(force=writing.force) as file:
            file.write(data)
    figures = {
        "input": job.source,
        "output": job.target,
        "width": pixels.shape[1],
        "height": pixels.shape[0],
        "bytes": len(data),
        "seconds": round(seconds, 3),
        "notes": list(notes),
    }
    return figures | ({"damage": picture.damage} if picture.damage else {})


def _channels(pixels: Pixels, header: Header, format: str, icc: bytes | None) -> Pixels:
    """Pixels as they are written: (H, W) of a gray photo if format and profile allow it, else (H, W, 3)."""
    # A profile says at byte 16 what it is for (ICC.1:2022, 7.2.8); other encoders may put in one of colours.
    fits = icc is None or icc[16:20] == b"GRAY" or format == _GRAY_ONLY
    return pixels[..., 0] if header.gray and fits and format != _COLOUR_ONLY else pixels


def _read(source: str, reading: Reading, writing: _Writing) -> tuple[Picture, Header]:
    """Decode a file; raises PhotoError before that for a picture in colour that is to become a .pgm."""
    from jdcodec.codec.picture import read_picture
    from jdcodec.container import Reader, scan
    from jdcodec.errors import PhotoError

    with opened(source) as file, named(source_name(source)):
        limits = reading.settings.limits
        header = scan(file.read(), limits).header if reading.tolerant else Reader(file, limits).header
        file.seek(0)
        if writing.format == _GRAY_ONLY and not header.gray:
            raise PhotoError("is in colour, and a .pgm holds gray alone; choose .ppm, or another format")
        return read_picture(file, _reading_for(header, reading, writing.longest)), header


def _reading_for(header: Header, reading: Reading, longest: int | None) -> Reading:
    """The same with the smallest preview still twice as large as what is wanted, as a filter needs."""
    from dataclasses import replace

    from jdcodec.codec.region import SCALES

    view = reading.view
    if longest is None or view.scale > 1:
        return reading
    part = view.region or header
    side = max(part.width, part.height)
    scale = max(scale for scale in SCALES if scale == 1 or side >= 2 * longest * scale)
    return replace(reading, view=replace(view, scale=scale))
