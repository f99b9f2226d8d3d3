"""A picture to look at, `.jdc` or any other that jdc reads, with what there is to say about it."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from jdcodec.container import SIGNATURE
from jdcodec.errors import JdcError, PhotoError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from jdcodec.codec.decoder import DecodeSettings
    from jdcodec.container import Header


@dataclass(frozen=True)
class Subject:
    """pixels: (H, W, 3) uint8, sRGB. size: bytes of the file. summary: one short line.

    facts: names and values, in words, the most wanted first; never where the photo was taken.
    """

    name: str
    pixels: NDArray[Any]
    size: int
    summary: str
    facts: tuple[tuple[str, str], ...]

    @property
    def width(self) -> int:
        """Pixels in a row."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Rows of pixels."""
        return int(self.pixels.shape[0])


def read_subject(path: Path, settings: DecodeSettings) -> Subject:
    """Read a picture; its first bytes tell whether it is a `.jdc` file. Raises JdcError."""
    try:
        with path.open("rb") as file:
            is_coded = file.read(len(SIGNATURE)) == SIGNATURE
        data = path.read_bytes() if is_coded else b""
        size = path.stat().st_size
    except OSError as error:
        raise PhotoError(f"{path}: {error.strerror}") from error
    if not is_coded:
        return _photo(path, path.name, size)
    try:
        return _coded(path.name, data, settings)
    except JdcError as error:
        raise type(error)(f"{path}: {error}") from error


def subject_of(data: bytes, name: str, settings: DecodeSettings) -> Subject:
    """As `read_subject`, of the bytes of a file. name: what it is called on the page and in errors."""
    try:
        if data.startswith(SIGNATURE):
            return _coded(name, data, settings)
        return _photo(io.BytesIO(data), name, len(data))
    except JdcError as error:
        raise error if str(error).startswith(name) else type(error)(f"{name}: {error}") from error


def _coded(name: str, data: bytes, settings: DecodeSettings) -> Subject:
    from jdcodec.codec.picture import Reading, read_picture
    from jdcodec.codec.region import View
    from jdcodec.container import Reader

    header = Reader(io.BytesIO(data), settings.limits).header
    picture = read_picture(io.BytesIO(data), Reading(settings, View(), False))
    bpp = 8 * len(data) / (header.width * header.height)
    coding = f"quality {header.quality:g}, denoise {header.denoise:g}"
    facts = (
        ("Size", _dimensions(header.width, header.height)),
        ("File", f"{_bytes(len(data))}, {bpp:.3f} bits per pixel"),
        ("Quality", f"{header.quality:g} of 8"),
        ("Denoise", _strength(header)),
        *_shot(picture.metadata.exif, picture.metadata.xmp),
        ("Coded from", f"{header.bit_depth} bits, {'gray' if header.gray else 'RGB'}"),
        ("Model", header.model_id.hex()),
    )
    return Subject(name, picture.pixels, len(data), f"{_bytes(len(data))}, {bpp:.3f} bpp, {coding}", facts)


def _photo(source: Path | BinaryIO, name: str, size: int) -> Subject:
    import numpy as np

    from jdcodec.photo import read_photo

    photo = read_photo(source)
    pixels = photo.pixels
    if pixels.dtype == np.uint16:
        pixels = ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    bpp = 8 * size / (photo.width * photo.height)
    facts = (
        ("Size", _dimensions(photo.width, photo.height)),
        ("File", f"{photo.format}, {_bytes(size)}, {bpp:.3f} bits per pixel"),
        *_shot(photo.exif, photo.xmp),
        *(("Note", note) for note in photo.notes),
    )
    return Subject(name, pixels, size, f"{photo.format}, {_bytes(size)}, {bpp:.3f} bpp", facts)


def _shot(exif: bytes | None, xmp: bytes | None) -> list[tuple[str, str]]:
    from jdcodec.photo.describe import describe

    words = describe(exif, xmp)
    facts = (
        ("Camera", words.camera),
        ("Lens", words.lens),
        ("Exposure", words.exposure),
        ("ISO", words.iso),
        ("Taken", words.taken),
    )
    return [(name, value) for name, value in facts if value]


def _strength(header: Header) -> str:
    if header.denoise == 0:
        return "0, the noise was kept"
    return f"{header.denoise:g}" + (", the clean scene" if header.denoise == 1 else "")


def _dimensions(width: int, height: int) -> str:
    return f"{width} × {height}, {width * height / 1e6:.1f} megapixels"


def _bytes(size: int) -> str:
    """As "46.0 kB" or "12.3 MB"."""
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB"
