"""From a file, bytes or an array to a `Photo`: upright, opaque, sRGB.

What a file is, its content decides; its name only where RAW formats share a container.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from jdcodec.errors import JdcError, LimitError, PhotoError
from jdcodec.photo import colour, exif, raw_formats, tiff
from jdcodec.photo.bands import in_bands
from jdcodec.photo.photo import Photo, ReadOptions

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

    from jdcodec.photo.images import Raster
    from jdcodec.photo.photo import Pixels

_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
)
_AVIF_BRANDS = (b"avif", b"avis")
# HEVC, images and sequences, and any codec.
_HEIC_BRANDS = (
    *(b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"),
    *(b"mif1", b"mif2", b"msf1"),
)

# Known to photographers, not read by jdc: first bytes, where, and what to do.
_REFUSED = (
    (b"\x8aJDC\r\n\x1a\n", 0, "is a .jdc file already; `jdc decode` reads it"),
    (b"\xff\x0a", 0, "is JPEG XL; convert it to PNG or TIFF first"),
    (b"\0\0\0\x0cJXL ", 0, "is JPEG XL; convert it to PNG or TIFF first"),
    (b"\0\0\0\x0cjP  ", 0, "is JPEG 2000; convert it to PNG or TIFF first"),
    (b"%PDF", 0, "is a PDF document; export its image first"),
)

# As many bytes show what a file is: the list of brands in the first box of an AVIF is the longest of them.
_HEAD_BYTES = 256
# Numbers written as text take most: three of five digits and a space behind each, and as much for comments.
_MOST_BYTES_OF_PIXEL = 32
_MOST_BYTES_BESIDE = 1 << 28

# An overshoot of one 8-bit step, as resampling leaves it, is clipped; more is another scale than 0…1.
_OVERSHOOT = 1 / 255


def read_photo(source: str | Path | bytes | BinaryIO, options: ReadOptions | None = None) -> Photo:
    """Read a photograph: a path, the bytes of a file, or a binary file open for reading.

    Reads PNG, JPEG, TIFF, WebP, AVIF, GIF, BMP, PPM, what LibRaw supports of camera RAW, and HEIC where
    pillow-heif is installed. Orientation is applied, an embedded profile converted to sRGB, transparency
    flattened on white, the first (of HEIC the primary) of several images taken; `Photo.notes` says what
    happened.

    Raises `PhotoError` where the file cannot be read, is damaged, cut short or of no known kind, and
    `LimitError` where it is larger than the options allow, before its pixels are decoded.
    """
    options = options or ReadOptions()
    name = _name(source)
    suffix = Path(name).suffix.lower().removeprefix(".")
    try:
        return _read(_content(source, suffix, options), suffix, options)
    except JdcError as error:
        raise type(error)(f"{name}: {error}") from error
    except MemoryError as error:
        raise PhotoError(f"{name}: too large for the memory of this machine") from error


def from_array(image: NDArray[Any] | Image.Image, options: ReadOptions | None = None) -> Photo:
    """A photo from memory: an array of sRGB values, or a PIL image, which is treated like a file.

    Arrays are (H, W, 3), (H, W) or (H, W, 1): uint8, uint16, or floats in 0…1, which become uint16. Floats
    that overshoot by at most 1/255 are clipped.

    Raises `PhotoError` for other shapes, types and values, `LimitError` for one larger than the options
    allow.
    """
    options = options or ReadOptions()
    if not isinstance(image, np.ndarray):
        return _from_pil(image, options)
    # Of matrices and masked arrays the values: the subclasses have shapes, and extremes, of their own.
    image = np.asarray(image)
    array = image[..., np.newaxis] if image.ndim == 2 else image
    if array.ndim != 3 or array.shape[2] not in (1, 3):
        raise PhotoError(f"array of shape {image.shape}: must be (H, W, 3) or (H, W)")
    options.check_size(array.shape[1], array.shape[0])
    samples = _to_integers(array)
    space = "RGB" if samples.shape[2] == 3 else "GRAY"
    return _photo(samples, is_gray=space == "GRAY", format_name="array")


def _from_pil(image: Image.Image, options: ReadOptions) -> Photo:
    from PIL import Image as pil

    from jdcodec.photo.images import raster_of

    if not isinstance(image, pil.Image):
        raise PhotoError(f"{type(image).__name__}: must be a NumPy array, a PIL image or a path")
    options.check_size(*image.size)
    return _finish(raster_of(image), image.format or "array")


def _to_integers(array: NDArray[Any]) -> Pixels:
    """uint8 and uint16 as they are, floats in 0…1 as uint16."""
    native = array.dtype.newbyteorder("=")
    if native in (np.uint8, np.uint16):
        return array.astype(native)
    if not np.issubdtype(array.dtype, np.floating):
        raise PhotoError(f"array of {array.dtype}: must be uint8, uint16, or floats in 0…1")
    low, high = float(array.min()), float(array.max())
    # Written so that NaN fails it.
    if not (low >= -_OVERSHOOT and high <= 1 + _OVERSHOOT):
        raise PhotoError(f"array of floats from {low:g} to {high:g}: must lie in 0…1")
    # Half precision has no number between 65,504 and infinity.
    wide = array.astype(np.float32) if native == np.float16 else array
    integers: Pixels = np.rint(np.clip(wide, 0, 1) * 65_535.0).astype(np.uint16)
    return integers


def _name(source: str | Path | bytes | BinaryIO) -> str:
    """What a source is called in messages."""
    if isinstance(source, bytes | bytearray | memoryview):
        return "input"
    if isinstance(source, str | Path):
        return str(source)
    name = getattr(source, "name", None)
    return name if isinstance(name, str) and not name.startswith("<") else "standard input"


def _content(source: str | Path | bytes | BinaryIO, suffix: str, options: ReadOptions) -> bytes:
    """All bytes of a source; raises as `_whole` does, and `PhotoError` where it cannot be read."""
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source)
    try:
        if not isinstance(source, str | Path):
            return _whole(source, suffix, options)
        with Path(source).open("rb") as file:
            return _whole(file, suffix, options)
    except FileNotFoundError as error:
        raise PhotoError("no such file") from error
    except IsADirectoryError as error:
        raise PhotoError("is a folder") from error
    except (OSError, ValueError) as error:
        raise PhotoError(f"cannot be read: {getattr(error, 'strerror', None) or error}") from error


def _whole(file: BinaryIO, suffix: str, options: ReadOptions) -> bytes:
    """The bytes of a file from where it stands.

    Before most of them are read, raises `PhotoError` where the first are of no image, and `LimitError` where
    there are more than any image within the limits has.
    """
    try:
        head = file.read(_HEAD_BYTES) or b""
    except TypeError:
        # An object of somebody's own, whose `read` takes no number.
        return bytes(file.read() or b"")
    # Pipes may hand out less than there will be.
    while 0 < len(head) < _HEAD_BYTES and (more := file.read(_HEAD_BYTES - len(head))):
        head += more
    if head and not _is_known(head, suffix):
        raise PhotoError(_refusal(head))
    if not (hasattr(file, "seekable") and hasattr(file, "tell") and file.seekable()):
        return b"".join((head, file.read() or b""))
    start = file.tell() - len(head)
    file.seek(0, os.SEEK_END)
    size = file.tell() - start
    limit = _MOST_BYTES_OF_PIXEL * options.max_pixels + _MOST_BYTES_BESIDE
    if size > limit:
        raise LimitError(
            f"takes {size / 1e9:.1f} GB; no image of {options.max_pixels / 1e6:g} megapixels, the limit, "
            f"takes more than {limit / 1e9:.1f}"
        )
    file.seek(start)
    return file.read()


def _is_known(head: bytes, suffix: str) -> bool:
    """Whether the first bytes of a file, or its ending, are those of some format that is read."""
    from jdcodec.photo.pnm import is_pnm

    return (
        is_pnm(head)
        or tiff.is_tiff(head)
        or _image_format(head) is not None
        or raw_formats.magic_format(head) is not None
        or suffix in raw_formats.RAW_SUFFIXES
    )


def _refusal(head: bytes) -> str:
    """Why bytes of no format that is read are refused."""
    refused = (reason for signature, at, reason in _REFUSED if head.startswith(signature, at))
    return next(refused, "is not an image that jdc reads (RAW, PNG, JPEG, TIFF, WebP, AVIF, …)")


def _read(data: bytes, suffix: str, options: ReadOptions) -> Photo:
    """Route the bytes to the reader of their format."""
    if not data:
        raise PhotoError("is empty")
    # Each reader is imported where its format shows up: LibRaw and Pillow take their time.
    from jdcodec.photo.pnm import is_pnm, read_pnm

    if is_pnm(data):
        samples = read_pnm(data, options)
        return _photo(samples, is_gray=samples.shape[2] == 1, format_name="PPM")
    format_name = _image_format(data)
    if _is_raw(data, suffix, format_name):
        from jdcodec.photo.raw import read_raw

        return read_raw(data, options, suffix=suffix)
    if format_name is None:
        raise PhotoError(_refusal(data))
    from jdcodec.photo.images import read_image

    photo = _finish(read_image(data, format_name, options), format_name)
    if options.develops:
        photo = replace(photo, notes=(*photo.notes, "It is no RAW file: nothing of it was developed anew."))
    return photo


def _is_raw(data: bytes, suffix: str, format_name: str | None) -> bool:
    """Whether the bytes are camera RAW: by their signature, else their TIFF tags, else their name."""
    if raw_formats.magic_format(data) is not None:
        return True
    if format_name not in (None, "TIFF"):
        return False
    if suffix in raw_formats.RAW_SUFFIXES:
        return True
    try:
        structure = tiff.Tiff(data)
        return structure.is_raw(structure.directories())
    except PhotoError:
        # Not a TIFF structure, or one so damaged that the TIFF reader is left to say so.
        return False


def _image_format(data: bytes) -> str | None:
    """Pillow's name of the format that the first bytes show, "HEIC" for HEIF of any kind, or None."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        # The brand that counts may be any of those in the first box; four bytes among them are a version.
        brands = data[8 : min(int.from_bytes(data[:4], "big"), 256)]
        if any(brand in brands for brand in _AVIF_BRANDS):
            return "AVIF"
        return "HEIC" if any(brand in brands for brand in _HEIC_BRANDS) else None
    if data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "TIFF"
    return next((name for signature, name in _SIGNATURES if data.startswith(signature)), None)


def _finish(raster: Raster, format_name: str) -> Photo:
    """Apply what a file says about its samples: profile, alpha and orientation, in this order."""
    samples, notes = raster.samples, list(raster.notes)
    alpha = samples[..., -1:] if raster.has_alpha else None
    pixels, colour_notes = colour.to_srgb(
        samples[..., :-1] if raster.has_alpha else samples, raster.icc, raster.space, raster.colours
    )
    notes += colour_notes
    if alpha is not None and int(alpha.min()) < np.iinfo(alpha.dtype).max:
        pixels = _on_white(pixels, alpha)
        notes.append("Its transparent parts were laid on white.")
    block = raster.exif
    if block is not None and (colour_notes or exif.says_adobe_rgb(block)):
        block = exif.as_srgb(block)
    return _photo(
        _turn(pixels, raster.orientation),
        is_gray=raster.space == "GRAY",
        format_name=format_name,
        exif_block=block,
        xmp=raster.xmp,
        notes=tuple(notes),
    )


def _photo(
    pixels: Pixels,
    *,
    is_gray: bool,
    format_name: str,
    exif_block: bytes | None = None,
    xmp: bytes | None = None,
    notes: tuple[str, ...] = (),
) -> Photo:
    """A photo from (H, W, 1) or (H, W, 3) sRGB pixels."""
    return Photo(
        pixels=np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else np.ascontiguousarray(pixels),
        bit_depth=8 if pixels.dtype == np.uint8 else 16,
        is_gray=is_gray,
        format=format_name,
        exif=exif_block,
        xmp=xmp,
        iso=exif.iso(exif_block) if exif_block else None,
        notes=notes,
    )


def _on_white(pixels: Pixels, alpha: Pixels) -> Pixels:
    """Straight alpha over white, in nonlinear values, as browsers do it."""
    top = int(np.iinfo(pixels.dtype).max)

    def mixed(colours: Pixels, cover: Pixels) -> Pixels:
        # top² + top/2 fits in 32 bits for 16-bit samples.
        weight = cover.astype(np.uint32)
        return (colours * weight + np.uint32(top) * (top - weight) + top // 2) // top

    return in_bands(mixed, np.empty_like(pixels), pixels, alpha)


def _turn(pixels: Pixels, orientation: int) -> Pixels:
    """Pixels as they were taken, turned upright. EXIF 2.32, tag 274."""
    if orientation >= 5:
        pixels = pixels.transpose(1, 0, 2)
    # After the transposition of 5 to 8: 6 mirrors left-right, 8 top-bottom, 7 both.
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels
