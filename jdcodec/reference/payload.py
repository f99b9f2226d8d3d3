"""The bytes of one coded picture: size, range-coded strings, checksum. A research format, not `.jdc`.

Layout, little-endian: magic "JDRF", u16 height, u16 width, u8 number of strings, u32 length of each, the
strings, CRC-32 of all before it. compressai's range decoder reads beyond the end of a string that was
tampered with, so nothing is decoded before the checksum holds; it does not protect against forgery.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

from jdcodec.errors import DamagedError, FormatError, LimitError

MAGIC = b"JDRF"

#: Pixels of a picture at most.
PIXEL_LIMIT = 64_000_000

_HEAD = struct.Struct("<4sHHB")
_U32 = struct.Struct("<I")


def pack(height: int, width: int, strings: Sequence[bytes]) -> bytes:
    """Bytes of a picture of this size in pixels; raises LimitError where it is too large."""
    _check_size(height, width)
    body = _HEAD.pack(MAGIC, height, width, len(strings))
    body += b"".join(_U32.pack(len(string)) for string in strings) + b"".join(strings)
    return body + _U32.pack(zlib.crc32(body))


def unpack(data: bytes, count: int) -> tuple[int, int, list[bytes]]:
    """(height, width, strings) of `pack`'s bytes, which must hold `count` strings.

    Raises FormatError (not such bytes), DamagedError (they were once) or LimitError.
    """
    if data[: len(MAGIC)] != MAGIC:
        raise FormatError("not a picture coded by a reference system")
    if len(data) < _HEAD.size + _U32.size or zlib.crc32(data[:-4]) != _U32.unpack(data[-4:])[0]:
        raise DamagedError("the coded picture is damaged or cut off: its checksum does not hold")
    _, height, width, found = _HEAD.unpack_from(data)
    if found != count:
        raise FormatError(f"the coded picture has {found} strings, but this system writes {count}")
    _check_size(height, width)
    start = _HEAD.size + count * _U32.size
    if start > len(data) - _U32.size:
        raise DamagedError("the coded picture ends before its strings")
    lengths = [_U32.unpack_from(data, _HEAD.size + index * _U32.size)[0] for index in range(count)]
    if start + sum(lengths) + _U32.size != len(data):
        raise DamagedError("the coded picture's strings do not add up to its length")
    strings = []
    for length in lengths:
        strings.append(data[start : start + length])
        start += length
    return height, width, strings


def _check_size(height: int, width: int) -> None:
    if not (1 <= height <= 0xFFFF and 1 <= width <= 0xFFFF and height * width <= PIXEL_LIMIT):
        raise LimitError(f"a picture of {width} × {height} pixels is beyond the reference systems' limit")
