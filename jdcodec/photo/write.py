"""Pixels and metadata to image files: PNG, TIFF, JPEG, WebP, AVIF and PPM."""

from __future__ import annotations

import io
import itertools
import struct
import zlib
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from jdcodec.errors import PhotoError
from jdcodec.photo import exif as exif_block
from jdcodec.photo.depth import to_8_bit, to_16_bit
from jdcodec.photo.metadata import MetadataBlocks
from jdcodec.photo.tiff import ORIENTATION, Tiff

if TYPE_CHECKING:
    from jdcodec.photo.photo import Pixels

_FORMATS = {
    "png": "PNG",
    "tif": "TIFF",
    "tiff": "TIFF",
    "jpg": "JPEG",
    "jpeg": "JPEG",
    "webp": "WEBP",
    "avif": "AVIF",
    "ppm": "PPM",
    "pgm": "PPM",
    "pnm": "PPM",
}
_DEEP_FORMATS = ("PNG", "TIFF", "PPM")
_DEFAULT_QUALITY = {"JPEG": 95, "WEBP": 95, "AVIF": 90}
_MAX_SIDE = {"JPEG": 65_500, "WEBP": 16_383}
# What one APP1 segment holds after its length and its prefix, and 255 APP2 segments of a profile.
_MAX_JPEG_EXIF, _MAX_JPEG_XMP, _MAX_JPEG_ICC = 65_527, 65_504, 255 * 65_519
_CLASSIC_TIFF = 42

# TIFF tags and values.
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _STRIPS = 256, 257, 258, 259, 262, 273
_SAMPLES, _ROWS_PER_STRIP, _STRIP_BYTES, _PREDICTOR, _XMP, _ICC = 277, 278, 279, 317, 700, 34675
_DEFLATE, _HORIZONTAL, _MIN_IS_BLACK, _RGB = 8, 2, 1, 2
_STRIP_TARGET_BYTES = 1 << 18


def encode_image(
    pixels: Pixels,
    *,
    format: str,
    bit_depth: Literal[8, 16] | None = None,
    quality: int | None = None,
    exif: bytes | None = None,
    xmp: bytes | None = None,
    icc: bytes | None = None,
) -> bytes:
    """The bytes of an image file.

    pixels: (H, W, 3) or, for gray, (H, W); uint8 or uint16.
    format: "png", "tiff", "jpeg", "webp", "avif" or "ppm", in any case, with a dot before it or not.
    bit_depth: 8 or 16; by default that of the pixels where the format has it, else 8. Only PNG, TIFF and
    PPM have 16.
    quality: 1 to 100, for JPEG, WebP and AVIF; the others are lossless and ignore it. Colour is never
    subsampled in JPEG and AVIF.
    exif: a TIFF structure without prefix. TIFF and an overfull JPEG keep of it what
    `exif.rebuild` keeps; PPM holds no metadata. Metadata never keeps the pixels from being written: what is
    damaged or does not fit is left out, and `fitting_metadata` says what that is.

    Raises `PhotoError` where the format cannot hold the pixels as it is asked to.
    """
    name = _format_name(format)
    _check_pixels(pixels, name)
    depth = bit_depth or (16 if pixels.dtype == np.uint16 and name in _DEEP_FORMATS else 8)
    if depth not in (8, 16):
        raise PhotoError(f"bit depth {depth}: choose 8 or 16")
    if depth == 16 and name not in _DEEP_FORMATS:
        raise PhotoError(f"{name} holds 8 bits a channel here; choose PNG, TIFF or PPM for 16")
    if quality is not None and not 1 <= quality <= 100:
        raise PhotoError(f"quality {quality}: must lie between 1 and 100")
    pixels = to_16_bit(pixels) if depth == 16 else to_8_bit(pixels)
    metadata, _ = fitting_metadata(MetadataBlocks(exif, xmp, icc), name)
    try:
        if name == "PPM":
            from jdcodec.photo.pnm import write_pnm

            return write_pnm(pixels)
        if name == "TIFF":
            return _encode_tiff(pixels, metadata)
        if name == "PNG" and depth == 16:
            from jdcodec.photo.png import encode_deep_png

            return encode_deep_png(pixels, exif=metadata.exif, xmp=metadata.xmp, icc=metadata.icc)
        return _encode_with_pillow(pixels, name, quality or _DEFAULT_QUALITY.get(name, 0), metadata)
    except (OSError, ValueError, SyntaxError, struct.error) as error:
        # What Pillow and its encoders raise for sizes and blocks that they cannot hold.
        raise PhotoError(f"{name} cannot be written: {error}") from error


def fitting_metadata(blocks: MetadataBlocks, format: str) -> tuple[MetadataBlocks, tuple[str, ...]]:
    """What a file of a format, named as for `encode_image`, holds of metadata, and a note for each loss.

    Raises `PhotoError` for an unknown format.
    """
    name = _format_name(format)
    exif, notes = _fitting_exif(blocks.exif or None, name)
    xmp, icc = blocks.xmp or None, blocks.icc or None
    if name == "JPEG" and xmp is not None and len(xmp) > _MAX_JPEG_XMP:
        xmp = None
        notes.append(f"Its XMP was left out: a JPEG holds {_MAX_JPEG_XMP:,} bytes of it.")
    if name == "JPEG" and icc is not None and len(icc) > _MAX_JPEG_ICC:
        icc = None
        notes.append("Its colour profile was left out: it is too large for a JPEG.")
    return MetadataBlocks(exif, xmp, icc), tuple(notes)


def _fitting_exif(block: bytes | None, name: str) -> tuple[bytes | None, list[str]]:
    """An EXIF block as a format holds it, or None, and notes."""
    if block is None:
        return None, []
    try:
        # Other programs do not read the variants of TIFF that camera RAW comes in.
        fitting = block if Tiff(block).magic == _CLASSIC_TIFF else exif_block.rebuild(block)
        exif_block.groups(block)
    except PhotoError:
        return None, ["Its EXIF block is damaged and was left out."]
    if name != "JPEG" or fitting is None or len(fitting) <= _MAX_JPEG_EXIF:
        return fitting, []
    small = exif_block.rebuild(fitting)
    if small is None or len(small) > _MAX_JPEG_EXIF:
        return None, ["Its EXIF block was left out: it is too large for a JPEG."]
    return small, ["Its EXIF block is too large for a JPEG: its maker notes and the like were left out."]


def _format_name(text: str) -> str:
    name = _FORMATS.get(text.lower().removeprefix("."))
    if name is None:
        raise PhotoError(f"format {text!r}: choose png, tiff, jpeg, webp, avif or ppm")
    return name


def _check_pixels(pixels: Pixels, name: str) -> None:
    if pixels.dtype not in (np.uint8, np.uint16):
        raise PhotoError(f"pixels of {pixels.dtype}: must be uint8 or uint16")
    if pixels.ndim != 2 and (pixels.ndim != 3 or pixels.shape[2] != 3):
        raise PhotoError(f"pixels of shape {pixels.shape}: must be (H, W, 3) or (H, W)")
    if pixels.size == 0:
        raise PhotoError("no pixels to write")
    limit = _MAX_SIDE.get(name, 65_535)
    if max(pixels.shape[:2]) > limit:
        raise PhotoError(f"{name} holds at most {limit} pixels a side; choose PNG or TIFF")


def _encode_with_pillow(pixels: Pixels, name: str, quality: int, metadata: MetadataBlocks) -> bytes:
    """8-bit PNG, JPEG, WebP or AVIF."""
    from PIL import Image, PngImagePlugin

    from jdcodec.photo.images import quiet_plugins

    image = Image.fromarray(np.ascontiguousarray(pixels))
    settings: dict[str, Any] = {"icc_profile": metadata.icc} if metadata.icc else {}
    block, xmp = metadata.exif, metadata.xmp
    if name == "JPEG":
        settings |= {"quality": quality, "subsampling": "4:4:4", "optimize": True}
    elif name == "AVIF":
        if block:
            # Pillow writes a block with an orientation anew, and loses what it does not know.
            block = exif_block.without_entry(block, Tiff(block).first_offset, ORIENTATION)
        settings |= {"quality": quality, "subsampling": "4:4:4"}
    elif name == "WEBP":
        settings |= {"quality": quality}
    elif name == "PNG":
        # Measured on a decoded photo: a tenth larger than at level 6, in a quarter of its time.
        settings |= {"compress_level": 2}
    if name == "PNG" and xmp:
        texts = PngImagePlugin.PngInfo()
        texts.add_itxt("XML:com.adobe.xmp", xmp.decode("utf-8", "replace"))
        settings["pnginfo"] = texts
    elif xmp:
        settings["xmp"] = xmp
    if block:
        # JPEG wants the prefix, Pillow takes it off for PNG and WebP, and AVIF has none.
        settings["exif"] = block if name == "AVIF" else b"Exif\0\0" + block
    file = io.BytesIO()
    with quiet_plugins():
        image.save(file, name, **settings)
    return file.getvalue()


def _encode_tiff(pixels: Pixels, metadata: MetadataBlocks) -> bytes:
    """A TIFF with Deflate after horizontal differencing, and the EXIF tags where TIFF has them.

    Written here since Pillow has no 16-bit colour and tifffile no EXIF directory. The byte order is that
    of the EXIF block, whose values are copied as they are.
    """
    order, camera, photo, gps = exif_block.groups(metadata.exif) if metadata.exif else ("<", {}, {}, {})
    height, width = pixels.shape[:2]
    samples = 1 if pixels.ndim == 2 else 3
    rows = max(1, min(height, _STRIP_TARGET_BYTES // (width * samples * pixels.itemsize)))
    strips = [_tiff_strip(pixels[start : start + rows], order) for start in range(0, height, rows)]

    def numbers(*values: int, kind: int = exif_block.SHORT) -> tuple[int, int, bytes]:
        form = "H" if kind == exif_block.SHORT else "I"
        return kind, len(values), struct.pack(f"{order}{len(values)}{form}", *values)

    image: exif_block.Group = camera | {
        _WIDTH: numbers(width, kind=exif_block.LONG),
        _HEIGHT: numbers(height, kind=exif_block.LONG),
        _BITS: numbers(*[8 * pixels.itemsize] * samples),
        _COMPRESSION: numbers(_DEFLATE),
        _PHOTOMETRIC: numbers(_MIN_IS_BLACK if samples == 1 else _RGB),
        _STRIPS: numbers(*[0] * len(strips), kind=exif_block.LONG),
        _SAMPLES: numbers(samples),
        _ROWS_PER_STRIP: numbers(rows, kind=exif_block.LONG),
        _STRIP_BYTES: numbers(*(len(strip) for strip in strips), kind=exif_block.LONG),
        _PREDICTOR: numbers(_HORIZONTAL),
    }
    if metadata.xmp:
        image[_XMP] = (exif_block.BYTE, len(metadata.xmp), metadata.xmp)
    if metadata.icc:
        image[_ICC] = (exif_block.UNDEFINED, len(metadata.icc), metadata.icc)
    # The strips come last, so that a file that is cut short cannot look whole. Where they start depends on
    # the size of the directories, but that not on where they start.
    header = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    place = len(header) + len(exif_block.layout(order, image, photo, gps, start=8))
    offsets = itertools.accumulate((len(strip) for strip in strips[:-1]), initial=place)
    image[_STRIPS] = numbers(*offsets, kind=exif_block.LONG)
    return b"".join([header, exif_block.layout(order, image, photo, gps, start=8), *strips])


def _tiff_strip(rows: Pixels, order: exif_block.Order) -> bytes:
    """One compressed strip, padded to an even length; each sample minus the one to its left."""
    differences = rows.copy()
    differences[:, 1:] -= rows[:, :-1]
    data = zlib.compress(differences.astype(rows.dtype.newbyteorder(order)).tobytes())
    return data + b"\0" * (len(data) % 2)
