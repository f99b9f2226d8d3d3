"""Small files built by hand from `docs/format.md`, without the code under test.

The writer refuses to make what the hostile files hold, and a mistake it shared with the reader would
otherwise go unseen.
"""

from __future__ import annotations

import io
import struct
import zlib

from jdcodec.container import Header, JdcFile, Limits, Metadata, Reader, Tile
from jdcodec.container.layout import DEFAULT_LIMITS

MODEL_ID = bytes(range(16))
SIGNATURE = bytes.fromhex("8a 4a 44 43 0d 0a 1a 0a")
HEAD_SECTION_END = 62


def section(
    type_: bytes, payload: bytes = b"", *, length: int | None = None, crc: int | None = None
) -> bytes:
    """One section; a `length` or `crc` given is written in place of the right one."""
    if length is None:
        length = len(payload)
    if crc is None:
        crc = zlib.crc32(type_ + payload)
    return type_ + struct.pack("<I", length) + payload + struct.pack("<I", crc)


def head_payload(**fields: int | bytes) -> bytes:
    """130 × 70 pixels in six tiles of 64 × 64, but for the `fields` given."""
    values: dict[str, int | bytes] = {
        "model_id": MODEL_ID,
        "quality": 96,
        "denoise": 100,
        "color": 1,
        "bit_depth": 16,
        "width": 130,
        "height": 70,
        "coded_width": 192,
        "coded_height": 128,
        "tile_size": 64,
        "major": 1,
        "minor": 0,
    }
    assert fields.keys() <= values.keys()
    return struct.pack("<16s4B4IH2B", *(values | fields).values())


def head(**fields: int | bytes) -> bytes:
    return section(b"Head", head_payload(**fields))


def tile(index: int, words: int = 3) -> bytes:
    """With three words a section is 32 bytes long, so that one flipped bit can swallow the next tile."""
    return section(b"Tile", tile_payload(index, words))


def tile_payload(index: int, words: int = 3) -> bytes:
    return struct.pack("<II", index, symbols_crc(index)) + tile_data(index, words)


def tile_data(index: int, words: int = 3) -> bytes:
    return struct.pack(f"<{words}I", *(0x9E3779B1 * (8 * index + word + 1) % 2**32 for word in range(words)))


def symbols_crc(index: int) -> int:
    return 0xC0DE0000 + index


START = SIGNATURE + bytes([1, 0])
HEAD = head()
EXIF = section(b"exif", b"MM\0*\0\0\0\x08")
XMP = section(b"xmpd", b"<x/>")
TILES = [tile(index) for index in range(6)]
END = section(b"Tend")
SMALL = START + HEAD + EXIF + XMP + b"".join(TILES) + END

SMALL_HEADER = Header(
    model_id=MODEL_ID,
    quality_code=96,
    denoise_percent=100,
    gray=False,
    bit_depth=16,
    width=130,
    height=70,
    tile_size=64,
)
SMALL_FILE = JdcFile(
    header=SMALL_HEADER,
    tiles=tuple(Tile(index, symbols_crc(index), tile_data(index)) for index in range(6)),
    metadata=Metadata(exif=b"MM\0*\0\0\0\x08", xmp=b"<x/>"),
)


def read_all(data: bytes, limits: Limits = DEFAULT_LIMITS) -> JdcFile:
    """What `parse` returns, through `Reader` and one tile at a time."""
    reader = Reader(io.BytesIO(data), limits)
    tiles = tuple(reader.read_tile(index) for index in range(reader.header.tile_count))
    return JdcFile(reader.header, tiles, reader.metadata, reader.version)
