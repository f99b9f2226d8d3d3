"""The checksum of a tile's symbols: the range coder does not notice by itself that its bytes have changed."""

from __future__ import annotations

import zlib

import numpy as np


def symbols_crc(
    z: np.ndarray[tuple[int, ...], np.dtype[np.int8]], y: np.ndarray[tuple[int, ...], np.dtype[np.int16]]
) -> int:
    """CRC-32 of a tile's symbols: z, then y, as int16 little-endian in the order channel, row, column."""
    hyperlatents = zlib.crc32(z.astype("<i2").data)
    return zlib.crc32(np.ascontiguousarray(y, "<i2").data, hyperlatents)
