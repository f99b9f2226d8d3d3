"""EXIF orientation is applied exactly once, and no metadata asks for it again."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from jdcodec.photo import read_photo
from jdcodec.photo.exif import orientation as orientation_of

from .samples import deep_png, exif_block, picture, pillow_file, png_chunk

XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="%d"/></x:xmpmeta>'


def as_stored(upright: Any, orientation: int) -> Any:
    """The rows and columns of a file that asks to be turned by `orientation` and then is `upright`."""
    return {
        1: lambda a: a,
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: lambda a: np.swapaxes(a, 0, 1),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: np.swapaxes(np.rot90(a, 2), 0, 1),
        8: lambda a: np.rot90(a, -1),
    }[orientation](upright)


ALL = pytest.mark.parametrize("orientation", range(1, 9))


@ALL
@pytest.mark.parametrize("format_name", ["PNG", "WEBP", "JPEG", "AVIF"])
def test_8_bit_files(format_name: str, orientation: int) -> None:
    upright = np.zeros((16, 24, 3), np.uint8)
    upright[:8, :8] = 255
    upright[8:, :8] = 90
    settings = (
        {"lossless": True} if format_name == "WEBP" else {"quality": 100} if format_name != "PNG" else {}
    )
    stored = np.ascontiguousarray(as_stored(upright, orientation))
    data = pillow_file(stored, format_name, exif=b"Exif\0\0" + exif_block(orientation), **settings)
    photo = read_photo(data)
    np.testing.assert_allclose(photo.pixels, upright, atol=12)
    assert photo.exif is not None and orientation_of(photo.exif) == 1
    assert photo.iso == 800


@ALL
@pytest.mark.parametrize("compression", ["raw", "tiff_lzw"])
def test_8_bit_tiff(compression: str, orientation: int) -> None:
    upright = picture()
    stored = np.ascontiguousarray(as_stored(upright, orientation))
    photo = read_photo(pillow_file(stored, "TIFF", compression=compression, tiffinfo={274: orientation}))
    np.testing.assert_array_equal(photo.pixels, upright)


@ALL
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_16_bit_tiff(planar: str, orientation: int) -> None:
    upright = picture(bits=16)
    stored = as_stored(upright, orientation)
    file = io.BytesIO()
    tifffile.imwrite(
        file,
        stored if planar == "contig" else np.moveaxis(stored, -1, 0),
        photometric="rgb",
        planarconfig=planar,
        extratags=[(274, "H", 1, orientation, True)],
    )
    photo = read_photo(file.getvalue())
    np.testing.assert_array_equal(photo.pixels, upright)
    assert photo.exif is None or orientation_of(photo.exif) == 1


@ALL
def test_16_bit_png_with_the_block_after_the_pixels(orientation: int) -> None:
    upright = picture(bits=16)
    late = png_chunk(b"eXIf", exif_block(orientation))
    photo = read_photo(deep_png(as_stored(upright, orientation), late=late))
    np.testing.assert_array_equal(photo.pixels, upright)


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_rest_of_the_block_stays_where_it_is(order: str) -> None:
    block = exif_block(6, order=order)
    photo = read_photo(pillow_file(picture(), "PNG", exif=b"Exif\0\0" + block))
    assert photo.exif is not None and len(photo.exif) == len(block)
    assert sum(a != b for a, b in zip(photo.exif, block)) == 1
    assert b"private notes of the maker" in photo.exif


def test_xmp_does_not_ask_again() -> None:
    data = pillow_file(picture(), "JPEG", exif=b"Exif\0\0" + exif_block(8), xmp=XMP % 8)
    photo = read_photo(data)
    assert photo.xmp == XMP % 1
    assert Image.open(io.BytesIO(data)).size == (photo.height, photo.width)


@pytest.mark.parametrize("value", [0, 9, 65_535])
def test_an_orientation_that_does_not_exist_is_ignored(value: int) -> None:
    photo = read_photo(pillow_file(picture(), "PNG", exif=b"Exif\0\0" + exif_block(value)))
    np.testing.assert_array_equal(photo.pixels, picture())
    assert photo.exif is not None and orientation_of(photo.exif) == 1
