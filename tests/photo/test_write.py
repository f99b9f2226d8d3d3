"""Every format that is written: depth, metadata, quality, and what it refuses."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from jdcodec.errors import PhotoError
from jdcodec.photo import encode_image, exif, fitting_metadata, read_photo
from jdcodec.photo.metadata import MetadataBlocks

from .samples import exif_block, matrix_profile, picture

XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description dc:title="Zo\xc3\xab"/></x:xmpmeta>'
FORMATS = ("png", "tiff", "jpeg", "webp", "avif", "ppm")
DEEP = ("png", "tiff", "ppm")


@pytest.mark.parametrize("format_name", DEEP)
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(24, 32), (1, 1), (1, 5), (700, 3)])
def test_lossless(format_name: str, bits: int, channels: int, size: tuple[int, int]) -> None:
    pixels = picture(*size, bits=bits, channels=channels)
    photo = read_photo(encode_image(pixels, format=format_name))
    assert photo.bit_depth == bits and photo.is_gray == (channels == 1)
    expected = pixels[..., np.newaxis] if channels == 1 else pixels
    np.testing.assert_array_equal(photo.pixels, np.broadcast_to(expected, photo.pixels.shape))


@pytest.mark.parametrize("order", ["<", ">"])
def test_others_read_our_16_bit_files(order: str) -> None:
    pixels = picture(300, 40, bits=16)
    block = exif_block(order=order)
    data = encode_image(pixels, format="tiff", exif=block)
    np.testing.assert_array_equal(tifffile.imread(io.BytesIO(data)), pixels)
    high_bytes = (pixels >> 8).astype(np.uint8)
    for format_name in ("tiff", "png"):
        image = Image.open(io.BytesIO(encode_image(pixels, format=format_name, exif=block)))
        np.testing.assert_array_equal(np.asarray(image), high_bytes)


@pytest.mark.parametrize("bits", [8, 16])
def test_png_is_filtered(bits: int) -> None:
    """A smooth picture takes less than half of its bytes."""
    rows, columns = np.mgrid[0:200, 0:200]
    ramp = np.stack([rows + columns, rows * 2, columns * 2], axis=-1) * (100 if bits == 16 else 0.5)
    data = encode_image(ramp.astype(np.uint16 if bits == 16 else np.uint8), format="png")
    assert len(data) < 0.1 * 200 * 200 * 3 * bits / 8


@pytest.mark.parametrize("format_name", ["jpeg", "webp", "avif"])
def test_lossy(format_name: str) -> None:
    pixels = picture(64, 96)
    good, poor = (encode_image(pixels, format=format_name, quality=q) for q in (95, 20))
    assert len(poor) < len(good)
    error = read_photo(good).pixels.astype(float) - pixels
    assert np.sqrt((error**2).mean()) < 6
    assert read_photo(encode_image(pixels[..., 0], format=format_name)).pixels.shape == (64, 96, 3)


def test_jpeg_and_avif_keep_the_colour_of_every_pixel() -> None:
    pixels = np.zeros((16, 16, 3), np.uint8)
    pixels[:, ::2] = (255, 0, 0)
    pixels[:, 1::2] = (0, 0, 255)
    for format_name in ("jpeg", "avif"):
        error = read_photo(encode_image(pixels, format=format_name, quality=100)).pixels.astype(int) - pixels
        assert np.abs(error).max() < 24


@pytest.mark.parametrize("format_name", ["jpeg", "webp", "avif"])
def test_16_bit_pixels_in_an_8_bit_format(format_name: str) -> None:
    pixels = picture(bits=16)
    assert read_photo(encode_image(pixels, format=format_name)).bit_depth == 8
    with pytest.raises(PhotoError, match="choose PNG, TIFF or PPM for 16"):
        encode_image(pixels, format=format_name, bit_depth=16)


def test_depth_is_changed_to_the_nearest_value() -> None:
    deep = np.array([[0, 128, 129, 32_767, 65_406, 65_407, 65_535]], np.uint16)
    down = read_photo(encode_image(deep, format="png", bit_depth=8)).pixels[0, :, 0]
    assert down.tolist() == [0, 0, 1, 127, 254, 255, 255]
    up = read_photo(encode_image(down[np.newaxis], format="png", bit_depth=16)).pixels[0, :, 0]
    assert up.tolist() == [value * 257 for value in down.tolist()]


@pytest.mark.parametrize("format_name", ["png", "tiff", "jpeg", "webp", "avif"])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("order", ["<", ">"])
def test_metadata(format_name: str, bits: int, order: str) -> None:
    block, profile = exif_block(order=order), matrix_profile()
    data = encode_image(picture(bits=bits), format=format_name, exif=block, xmp=XMP, icc=profile)
    image = Image.open(io.BytesIO(data))
    image.load()
    assert image.info["icc_profile"] == profile
    assert image.info["xmp"] == XMP
    written = image.getexif()
    assert (written[271], written[272]) == ("Maker", "Model 1")
    assert written.get_ifd(34665)[34855] == 800 and written.get_ifd(34853)[1] == "N"
    photo = read_photo(data)
    assert photo.iso == 800 and photo.xmp == XMP


def large_block(tag: int) -> bytes:
    """An EXIF block with 70,000 bytes of one tag."""
    source = Image.Exif()
    source[271] = "Maker"
    source.get_ifd(34665)[tag] = bytes(70_000)
    return source.tobytes().removeprefix(b"Exif\0\0")


def test_a_block_too_large_for_jpeg_loses_its_maker_note() -> None:
    block = large_block(37500)
    assert exif.rebuild(read_photo(encode_image(picture(), format="jpeg", exif=block)).exif or b"")
    assert len(read_photo(encode_image(picture(), format="webp", exif=block)).exif or b"") == len(block)
    kept, notes = fitting_metadata(MetadataBlocks(block, None, None), "jpeg")
    assert kept.exif == exif.rebuild(block)
    assert notes == ("Its EXIF block is too large for a JPEG: its maker notes and the like were left out.",)
    assert fitting_metadata(MetadataBlocks(block, None, None), "webp") == (
        MetadataBlocks(block, None, None),
        (),
    )


def test_a_block_whose_every_tag_is_large_is_left_out_of_a_jpeg() -> None:
    order, image, photo, gps = exif.groups(exif_block())
    values = {tag: (exif.UNDEFINED, 4000, bytes(4000)) for tag in range(41985, 41997)}
    values |= {tag: (exif.UNDEFINED, 4000, bytes(4000)) for tag in range(37377, 37387)}
    block = exif.build(order, image, photo | values, gps)
    assert block is not None
    written = read_photo(encode_image(picture(), format="jpeg", exif=block))
    assert written.exif is None
    _, notes = fitting_metadata(MetadataBlocks(block, None, None), "jpeg")
    assert notes == ("Its EXIF block was left out: it is too large for a JPEG.",)


@pytest.mark.parametrize(
    ("kind", "size", "note"),
    [
        ("xmp", 65_504, None),
        ("xmp", 65_505, "Its XMP was left out: a JPEG holds 65,504 bytes of it."),
        ("icc", 255 * 65_519 + 1, "Its colour profile was left out: it is too large for a JPEG."),
    ],
)
def test_what_a_jpeg_does_not_hold_is_left_out_with_a_note(kind: str, size: int, note: str | None) -> None:
    blocks = {"exif": None, "xmp": None, "icc": None} | {kind: bytes(size)}
    image = Image.open(io.BytesIO(encode_image(picture(), format="jpeg", **blocks)))
    assert (image.info.get("icc_profile" if kind == "icc" else kind) is None) == (note is not None)
    assert fitting_metadata(MetadataBlocks(**blocks), ".JPG")[1] == ((note,) if note else ())
    assert fitting_metadata(MetadataBlocks(**blocks), "png") == (MetadataBlocks(**blocks), ())


@pytest.mark.parametrize("format_name", FORMATS)
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("block", [b"MM\0*\0\0\xff\xff", b"junk", b"II*\0"])
def test_damaged_exif_is_left_out_and_the_pixels_written(format_name: str, bits: int, block: bytes) -> None:
    data = encode_image(picture(bits=bits), format=format_name, exif=block, xmp=XMP)
    photo = read_photo(data)
    assert photo.exif is None and photo.xmp == (None if format_name == "ppm" else XMP)
    kept, notes = fitting_metadata(MetadataBlocks(block, XMP, None), format_name)
    assert kept == MetadataBlocks(None, XMP, None)
    assert notes == ("Its EXIF block is damaged and was left out.",)


@pytest.mark.parametrize("format_name", ["png", "tiff", "jpeg", "webp", "avif"])
def test_empty_metadata_is_none(format_name: str) -> None:
    data = encode_image(picture(), format=format_name, exif=b"", xmp=b"", icc=b"")
    assert read_photo(data).exif is None or format_name == "tiff"
    empty = MetadataBlocks(b"", b"", b"")
    assert fitting_metadata(empty, format_name) == (MetadataBlocks(None, None, None), ())


@pytest.mark.parametrize("format_name", ["png", "tiff", "jpeg", "webp", "avif"])
def test_exif_in_a_variant_of_tiff_is_laid_out_anew(format_name: str) -> None:
    block = exif_block()
    data = encode_image(picture(), format=format_name, exif=block[:2] + b"\x55\0" + block[4:])
    assert Image.open(io.BytesIO(data)).getexif()[272] == "Model 1"


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.sampled_from(FORMATS), st.data())
def test_no_exif_is_a_reason_not_to_write(format_name: str, data: st.DataObject) -> None:
    block = bytearray(exif_block())
    for _ in range(data.draw(st.integers(1, 6))):
        block[data.draw(st.integers(0, len(block) - 1))] = data.draw(st.integers(0, 255))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        written = encode_image(picture(8, 8), format=format_name, exif=bytes(block))
    assert read_photo(written).width == 8


@pytest.mark.parametrize(
    ("pixels", "settings", "message"),
    [
        (picture(), {"format": "bmp"}, "choose png, tiff"),
        (picture(), {"format": ""}, "choose png, tiff"),
        (picture(), {"format": "png", "bit_depth": 12}, "choose 8 or 16"),
        (picture(), {"format": "jpeg", "quality": 0}, "between 1 and 100"),
        (picture(), {"format": "jpeg", "quality": 101}, "between 1 and 100"),
        (picture().astype(np.float32), {"format": "png"}, "must be uint8 or uint16"),
        (picture(channels=4), {"format": "png"}, "must be \\(H, W, 3\\)"),
        (np.zeros((0, 4, 3), np.uint8), {"format": "png"}, "no pixels"),
        (np.zeros((1, 16_384), np.uint8), {"format": "webp"}, "at most 16383 pixels"),
        (np.zeros((1, 65_501), np.uint8), {"format": "jpeg"}, "at most 65500 pixels"),
    ],
)
def test_refused(pixels: Any, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(PhotoError, match=message):
        encode_image(pixels, **settings)


@pytest.mark.parametrize(
    "ending", [".png", ".PNG", ".tif", ".tiff", ".jpg", ".jpeg", ".webp", ".avif", ".ppm"]
)
def test_the_ending_names_the_format(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"photo{ending}"
    path.write_bytes(encode_image(picture(), format=ending))
    expected = {"TIF": "TIFF", "JPG": "JPEG"}.get(ending[1:].upper(), ending[1:].upper())
    assert read_photo(path).format == expected
