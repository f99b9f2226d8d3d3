"""`jdc info`: what is in a `.jdc` file, without decoding it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from jdcodec.cli import common
from jdcodec.cli.common import STANDARD, Job

if TYPE_CHECKING:
    from jdcodec.container import Reader

_LABELS = {"iso": "ISO", "gps": "GPS"}


def info(
    files: list[str] = typer.Argument(..., metavar="FILE...", help=".jdc files, or - for standard input."),
    as_json: bool = typer.Option(False, "--json", help="Print a line of JSON for each file."),
) -> None:
    """Show size, quality, model and metadata of .jdc files.

    jdc info photo.jdc --json
    """
    jobs = [Job(name, STANDARD) for name in files]

    def work(job: Job) -> None:
        facts = _facts(job.source)
        if as_json:
            common.say_json(facts)
        else:
            for name, value in facts.items():
                # What the photo says nothing about is left out.
                if value != "" and value is not None:
                    common.say(f"{_LABELS.get(name, name.replace('_', ' ')):>14}  {_words(value)}")
            if len(jobs) > 1:
                common.say("")

    common.run_jobs(jobs, work, quiet=True)


def _facts(source: str) -> dict[str, Any]:
    import io

    from jdcodec.container import Reader
    from jdcodec.errors import JdcError, PhotoError

    name = common.source_name(source)
    try:
        if source == STANDARD:
            data = common.read_input(source)
            return _describe(name, Reader(io.BytesIO(data)), len(data))
        with Path(source).open("rb") as file:
            return _describe(name, Reader(file), Path(source).stat().st_size)
    except OSError as error:
        raise PhotoError(f"{name}: {error.strerror}") from error
    except JdcError as error:
        raise type(error)(f"{name}: {error}") from error


def _describe(name: str, reader: Reader, size: int) -> dict[str, Any]:
    from jdcodec.photo.describe import describe

    header, metadata = reader.header, reader.metadata
    shot = describe(metadata.exif, metadata.xmp)
    facts = {
        "file": name,
        "version": ".".join(str(number) for number in reader.version),
        "width": header.width,
        "height": header.height,
        "bytes": size,
        "bpp": round(8 * size / (header.width * header.height), 5),
        "quality": header.quality,
        "denoise": header.denoise,
        "colour": "gray" if header.gray else "RGB",
        "bit_depth": header.bit_depth,
        "tiles": header.tile_count,
        "tile_size": header.tile_size,
        "model_id": header.model_id.hex(),
        "camera": shot.camera,
        "lens": shot.lens,
        "exposure": shot.exposure,
        "iso": shot.iso,
        "taken": shot.taken,
        "gps": shot.has_place,
        "grain": _grain(metadata.grain),
    }
    for kind in ("exif", "xmp", "icc", "grain"):
        payload = getattr(metadata, kind)
        facts[f"{kind}_bytes"] = len(payload) if payload is not None else 0
    return facts


def _grain(payload: bytes | None) -> dict[str, Any] | str | None:
    """The look of the removed noise, or what is wrong with its section; None where there is none."""
    from jdcodec.container.grain import unpack_grain
    from jdcodec.errors import FormatError

    if payload is None:
        return None
    try:
        grain = unpack_grain(payload)
    except FormatError as error:
        return f"unreadable: {error}"
    luma, co, cg = ([round(value, 2) for value in channel] for channel in grain.deviation_levels)
    return {
        "seed": grain.seed,
        "luma_deviation": luma,
        "co_deviation": co,
        "cg_deviation": cg,
        "luma_bands": list(grain.luma_bands),
        "chroma_bands": list(grain.chroma_bands),
    }


def _words(value: Any) -> str:
    if isinstance(value, dict):
        # Deviations of brightness, from black to white.
        deviation = value["luma_deviation"]
        return f"{min(deviation):.1f} to {max(deviation):.1f} of 255 levels of noise were removed"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)
