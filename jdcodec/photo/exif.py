"""EXIF blocks: read a few values, set the orientation, and make a small clean one from any TIFF structure.

Everything works on bytes: values are copied as they are and never interpreted, so nothing that a camera
wrote is lost in between. Source: CIPA DC-008 (EXIF 2.32).
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Literal

from jdcodec.errors import PhotoError
from jdcodec.photo.thumbnail import without_thumbnail
from jdcodec.photo.tiff import (
    EXIF_IFD,
    GPS_IFD,
    INTEGER_FORMAT,
    INTEROPERABILITY_IFD,
    MAKE,
    MODEL,
    ORIENTATION,
    UNIQUE_CAMERA_MODEL,
    Directory,
    Field,
    Tiff,
)

# tag → (field type, count, values in the block's byte order)
Group = dict[int, tuple[int, int, bytes]]

# Byte order, as struct and NumPy spell it.
Order = Literal["<", ">"]

BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED = 1, 2, 3, 4, 5, 7

_DATE_TIME, _SOFTWARE, _ARTIST, _COPYRIGHT, _DESCRIPTION, _RATING = 306, 305, 315, 33432, 270, 18246
_EXPOSURE_TIME, _F_NUMBER, _ISO, _RECOMMENDED_EXPOSURE, _VERSION = 33434, 33437, 34855, 34866, 36864
_DATE_TIME_ORIGINAL, _FOCAL_LENGTH, _COLOUR_SPACE = 36867, 37386, 40961

_UNCALIBRATED, _INTEROPERABILITY_INDEX = 65_535, 1
# DCF's option file, and its basic one.
_ADOBE_RGB, _SRGB = b"R03", b"R98"

# What a photographer looks up: no layout of strips, no thumbnail, no maker note, no private tag.
_IMAGE_TAGS = {_DESCRIPTION, MAKE, MODEL, _SOFTWARE, _DATE_TIME, _ARTIST, _RATING, _COPYRIGHT}
_PHOTO_TAGS = {
    *(_EXPOSURE_TIME, _F_NUMBER, _ISO, _VERSION, _DATE_TIME_ORIGINAL),
    *(34850, 34864, 34865, _RECOMMENDED_EXPOSURE, 34867),  # exposure program, sensitivities
    *(36868, 36880, 36881, 36882),  # when digitised, time zones
    *range(37377, 37387),  # shutter speed, aperture, bias, …, focal length
    *(37520, 37521, 37522),  # fractions of seconds
    *(41486, 41487, 41488, 41495, 41728, 41729),  # focal plane, sensing method, source
    *range(41985, 41997),  # white balance, digital zoom, 35 mm focal length, scene, …
    *range(42032, 42038),  # owner, body and lens
}
_XMP_ORIENTATION = re.compile(rb"(tiff:Orientation(?:\s*=\s*[\"']|>))[2-8]([\"']|<)")
_GPS_TAGS = set(range(32))
_MAX_VALUE_BYTES = 4096


def orientation(payload: bytes) -> int:
    """The orientation that an EXIF block asks for, 1 to 8; 1 where it says nothing sensible."""
    try:
        tiff = Tiff(payload)
        values = tiff.integers(tiff.directory(tiff.first_offset), ORIENTATION)
    except PhotoError:
        return 1
    return values[0] if len(values) == 1 and 1 <= values[0] <= 8 else 1


def upright(payload: bytes) -> bytes:
    """The same block for pixels that are upright: orientation 1, no thumbnail, every other byte in place.

    In place, because maker notes hold offsets from the start of the block. Raises `PhotoError` where the
    block is not a TIFF structure.
    """
    tiff = Tiff(payload)
    return without_thumbnail(_with_integer(tiff, tiff.directory(tiff.first_offset), ORIENTATION, 1))


def says_adobe_rgb(payload: bytes) -> bool:
    """Whether a block, or any TIFF structure, says that its pixels are Adobe RGB, as DCF 2.0 has it."""
    try:
        tiff = Tiff(payload)
        photo = _only_child(tiff, tiff.directory(tiff.first_offset), EXIF_IFD)
        if photo is None or tiff.integers(photo, _COLOUR_SPACE) != (_UNCALIBRATED,):
            return False
        field = _interoperability(tiff, photo)
    except PhotoError:
        return False
    return field is not None and tiff.value_bytes(field)[:3] == _ADOBE_RGB


def as_srgb(payload: bytes) -> bytes:
    """The same block with its colour space set to sRGB, for pixels that were converted to it."""
    try:
        tiff = Tiff(payload)
        photo = _only_child(tiff, tiff.directory(tiff.first_offset), EXIF_IFD)
        if photo is not None:
            payload = _with_integer(tiff, photo, _COLOUR_SPACE, 1)
            field = _interoperability(tiff, photo)
            if field is not None and tiff.value_bytes(field)[:3] == _ADOBE_RGB:
                payload = payload[: field.offset] + _SRGB + payload[field.offset + len(_SRGB) :]
    except PhotoError:
        # A directory that cannot be read claims no colour space.
        return payload
    return payload


def _only_child(tiff: Tiff, directory: Directory, pointer: int) -> Directory | None:
    """The directory that a tag points to, or None; raises `PhotoError` where it cannot be read."""
    offsets = tiff.integers(directory, pointer)
    return tiff.directory(offsets[0]) if offsets else None


def _interoperability(tiff: Tiff, photo: Directory) -> Field | None:
    """Where the rule of DCF stands that a photo keeps to; raises as `_only_child` does."""
    directory = _only_child(tiff, photo, INTEROPERABILITY_IFD)
    field = directory.fields.get(_INTEROPERABILITY_INDEX) if directory is not None else None
    return field if field is not None and field.kind == ASCII and field.size >= 3 else None


def _with_integer(tiff: Tiff, directory: Directory, tag: int, value: int) -> bytes:
    """The bytes of the structure with a single integer replaced; as they are where the tag holds none."""
    field = directory.fields.get(tag)
    if field is None or field.kind not in INTEGER_FORMAT or field.count != 1:
        return tiff.data
    replacement = struct.pack(tiff.order + INTEGER_FORMAT[field.kind], value)
    return tiff.data[: field.offset] + replacement + tiff.data[field.offset + field.size :]


def without_entry(payload: bytes, offset: int, tag: int) -> bytes:
    """The same structure less a tag of the directory at `offset`: later entries move up, values stay.

    Raises `PhotoError` where no directory can be read there.
    """
    tiff = Tiff(payload)
    tiff.directory(offset)
    (count,) = struct.unpack_from(tiff.order + "H", payload, offset)
    start, end = offset + 2, offset + 2 + 12 * count
    pointer = struct.pack(tiff.order + "H", tag)
    entries = [payload[at : at + 12] for at in range(start, end, 12)]
    kept = [entry for entry in entries if entry[:2] != pointer]
    # What follows the last entry is the offset of the next directory.
    moved = b"".join(kept) + payload[end : end + 4]
    size = struct.pack(tiff.order + "H", len(kept))
    space = end + len(payload[end : end + 4]) - start
    return payload[:offset] + size + moved.ljust(space, b"\0") + payload[start + space :]


def upright_xmp(packet: bytes) -> bytes:
    """The same XMP packet with its orientation set to 1, as an attribute or as an element."""
    return _XMP_ORIENTATION.sub(rb"\g<1>1\g<2>", packet)


def iso(payload: bytes) -> int | None:
    """The sensitivity in an EXIF block, or None."""
    try:
        tiff = Tiff(payload)
        first = tiff.directory(tiff.first_offset)
        photo = [tiff.directory(offset) for offset in tiff.integers(first, EXIF_IFD)[:1]]
        found = [
            v for d in (*photo, first) for tag in (_ISO, _RECOMMENDED_EXPOSURE) for v in tiff.integers(d, tag)
        ]
    except PhotoError:
        return None
    # 65535 stands for "more than fits here" in the older of the two tags.
    sensible = [value for value in found if 0 < value < 10_000_000 and value != 65_535]
    return sensible[0] if sensible else None


def groups(data: bytes) -> tuple[Order, Group, Group, Group]:
    """What a photographer looks up in any TIFF structure: its byte order, and image, photo and GPS tags.

    `data`: a RAW file, a TIFF file or an EXIF block. TIFF/EP files (NEF, KDC, DNG) keep exposure and date
    in the first directory; they move to where EXIF wants them. Raises `PhotoError` where `data` is no TIFF
    structure.
    """
    tiff = Tiff(data)
    first = tiff.directory(tiff.first_offset)
    image, photo = _copy(tiff, first, _IMAGE_TAGS), _copy(tiff, first, _PHOTO_TAGS)
    unique_model = _copy(tiff, first, {UNIQUE_CAMERA_MODEL}).get(UNIQUE_CAMERA_MODEL)
    if MODEL not in image and unique_model is not None:
        image[MODEL] = unique_model
    return (
        tiff.order,
        image,
        photo | _child(tiff, first, EXIF_IFD, _PHOTO_TAGS),
        _child(tiff, first, GPS_IFD, _GPS_TAGS),
    )


def rebuild(data: bytes, *, sensitivity: int | None = None) -> bytes | None:
    """A small EXIF block with what `groups` finds, upright; None where that is nothing.

    `sensitivity` (ISO) is added where the file has none. Raises `PhotoError` where `data` is no TIFF
    structure.
    """
    order, image, photo, gps = groups(data)
    if sensitivity is not None and _ISO not in photo:
        photo[_ISO] = _short(order, sensitivity)
    return build(order, image, photo, gps)


@dataclass(frozen=True, slots=True)
class Shot:
    """What is known about a shot; empty strings, zeros and None stand for unknown.

    taken: the camera's local time. exposure_time in seconds, focal_length in millimetres.
    """

    make: str = ""
    model: str = ""
    artist: str = ""
    taken: datetime | None = None
    sensitivity: int | None = None
    exposure_time: float = 0.0
    f_number: float = 0.0
    focal_length: float = 0.0


def compose(shot: Shot) -> bytes | None:
    """An EXIF block from values, for RAW files without a TIFF structure; None where nothing is known."""
    texts = {MAKE: shot.make, MODEL: shot.model, _ARTIST: shot.artist}
    image: Group = {tag: _ascii(text) for tag, text in texts.items() if text}
    numbers = {_EXPOSURE_TIME: shot.exposure_time, _F_NUMBER: shot.f_number, _FOCAL_LENGTH: shot.focal_length}
    photo: Group = {tag: _rational("<", value) for tag, value in numbers.items() if 0 < value < 1e6}
    if shot.taken is not None:
        photo[_DATE_TIME_ORIGINAL] = _ascii(shot.taken.strftime("%Y:%m:%d %H:%M:%S"))
    if shot.sensitivity is not None:
        photo[_ISO] = _short("<", shot.sensitivity)
    return build("<", image, photo, {})


def build(order: Order, image: Group, photo: Group, gps: Group) -> bytes | None:
    """Lay out an EXIF block, upright; None where all three groups are empty. order: "<" or ">"."""
    if not (image or photo or gps):
        return None
    image = {**image, ORIENTATION: _short(order, 1)}
    header = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    return header + layout(order, image, photo, gps, start=8)


def layout(order: Order, image: Group, photo: Group, gps: Group, *, start: int) -> bytes:
    """The directories of a TIFF structure with their values, as they lie at byte `start` of it (even)."""
    if photo:
        photo = {_VERSION: (UNDEFINED, 4, b"0232"), **photo}
    nested = {pointer: group for pointer, group in ((EXIF_IFD, photo), (GPS_IFD, gps)) if group}
    place = start + _directory_size(image) + 12 * len(nested)
    pointers: Group = {}
    blocks = []
    for pointer, group in nested.items():
        pointers[pointer] = (LONG, 1, struct.pack(order + "I", place))
        blocks.append(_directory(order, group, place))
        place += len(blocks[-1])
    return _directory(order, image | pointers, start) + b"".join(blocks)


def _directory_size(group: Group) -> int:
    return 6 + 12 * len(group) + sum(_padded(len(value)) for _, _, value in group.values() if len(value) > 4)


def _directory(order: Order, group: Group, start: int) -> bytes:
    """One directory at byte `start`, followed by those of its values that do not fit in an entry."""
    entries, values = [], b""
    values_start = start + 6 + 12 * len(group)
    for tag, (kind, count, value) in sorted(group.items()):
        if len(value) <= 4:
            inline = value.ljust(4, b"\0")
        else:
            inline = struct.pack(order + "I", values_start + len(values))
            values += value.ljust(_padded(len(value)), b"\0")
        entries.append(struct.pack(order + "HHI", tag, kind, count) + inline)
    return struct.pack(order + "H", len(group)) + b"".join(entries) + b"\0\0\0\0" + values


def _padded(size: int) -> int:
    """Values start at even offsets."""
    return size + size % 2


def _child(tiff: Tiff, directory: Directory, pointer: int, tags: set[int]) -> Group:
    """The wanted tags of the directory that a tag points to; none where it cannot be read."""
    offsets = tiff.integers(directory, pointer)
    try:
        return _copy(tiff, tiff.directory(offsets[0]), tags) if offsets else {}
    except PhotoError:
        return {}


def _copy(tiff: Tiff, directory: Directory, tags: set[int]) -> Group:
    """The wanted tags of a directory."""
    return {
        tag: (field.kind, field.count, tiff.value_bytes(field))
        for tag, field in directory.fields.items()
        # Types beyond 12 are not for EXIF blocks.
        if tag in tags and field.kind <= 12 and 0 < field.size <= _MAX_VALUE_BYTES
    }


def _ascii(text: str) -> tuple[int, int, bytes]:
    value = text.encode("utf-8", "replace")[: _MAX_VALUE_BYTES - 1] + b"\0"
    return (ASCII, len(value), value)


def _short(order: Order, value: int) -> tuple[int, int, bytes]:
    return (SHORT, 1, struct.pack(order + "H", min(value, 65_535)))


def _rational(order: Order, value: float) -> tuple[int, int, bytes]:
    fraction = Fraction(value).limit_denominator(1_000_000)
    if fraction.numerator > 0xFFFFFFFF:
        fraction = Fraction(round(value))
    return (RATIONAL, 1, struct.pack(order + "II", fraction.numerator, fraction.denominator))
