"""What a file says of its colours where it has no ICC profile, without any pixel.

PNG says it in cICP, sRGB, gAMA and cHRM, AVIF and HEIC in an nclx box, and a camera set to Adobe RGB in EXIF
alone.
Sources: the PNG specification, third edition, 4.3 and 11.3.2; ITU-T H.273 for code points; ISO/IEC 14496-12,
12.1.5; CIPA DC-008 (EXIF 2.32) and DC-009 (DCF 2.0); Adobe RGB (1998) Color Image Encoding, 4.3.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jdcodec.photo.boxes import primary_properties
from jdcodec.photo.exif import says_adobe_rgb
from jdcodec.photo.whole import png_chunks

# x and y of red, green, blue and white.
Chromaticities = tuple[tuple[float, float], ...]

_D65 = (0.3127, 0.3290)
_BT_709: Chromaticities = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06), _D65)
_BT_2020: Chromaticities = ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), _D65)
_P3: Chromaticities = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _D65)

# Files give three to five digits.
_SAME_CHROMATICITY = 0.002
# As for libpng: below 5 % nobody sees it.
_SAME_POWER = 0.05
_POWER_NEAR_SRGB = 2.2


@dataclass(frozen=True, slots=True)
class ColourSpace:
    """How values stand for colours.

    name: for notes. power: of light over values, or None for sRGB's curve. chromaticities: None where it is
    not known here how to convert from it.
    """

    name: str
    power: float | None
    chromaticities: Chromaticities | None

    @property
    def has_srgb_primaries(self) -> bool:
        """Whether primaries and white are those of sRGB, as far as files have digits."""
        pairs = zip(self.chromaticities or (), _BT_709)
        return self.chromaticities is not None and all(
            abs(a - b) <= _SAME_CHROMATICITY for own, srgb in pairs for a, b in zip(own, srgb)
        )

    def is_srgb(self, *, gray: bool) -> bool:
        """Whether values count as sRGB: a power of 2.2 does, and of gray images the curve alone matters."""
        same_curve = self.power is None or abs(self.power / _POWER_NEAR_SRGB - 1) <= _SAME_POWER
        return same_curve and (self.has_srgb_primaries or (gray and self.chromaticities is not None))


SRGB = ColourSpace("sRGB", None, _BT_709)
ADOBE_RGB = ColourSpace("Adobe RGB", 563 / 256, ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06), _D65))

# Code points of H.273, tables 2 and 3. Those of television differ from sRGB by less than its makers did.
_UNSPECIFIED = 2
_PRIMARIES = dict.fromkeys((1, _UNSPECIFIED, 5, 6, 7, 22), ("BT.709", _BT_709))
_PRIMARIES |= {9: ("BT.2020", _BT_2020), 12: ("Display P3", _P3)}
_POWERS = dict.fromkeys((1, _UNSPECIFIED, 6, 7, 13, 14, 15)) | {4: 2.2, 5: 2.8, 8: 1.0}
_OTHER_TRANSFERS = {16: "PQ", 18: "HLG"}


def of_file(data: bytes, format_name: str) -> ColourSpace | None:
    """What a whole PNG or an AVIF says by code points; None where it, or another file, says nothing."""
    if format_name == "PNG":
        for kind, start, end in png_chunks(data):
            if kind == b"cICP" and end - start == 4:
                return of_code_points(data[start], data[start + 1])
            if kind == b"IDAT":
                return None
    if format_name == "AVIF":
        return _of_avif(data)
    return None


def of_image(info: Mapping[Any, Any], exif: bytes | None) -> ColourSpace | None:
    """What Pillow's `info` of a PNG, or else an EXIF block, says; None where they say nothing."""
    if "srgb" in info:
        return SRGB
    gamma = info.get("gamma")
    if isinstance(gamma, float):
        return _of_gamma(gamma, info.get("chromaticity"))
    return of_exif(exif) if exif else None


def of_exif(data: bytes) -> ColourSpace | None:
    """Adobe RGB where an EXIF block, or any TIFF structure, says so; else None."""
    return ADOBE_RGB if says_adobe_rgb(data) else None


def _of_gamma(gamma: float, chromaticity: Any) -> ColourSpace:
    """gAMA, and cHRM as Pillow hands it out: white, red, green, blue, x and y of each in one row."""
    power = 1 / gamma if gamma > 0 else float("inf")
    name = f"a gamma of {power:.3g}"
    if not isinstance(chromaticity, tuple) or len(chromaticity) != 8:
        return ColourSpace(name, power, _BT_709)
    white, *primaries = zip(chromaticity[::2], chromaticity[1::2])
    return ColourSpace(f"{name} and the file's own primaries", power, (*primaries, white))


def of_code_points(primaries: int, transfer: int) -> ColourSpace | None:
    """What two code points of H.273 say, as cICP and nclx have them; None where both say nothing."""
    if primaries == transfer == _UNSPECIFIED:
        return None
    name, chromaticities = _PRIMARIES.get(primaries, (f"primaries {primaries} of H.273", None))
    if transfer not in _POWERS:
        curve = _OTHER_TRANSFERS.get(transfer, f"transfer {transfer} of H.273")
        return ColourSpace(f"{name} with {curve}", None, None)
    power = _POWERS[transfer]
    return ColourSpace(name if power is None else f"{name} with a gamma of {power:g}", power, chromaticities)


def _of_avif(data: bytes) -> ColourSpace | None:
    """What the primary image of an AVIF says; gain maps and thumbnails may say something else."""
    for kind, start, end in primary_properties(data):
        if kind == b"colr" and data[start : start + 4] == b"nclx" and end - start >= 8:
            return of_code_points(*struct.unpack_from(">HH", data, start + 4))
    return None
