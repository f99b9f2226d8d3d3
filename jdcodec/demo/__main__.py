"""`python -m jdcodec.demo`: a noisy RAW photo through jdc, JPEG and WebP, as files, a table and a picture."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jdcodec.errors import JdcError, OutputError

if TYPE_CHECKING:
    from jdcodec.demo.compare import AnyPixels, Codec, Coded, Pixels

QUALITIES = (2.0, 4.0, 6.0)
_SHOWN = 1  # which of the qualities the comparison picture shows

# Lies in every folder that the demo writes, and says that its files may be replaced by the next run.
_ABOUT = "about-these-files.txt"
_ABOUT_TEXT = """\
Made by `python -m jdcodec.demo`; the next run with this folder replaces these files.

comparison.png              the photo, JPEG, WebP and jdc at the same size, side by side
photo.png                   the photo as it was read, developed if it is a RAW
quality-Q.jdc               the photo coded by jdc at quality Q
quality-Q.png               the same, decoded
same-size-as-quality-Q.*    JPEG and WebP files of about the size of quality-Q.jdc
scene.dng                   where you gave no photo: the noisy RAW photo made for you
scene-noise-free.dng, .png  the same scene without noise, and developed: what PSNR is measured against
"""


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m jdcodec.demo",
        description="Code a noisy photo with jdc, and with JPEG and WebP at the same size, and compare.",
    )
    parser.add_argument(
        "--photo",
        type=Path,
        metavar="PHOTO",
        help="a RAW or other photo of yours; default: a scene made here",
    )
    parser.add_argument(
        "--output", type=Path, default=Path("demo-out"), metavar="FOLDER", help="default: %(default)s"
    )
    parser.add_argument("--iso", type=int, default=6400, help="noise of the made scene; default: %(default)s")
    parser.add_argument("--seed", type=int, default=7, help="which scene is made; default: %(default)s")
    options = parser.parse_args(argv)
    if not 100 <= options.iso <= 102_400:
        parser.error("--iso must lie between 100 and 102400")
    if options.seed < 0:
        parser.error("--seed must not be negative")
    return options


def jdc_codec() -> Codec:
    """jdc as the demo runs it: every noise removed, on whatever device there is."""
    import jdcodec
    from jdcodec.demo.compare import Codec

    return Codec(
        "jdc",
        lambda pixels, quality: jdcodec.encode(pixels, quality=quality, denoise=1.0),
        jdcodec.decode,
    )


def make_scene_raw(
    folder: Path, iso: int, seed: int, height: int = 1024, width: int = 1536
) -> tuple[Path, Path]:
    """Render a scene, photograph it, and write `scene.dng` and `scene-noise-free.dng` into the folder.

    Returns their paths. Raises OutputError where they cannot be written.
    """
    import numpy as np

    from jdcodec.demo.dng import write_dng
    from jdcodec.demo.scene import render
    from jdcodec.demo.sensor import Sensor

    light = render(height, width, seed)
    sensor = Sensor()
    noisy, clean = folder / "scene.dng", folder / "scene-noise-free.dng"
    write_dng(noisy, sensor.expose(light, iso, np.random.default_rng(seed)), sensor.dng_tags(iso))
    write_dng(clean, sensor.expose(light, iso, None), sensor.dng_tags(iso))
    return noisy, clean


def _prepare_folder(folder: Path) -> None:
    """Make the folder, or raise OutputError where it cannot be made or holds what is not the demo's."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()) and not (folder / _ABOUT).exists():
            raise OutputError(f"{folder}: holds other files; name a new folder with --output")
    except OSError as error:
        raise OutputError(f"{folder}: cannot be used as a folder: {error.strerror}") from error
    _save(folder / _ABOUT, _ABOUT_TEXT.encode())


def _save_png(path: Path, pixels: Pixels) -> None:
    from PIL import Image

    from jdcodec.atomic import atomic_output

    with atomic_output(path, force=True) as file:
        # Demo files are looked at once: fast to write rather than small.
        Image.fromarray(pixels).save(file, "PNG", compress_level=1)


def _save(path: Path, data: bytes) -> None:
    from jdcodec.atomic import atomic_output

    with atomic_output(path, force=True) as file:
        file.write(data)


def _save_coded(folder: Path, rows: list[list[Coded]]) -> None:
    for ours, *others in rows:
        stem = f"quality-{ours.quality:g}"
        _save(folder / f"{stem}.jdc", ours.data)
        _save_png(folder / f"{stem}.png", ours.pixels)
        for other in others:
            suffix = {"JPEG": "jpg", "WebP": "webp"}[other.name]
            _save(folder / f"same-size-as-{stem}.{suffix}", other.data)


def _save_comparison(path: Path, noisy: Pixels, row: list[Coded], clean: Pixels | None) -> None:
    from jdcodec.atomic import atomic_output
    from jdcodec.bench.metrics import psnr
    from jdcodec.demo.sheet import Column, choose_spots, comparison_sheet

    ours, *others = row
    if clean is None:
        columns = [Column("Photo", "", noisy)]
    else:
        columns = [Column("Noisy photo", f"{psnr(clean, noisy):.2f} dB to the clean scene", noisy)]
    for coded in (*others, ours):
        detail = f"{len(coded.data):,} bytes" + (f" · {coded.psnr:.2f} dB" if coded.psnr is not None else "")
        columns.append(Column(f"{coded.name}, quality {coded.quality:g}", detail, coded.pixels))
    if clean is not None:
        columns.append(Column("Clean scene", "the same photo without noise", clean))
    sheet = comparison_sheet(columns, choose_spots(ours.pixels if clean is None else clean))
    with atomic_output(path, force=True) as file:
        sheet.save(file, "PNG")


def _print_table(photo_bytes: int, noisy: Pixels, rows: list[list[Coded]], clean: Pixels | None) -> None:
    from rich.console import Console
    from rich.table import Table

    from jdcodec.bench.metrics import bits_per_pixel, psnr

    table = Table(title="The photo, coded", title_justify="left")
    table.add_column("codec")
    for name in ("quality", "bytes", "bpp", "encode s", "decode s", "PSNR dB"):
        table.add_column(name, justify="right", no_wrap=True)
    before = f"{psnr(clean, noisy):.2f}" if clean is not None else "–"
    bpp = bits_per_pixel(photo_bytes, *noisy.shape[:2])
    table.add_row("photo", "", f"{photo_bytes:,}", f"{bpp:.2f}", "", "", before, end_section=True)
    for row in rows:
        for coded in row:
            table.add_row(
                coded.name,
                f"{coded.quality:g}" + (" (lowest)" if coded.is_smallest else ""),
                f"{len(coded.data):,}",
                f"{coded.bpp:.3f}",
                f"{coded.encode_seconds:.2f}",
                f"{coded.decode_seconds:.2f}",
                "–" if coded.psnr is None else f"{coded.psnr:.2f}",
                end_section=coded is row[-1],
            )
    console = Console()
    console.print(table)
    if clean is None:
        console.print(
            "No PSNR: what the scene looked like without noise is known for the demo's own scene only."
        )
    else:
        console.print("PSNR is to the same scene without noise, developed from RAW in the same way.")


def _develop(path: Path) -> AnyPixels:
    """Read a photo; what its reader changed on the way goes to standard error."""
    from jdcodec.photo import read_photo

    photo = read_photo(path)
    for note in photo.notes:
        print(f"demo: {path}: {note}", file=sys.stderr)
    pixels: AnyPixels = photo.pixels
    return pixels


def run(photo: Path | None, folder: Path, iso: int, seed: int, jdc: Codec) -> None:
    """Do what the module says; raises JdcError where the photo cannot be read or the folder written.

    photo: the user's, or None for the demo's own scene, photographed at `iso`. folder: a new or empty one, or
    that of an earlier run.
    """
    import numpy as np

    from jdcodec.demo.compare import code, compare
    from jdcodec.photo.depth import to_8_bit

    # The first call loads the network. With a small picture it is out of the table's seconds, and a network
    # that is missing shows before any file is written.
    code(jdc, np.full((64, 64, 3), 128, np.uint8), QUALITIES[0], None)
    clean = None
    if photo is not None:
        # Before the folder: a photo that cannot be read leaves nothing behind.
        pixels = _develop(photo)
        _prepare_folder(folder)
    else:
        _prepare_folder(folder)
        photo, noise_free = make_scene_raw(folder, iso, seed)
        # The reference is the noise-free mosaic, developed like the noisy one, and not the rendered scene:
        # demosaicing and colour conversion are then common to both, and all that differs is the noise.
        clean = to_8_bit(_develop(noise_free))
        _save_png(folder / "scene-noise-free.png", clean)
        pixels = _develop(photo)
    noisy = to_8_bit(pixels)
    _save_png(folder / "photo.png", noisy)

    rows = compare(pixels, clean, jdc, QUALITIES)
    _save_coded(folder, rows)
    _save_comparison(folder / "comparison.png", noisy, rows[_SHOWN], clean)
    _print_table(photo.stat().st_size, noisy, rows, clean)
    print(f"Look at {folder / 'comparison.png'}")


def main(argv: Sequence[str] | None = None) -> int:
    """The exit status: 0, or 1 after a line on standard error that says what was wrong."""
    options = _arguments(argv)
    try:
        run(options.photo, options.output, options.iso, options.seed, jdc_codec())
    except JdcError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
