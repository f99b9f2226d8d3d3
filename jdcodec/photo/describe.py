"""EXIF in the words of a photographer: camera, lens, exposure, ISO, date. Standard library only.

For people and for `jdc info`; what is written to files is never made from these words.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import Literal

from jdcodec.errors import PhotoError
from jdcodec.photo.exif import Group, groups, iso
from jdcodec.photo.tiff import MAKE, MODEL
from jdcodec.photo.xmp import tells_place

_EXPOSURE_TIME, _F_NUMBER, _FOCAL_LENGTH, _LENS_MODEL = 33434, 33437, 37386, 42036
_DATE_TIME_ORIGINAL, _DATE_TIME, _UTC_OFFSET = 36867, 306, 36881
# Tags of GPS that tell of a place: coordinates of the camera and of its subject, and the name of an area.
_PLACE = {2, 4, 20, 22, 28}
_RATIONAL = 5
_DATE = re.compile(r"(\d{4})[:-](\d\d)[:-](\d\d) (\d\d:\d\d:\d\d)")
_MAX_WORDS = 80


@dataclass(frozen=True, slots=True)
class ShotWords:
    """What a block says about a shot, each "" where it says nothing; has_place: or where it was taken."""

    camera: str = ""
    lens: str = ""
    exposure: str = ""
    iso: str = ""
    taken: str = ""
    has_place: bool = False


def describe(exif: bytes | None, xmp: bytes | None = None) -> ShotWords:
    """Put an EXIF block into words; a damaged or missing one says nothing. xmp: looked at for the place."""
    in_xmp = xmp is not None and tells_place(xmp)
    try:
        order, image, photo, gps = groups(exif or b"")
    except PhotoError:
        return ShotWords(has_place=in_xmp)
    sensitivity = iso(exif or b"")
    return ShotWords(
        camera=_camera(_text(image, MAKE), _text(image, MODEL)),
        lens=_text(photo, _LENS_MODEL),
        exposure=_exposure(order, photo),
        iso=str(sensitivity) if sensitivity is not None else "",
        taken=_taken(image, photo),
        has_place=in_xmp or not _PLACE.isdisjoint(gps),
    )


def _camera(make: str, model: str) -> str:
    """Make and model; many models begin with the make already ("NIKON CORPORATION", "NIKON D1")."""
    first_word = make.split(" ")[0].lower()
    return model if first_word and model.lower().startswith(first_word) else f"{make} {model}".strip()


def _exposure(order: Literal["<", ">"], photo: Group) -> str:
    """As "1/250 s, f/2.8, 50 mm", of what is known."""
    seconds, aperture, millimetres = (
        _number(order, photo, tag) for tag in (_EXPOSURE_TIME, _F_NUMBER, _FOCAL_LENGTH)
    )
    parts = []
    if seconds:
        # Longer times than a quarter of a second are written as decimals.
        parts.append(f"1/{1 / seconds:.0f} s" if seconds < 0.3 else f"{seconds:.1f} s".replace(".0 ", " "))
    if aperture:
        parts.append(f"f/{aperture:.1f}".removesuffix(".0"))
    if millimetres:
        parts.append(f"{millimetres:.1f}".removesuffix(".0") + " mm")
    return ", ".join(parts)


def _taken(image: Group, photo: Group) -> str:
    """Date and time of the shot, with the offset from UTC where the camera wrote it."""
    found = _DATE.match(_text(photo, _DATE_TIME_ORIGINAL) or _text(image, _DATE_TIME))
    if found is None:
        return ""
    year, month, day, clock = found.groups()
    offset = _text(photo, _UTC_OFFSET)
    return f"{year}-{month}-{day} {clock} {offset}".rstrip()


def _text(group: Group, tag: int) -> str:
    """A text value on one line, without what a terminal would act on; "" where there is none."""
    _, _, value = group.get(tag, (0, 0, b""))
    text = value.partition(b"\0")[0].decode("utf-8", "replace")
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_MAX_WORDS]


def _number(order: Literal["<", ">"], group: Group, tag: int) -> float:
    """A rational value; 0.0 where there is none, or no sensible one."""
    kind, count, value = group.get(tag, (0, 0, b""))
    if kind != _RATIONAL or count < 1:
        return 0.0
    numerator, denominator = struct.unpack_from(order + "II", value)
    number = numerator / denominator if denominator else 0.0
    return number if 1e-6 < number < 1e6 else 0.0
