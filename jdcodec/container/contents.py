"""What a `.jdc` file holds, as plain values: the result of reading and the input of writing."""

from __future__ import annotations

from dataclasses import dataclass

from jdcodec.container.header import Header
from jdcodec.container.layout import VERSION


@dataclass(frozen=True)
class Metadata:
    """The payloads of the ancillary sections, as they are in the file; None where there is none.

    `exif` is a TIFF structure without the `Exif\\0\\0` that JPEG puts before it, `xmp` an XMP packet
    in UTF-8, `icc` an ICC profile of the decoded pixels, `grain` a description of the removed noise.
    The container does not look into any of them.
    """

    exif: bytes | None = None
    xmp: bytes | None = None
    icc: bytes | None = None
    grain: bytes | None = None


NO_METADATA = Metadata()


@dataclass(frozen=True)
class Tile:
    """One tile: `data` is its entropy-coded words (u32, little-endian), a view where it was read.

    `symbols_crc` is the CRC-32 of the symbols that `data` decodes to: all hyperlatents, then all
    latents, as int16 little-endian in the order channel, row, column.
    """

    index: int
    symbols_crc: int
    data: bytes | memoryview


@dataclass(frozen=True)
class JdcFile:
    """A whole file. `tiles` are in raster order; `version` is that of the file that was read."""

    header: Header
    tiles: tuple[Tile, ...]
    metadata: Metadata = NO_METADATA
    version: tuple[int, int] = VERSION
