"""Ordinary image files, decoded with Pillow to samples at their full depth, plus their metadata.

What the samples mean (profile, alpha, orientation) is applied by `read`.
"""

from __future__ import annotations

import contextlib
import io
import logging
import struct
import sys
import threading
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError

from jdcodec.errors import JdcError, LimitError, PhotoError
from jdcodec.photo import colour_space, exif
from jdcodec.photo.bands import in_bands
from jdcodec.photo.tiff import ORIENTATION, STRIP_OFFSETS, TILE_OFFSETS
from jdcodec.photo.whole import decode_whole_jpeg, require_all_rows, require_whole_jpeg, require_whole_png

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from jdcodec.photo.colour_space import ColourSpace
    from jdcodec.photo.photo import Pixels, ReadOptions

# Pillow's names of the formats and of the plugins that read them.
_PLUGINS = {
    "PNG": "PngImagePlugin",
    "JPEG": "JpegImagePlugin",
    "TIFF": "TiffImagePlugin",
    "WEBP": "WebPImagePlugin",
    "AVIF": "AvifImagePlugin",
    "GIF": "GifImagePlugin",
    "BMP": "BmpImagePlugin",
}

# Both log what they find odd in a file, and where nothing handles a log, Python prints it on stderr.
for _library in ("PIL", "tifffile"):
    logging.getLogger(_library).addHandler(logging.NullHandler())

# Pillow's layouts of 16-bit colour without the byte order → colour space, alpha.
_DEEP_COLOUR = {
    "RGB;16": ("RGB", False),
    "RGBX;16": ("RGB", False),
    "RGBA;16": ("RGB", True),
    "RGBa;16": ("RGB", True),
    "CMYK;16": ("CMYK", False),
}


@dataclass(frozen=True, slots=True)
class Raster:
    """Decoded samples before any interpretation.

    samples: (H, W, C) uint8 or uint16, C = 1, 3 or 4 colour channels as `space` ("GRAY", "RGB", "CMYK")
    says, and one more for alpha where `has_alpha`. orientation: 1 to 8, still to be applied. colours: what
    the file says of them beside a profile, which counts for more.
    """

    samples: Pixels
    space: str
    has_alpha: bool
    orientation: int = 1
    exif: bytes | None = None
    xmp: bytes | None = None
    icc: bytes | None = None
    colours: ColourSpace | None = None
    notes: tuple[str, ...] = ()


def read_image(data: bytes, format_name: str, options: ReadOptions) -> Raster:
    """Decode a file of the format that its first bytes name, one of `_PLUGINS` or "HEIC".

    Raises `PhotoError` where it is damaged, cut short or of a kind that jdc does not read, `LimitError`
    where it is larger than the options allow; the limits are checked before pixels are decoded.
    """
    # Here, because these modules build on this one.
    from jdcodec.photo.heic import read_heic
    from jdcodec.photo.tiff_images import read_tiff

    if format_name == "PNG":
        require_whole_png(data)
    scans = require_whole_jpeg(data) if format_name == "JPEG" else None
    try:
        with quiet_plugins():
            if format_name == "TIFF":
                return read_tiff(data, options)
            if format_name == "HEIC":
                return read_heic(data, options)
            with open_image(data, format_name) as image:
                options.check_size(*image.size)
                if scans is not None:
                    decode_whole_jpeg(data, image, scans)
                raster = deep_raster(data, image) or raster_at_hand(image)
                if format_name == "PNG":
                    # A palette and a transparent colour give a meaning to zeros.
                    as_decoded = image.mode != "P" and "transparency" not in image.info
                    require_all_rows(data, (raster.samples if as_decoded else np.asarray(image))[-1])
                raster = replace(raster, colours=colour_space.of_file(data, format_name))
                # Metadata may follow the pixels in a PNG, so it is read after them.
                return with_metadata(raster, image.info, exif_of(image), _notes(data, image))
    except (JdcError, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        raise LimitError("is larger than this program's Image.MAX_IMAGE_PIXELS allows") from error
    except Exception as error:
        # On hostile bytes Pillow raises nearly every built-in exception, SyntaxError included.
        raise PhotoError(f"is damaged, or a kind of {format_name} that jdc does not read") from error


def raster_of(image: Image.Image) -> Raster:
    """The samples and the metadata of a Pillow image, which is left as it is. Raises `PhotoError`."""
    try:
        with quiet_plugins():
            # Pixels first: Pillow turns a TIFF while it decodes, and then no longer calls it turned.
            raster = raster_at_hand(image)
            return with_metadata(raster, image.info, exif_of(image), ())
    except JdcError:
        raise
    except MemoryError as error:
        raise PhotoError("too large for the memory of this machine") from error
    except Exception as error:
        raise PhotoError(f"cannot be read: {error}") from error


def exif_of(image: Image.Image) -> bytes | None:
    """The EXIF block of an image that is loaded, with its prefix or without; None where it has none.

    Of a TIFF, and of a PNG by ImageMagick, Pillow has the tags, but no block in `info`.
    """
    block = image.info.get("exif")
    if block is not None:
        return block if isinstance(block, bytes) and block else None
    try:
        tags = image.getexif()
        # Pillow makes up an orientation from that in XMP, which is not applied to files either.
        if not tags.keys() - {ORIENTATION} and "xmp" in image.info:
            return None
        block = tags.tobytes() if tags else None
    except Exception:
        # Tags of types that are not theirs, or hexadecimal digits that are none: any exception.
        return None
    if block is None or not tags.keys() & {STRIP_OFFSETS, TILE_OFFSETS}:
        return block
    return exif.rebuild(block.removeprefix(b"Exif\0\0"))


def open_image(data: bytes, format_name: str) -> ImageFile.ImageFile:
    """The image of a file, its pixels not decoded yet. Raises what Pillow raises.

    `Image.open` holds images to a limit that can be lifted for the whole process only. Ours being checked,
    the plugin is asked directly; those of WebP and GIF heed that limit where a program has lowered it.
    """
    # Imported by name, since Pillow would import all its plugins to look for one.
    import_module(f"PIL.{_PLUGINS[format_name]}")
    factory: Any = Image.OPEN[format_name][0]
    if format_name == "TIFF":
        from jdcodec.photo.tiff_images import UnlimitedTiff as factory
    try:
        image: ImageFile.ImageFile = factory(io.BytesIO(data), "")
    except (SyntaxError, IndexError, TypeError, struct.error) as error:
        raise UnidentifiedImageError(f"Pillow knows no such {format_name}") from error
    return image


def raster_at_hand(image: Image.Image) -> Raster:
    """Samples as Pillow decodes them: 16 bits for gray, 8 bits for everything else."""
    mode = image.mode
    if mode.startswith("I"):
        # "I" holds 32 bits; 16-bit PNG and TIFF gray arrive in it from some versions of Pillow.
        values = np.asarray(image)
        if values.size and (int(values.min()) < 0 or int(values.max()) > 65_535):
            raise PhotoError("has 32-bit samples; save it with 16 bits a channel")
        gray = values.astype(np.uint16)[..., np.newaxis]
        return _with_transparent_colour(Raster(gray, "GRAY", has_alpha=False), image)
    if mode == "CMYK":
        return Raster(np.asarray(image), "CMYK", has_alpha=False)
    transparent = "transparency" in image.info
    target = {
        "1": "LA" if transparent else "L",
        "L": "LA" if transparent else "L",
        "LA": "LA",
        "La": "LA",
        "P": "RGBA" if transparent else "RGB",
        "PA": "RGBA",
        "RGB": "RGBA" if transparent else "RGB",
        "RGBX": "RGB",
        "RGBA": "RGBA",
        "RGBa": "RGBA",
        "YCbCr": "RGB",
    }.get(mode)
    if target is None:
        raise PhotoError(f"has {mode} samples; save it as RGB with 8 or 16 bits a channel")
    samples = np.asarray(image if mode == target else image.convert(target))
    samples = samples if samples.ndim == 3 else samples[..., np.newaxis]
    return Raster(samples, "GRAY" if target in ("L", "LA") else "RGB", has_alpha=target.endswith("A"))


def deep_raster(data: bytes, image: ImageFile.ImageFile) -> Raster | None:
    """The samples of 16-bit colour at their full depth; None for any other image.

    Pillow has no 16-bit colour mode: it keeps the high byte of each sample. It can unpack either byte,
    though, so the pixels are decoded twice, once for the high and once for the low bytes.
    """
    if not image.tile or image.format not in ("PNG", "TIFF"):
        return None
    raw_mode = _raw_mode(image.tile[0])
    if raw_mode == "LA;16B":
        # Four bytes a pixel, which arrive unchanged as 8-bit RGBA.
        pairs = _unpacked(image, "RGBA")
        return Raster(pairs.view(">u2").astype(np.uint16), "GRAY", has_alpha=True)
    layout, order = raw_mode[:-1], raw_mode[-1]
    if layout not in _DEEP_COLOUR:
        return None
    space, has_alpha = _DEEP_COLOUR[layout]
    # Pillow would divide by alpha at 8 bits; it is done here at 16.
    straight = layout.replace("a", "A")
    first = _unpacked(image, straight + "B")
    with open_image(data, str(image.format)) as again:
        second = _unpacked(again, straight + "L")
    # libtiff hands the samples out in this machine's order ("N").
    big_endian = order == "B" or (order == "N" and sys.byteorder == "big")
    high, low = (first, second) if big_endian else (second, first)
    raster = Raster(high.astype(np.uint16) << 8 | low, space, has_alpha)
    return undo_premultiplication(raster) if layout == "RGBa;16" else _with_transparent_colour(raster, image)


def _raw_mode(tile: Any) -> str:
    """The layout of the samples in one of Pillow's tiles: alone, or first of the decoder's arguments."""
    return str(tile.args if isinstance(tile.args, str) else tile.args[0])


def _unpacked(image: ImageFile.ImageFile, raw_mode: str) -> NDArray[np.uint8]:
    """Decode an image with its samples taken to be laid out in another way."""
    image.tile = [
        tile._replace(args=raw_mode if isinstance(tile.args, str) else (raw_mode, *(tile.args or ())[1:]))
        for tile in image.tile
    ]
    return np.array(image)


def _with_transparent_colour(raster: Raster, image: Image.Image) -> Raster:
    """Give 16-bit samples the alpha that a PNG expresses as one transparent colour."""
    key = image.info.get("transparency")
    if key is None or raster.has_alpha:
        return raster
    opaque = np.any(raster.samples != np.array(key, np.uint16), axis=2, keepdims=True)
    alpha = opaque.astype(np.uint16) * np.uint16(65_535)
    return Raster(np.concatenate([raster.samples, alpha], axis=2), raster.space, has_alpha=True)


def undo_premultiplication(raster: Raster) -> Raster:
    """Divide the colour of samples with alpha, uint8 or uint16, by it."""
    top = int(np.iinfo(raster.samples.dtype).max)

    def divided(band: Pixels) -> Pixels:
        colour, alpha = band[..., :-1].astype(np.uint32), band[..., -1:]
        straight = np.minimum(colour * top // np.maximum(alpha, 1), top).astype(band.dtype)
        return np.concatenate([straight, alpha], axis=2)

    return replace(raster, samples=in_bands(divided, np.empty_like(raster.samples), raster.samples))


def with_metadata(
    raster: Raster,
    info: Mapping[Any, Any],
    block: bytes | None,
    notes: tuple[str, ...],
    *,
    orientation: int | None = None,
) -> Raster:
    """Add what was found beside the pixels. info: Pillow's. block: EXIF, with its prefix or without, or None.

    orientation: the one to apply, where EXIF does not count. An EXIF block that is damaged is left out, with
    a note: it is no reason to refuse the pixels.
    """
    payload = block.removeprefix(b"Exif\0\0") if block else None
    if orientation is None:
        orientation = exif.orientation(payload) if payload is not None else 1
    if payload is not None:
        try:
            payload = exif.upright(payload)
        except PhotoError:
            payload = None
            notes = (*notes, "Its EXIF block is damaged and was left out.")
    xmp, icc = info.get("xmp"), info.get("icc_profile")
    return replace(
        raster,
        orientation=orientation,
        exif=payload,
        xmp=exif.upright_xmp(xmp) if isinstance(xmp, bytes) and xmp else None,
        icc=icc if isinstance(icc, bytes) and icc else None,
        colours=raster.colours or colour_space.of_image(info, payload),
        notes=(*raster.notes, *notes),
    )


def _notes(data: bytes, image: Image.Image) -> tuple[str, ...]:
    """What is lost by taking one image at 8 bits. Further images in a JPEG are previews or gain maps."""
    notes = []
    # MPO is Pillow's name for a JPEG with further images.
    if image.format != "MPO" and getattr(image, "is_animated", False):
        notes.append("It holds several images; the first was read.")
    if image.format == "AVIF" and is_deep_avif(data):
        notes.append("Its samples have more than 8 bits; they were read at 8.")
    return tuple(notes)


def is_deep_avif(data: bytes) -> bool:
    """Whether an AVIF file has 10 or 12 bits a sample, which Pillow decodes at 8.

    It is the bit high_bitdepth in byte 2 of the AV1 codec configuration (AV1-ISOBMFF, 2.3.3).
    """
    configuration = data.partition(b"av1C")[2]
    return len(configuration) > 2 and bool(configuration[2] & 0x40)


class _Guard:
    """How many threads are reading, and what to put back when none is."""

    lock = threading.Lock()
    readers = 0
    filters: warnings.catch_warnings[None] | None = None


@contextlib.contextmanager
def quiet_plugins() -> Iterator[None]:
    """Keep what Pillow's plugins find odd in a file from the terminal.

    Filters of warnings are the process's, so the first reader sets one and the last one takes it away. It
    lets those pass that do not come from a plugin: that of Pillow about images that are very large.
    """
    with _Guard.lock:
        if _Guard.readers == 0:
            _Guard.filters = warnings.catch_warnings()
            _Guard.filters.__enter__()
            warnings.filterwarnings("ignore", module=r"PIL\.\w+Plugin$")
        _Guard.readers += 1
    try:
        yield
    finally:
        with _Guard.lock:
            _Guard.readers -= 1
            if _Guard.readers == 0:
                assert _Guard.filters is not None
                _Guard.filters.__exit__(None, None, None)
