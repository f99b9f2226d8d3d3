"""Small pictures and files made by hand, for the tests of the readers and writers."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

RAW_FOLDER = Path(os.environ.get("JDC_DATA", "")) / "raw"

needs_raw = pytest.mark.skipif(
    "JDC_DATA" not in os.environ or not RAW_FOLDER.is_dir(), reason="JDC_DATA names no folder with raw/ in it"
)

# Colorants of Display P3, adapted to D50, as columns X Y Z.
DISPLAY_P3 = np.array([[0.51512, 0.29198, 0.1571], [0.2412, 0.69225, 0.06657], [-0.00105, 0.04189, 0.78407]])
SRGB_CURVE = [2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045]


def picture(height: int = 24, width: int = 32, *, bits: int = 8, channels: int = 3) -> Any:
    """A smooth gradient with some noise: (height, width, channels), or (height, width) for one channel."""
    random = np.random.default_rng(height * 1000 + width)
    rows, columns = np.mgrid[0:height, 0:width]
    planes = [(rows / height + columns / width * (c + 1)) / (c + 2) for c in range(channels)]
    values = np.clip(np.stack(planes, axis=-1) + random.normal(0, 0.02, (height, width, channels)), 0, 1)
    integers = np.rint(values * (2**bits - 1)).astype(np.uint16 if bits == 16 else np.uint8)
    return integers[..., 0] if channels == 1 else integers


def pillow_file(pixels: Any, format_name: str, *, mode: str | None = None, **settings: Any) -> bytes:
    """The bytes of a file that Pillow writes."""
    image = Image.fromarray(pixels)
    file = io.BytesIO()
    (image.convert(mode) if mode else image).save(file, format_name, **settings)
    return file.getvalue()


def deep_png(samples: Any, *, interlaced: bool = False, extra: bytes = b"", late: bytes = b"") -> bytes:
    """A 16-bit PNG of (H, W, 1 to 4) samples; `extra` and `late` are chunks around the pixels."""
    height, width, channels = samples.shape
    rows = png_rows(samples.astype(">u2").view(np.uint8), interlaced=interlaced)
    colour_type = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, int(interlaced))
    chunks = png_chunk(b"IHDR", header) + extra + png_chunk(b"IDAT", zlib.compress(rows)) + late
    return b"\x89PNG\r\n\x1a\n" + chunks + png_chunk(b"IEND", b"")


def png_rows(samples: Any, *, interlaced: bool = False) -> bytes:
    """What a PNG compresses: (H, W, bytes of a pixel) uint8 by rows, or by passes, without a filter."""
    # Adam7: first row, first column, row step, column step of each pass.
    passes = [
        (0, 0, 8, 8),
        (0, 4, 8, 8),
        (4, 0, 8, 4),
        (0, 2, 4, 4),
        (2, 0, 4, 2),
        (0, 1, 2, 2),
        (1, 0, 2, 1),
    ]
    rows = b""
    for first_row, first_column, row_step, column_step in passes if interlaced else [(0, 0, 1, 1)]:
        part = samples[first_row::row_step, first_column::column_step]
        rows += b"".join(b"\0" + row.tobytes() for row in part if row.size)
    return rows


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def exif_block(orientation: int = 1, *, order: str = "<") -> bytes:
    """An EXIF block by Pillow: make, model, orientation, ISO, exposure time, a maker note, a place."""
    exif = Image.Exif()
    exif.endian = order
    exif[271], exif[272], exif[274] = "Maker", "Model 1", orientation
    photo = exif.get_ifd(34665)
    photo[34855], photo[33434], photo[37500] = 800, 0.01, b"private notes of the maker"
    exif.get_ifd(34853)[1] = "N"
    return exif.tobytes().removeprefix(b"Exif\0\0")


def matrix_profile(to_xyz: Any = DISPLAY_P3, curve: Any = SRGB_CURVE) -> bytes:
    """An RGB profile of three colorants (columns) and one parametric curve, of type 0 or 3."""
    kind = {1: 0, 5: 3}[len(curve)]
    curve_tag = b"para\0\0\0\0" + struct.pack(">HH", kind, 0) + _fixed(curve)
    colorants = [b"XYZ \0\0\0\0" + _fixed(column) for column in np.asarray(to_xyz).T]
    return _profile(b"RGB ", dict(zip((b"rXYZ", b"gXYZ", b"bXYZ"), colorants)) | _same_curve(curve_tag))


def gray_profile(gamma: float) -> bytes:
    """A gray profile with a pure power as its curve."""
    return _profile(b"GRAY", {b"kTRC": b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))})


def table_profile(channels: int) -> bytes:
    """A profile with a table: RGB to a neutral whose L* is their mean, CMYK to 100 minus theirs."""
    corners = np.indices((2,) * channels).reshape(channels, -1).mean(axis=0)
    lightness = np.rint(255 * (corners if channels == 3 else 1 - corners))
    neutral = np.full(len(lightness), 128)
    identity = bytes(range(256))
    matrix = _fixed((1, 0, 0, 0, 1, 0, 0, 0, 1))
    table = np.stack([lightness, neutral, neutral], axis=-1).astype(np.uint8).tobytes()
    tag = b"mft1\0\0\0\0" + bytes([channels, 3, 2, 0]) + matrix + identity * channels + table + identity * 3
    profile = _profile(b"RGB " if channels == 3 else b"CMYK", {b"A2B0": tag})
    return profile[:12] + b"prtr" + profile[16:20] + b"Lab " + profile[24:]


def _same_curve(tag: bytes) -> dict[bytes, bytes]:
    return {b"rTRC": tag, b"gTRC": tag, b"bTRC": tag}


def _fixed(values: Any) -> bytes:
    return b"".join(struct.pack(">i", round(value * 65_536)) for value in values)


def _profile(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    tags = {b"wtpt": b"XYZ \0\0\0\0" + _fixed((0.9642, 1.0, 0.8249)), **tags}
    start = 132 + 12 * len(tags)
    table, data = struct.pack(">I", len(tags)), b""
    for signature, tag in tags.items():
        table += struct.pack(">4sII", signature, start + len(data), len(tag))
        data += tag.ljust(-(-len(tag) // 4) * 4, b"\0")
    header = bytearray(128)
    header[0:4] = struct.pack(">I", start + len(data))
    header[8:12] = b"\x02\x40\0\0"
    header[12:24] = b"mntr" + space + b"XYZ "
    header[36:40] = b"acsp"
    header[68:80] = _fixed((0.9642, 1.0, 0.8249))
    return bytes(header) + table + data
