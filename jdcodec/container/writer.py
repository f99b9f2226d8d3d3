"""Values → bytes: everything is checked before it is written, so only valid files are made.

Temporary files, renaming and the errors of disks are left to the caller.
"""

from __future__ import annotations

import io
import struct
import zlib
from typing import BinaryIO

from jdcodec.container.contents import NO_METADATA, JdcFile, Metadata, Tile
from jdcodec.container.header import Header, check_limits, check_tile_length, pack_header
from jdcodec.container.layout import (
    DEFAULT_LIMITS,
    END_SECTION,
    HEAD,
    METADATA_SECTIONS,
    PREFIX,
    SECTION_START,
    SIGNATURE,
    TILE,
    TILE_START,
    VERSION,
    Limits,
)
from jdcodec.errors import FormatError, LimitError


class Writer:
    """Writes one file front to back, a tile at a time; need not be able to seek.

    `file` is a buffered binary file (one whose `write` takes all it is given); it is not closed.
    The constructor writes the header and the metadata, after it has checked both: `LimitError` for
    a size beyond `limits`. Errors of the file (`OSError`) pass through.
    """

    def __init__(
        self,
        file: BinaryIO,
        header: Header,
        metadata: Metadata = NO_METADATA,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        check_limits(header, limits)
        payloads = _metadata_payloads(metadata, limits)
        self._file = file
        self._header = header
        self._next_index = 0
        file.write(PREFIX.pack(SIGNATURE, *VERSION))
        self._write_section(HEAD, pack_header(header))
        for type_, payload in payloads.items():
            self._write_section(type_, payload)

    def add_tile(self, tile: Tile) -> None:
        """Write the next tile; raises `FormatError` where it is not the next or no tile can be so."""
        if tile.index != self._next_index or tile.index >= self._header.tile_count:
            raise FormatError(
                f"tile {tile.index} of {self._header.tile_count} cannot be written: "
                f"{self._next_index} are written already, in order"
            )
        if not 0 <= tile.symbols_crc < 2**32:
            raise FormatError(f"tile {tile.index}: {tile.symbols_crc} is not a CRC-32")
        rect = self._header.tile_rect(tile.index)
        check_tile_length(rect, TILE_START.size + len(tile.data))
        self._write_section(TILE, TILE_START.pack(tile.index, tile.symbols_crc), tile.data)
        self._next_index += 1

    def finish(self) -> None:
        """Write the end section; raises `FormatError` where tiles are missing."""
        if self._next_index != self._header.tile_count:
            raise FormatError(
                f"file cannot be ended: {self._next_index} of {self._header.tile_count} tiles are written"
            )
        self._file.write(END_SECTION)

    def _write_section(self, type_: str, *payload: bytes | memoryview) -> None:
        type_bytes = type_.encode("ascii")
        crc = zlib.crc32(type_bytes)
        self._file.write(SECTION_START.pack(type_bytes, sum(map(len, payload))))
        for part in payload:
            crc = zlib.crc32(part, crc)
            self._file.write(part)
        self._file.write(struct.pack("<I", crc))


def serialize(file: JdcFile, limits: Limits = DEFAULT_LIMITS) -> bytes:
    """The bytes of `file`, always in the version that this program writes (`VERSION`).

    Raises `FormatError` for tiles that are missing, out of order or of an impossible size, and
    `LimitError` for a size beyond `limits`.
    """
    buffer = io.BytesIO()
    writer = Writer(buffer, file.header, file.metadata, limits)
    for tile in file.tiles:
        writer.add_tile(tile)
    writer.finish()
    return buffer.getvalue()


def _metadata_payloads(metadata: Metadata, limits: Limits) -> dict[str, bytes]:
    payloads: dict[str, bytes] = {}
    for type_, field in METADATA_SECTIONS.items():
        payload: bytes | None = getattr(metadata, field)
        if payload is None:
            continue
        if len(payload) > limits.max_metadata_bytes:
            raise LimitError(
                f"{field} metadata of {len(payload):,} bytes is beyond the limit of "
                f"{limits.max_metadata_bytes:,}"
            )
        payloads[type_] = payload
    return payloads
