"""A file that was cut short is an error, wherever it was cut; bytes after its end are not."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import tifffile

from jdcodec.errors import PhotoError
from jdcodec.photo import read_photo
from jdcodec.photo.write import encode_image

from .samples import deep_png, exif_block, picture, pillow_file


def deep_tiff(compression: str | None) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, picture(bits=16), photometric="rgb", compression=compression)
    return file.getvalue()


WHOLE = {
    "png": lambda: pillow_file(picture(), "PNG"),
    "deep png": lambda: deep_png(picture(bits=16)),
    "jpeg": lambda: pillow_file(picture(), "JPEG"),
    "progressive jpeg": lambda: pillow_file(picture(), "JPEG", progressive=True),
    "webp": lambda: pillow_file(picture(), "WEBP"),
    "webp with metadata": lambda: pillow_file(picture(), "WEBP", exif=exif_block()),
    "lossless webp": lambda: pillow_file(picture(), "WEBP", lossless=True),
    "avif": lambda: pillow_file(picture(), "AVIF"),
    "tiff": lambda: pillow_file(picture(), "TIFF"),
    "lzw tiff": lambda: pillow_file(picture(), "TIFF", compression="tiff_lzw"),
    "deep tiff": lambda: deep_tiff(None),
    "deep deflate tiff": lambda: deep_tiff("zlib"),
    "our tiff": lambda: encode_image(picture(bits=16), format="tiff", exif=exif_block()),
    "gif": lambda: pillow_file(picture(), "GIF")[:-2],
    "ppm": lambda: encode_image(picture(bits=16), format="ppm"),
}


@pytest.mark.parametrize("kind", WHOLE)
def test_cut_anywhere(kind: str) -> None:
    data = WHOLE[kind]()
    read_photo(data)
    places = {*range(0, len(data), max(1, len(data) // 60)), *range(len(data) - 12, len(data))}
    for length in sorted(places):
        with pytest.raises(PhotoError):
            read_photo(data[:length])


@pytest.mark.parametrize("kind", [kind for kind in WHOLE if kind != "avif"])
def test_bytes_after_the_end_do_no_harm(kind: str) -> None:
    data = WHOLE[kind]()
    np.testing.assert_array_equal(read_photo(data + b"trailing bytes").pixels, read_photo(data).pixels)


def test_the_end_of_a_thumbnail_is_not_the_end_of_the_jpeg() -> None:
    thumbnail = pillow_file(picture(8, 8), "JPEG")
    block = exif_block() + thumbnail
    data = pillow_file(picture(), "JPEG", exif=b"Exif\0\0" + block)
    read_photo(data)
    with pytest.raises(PhotoError, match="cut short"):
        read_photo(data[:-2])


def test_a_flipped_bit_in_the_pixels_of_a_png_is_found() -> None:
    data = bytearray(pillow_file(picture(), "PNG"))
    data[data.index(b"IDAT") + 100] ^= 4
    with pytest.raises(PhotoError, match="checksum of its IDAT chunk"):
        read_photo(bytes(data))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"hello, this is no image at all", "is not an image that jdc reads"),
        (b"\x89PNG\r\n\x1a\n", "cut short"),
        (b"\xff\xd8\xff\xd9", "damaged"),
        (b"II*\0\x08\0\0\0", "cut short"),
        (b"II*\0\0\0\0\0", "no TIFF directory"),
        (b"GIF89a", "damaged"),
        (b"RIFF\0\0\0\0WEBP", "damaged"),
        (b"\0\0\0\x1cftypavif", "damaged"),
        (b"II\x1a\0\0\0HEAPCCDR", "cut short"),
        (b"FUJIFILMCCD-RAW 0201", "LibRaw says"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        (b"\xff\x0a\xff\xff", "JPEG XL"),
        (b"\x8aJDC\r\n\x1a\n\1\0", "jdc decode"),
    ],
)
def test_beginnings(data: bytes, message: str) -> None:
    with pytest.raises(PhotoError, match=message) as raised:
        read_photo(data)
    assert str(raised.value).startswith("input: ") and "\n" not in str(raised.value)


def test_image_data_beyond_the_end_is_named() -> None:
    data: Any = pillow_file(picture(), "TIFF")
    with pytest.raises(PhotoError, match=r"cut short: its image data reaches to byte \d+ of \d+"):
        # Pillow puts the directory first.
        read_photo(data[:-50])
