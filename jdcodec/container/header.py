"""The header of a `.jdc` file: what was coded, how, and which tiles follow.

A `Header` that exists is valid: each field's range is checked when one is made, so writing and
reading share one set of checks, and nothing is allocated from a field that was not checked.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace

from jdcodec.container.layout import (
    MAX_BYTES_PER_PIXEL,
    MAX_TILE_SIZE,
    MIN_TILE_SECTION,
    SECTION_OVERHEAD,
    TILE_START,
    TILE_UNIT,
    VERSION,
    Limits,
)
from jdcodec.errors import FormatError, LimitError

HEAD_PAYLOAD = struct.Struct("<16s4B4IH2B")
"""Model id; quality, denoise, colour, bit depth; display width and height, coded width and height;
tile size; major and minor version once more."""

MODEL_ID_BYTES = 16
MAX_QUALITY_CODE = 224
_QUALITY_STEPS = 32
_MAX_SIDE = 2**32 - TILE_UNIT
_MAX_TILES = 2**32


@dataclass(frozen=True)
class TileRect:
    """The place of one tile: `x`, `y`, `width` and `height` in coded pixels, multiples of 64."""

    index: int
    x: int
    y: int
    width: int
    height: int

    @property
    def max_payload(self) -> int:
        """The most bytes that the payload of this tile's section may have."""
        return TILE_START.size + MAX_BYTES_PER_PIXEL * self.width * self.height


@dataclass(frozen=True, kw_only=True)
class Header:
    """The fields of the `Head` section; `width` and `height` are the display size in pixels.

    `quality_code` is 0…224 for quality 1.0…8.0, `denoise_percent` 0…100, `bit_depth` the source's (8
    or 16), `gray` whether the source had one channel, `tile_size` a multiple of 64 from 64 to 4096.
    Raises `FormatError` for a field outside its range.
    """

    model_id: bytes
    quality_code: int
    denoise_percent: int
    gray: bool
    bit_depth: int
    width: int
    height: int
    tile_size: int = 1024

    def __post_init__(self) -> None:
        if len(self.model_id) != MODEL_ID_BYTES:
            raise FormatError(f"model id has {len(self.model_id)} bytes instead of {MODEL_ID_BYTES}")
        _check_range("quality code", self.quality_code, 0, MAX_QUALITY_CODE)
        _check_range("denoise strength in percent", self.denoise_percent, 0, 100)
        if self.bit_depth not in (8, 16):
            raise FormatError(f"bit depth {self.bit_depth} is neither 8 nor 16")
        _check_range("display width", self.width, 1, _MAX_SIDE)
        _check_range("display height", self.height, 1, _MAX_SIDE)
        _check_range("tile size", self.tile_size, TILE_UNIT, MAX_TILE_SIZE)
        if self.tile_size % TILE_UNIT:
            raise FormatError(f"tile size {self.tile_size} is not a multiple of {TILE_UNIT}")
        if self.tile_count > _MAX_TILES:
            raise FormatError(f"{self.tile_count} tiles are more than a 32-bit index can count")

    @classmethod
    def from_settings(
        cls,
        *,
        model_id: bytes,
        quality: float,
        denoise: float,
        gray: bool,
        bit_depth: int,
        width: int,
        height: int,
        tile_size: int = 1024,
    ) -> Header:
        """The header for real-valued settings: quality 1…8 in steps of 1/32, denoise 0…1 of 1/100.

        Both are rounded to the nearest step: code with the header's `quality` and `denoise`, not
        with the values given here, or the decoder uses other ones than the encoder did.
        """
        _check_range("denoise strength", denoise, 0, 1)
        return cls(
            model_id=model_id,
            quality_code=_quality_code(quality),
            denoise_percent=round(denoise * 100),
            gray=gray,
            bit_depth=bit_depth,
            width=width,
            height=height,
            tile_size=tile_size,
        )

    def at_quality(self, quality: float) -> Header:
        """The same at another quality, 1…8, rounded to the nearest step."""
        return replace(self, quality_code=_quality_code(quality))

    @property
    def quality(self) -> float:
        """1.0 (smallest) to 8.0 (best), exactly."""
        return 1 + self.quality_code / _QUALITY_STEPS

    @property
    def denoise(self) -> float:
        """0.0 (keep the noise) to 1.0 (the clean scene)."""
        return self.denoise_percent / 100

    @property
    def coded_width(self) -> int:
        """The display width rounded up to a multiple of 64."""
        return _round_up(self.width, TILE_UNIT)

    @property
    def coded_height(self) -> int:
        """The display height rounded up to a multiple of 64."""
        return _round_up(self.height, TILE_UNIT)

    @property
    def columns(self) -> int:
        """Tiles in a row."""
        return -(-self.coded_width // self.tile_size)

    @property
    def rows(self) -> int:
        """Rows of tiles."""
        return -(-self.coded_height // self.tile_size)

    @property
    def tile_count(self) -> int:
        """Tiles in the file."""
        return self.columns * self.rows

    def tile_rect(self, index: int) -> TileRect:
        """The place of tile `index`, 0 … `tile_count` − 1; the last column and row may be smaller."""
        row, column = divmod(index, self.columns)
        x, y = column * self.tile_size, row * self.tile_size
        return TileRect(
            index=index,
            x=x,
            y=y,
            width=min(self.tile_size, self.coded_width - x),
            height=min(self.tile_size, self.coded_height - y),
        )

    def tiles(self) -> Iterator[TileRect]:
        """All tiles in the order of the file: left to right, then top to bottom."""
        return map(self.tile_rect, range(self.tile_count))


def check_limits(header: Header, limits: Limits) -> None:
    """Raise `LimitError` where the display size of `header` is more than `limits` allow."""
    size = f"{header.width} × {header.height} pixels"
    if max(header.width, header.height) > limits.max_side:
        raise LimitError(f"{size} is beyond the limit of {limits.max_side:,} pixels a side")
    if header.width * header.height > limits.max_pixels:
        raise LimitError(f"{size} is beyond the limit of {limits.max_pixels:,} pixels")


def check_tile_length(rect: TileRect, length: int) -> None:
    """Raise `FormatError` where no tile at `rect` can have a payload of `length` bytes."""
    if length % 4:
        raise FormatError(f"payload of {length} bytes is not a whole number of 32-bit words")
    if not TILE_START.size <= length <= rect.max_payload:
        raise FormatError(
            f"payload of {length} bytes is outside {TILE_START.size}…{rect.max_payload}, "
            f"the range for {rect.width} × {rect.height} pixels"
        )


def pack_header(header: Header) -> bytes:
    """The payload of the `Head` section, 40 bytes."""
    return HEAD_PAYLOAD.pack(
        header.model_id,
        header.quality_code,
        header.denoise_percent,
        0 if header.gray else 1,
        header.bit_depth,
        header.width,
        header.height,
        header.coded_width,
        header.coded_height,
        header.tile_size,
        *VERSION,
    )


def unpack_header(payload: bytes | memoryview) -> tuple[Header, tuple[int, int]]:
    """The header in a 40-byte payload, and the version repeated there.

    Raises `FormatError` for a field outside its range or a coded size that does not fit the
    display size. The version is left to the caller to compare.
    """
    (
        model_id,
        quality_code,
        denoise_percent,
        color,
        bit_depth,
        width,
        height,
        coded_width,
        coded_height,
        tile_size,
        major,
        minor,
    ) = HEAD_PAYLOAD.unpack(payload)
    _check_range("colour", color, 0, 1)
    header = Header(
        model_id=model_id,
        quality_code=quality_code,
        denoise_percent=denoise_percent,
        gray=color == 0,
        bit_depth=bit_depth,
        width=width,
        height=height,
        tile_size=tile_size,
    )
    if (coded_width, coded_height) != (header.coded_width, header.coded_height):
        raise FormatError(
            f"coded size {coded_width} × {coded_height} does not fit the display size {width} × {height}, "
            f"which needs {header.coded_width} × {header.coded_height}"
        )
    return header, (major, minor)


def section_bytes_needed(header: Header) -> int:
    """The least number of bytes that the tiles and the end section of `header` take in a file."""
    return header.tile_count * MIN_TILE_SECTION + SECTION_OVERHEAD


def _quality_code(quality: float) -> int:
    _check_range("quality", quality, 1, 8)
    return round((quality - 1) * _QUALITY_STEPS)


def _round_up(value: int, unit: int) -> int:
    return -(-value // unit) * unit


def _check_range(what: str, value: float, low: int, high: int) -> None:
    # Written so that a quality of NaN is outside as well.
    if not low <= value <= high:
        raise FormatError(f"{what} {value} is outside {low}…{high}")
