"""Hostile inputs without end: good ones with bytes changed, moved, repeated and left out.

Every input follows from a name and a number, so a failure is found again by them.
"""

from __future__ import annotations

import struct
import zlib
from random import Random

_NUMBERS = (0, 1, 2, 7, 8, 63, 64, 65, 127, 128, 255, 256, 1023, 1024, 4096, 65_535, 65_536, 10**9)
_EDGES = (2**31 - 1, 2**31, 2**32 - 64, 2**32 - 1)


def mutated(data: bytes, random: Random) -> bytes:
    """Between one and four changes to a good input."""
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 1, 2, 3, 4))):
        random.choice(_CHANGES)(changed, random)
    return bytes(changed)


def repaired(data: bytes) -> bytes:
    """A file whose sections' checksums hold again, as far as sections are to be found in it."""
    fixed, offset = bytearray(data), 10
    while offset + 12 <= len(fixed):
        (length,) = struct.unpack_from("<I", fixed, offset + 4)
        end = offset + 8 + length
        if end + 4 > len(fixed):
            break
        crc = zlib.crc32(fixed[offset + 8 : end], zlib.crc32(fixed[offset : offset + 4]))
        struct.pack_into("<I", fixed, end, crc)
        offset = end + 4
    return bytes(fixed)


def _flip(data: bytearray, random: Random) -> None:
    if data:
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def _overwrite(data: bytearray, random: Random) -> None:
    start = random.randrange(len(data) + 1)
    data[start : start + random.choice((1, 2, 4, 16))] = random.randbytes(random.choice((1, 2, 4, 16)))


def _set_number(data: bytearray, random: Random) -> None:
    """A number that programs stumble over, as u32 or u16, in the first bytes more often than behind."""
    reach = min(len(data), 80) if random.random() < 0.7 else len(data)
    form = random.choice(("<I", "<I", "<H"))
    if reach >= 4:
        value = random.choice(_NUMBERS + _EDGES) % (1 << 8 * struct.calcsize(form))
        struct.pack_into(form, data, random.randrange(reach - 3), value)


def _cut_out(data: bytearray, random: Random) -> None:
    start = random.randrange(len(data) + 1)
    del data[start : start + random.choice((1, 4, 12, 100))]


def _cut_off(data: bytearray, random: Random) -> None:
    del data[random.randrange(len(data) + 1) :]


def _repeat(data: bytearray, random: Random) -> None:
    start, place = random.randrange(len(data) + 1), random.randrange(len(data) + 1)
    data[place:place] = data[start : start + random.choice((4, 12, 60, 300))] * random.choice((1, 1, 2, 20))


def _swap(data: bytearray, random: Random) -> None:
    size, places = random.choice((4, 12, 60)), range(max(1, len(data) - 60))
    a, b = random.choice(places), random.choice(places)
    data[a : a + size], data[b : b + size] = data[b : b + size], data[a : a + size]


_CHANGES = (_flip, _flip, _overwrite, _set_number, _set_number, _cut_out, _cut_off, _repeat, _swap)
