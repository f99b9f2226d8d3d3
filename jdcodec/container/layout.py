"""The constants of the `.jdc` layout, and the limits that a caller may set.

`docs/format.md` is normative; this module is its numbers in Python. What the fields of the header
mean is in `header`, how bytes are cut into sections in `framing`.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from jdcodec.errors import LimitError

# As in PNG: a byte above 0x7F catches seven-bit transfers, CR LF and a lone LF catch both ways of
# converting line endings, and 0x1A ends the output of `type` on DOS.
SIGNATURE = b"\x8aJDC\r\n\x1a\n"
VERSION = (1, 0)

PREFIX = struct.Struct("<8s2B")
"""Signature, major version, minor version."""

SECTION_START = struct.Struct("<4sI")
"""Type and payload length. The payload and a u32 CRC-32 of type and payload follow."""

SECTION_OVERHEAD = SECTION_START.size + 4

TILE_START = struct.Struct("<II")
"""The first 8 bytes of a tile's payload: index and CRC-32 of the decoded symbols."""

HEAD = "Head"
TILE = "Tile"
END = "Tend"
METADATA_SECTIONS = {"exif": "exif", "xmpd": "xmp", "iccp": "icc", "grai": "grain"}
"""Section type to the field of `Metadata` that holds its payload."""

END_SECTION = SECTION_START.pack(END.encode(), 0) + struct.pack("<I", zlib.crc32(END.encode()))
MIN_TILE_SECTION = SECTION_OVERHEAD + TILE_START.size

TILE_UNIT = 64
"""Coded sizes and tile sizes are multiples of this: one hyperlatent covers 64 × 64 pixels."""

MAX_TILE_SIZE = 4096

MAX_BYTES_PER_PIXEL = 32
"""Most entropy-coded bytes for one coded pixel of a tile.

The two networks of version 1 code 1.02 and 1.27 symbols a pixel. With room for four symbols a pixel
and two 32-bit words a symbol (a 24-bit probability and the longest escape code of an int16 fit in
those), no tile that an encoder can make reaches it.
"""


#: Usual limits of a picture, in pixels: in all, and a side.
MAX_PIXELS = 400_000_000
MAX_SIDE = 65_535


@dataclass(frozen=True)
class Limits:
    """How much a reader or writer is willing to hold. Each may be raised or lowered by the caller.

    `max_side` and `max_pixels` bound the display size, in pixels; `max_metadata_bytes` bounds the
    payload of each ancillary section, known or not. Raises `LimitError` where one is below 1.
    """

    max_side: int = MAX_SIDE
    max_pixels: int = MAX_PIXELS
    max_metadata_bytes: int = 64 * 2**20

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value < 1:
                raise LimitError(f"{name} must be a whole number from 1 on, not {value!r}")


DEFAULT_LIMITS = Limits()
