"""`jdc decode`: `.jdc` files to ordinary images."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

import typer

from jdcodec.cli import common
from jdcodec.cli.common import STANDARD, Job

if TYPE_CHECKING:
    from jdcodec.codec.picture import Picture, Reading

_PART = "Part of the picture"
_METADATA = "Metadata"
_DAMAGE = "Damage"
_MACHINE = "Machine"


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
        help="File, folder, or - for standard output.",
        show_default="beside the file",
    ),
    format: ImageFormat | None = typer.Option(
        None, "--format", help="Image format.", show_default="by the output's ending, else png"
    ),
    bits: BitDepth = typer.Option(BitDepth.eight, "--bits", help="Bits a channel (png, tiff, ppm)."),
    image_quality: int | None = typer.Option(
        None, "--image-quality", min=1, max=100, help="Quality of a JPEG, WebP or AVIF output."
    ),
    force: bool = typer.Option(False, "-f", "--force", help="Overwrite files that exist."),
    recursive: bool = typer.Option(False, "-r", "--recursive", help="Read folders below folders too."),
    as_json: bool = typer.Option(False, "--json", help="Print a line of JSON for each file."),
    quiet: bool = typer.Option(False, "--quiet", help="Print errors only."),
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
    strip: str | None = typer.Option(
        None,
        "--strip",
        metavar="KINDS",
        help="Metadata to leave out: exif, gps, xmp, icc (with commas between), or all.",
        rich_help_panel=_METADATA,
    ),
    salvage: bool = typer.Option(
        False,
        "--salvage",
        help="Write what is undamaged of a damaged file, hatch the rest, and exit with status 1.",
        rich_help_panel=_DAMAGE,
    ),
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
    from jdcodec.codec.picture import Reading
    from jdcodec.codec.region import Region, View
    from jdcodec.errors import DamagedError, JdcError

    try:
        view = View(Region.parse(region) if region is not None else None, int(scale))
    except JdcError as error:
        raise typer.BadParameter(str(error), param_hint="--region") from error
    stripped = common.kinds_to_strip(strip)
    suffix = f".{format.value}" if format is not None else ".png"
    common.keep_freed_memory()
    jobs = common.plan_jobs(files, output, suffix=suffix, endings=frozenset({".jdc"}), recursive=recursive)
    common.import_torch_meanwhile()
    deep = bits is BitDepth.sixteen
    settings = DecodeSettings("uint16" if deep else "uint8", device, precision, tuple(model))
    reading = Reading(settings, view, salvage)
    writing = _Writing(format.value if format else None, 16 if deep else 8, image_quality, stripped, force)

    def work(job: Job) -> None:
        figures = _decode_one(job, reading, writing)
        to_stdout = job.target == STANDARD
        if as_json and not to_stdout:
            common.say(json.dumps(figures, ensure_ascii=False))
        elif not quiet:
            size = f"{figures['width']} × {figures['height']}"
            common.say(f"{job.target}: {size}, {figures['seconds']:.1f} s", err=to_stdout)
        if "damage" in figures:
            raise DamagedError(f"{common.source_name(job.source)}: {figures['damage']}")

    common.run_jobs(jobs, work, quiet=quiet or as_json)


@dataclass(frozen=True)
class _Writing:
    """How the image is written. stripped: kinds of metadata to leave out."""

    format: str | None
    bit_depth: Literal[8, 16]
    quality: int | None
    stripped: frozenset[str]
    force: bool


def _decode_one(job: Job, reading: Reading, writing: _Writing) -> dict[str, Any]:
    """Decode one file; returns what there is to say about it."""
    from jdcodec.atomic import check_output
    from jdcodec.photo import encode_image, write_photo
    from jdcodec.photo.metadata import MetadataBlocks, strip

    if job.target != STANDARD:
        check_output(job.target, force=writing.force)
    started = time.perf_counter()
    picture = _read(job.source, reading)
    seconds = time.perf_counter() - started
    kept = picture.metadata
    metadata = strip(MetadataBlocks(kept.exif, kept.xmp, kept.icc), writing.stripped)
    options: dict[str, Any] = {
        "bit_depth": writing.bit_depth,
        "quality": writing.quality,
        "exif": metadata.exif,
        "xmp": metadata.xmp,
        "icc": metadata.icc,
    }
    if job.target == STANDARD:
        common.write_standard_output(encode_image(picture.pixels, format=writing.format or "png", **options))
    else:
        write_photo(job.target, picture.pixels, format=writing.format, force=writing.force, **options)
    figures = {
        "input": job.source,
        "output": job.target,
        "width": picture.pixels.shape[1],
        "height": picture.pixels.shape[0],
        "seconds": round(seconds, 3),
    }
    return figures | ({"damage": picture.damage} if picture.damage else {})


def _read(source: str, reading: Reading) -> Picture:
    from jdcodec.codec.picture import read_picture
    from jdcodec.errors import JdcError

    try:
        with _opened(source) as file:
            return read_picture(file, reading)
    except JdcError as error:
        name = common.source_name(source)
        raise error if str(error).startswith(name) else type(error)(f"{name}: {error}") from error


@contextmanager
def _opened(source: str) -> Iterator[BinaryIO]:
    """The bytes of a file or of standard input, seekable; raises PhotoError."""
    from jdcodec.errors import PhotoError

    if source == STANDARD:
        yield io.BytesIO(common.read_input(source))
        return
    try:
        with Path(source).open("rb") as file:
            yield file if file.seekable() else io.BytesIO(file.read())
    except OSError as error:
        raise PhotoError(f"{source}: {error.strerror}") from error
