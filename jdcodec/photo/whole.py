"""Is a PNG or a JPEG whole? Their decoders let some damage pass, so this is asked first.

Pillow's decoders of the other formats refuse what is cut short by themselves. Each function raises
`PhotoError` where the file is cut short, or damaged in a way that its container shows.
"""

from __future__ import annotations

import re
import struct
import zlib

from jdcodec.errors import PhotoError

# FF and a byte other than 00 (a literal FF in a scan), D0–D7 (restarts in a scan) and FF (fill).
_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
_START_OF_IMAGE, _END_OF_IMAGE, _TEMPORARY = 0xD8, 0xD9, 0x01
_WITHOUT_LENGTH = {_START_OF_IMAGE, _TEMPORARY}


def require_whole_png(data: bytes) -> None:
    """Every chunk up to IEND, with its CRC: Pillow does not check those of the image data."""
    position = 8
    while position + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 8 + length
        if end + 4 > len(data):
            break
        if zlib.crc32(memoryview(data)[position + 4 : end]) != struct.unpack_from(">I", data, end)[0]:
            name = kind.decode("ascii", "replace")
            raise PhotoError(f"is damaged: the checksum of its {name} chunk does not match")
        if kind == b"IEND":
            return
        position = end + 4
    raise PhotoError("is cut short: the PNG has no end")


def require_whole_jpeg(data: bytes) -> None:
    """Segment after segment to the end-of-image marker, so that one inside a thumbnail does not count."""
    position = 2
    while True:
        found = _MARKER.search(data, position)
        if found is None:
            break
        marker = data[found.end() - 1]
        position = found.end()
        if marker == _END_OF_IMAGE:
            return
        if marker not in _WITHOUT_LENGTH:
            position += int.from_bytes(data[position : position + 2], "big")
    raise PhotoError("is cut short: the JPEG has no end-of-image marker")
