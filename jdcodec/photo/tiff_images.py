"""Finished images in TIFF files: Pillow reads most layouts, tifffile what Pillow refuses."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

from jdcodec.errors import PhotoError
from jdcodec.photo import colour_space, exif
from jdcodec.photo.images import Raster, deep_raster, open_image, raster_at_hand, with_metadata
from jdcodec.photo.stderr import stderr_without
from jdcodec.photo.tiff import ORIENTATION, PHOTOMETRIC, PLANAR, Directory, Tiff

if TYPE_CHECKING:
    from jdcodec.photo.photo import ReadOptions

_BITS_PER_SAMPLE = 258
_MIN_IS_WHITE, _MIN_IS_BLACK, _RGB = 0, 1, 2
_SEPARATE_PLANES = 2
_PREMULTIPLIED, _STRAIGHT_ALPHA = 1, 2

# libtiff prints "module: message." and Pillow gives the stream the name tempfile.tif. What ends the
# decoding is raised as well, so the words are only kept from the terminal.
_LIBTIFF_MESSAGE = re.compile(
    rb"^(?:tempfile\.tif|MissingRequired|\w*(?:TIFF|Decode|Setup|Codec|Strip|Tile|Dir|LZW|ZIP|Fax|JPEG|Predict)\w*)"
    rb": .*\n?",
    re.MULTILINE,
)


class UnlimitedTiff(TiffImageFile):
    """Pillow's reader of TIFF less its limit on sizes, of which it asks again before it decodes."""

    def load_prepare(self) -> None:
        if self._im is None:
            self.im = Image.new(self.mode, self._tile_size).im
        super().load_prepare()


def read_tiff(data: bytes, options: ReadOptions) -> Raster:
    """The first image of a TIFF file. Raises what `images.read_image` does, and what the decoders raise."""
    structure = Tiff(data)
    directories = structure.directories()
    structure.require_image_data(directories)
    first = directories[0]
    structure.require_all_segments(first)
    notes = ("It holds several images; the first was read.",) if first.next_offset else ()
    bits = structure.integers(first, _BITS_PER_SAMPLE)
    planar = structure.integers(first, PLANAR) == (_SEPARATE_PLANES,)
    # Pillow takes separate planes for 8 bits without looking.
    if planar and len(bits) > 1 and max(bits) > 8:
        return _read_with_tifffile(data, structure, first, options, notes)
    try:
        image = open_image(data, "TIFF")
    except UnidentifiedImageError:
        return _read_with_tifffile(data, structure, first, options, notes)
    with image:
        options.check_size(*image.size)
        with stderr_without(_LIBTIFF_MESSAGE):
            raster = deep_raster(data, image) or raster_at_hand(image)
        if raster.space == "GRAY" and raster.samples.dtype == np.uint16:
            raster = replace(raster, samples=_full_range(raster.samples, structure, first, bits))
        raster = replace(raster, colours=colour_space.of_exif(data))
        # Pillow turns a TIFF upright while it decodes; a rebuilt block has no other orientation.
        return with_metadata(raster, image.info, exif.rebuild(data), notes)


def _full_range(samples: Any, structure: Tiff, first: Directory, bits: tuple[int, ...]) -> Any:
    """12-bit gray to 16 bits, and black-on-white the right way round, which Pillow does for 8 bits only."""
    if bits == (12,):
        samples = ((samples.astype(np.uint32) * 65_535 + 2047) // 4095).astype(np.uint16)
    if structure.integers(first, PHOTOMETRIC) == (_MIN_IS_WHITE,):
        samples = 65_535 - samples
    return samples


def _read_with_tifffile(
    data: bytes, structure: Tiff, first: Directory, options: ReadOptions, notes: tuple[str, ...]
) -> Raster:
    """Separate 16-bit planes, 16-bit gray with alpha and the like, without compression or with Deflate."""
    import tifffile

    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page: Any = file.pages[0]
        options.check_size(page.imagewidth, page.imagelength)
        photometric, channels = int(page.photometric), int(page.samplesperpixel)
        colours = 3 if photometric == _RGB else 1
        extra = int(page.extrasamples[0]) if page.extrasamples else 0
        supported = (
            photometric in (_MIN_IS_WHITE, _MIN_IS_BLACK, _RGB)
            and page.dtype in (np.uint8, np.uint16)
            and page.imagedepth == 1
            and colours <= channels <= colours + 4
            and extra != _PREMULTIPLIED
        )
        if not supported:
            raise PhotoError("is a kind of TIFF that jdc does not read; save it as plain RGB, 8 or 16 bits")
        samples = page.asarray(maxworkers=1)
    if channels == 1:
        samples = samples[..., np.newaxis]
    elif int(page.planarconfig) == _SEPARATE_PLANES:
        samples = np.moveaxis(samples, 0, -1)
    has_alpha = channels > colours and extra == _STRAIGHT_ALPHA
    if photometric == _MIN_IS_WHITE:
        samples[..., 0] = np.iinfo(samples.dtype).max - samples[..., 0]
    orientation = structure.integers(first, ORIENTATION)
    return Raster(
        samples=samples[..., : colours + has_alpha],
        space="RGB" if colours == 3 else "GRAY",
        has_alpha=has_alpha,
        orientation=orientation[0] if orientation and 1 <= orientation[0] <= 8 else 1,
        exif=exif.rebuild(data),
        icc=page.iccprofile,
        colours=colour_space.of_exif(data),
        notes=notes,
    )
