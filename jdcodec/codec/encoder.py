"""A photo to the bytes of a `.jdc` file."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from jdcodec.codec.weights import Weights, find_model
from jdcodec.container import Header, Limits, Metadata, Tile, Writer
from jdcodec.container.layout import DEFAULT_LIMITS
from jdcodec.entropy import encode_tile
from jdcodec.errors import JdcError

if TYPE_CHECKING:
    from jdcodec.codec.symbols import Symbols
    from jdcodec.photo import Photo


@dataclass(frozen=True)
class EncodeSettings:
    """quality: 1 (smallest) to 8 (best), real. denoise: 0 (keep what the sensor saw) to 1 (clean scene).

    model: name of a shipped model, or path of a weights file. device and precision: see `runtime`.
    """

    quality: float = 5.0
    denoise: float = 1.0
    model: str = "fast"
    device: str = "auto"
    precision: str = "auto"
    tile_size: int = 1024
    limits: Limits = DEFAULT_LIMITS

    def __post_init__(self) -> None:
        if not 1 <= self.quality <= 8:
            raise JdcError(f"quality must lie between 1 and 8, not {self.quality:g}")
        if not 0 <= self.denoise <= 1:
            raise JdcError(f"denoise must lie between 0 and 1, not {self.denoise:g}")


def encode_photo(photo: Photo, settings: EncodeSettings) -> bytes:
    """Code a photo; raises JdcError (limits, model, settings)."""
    weights = find_model(settings.model)
    header = _header(photo, weights, settings)
    symbols = _analyse(photo, weights, header, settings)
    buffer = io.BytesIO()
    writer = Writer(buffer, header, Metadata(photo.exif, photo.xmp, photo.icc), settings.limits)
    for tile in code_tiles(symbols, weights, header):
        writer.add_tile(tile)
    writer.finish()
    return buffer.getvalue()


def code_tiles(symbols: Symbols, weights: Weights, header: Header) -> Iterator[Tile]:
    """Range-code each tile of a picture's symbols."""
    for rect in header.tiles():
        tile = symbols.tile(rect)
        z, y = np.ascontiguousarray(tile.z), np.ascontiguousarray(tile.y)
        data = encode_tile(weights.tables, z, y, header.quality_code)
        yield Tile(rect.index, symbols_crc(z, y), data)


def symbols_crc(
    z: np.ndarray[tuple[int, ...], np.dtype[np.int8]], y: np.ndarray[tuple[int, ...], np.dtype[np.int16]]
) -> int:
    """CRC-32 of a tile's symbols: z, then y, as int16 little-endian in the order channel, row, column."""
    return zlib.crc32(y.astype("<i2", copy=False).tobytes(), zlib.crc32(z.astype("<i2").tobytes()))


def _header(photo: Photo, weights: Weights, settings: EncodeSettings) -> Header:
    return Header.from_settings(
        model_id=weights.model_id,
        quality=settings.quality,
        denoise=settings.denoise,
        gray=photo.is_gray,
        bit_depth=photo.bit_depth,
        width=photo.width,
        height=photo.height,
        tile_size=settings.tile_size,
    )


def _analyse(photo: Photo, weights: Weights, header: Header, settings: EncodeSettings) -> Symbols:
    from jdcodec.codec.runtime import start_inference
    from jdcodec.codec.symbols import picture_to_symbols

    inference = start_inference(weights, header.quality, device=settings.device, precision=settings.precision)
    return picture_to_symbols(
        photo.pixels,
        inference,
        weights.tables,
        strength=header.denoise,
        quality_step=header.quality_code,
    )
