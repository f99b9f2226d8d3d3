"""HEIC and HEIF, the files of phones and newer cameras, decoded with pillow-heif where that is installed.

It is asked directly, and imported with the first such file: nothing is registered in Pillow.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from jdcodec.errors import LimitError, PhotoError
from jdcodec.photo import colour_space
from jdcodec.photo.bands import in_bands
from jdcodec.photo.boxes import item_sizes, require_all_items
from jdcodec.photo.images import Raster, undo_premultiplication, with_metadata

if TYPE_CHECKING:
    from jdcodec.photo.photo import Pixels, ReadOptions

# Damaged files end the whole process with earlier ones.
_OLDEST = (1, 8, 1)
# Pixels at most, for blocks of 64.
_FILLING = 63
_INSTALL = "pip install 'jdcodec[heic]', or convert it to PNG, TIFF or JPEG"


def read_heic(data: bytes, options: ReadOptions) -> Raster:
    """Decode the primary image of a file, at its full depth: more than 8 bits become 16.

    Raises `PhotoError` where pillow-heif is missing or too old, or the file cut short; `LimitError` where it
    is larger than the options allow, before pixels are decoded; on other damage what pillow-heif raises.
    """
    library = _library()
    require_all_items(data)
    for width, height in item_sizes(data):
        _check_coded_size(width, height, options)
    file = library.open_heif(data, convert_hdr_to_8bit=False)
    image = file[file.primary_index]
    options.check_size(*image.size)
    info = image.info
    notes: tuple[str, ...] = ()
    if len(file) > 1:
        which = "primary one" if file.primary_index else "first"
        notes = (f"It holds several images; the {which} was read.",)
    # XMP ends in a zero in some files, which is no part of it.
    info = {**info, "xmp": info.get("xmp", b"").rstrip(b"\0")}
    # libheif has turned the pixels as the file says in its properties; EXIF is not to be asked.
    return with_metadata(_raster(image), info, info["exif"], notes, orientation=1)


def _check_coded_size(width: int, height: int, options: ReadOptions) -> None:
    """Raise `LimitError` where a picture in the file is too large, even if little of it is shown.

    That encoders fill pictures up to whole blocks is not held against them.
    """
    try:
        options.check_size(max(width - _FILLING, 1), max(height - _FILLING, 1))
    except LimitError:
        options.check_size(width, height)


def _library() -> Any:
    """The module pillow_heif; raises `PhotoError` where it is missing or too old."""
    try:
        import pillow_heif
    except ImportError as error:
        raise PhotoError(f"is HEIC; jdc reads it with pillow-heif: {_INSTALL}") from error
    version = str(pillow_heif.__version__)
    if tuple(map(int, re.findall(r"\d+", version)[:3])) < _OLDEST:
        needed = ".".join(map(str, _OLDEST))
        raise PhotoError(
            f"is HEIC; jdc reads it with pillow-heif {needed} or later, not {version}: {_INSTALL}"
        )
    return pillow_heif


def _raster(image: Any) -> Raster:
    """The samples of a `pillow_heif.HeifImage`, with what it says of their colours beside a profile."""
    samples: Pixels = np.asarray(image)
    samples = samples if samples.ndim == 3 else samples[..., np.newaxis]
    if samples.dtype == np.uint16:
        samples = _full_range(samples, int(image.info["bit_depth"]))
    nclx = image.info.get("nclx_profile")
    colours = None
    if nclx is not None:
        primaries, transfer = nclx["color_primaries"], nclx["transfer_characteristics"]
        colours = colour_space.of_code_points(int(primaries), int(transfer))
    if _is_gray_in_colour(image, samples):
        samples = samples[..., [0, 3]]
    gray = samples.shape[2] - image.has_alpha == 1
    raster = Raster(samples, "GRAY" if gray else "RGB", has_alpha=image.has_alpha, colours=colours)
    return undo_premultiplication(raster) if image.premultiplied_alpha else raster


def _full_range(samples: Pixels, depth: int) -> Pixels:
    """Samples that fill the upper `depth` bits of 16, their first bits repeated below: white is 65,535."""
    return in_bands(lambda band: band | band >> depth, np.empty_like(samples), samples)


def _is_gray_in_colour(image: Any, samples: Pixels) -> bool:
    """Whether gray samples came as RGBA, as they do where there is alpha.

    Only images that are coded in colour have a subsampling of it, and some of these have none either.
    """
    if "chroma" in image.info or samples.shape[2] != 4:
        return False
    red, green, blue = (samples[..., channel] for channel in range(3))
    return np.array_equal(red, green) and np.array_equal(red, blue)
