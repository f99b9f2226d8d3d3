"""A picture to look at, `.jdc` or any other that jdc reads, with what there is to say about it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from jdcodec.container import SIGNATURE
from jdcodec.container.layout import DEFAULT_LIMITS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from jdcodec.codec.decoder import DecodeSettings
    from jdcodec.container import Header, Limits


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


def is_coded(file: BinaryIO) -> bool:
    """Whether an open, seekable file is a `.jdc` file, by how it begins; it stands at its beginning again."""
    head = file.read(len(SIGNATURE))
    file.seek(0)
    return head == SIGNATURE


def coded_subject(file: BinaryIO, name: str, settings: DecodeSettings) -> Subject:
    """The picture in an open, seekable `.jdc` file; raises JdcError, which does not name it."""
    from jdcodec.codec.picture import Reading, read_picture
    from jdcodec.codec.region import View
    from jdcodec.container import Reader

    header = Reader(file, settings.limits).header
    file.seek(0)
    picture = read_picture(file, Reading(settings, View(), False))
    size = file.seek(0, os.SEEK_END)
    bpp = 8 * size / (header.width * header.height)
    coding = f"quality {header.quality:g}, denoise {header.denoise:g}"
    facts = (
        ("Size", _dimensions(header.width, header.height)),
        ("File", f"{_bytes(size)}, {bpp:.3f} bits per pixel"),
        ("Quality", f"{header.quality:g} of 8"),
        ("Denoise", _strength(header)),
        *_shot(picture.metadata.exif, picture.metadata.xmp),
        ("Coded from", f"{header.bit_depth} bits, {'gray' if header.gray else 'RGB'}"),
        ("Model", header.model_id.hex()),
    )
    return Subject(name, picture.pixels, size, f"{_bytes(size)}, {bpp:.3f} bpp, {coding}", facts)


def photo_subject(file: BinaryIO, name: str, limits: Limits = DEFAULT_LIMITS) -> Subject:
    """The picture in any other open, seekable file; raises JdcError as `read_photo` does."""
    from jdcodec.photo import ReadOptions, read_photo
    from jdcodec.photo.depth import to_8_bit

    photo = read_photo(file, ReadOptions(max_side=limits.max_side, max_pixels=limits.max_pixels))
    size, pixels = file.seek(0, os.SEEK_END), to_8_bit(photo.pixels)
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
