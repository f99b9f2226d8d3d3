"""Camera RAW: develop what the sensor saw into an upright 16-bit sRGB photograph, with LibRaw.

LibRaw says little about damage, so a TIFF-based file and a CRW file are first compared with what they
promise, and what LibRaw prints while it decodes is read for complaints.
"""

from __future__ import annotations

import io
import math
import re
from dataclasses import replace
from datetime import UTC
from typing import TYPE_CHECKING, Any

import numpy as np

from jdcodec.errors import PhotoError
from jdcodec.photo import ciff, exif, tiff
from jdcodec.photo.photo import Photo, ReadOptions, WhiteBalance
from jdcodec.photo.raw_formats import magic_format, tiff_format
from jdcodec.photo.stderr import stderr_without

if TYPE_CHECKING:
    from jdcodec.photo.photo import Pixels

# sRGB's curve as LibRaw takes it: power and slope at black.
_SRGB_GAMMA = (2.4, 12.92)

# What LibRaw and its JPEG decoder print about damage.
_COMPLAINT = re.compile(
    rb"^.*(?:Unexpected end of file|data corrupted at|Premature end of JPEG|Corrupt JPEG data).*\n?",
    re.MULTILINE,
)


def read_raw(data: bytes, options: ReadOptions, *, suffix: str = "") -> Photo:
    """Develop a RAW file. `suffix`: the ending of its name in lower case without the dot, for `format`.

    The whole area that LibRaw calls visible comes out, as from dcraw: DNG's default crop is not applied.
    XMP is dropped, since in a RAW file it holds develop settings that a reader would apply a second time.

    Raises `PhotoError` where the file is damaged, cut short or of no supported camera, `LimitError` where
    it is larger than the options allow, MemoryError where there is too little memory for it.
    """
    structure = _whole_structure(data)
    make, model = ciff.camera(data) if ciff.is_crw(data) else ("", "")
    pixels, shot, notes = _develop(data, options)
    if structure is not None:
        block = exif.rebuild(data, sensitivity=shot.sensitivity)
    else:
        if make and shot.taken is not None:
            # CRW holds the camera's local time as if it were UTC, and rawpy shows it in ours.
            shot = replace(shot, taken=shot.taken.astimezone(UTC))
        block = exif.compose(replace(shot, make=make, model=model))
    # A monochrome sensor gives one channel.
    is_gray = pixels.shape[2] == 1
    return Photo(
        pixels=np.repeat(pixels, 3, axis=2) if is_gray else pixels,
        bit_depth=16,
        is_gray=is_gray,
        format=magic_format(data) or tiff_format(structure, suffix),
        exif=block,
        iso=(exif.iso(block) if block else None) or shot.sensitivity,
        notes=notes,
    )


def _whole_structure(data: bytes) -> tiff.Tiff | None:
    """The TIFF structure of a RAW file, all its image data inside the file; None for other containers."""
    if magic_format(data) is not None or not tiff.is_tiff(data):
        return None
    structure = tiff.Tiff(data)
    structure.require_image_data(structure.directories())
    return structure


def _develop(data: bytes, options: ReadOptions) -> tuple[Pixels, exif.Shot, tuple[str, ...]]:
    """Decode, demosaic, convert to sRGB: (H, W, 3 or 1) uint16, what is known of the shot, notes."""
    import rawpy

    try:
        with stderr_without(_COMPLAINT) as complaints, rawpy.RawPy() as raw:
            raw.open_buffer(io.BytesIO(data))
            sizes = raw.sizes
            options.check_size(sizes.raw_width, sizes.raw_height)
            options.check_size(sizes.width, sizes.height)
            raw.unpack()
            shot = _shot(raw)
            white_balance, notes = _white_balance(options, raw.camera_whitebalance)
            pixels = raw.postprocess(
                # Daylight is what LibRaw does where neither is asked for.
                use_camera_wb=white_balance == "camera",
                use_auto_wb=white_balance == "auto",
                output_color=rawpy.ColorSpace.sRGB,
                output_bps=16,
                gamma=_SRGB_GAMMA,
                no_auto_bright=not options.auto_brighten,
                bright=2.0**options.exposure,
                highlight_mode=rawpy.HighlightMode.Clip,
            )
    except rawpy.LibRawFileUnsupportedError as error:
        raise PhotoError("is not a RAW file of a supported camera, or is damaged") from error
    except rawpy.LibRawUnsufficientMemoryError as error:
        raise MemoryError from error
    except (rawpy.LibRawError, rawpy.NotSupportedError, ValueError) as error:
        raise PhotoError(f"is damaged or not supported: LibRaw says {_reason(error)!r}") from error
    if complaints:
        raise PhotoError("is damaged: parts of its image data cannot be decoded")
    return np.ascontiguousarray(pixels), shot, notes


def _white_balance(options: ReadOptions, multipliers: list[float]) -> tuple[WhiteBalance, tuple[str, ...]]:
    """The white balance to develop with, and a note where it is not the one asked for.

    multipliers: the camera's, R G B G. LibRaw gives -1 where the camera balanced by itself and did not
    write the result down, and 0 where the file holds none.
    """
    if options.white_balance != "camera" or min(multipliers[0], multipliers[2]) > 0:
        return options.white_balance, ()
    if multipliers[0] < 0:
        return "auto", ("The camera did not record its automatic white balance; it was computed anew.",)
    return "daylight", ("The file holds no camera white balance; daylight was used.",)


def _shot(raw: Any) -> exif.Shot:
    """What LibRaw knows about the shot. A damaged file gives any number, so each is checked."""

    def positive(value: float) -> float:
        return value if math.isfinite(value) and value > 0 else 0.0

    try:
        other = raw.other
        taken = other.timestamp if other.timestamp.timestamp() > 0 else None
    except (ValueError, OverflowError, OSError):
        # A date that the calendar does not have; rawpy hands out the rest only together with it.
        return exif.Shot()
    sensitivity = round(positive(other.iso_speed))
    return exif.Shot(
        artist=other.artist.strip(),
        taken=taken,
        sensitivity=sensitivity if 0 < sensitivity < 10_000_000 else None,
        exposure_time=positive(other.shutter_speed),
        f_number=positive(other.aperture),
        focal_length=positive(other.focal_length),
    )


def _reason(error: BaseException) -> str:
    """The text of an exception; rawpy hands out bytes."""
    first = error.args[0] if error.args else type(error).__name__
    return first.decode("utf-8", "replace") if isinstance(first, bytes) else str(first)
