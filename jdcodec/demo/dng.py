"""Writes a Bayer mosaic as an uncompressed DNG, the RAW format anybody may write.

A DNG is a TIFF with tags of its own; this module knows just enough of TIFF 6.0 and of the Adobe DNG
specification 1.4 for one mosaic in one strip. Making the mosaic is the work of `sensor`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from jdcodec.atomic import atomic_output

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

# TIFF field types: the number that stands in the file, and one value's layout.
_BYTE, _ASCII, _SHORT, _LONG, _RATIONAL, _UNDEFINED, _SRATIONAL, _DOUBLE = 1, 2, 3, 4, 5, 7, 10, 12
_LAYOUT = {_BYTE: "B", _SHORT: "H", _LONG: "I", _RATIONAL: "2I", _SRATIONAL: "2i", _DOUBLE: "d"}

_HEADER_SIZE = 8
_COLOUR_FILTER_ARRAY = 32803  # PhotometricInterpretation of a mosaic
_D65 = 21  # the EXIF LightSource code
_PLANE_OF = {"R": 0, "G": 1, "B": 2}


@dataclass(frozen=True)
class DngTags:
    """What a DNG says of its mosaic.

    cfa_pattern: the 2×2 colours of the filter array, row by row, such as "RGGB".
    black_level, white_level: the integers that no light and full saturation read as.
    color_matrix: rows of the 3×3 matrix from CIE XYZ under D65 to camera RGB.
    as_shot_neutral: camera RGB of a white object in this photograph's light, its largest value 1.
    noise_profile: (S, O), the noise variance S·x + O of a signal x in [0, 1]; see DNG 1.4, NoiseProfile.
    """

    cfa_pattern: str
    black_level: int
    white_level: int
    color_matrix: tuple[tuple[float, float, float], ...]
    as_shot_neutral: tuple[float, float, float]
    noise_profile: tuple[float, float]
    iso: int
    exposure_time: Fraction
    make: str
    model: str
    taken: datetime


@dataclass(frozen=True)
class _Entry:
    """One TIFF directory entry: its tag, field type, number of values, and their bytes."""

    tag: int
    kind: int
    count: int
    payload: bytes


def _numbers(tag: int, kind: int, *values: float) -> _Entry:
    """An entry of numbers; rationals are given as plain numbers and stored over 10,000."""
    if kind in (_RATIONAL, _SRATIONAL):
        payload = b"".join(struct.pack("<" + _LAYOUT[kind], round(v * 10_000), 10_000) for v in values)
    elif kind == _DOUBLE:
        payload = struct.pack(f"<{len(values)}d", *values)
    else:
        payload = struct.pack(f"<{len(values)}{_LAYOUT[kind]}", *(int(v) for v in values))
    return _Entry(tag, kind, len(values), payload)


def _text(tag: int, value: str) -> _Entry:
    payload = value.encode("ascii") + b"\0"
    return _Entry(tag, _ASCII, len(payload), payload)


def _directory(entries: list[_Entry], at: int) -> bytes:
    """A TIFF directory that will stand at byte `at`, and after it the values longer than four bytes."""
    overflow_at = at + 2 + 12 * len(entries) + 4
    table, overflow = struct.pack("<H", len(entries)), b""
    for entry in sorted(entries, key=lambda entry: entry.tag):
        table += struct.pack("<HHI", entry.tag, entry.kind, entry.count)
        if len(entry.payload) <= 4:
            table += entry.payload.ljust(4, b"\0")
        else:
            table += struct.pack("<I", overflow_at + len(overflow))
            overflow += entry.payload + b"\0" * (len(entry.payload) % 2)
    return table + struct.pack("<I", 0) + overflow


def _exif_entries(tags: DngTags) -> list[_Entry]:
    exposure = struct.pack("<2I", tags.exposure_time.numerator, tags.exposure_time.denominator)
    return [
        _Entry(33434, _RATIONAL, 1, exposure),  # ExposureTime
        _numbers(34855, _SHORT, min(tags.iso, 65535)),  # ISOSpeedRatings, capped as EXIF says
        _Entry(36864, _UNDEFINED, 4, b"0230"),  # ExifVersion
        _text(36867, tags.taken.strftime("%Y:%m:%d %H:%M:%S")),  # DateTimeOriginal
    ]


def _main_entries(tags: DngTags, height: int, width: int, pixels_at: int, exif_at: int) -> list[_Entry]:
    matrix = [value for row in tags.color_matrix for value in row]
    return [
        _numbers(254, _LONG, 0),  # NewSubFileType: the full picture
        _numbers(256, _LONG, width),
        _numbers(257, _LONG, height),
        _numbers(258, _SHORT, 16),  # BitsPerSample, as stored
        _numbers(259, _SHORT, 1),  # Compression: none
        _numbers(262, _SHORT, _COLOUR_FILTER_ARRAY),
        _text(271, tags.make),
        _text(272, tags.model),
        _numbers(273, _LONG, pixels_at),  # StripOffsets
        _numbers(274, _SHORT, 1),  # Orientation: upright
        _numbers(277, _SHORT, 1),  # SamplesPerPixel
        _numbers(278, _LONG, height),  # RowsPerStrip: all in one
        _numbers(279, _LONG, 2 * height * width),  # StripByteCounts
        _numbers(284, _SHORT, 1),  # PlanarConfiguration
        _text(305, "jdcodec demo"),  # Software
        _text(306, tags.taken.strftime("%Y:%m:%d %H:%M:%S")),  # DateTime
        _numbers(33421, _SHORT, 2, 2),  # CFARepeatPatternDim
        _numbers(33422, _BYTE, *(_PLANE_OF[colour] for colour in tags.cfa_pattern)),
        _numbers(34665, _LONG, exif_at),
        _numbers(50706, _BYTE, 1, 4, 0, 0),  # DNGVersion
        _numbers(50707, _BYTE, 1, 3, 0, 0),  # DNGBackwardVersion
        _text(50708, f"{tags.make} {tags.model}"),  # UniqueCameraModel
        _numbers(50714, _SHORT, tags.black_level),
        _numbers(50717, _SHORT, tags.white_level),
        _numbers(50721, _SRATIONAL, *matrix),  # ColorMatrix1
        _numbers(50728, _RATIONAL, *tags.as_shot_neutral),
        _numbers(50778, _SHORT, _D65),  # CalibrationIlluminant1
        _numbers(51041, _DOUBLE, *tags.noise_profile),
    ]


def dng_bytes(mosaic: npt.NDArray[np.uint16], tags: DngTags) -> bytes:
    """The DNG file of one mosaic.

    mosaic: (H, W) uint16, the values that the sensor read.
    Raises ValueError for a mosaic of another form, or a colour filter array that is not 2×2 of R, G and B.
    """
    if mosaic.ndim != 2 or mosaic.dtype != "uint16" or mosaic.size == 0:
        raise ValueError(f"a mosaic is (H, W) uint16, not {mosaic.shape} {mosaic.dtype}")
    if len(tags.cfa_pattern) != 4 or set(tags.cfa_pattern) != set("RGB"):
        raise ValueError(f"a Bayer pattern has four letters of R, G and B, not {tags.cfa_pattern!r}")
    height, width = mosaic.shape
    pixels = mosaic.astype("<u2").tobytes()
    # Pixels first: each part then stands where the one before it ends, and no offset needs a second pass.
    exif_at = _HEADER_SIZE + len(pixels)
    exif = _directory(_exif_entries(tags), exif_at)
    main_at = exif_at + len(exif)
    main = _directory(_main_entries(tags, height, width, _HEADER_SIZE, exif_at), main_at)
    return struct.pack("<2sHI", b"II", 42, main_at) + pixels + exif + main


def write_dng(path: Path, mosaic: npt.NDArray[np.uint16], tags: DngTags) -> None:
    """Write one mosaic (see `dng_bytes`) as a DNG file, over one that exists; raises OutputError."""
    with atomic_output(path, force=True) as file:
        file.write(dng_bytes(mosaic, tags))
