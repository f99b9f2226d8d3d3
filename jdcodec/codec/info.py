"""What is known about a `.jdc` file without decoding it: header, metadata, and the shot in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

from jdcodec.container import Limits, Metadata, Reader
from jdcodec.container.layout import DEFAULT_LIMITS


@dataclass(frozen=True)
class Info:
    """Facts about a `.jdc` file, under the names that `jdc info --json` has.

    version: of the format, as "1.0". width, height: of the upright picture, in pixels. bytes: of the file;
    bpp: its bits for each pixel. quality: 1 to 8. denoise: 0 to 1. colour: of the source, "RGB" or "gray".
    bit_depth: of the source, 8 or 16. tiles: how many; tile_size: their side in pixels. model_id: of the
    weights that made it, in hexadecimal. camera, lens, exposure, iso, taken: EXIF in words, each "" where it
    says nothing. gps: whether EXIF or XMP tell the place. metadata: exif, xmp, icc and grain as bytes, each
    None where the file has none.
    """

    version: str
    width: int
    height: int
    bytes: int
    bpp: float
    quality: float
    denoise: float
    colour: str
    bit_depth: int
    tiles: int
    tile_size: int
    model_id: str
    camera: str
    lens: str
    exposure: str
    iso: str
    taken: str
    gps: bool
    metadata: Metadata


def read_info(file: BinaryIO, limits: Limits = DEFAULT_LIMITS) -> Info:
    """The facts about an open, seekable file, of whose tiles only the first bytes are read.

    Raises FormatError, DamagedError and LimitError, and leaves errors of the file (OSError) as they are.
    """
    from jdcodec.photo.describe import describe

    reader = Reader(file, limits)
    header, metadata = reader.header, reader.metadata
    shot = describe(metadata.exif, metadata.xmp)
    size = file.seek(0, 2)
    return Info(
        version=".".join(map(str, reader.version)),
        width=header.width,
        height=header.height,
        bytes=size,
        bpp=round(8 * size / (header.width * header.height), 5),
        quality=header.quality,
        denoise=header.denoise,
        colour="gray" if header.gray else "RGB",
        bit_depth=header.bit_depth,
        tiles=header.tile_count,
        tile_size=header.tile_size,
        model_id=header.model_id.hex(),
        camera=shot.camera,
        lens=shot.lens,
        exposure=shot.exposure,
        iso=shot.iso,
        taken=shot.taken,
        gps=shot.has_place,
        metadata=metadata,
    )
