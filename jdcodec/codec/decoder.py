"""The bytes of a `.jdc` file to pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from jdcodec.codec.grain import add_grain
from jdcodec.codec.weights import Weights, find_model_by_id
from jdcodec.container import JdcFile, Limits, Metadata, Tile, TileRect, parse
from jdcodec.container.grain import Grain, unpack_grain
from jdcodec.container.layout import DEFAULT_LIMITS
from jdcodec.entropy import decode_tile, symbols_crc
from jdcodec.errors import DamagedError, FormatError, JdcError
from jdcodec.model.config import HYPER_STRIDE
from jdcodec.threads import background

if TYPE_CHECKING:
    from jdcodec.codec.symbols import Symbols
    from jdcodec.inference.interface import PixelType

_DTYPES: dict[str, PixelType] = {
    "uint8": np.uint8,
    "uint16": np.uint16,
    "float32": np.float32,
}


@dataclass(frozen=True)
class DecodeSettings:
    """dtype: "uint8", "uint16" or "float32" (0 to 1). models: weights to look in before the shipped ones.

    grain: 0 (none) to 1, how much of the removed noise comes back as synthetic grain, see `grain`.
    """

    dtype: str = "uint8"
    device: str = "auto"
    precision: str = "auto"
    models: tuple[str, ...] = ()
    limits: Limits = DEFAULT_LIMITS
    grain: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.grain <= 1:
            raise JdcError(f"grain must lie between 0 and 1, not {self.grain:g}")
        if self.dtype not in _DTYPES:
            raise JdcError(f"dtype must be one of {', '.join(_DTYPES)}, not {self.dtype!r}")

    @property
    def pixel_type(self) -> PixelType:
        """`dtype` as numpy has it."""
        return _DTYPES[self.dtype]


def decode_bytes(data: bytes | memoryview, settings: DecodeSettings) -> NDArray[Any]:
    """Decode a file's bytes to pixels (H, W, 3), sRGB; raises JdcError."""
    return decode_file(parse(data, settings.limits), settings)


def decode_file(file: JdcFile, settings: DecodeSettings) -> NDArray[Any]:
    """Decode a parsed file to pixels (H, W, 3), sRGB; raises JdcError."""
    weights = find_model_by_id(file.header.model_id, settings.models)
    grain = wanted_grain(file.metadata, settings)
    from jdcodec.codec.runtime import start_inference
    from jdcodec.codec.symbols import Symbols, prepare_decoding, symbols_to_picture, wait_for

    header, dtype = file.header, settings.pixel_type
    inference = start_inference(weights, header.quality, device=settings.device, precision=settings.precision)
    prepare_decoding((header.coded_height, header.coded_width), inference, dtype, gray=header.gray)
    size = header.height, header.width
    symbols = Symbols.empty(weights.tables, header.coded_height, header.coded_width)
    # Windows proceed along the longer side of a picture. A single thread decodes, as it spends most of its
    # time in the interpreter, where a second one would only wait for it.
    wide = header.coded_width > header.coded_height
    tiles = zip(header.tiles(), file.tiles)
    ordered = sorted(tiles, key=lambda tile: (tile[0].x, tile[0].y) if wide else (tile[0].y, tile[0].x))
    with background() as run:
        arrivals = {
            rect.index: run(_decode_into, symbols, tile, rect, weights, header.quality_code)
            for rect, tile in ordered
        }
        pixels = symbols_to_picture(
            symbols,
            inference,
            size,
            dtype,
            gray=header.gray,
            before=lambda window: wait_for(arrivals, header, window),
        )
    return add_grain(pixels, grain, settings.grain, gray=header.gray) if grain else pixels


def wanted_grain(metadata: Metadata, settings: DecodeSettings) -> Grain | None:
    """The grain to add; None where none is wanted or the file has none. Raises FormatError."""
    if settings.grain == 0 or metadata.grain is None:
        return None
    try:
        return unpack_grain(metadata.grain)
    except FormatError as error:
        raise FormatError(f"{error}; decode it without grain") from error


def decode_symbols(file: JdcFile, weights: Weights) -> Symbols:
    """All symbols of a file, each tile checked against its CRC; raises DamagedError."""
    from jdcodec.codec.symbols import Symbols

    header = file.header
    symbols = Symbols.empty(weights.tables, header.coded_height, header.coded_width)
    for rect, tile in zip(header.tiles(), file.tiles):
        _decode_into(symbols, tile, rect, weights, header.quality_code)
    return symbols


def _decode_into(symbols: Symbols, tile: Tile, rect: TileRect, weights: Weights, quality_step: int) -> None:
    place = symbols.tile(rect)
    place.z[:], place.y[:] = decode_tile_symbols(tile, rect, weights, quality_step)


def decode_tile_symbols(
    tile: Tile, rect: TileRect, weights: Weights, quality_step: int
) -> tuple[NDArray[np.int8], NDArray[np.int16]]:
    """Symbols of one tile; raises DamagedError, which names it, where they do not match their CRC."""
    shape = (rect.height // HYPER_STRIDE, rect.width // HYPER_STRIDE)
    try:
        z, y = decode_tile(weights.tables, tile.data, shape, quality_step)
    except DamagedError as error:
        raise DamagedError(f"tile {tile.index} is damaged: {error}") from error
    if symbols_crc(z, y) != tile.symbols_crc:
        raise DamagedError(f"tile {tile.index} is damaged: its symbols do not match their checksum")
    return z, y
