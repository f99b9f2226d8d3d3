"""Photos from memory: which arrays are taken, and how."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from jdcodec.errors import PhotoError
from jdcodec.photo import from_array, read_photo

from .samples import exif_block, picture, pillow_file


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("order", ["<", ">"])
def test_integers_are_taken_as_they_are(bits: int, order: str) -> None:
    pixels = picture(bits=bits)
    photo = from_array(pixels.astype(pixels.dtype.newbyteorder(order)))
    np.testing.assert_array_equal(photo.pixels, pixels)
    assert photo.pixels.dtype.isnative
    assert (photo.bit_depth, photo.is_gray, photo.format) == (bits, False, "array")
    assert (photo.height, photo.width) == pixels.shape[:2]


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 1)])
def test_gray(shape: tuple[int, ...]) -> None:
    values = np.arange(35, dtype=np.uint8).reshape(shape)
    photo = from_array(values)
    assert photo.is_gray and photo.pixels.shape == (5, 7, 3)
    np.testing.assert_array_equal(photo.pixels[..., 2], values.reshape(5, 7))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_become_16_bits(dtype: type) -> None:
    photo = from_array(np.array([[0, 0.5, 1]], dtype))
    assert photo.bit_depth == 16
    assert photo.pixels[0, :, 0].tolist() == [0, 32_768, 65_535]


@pytest.mark.parametrize("order", ["<", ">"])
def test_half_precision_is_scaled_in_single_precision(order: str) -> None:
    values = np.linspace(0, 1, 4001).astype(np.float16).astype(order + "f2").reshape(1, -1)
    expected = np.rint(values.astype(np.float64) * 65_535)
    # In half precision itself the upper values lie 32 apart, and the last overflows.
    assert np.abs(from_array(values).pixels[..., 0] - expected).max() <= 1


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
@pytest.mark.parametrize("bits", [8, 16])
def test_matrices_and_masked_arrays_are_their_values(bits: int) -> None:
    """A matrix has two axes whatever is done to it, and masked values do not count for its extremes."""
    gray = picture(bits=bits, channels=1)
    plain = from_array(gray).pixels
    np.testing.assert_array_equal(from_array(np.matrix(gray)).pixels, plain)
    np.testing.assert_array_equal(from_array(np.ma.masked_greater(gray, 100)).pixels, plain)
    assert type(from_array(np.ma.masked_greater(picture(bits=bits), 100)).pixels) is np.ndarray


def test_values_that_are_masked_are_looked_at_all_the_same() -> None:
    values = np.ma.masked_array(np.full((4, 5), 0.5, np.float32), mask=False)
    values[1, 1] = 7.0
    values[1, 1] = np.ma.masked
    with pytest.raises(PhotoError, match="must lie in 0…1"):
        from_array(values)


def test_a_small_overshoot_is_clipped() -> None:
    photo = from_array(np.array([[-0.003, 1.003]], np.float32))
    assert photo.pixels[0, :, 0].tolist() == [0, 65_535]


def test_the_array_is_copied_or_left_alone() -> None:
    pixels = picture()[:, ::-1]
    photo = from_array(pixels)
    assert photo.pixels.flags.c_contiguous
    np.testing.assert_array_equal(photo.pixels, pixels)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.full((2, 2), 255.0, np.float32), "must lie in 0…1"),
        (np.full((2, 2), np.nan, np.float32), "must lie in 0…1"),
        (np.full((2, 2), np.inf, np.float64), "must lie in 0…1"),
        (np.full((2, 2), -0.1, np.float32), "must lie in 0…1"),
        (np.zeros((2, 2), np.int32), "must be uint8"),
        (np.zeros((2, 2), bool), "must be uint8"),
        (np.zeros((2, 2, 4), np.uint8), "must be \\(H, W, 3\\)"),
        (np.zeros((3,), np.uint8), "must be \\(H, W, 3\\)"),
        (np.zeros((0, 2, 3), np.uint8), "no pixels"),
        (np.array([["a"]]), "must be uint8"),
        ([[1, 2]], "must be a NumPy array"),
        (None, "must be a NumPy array"),
    ],
)
def test_refused(array: Any, message: str) -> None:
    with pytest.raises(PhotoError, match=message):
        from_array(array)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "I;16", "I"])
def test_pil_modes(mode: str) -> None:
    source = Image.fromarray(picture(channels=1) if mode.startswith("I") else picture())
    image = source.convert(mode)
    before = image.tobytes()
    photo = from_array(image)
    assert photo.pixels.shape == (24, 32, 3)
    assert photo.is_gray == (mode in ("1", "L", "LA", "I;16", "I"))
    assert photo.bit_depth == (16 if mode.startswith("I") else 8)
    assert image.tobytes() == before


@pytest.mark.parametrize("mode", ["F", "LAB", "HSV"])
def test_other_pil_modes_are_refused(mode: str) -> None:
    with pytest.raises(PhotoError, match=f"has {mode} samples"):
        from_array(Image.new(mode, (2, 2)))


def test_an_opened_pil_image_is_like_its_file() -> None:
    data = pillow_file(picture(), "PNG", exif=b"Exif\0\0" + exif_block(6))
    from_image, from_file = from_array(Image.open(io.BytesIO(data))), read_photo(data)
    np.testing.assert_array_equal(from_image.pixels, from_file.pixels)
    assert (from_image.exif, from_image.iso, from_image.format) == (from_file.exif, 800, "PNG")


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


@pytest.mark.parametrize("loaded_before", [False, True])
@pytest.mark.parametrize(
    ("settings", "iso"),
    [
        ({"exif": exif_block(6)}, 800),
        # Through libtiff, which Pillow hands no EXIF directory.
        ({"tiffinfo": {271: "Maker", 274: 6}, "compression": "tiff_lzw"}, None),
    ],
)
def test_an_opened_tiff_brings_its_tags(
    settings: dict[str, Any], iso: int | None, loaded_before: bool
) -> None:
    data = pillow_file(picture(), "TIFF", **settings)
    image = opened(data)
    if loaded_before:
        image.load()
    from_image, from_file = from_array(image), read_photo(data)
    np.testing.assert_array_equal(from_image.pixels, from_file.pixels)
    assert (from_image.height, from_image.width) == (32, 24)
    assert (from_image.exif, from_image.iso) == (from_file.exif, iso)
    assert from_image.exif is not None and b"Maker" in from_image.exif


def test_tags_that_were_set_on_a_pil_image_are_kept_and_applied() -> None:
    image = Image.fromarray(picture())
    image.getexif()[271], image.getexif()[274] = "Maker", 6
    photo = from_array(image)
    assert (photo.height, photo.width) == (32, 24)
    assert photo.exif is not None and b"Maker" in photo.exif
    assert from_array(Image.fromarray(picture())).exif is None


def test_an_orientation_that_only_xmp_has_is_applied_to_no_source() -> None:
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    data = pillow_file(picture(), "WEBP", lossless=True, xmp=xmp)
    for photo in (read_photo(data), from_array(opened(data))):
        assert (photo.height, photo.width, photo.exif) == (24, 32, None)


def test_tags_that_cannot_be_written_are_left_out() -> None:
    image = Image.fromarray(picture())
    image.getexif()[271] = object()
    assert from_array(image).exif is None


def test_the_exif_text_of_imagemagick_is_read() -> None:
    digits = (b"Exif\0\0" + exif_block(6)).hex()
    lines = "\n".join(digits[at : at + 72] for at in range(0, len(digits), 72))
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Raw profile type exif", f"\nexif\n{len(digits) // 2:8d}\n{lines}\n")
    data = pillow_file(picture(), "PNG", pnginfo=texts)
    for photo in (read_photo(data), from_array(opened(data))):
        assert (photo.height, photo.width, photo.iso) == (32, 24, 800)
    hostile = PngImagePlugin.PngInfo()
    hostile.add_text("Raw profile type exif", "no\nhexadecimal\ndigits\nhere")
    assert read_photo(pillow_file(picture(), "PNG", pnginfo=hostile)).exif is None
