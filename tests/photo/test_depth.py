"""Samples arrive at their full depth, whichever way a file holds them."""

from __future__ import annotations

import io

import numpy as np
import pytest
import tifffile
from PIL import Image

from jdcodec.errors import PhotoError
from jdcodec.photo import read_photo
from jdcodec.photo.images import is_deep_avif

from .samples import deep_png, picture, pillow_file, png_chunk


@pytest.mark.parametrize("interlaced", [False, True])
def test_16_bit_rgb_png(interlaced: bool) -> None:
    pixels = picture(bits=16)
    photo = read_photo(deep_png(pixels, interlaced=interlaced))
    assert (photo.bit_depth, photo.pixels.dtype, photo.is_gray, photo.format) == (16, np.uint16, False, "PNG")
    np.testing.assert_array_equal(photo.pixels, pixels)


def test_16_bit_gray_png() -> None:
    pixels = picture(bits=16, channels=1)
    photo = read_photo(deep_png(pixels[..., np.newaxis]))
    assert photo.is_gray and photo.bit_depth == 16
    for channel in range(3):
        np.testing.assert_array_equal(photo.pixels[..., channel], pixels)


@pytest.mark.parametrize("channels", [2, 4])
def test_16_bit_png_with_opaque_alpha_keeps_its_colour(channels: int) -> None:
    samples = picture(bits=16, channels=channels)
    samples[..., -1] = 65_535
    photo = read_photo(deep_png(samples))
    colour = samples[..., :-1]
    np.testing.assert_array_equal(photo.pixels, np.broadcast_to(colour, photo.pixels.shape))
    assert photo.is_gray == (channels == 2)
    assert photo.notes == ()


def test_16_bit_png_with_a_transparent_colour() -> None:
    samples = picture(bits=16)
    samples[3, 4] = (1, 2, 3)
    samples[5, 6] = (1, 2, 4)
    photo = read_photo(deep_png(samples, extra=png_chunk(b"tRNS", b"\0\1\0\2\0\3")))
    assert tuple(photo.pixels[3, 4]) == (65_535, 65_535, 65_535)
    assert tuple(photo.pixels[5, 6]) == (1, 2, 4)
    assert any("transparent" in note for note in photo.notes)


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate"])
def test_16_bit_gray_tiff(compression: str) -> None:
    pixels = picture(bits=16, channels=1)
    photo = read_photo(pillow_file(pixels, "TIFF", compression=compression))
    assert photo.is_gray
    np.testing.assert_array_equal(photo.pixels[..., 1], pixels)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("tile", [None, (16, 16)])
def test_16_bit_rgb_tiff(
    order: str, planar: str, compression: str | None, tile: tuple[int, int] | None
) -> None:
    pixels = picture(bits=16)
    file = io.BytesIO()
    tifffile.imwrite(
        file,
        pixels if planar == "contig" else np.moveaxis(pixels, -1, 0),
        photometric="rgb",
        planarconfig=planar,
        compression=compression,
        predictor=compression is not None or None,
        byteorder=order,
        tile=tile,
    )
    photo = read_photo(file.getvalue())
    np.testing.assert_array_equal(photo.pixels, pixels)
    assert (photo.bit_depth, photo.format, photo.notes) == (16, "TIFF", ())


@pytest.mark.parametrize("channels", [2, 4])
@pytest.mark.parametrize("alpha", ["unassalpha", "assocalpha", "unspecified"])
def test_16_bit_tiff_with_a_further_channel(channels: int, alpha: str) -> None:
    samples = picture(bits=16, channels=channels)
    samples[..., -1] = 65_535
    file = io.BytesIO()
    photometric = "rgb" if channels == 4 else "minisblack"
    tifffile.imwrite(file, samples, photometric=photometric, planarconfig="contig", extrasamples=[alpha])
    if (channels, alpha) == (2, "assocalpha"):
        with pytest.raises(PhotoError, match="save it as plain RGB"):
            read_photo(file.getvalue())
        return
    photo = read_photo(file.getvalue())
    np.testing.assert_array_equal(photo.pixels, np.broadcast_to(samples[..., :-1], photo.pixels.shape))


def test_premultiplied_16_bit_colour_is_divided_by_its_alpha() -> None:
    samples = np.full((4, 4, 4), 32_768, np.uint16)
    samples[..., :3] = 16_384
    file = io.BytesIO()
    tifffile.imwrite(file, samples, photometric="rgb", extrasamples=["assocalpha"])
    photo = read_photo(file.getvalue())
    # Half the colour at half cover: 0.5 over white at 0.5 makes 0.75.
    np.testing.assert_allclose(photo.pixels, 49_152, atol=2)


def test_black_on_white_16_bit_tiff_is_turned_round() -> None:
    pixels = picture(bits=16, channels=1)
    for order in "<>":
        file = io.BytesIO()
        tifffile.imwrite(file, pixels, photometric="miniswhite", byteorder=order)
        np.testing.assert_array_equal(read_photo(file.getvalue()).pixels[..., 0], 65_535 - pixels)


def test_big_tiff() -> None:
    pixels = picture(bits=16)
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, photometric="rgb", bigtiff=True)
    np.testing.assert_array_equal(read_photo(file.getvalue()).pixels, pixels)


@pytest.mark.parametrize("dtype", [np.float32, np.uint32])
def test_other_sample_types_are_refused_by_name(dtype: type) -> None:
    file = io.BytesIO()
    values = (picture(channels=1).astype(np.float64) * (1 if dtype is np.float32 else 1e7)).astype(dtype)
    tifffile.imwrite(file, values, photometric="minisblack")
    with pytest.raises(PhotoError, match="save it"):
        read_photo(file.getvalue())


@pytest.mark.parametrize("mode", ["L", "1", "P", "LA", "RGBA", "CMYK", "YCbCr", "RGB"])
def test_every_8_bit_mode_of_tiff(mode: str) -> None:
    data = pillow_file(picture(), "TIFF", mode=mode)
    if mode == "YCbCr" and not _pillow_opens(data):
        pytest.skip("this Pillow does not read such files, which it writes")
    photo = read_photo(data)
    assert photo.pixels.shape == (24, 32, 3) and photo.bit_depth == 8
    assert photo.is_gray == (mode in ("L", "1", "LA"))
    expected = np.asarray(Image.fromarray(picture()).convert(mode).convert("RGB")).astype(int)
    np.testing.assert_allclose(photo.pixels, expected, atol=1)


def _pillow_opens(data: bytes) -> bool:
    try:
        Image.open(io.BytesIO(data)).load()
    except OSError:
        return False
    return True


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_palette_png_of_few_bits(bits: int) -> None:
    top = 2**bits - 1
    levels = np.arange(16, dtype=np.uint8).reshape(4, 4) % (top + 1)
    palette = Image.frombytes("P", (4, 4), levels.tobytes())
    palette.putpalette([value for i in range(top + 1) for value in (i, 255 - i, 7)])
    file = io.BytesIO()
    palette.save(file, "PNG", bits=bits)
    photo = read_photo(file.getvalue())
    assert not photo.is_gray
    np.testing.assert_array_equal(photo.pixels[..., 0], levels)
    np.testing.assert_array_equal(photo.pixels[..., 1], 255 - levels)


def test_one_pixel() -> None:
    for format_name in ("PNG", "TIFF", "WEBP", "AVIF", "GIF", "BMP", "JPEG"):
        photo = read_photo(pillow_file(np.full((1, 1, 3), 255, np.uint8), format_name))
        assert photo.pixels.shape == (1, 1, 3)
        np.testing.assert_allclose(photo.pixels, 255, atol=2)


def test_an_avif_of_more_than_8_bits_is_known_by_its_configuration() -> None:
    data = pillow_file(picture(), "AVIF")
    at = data.index(b"av1C") + 6
    assert not is_deep_avif(data)
    assert is_deep_avif(data[:at] + bytes([data[at] | 0x40]) + data[at + 1 :])
    assert not is_deep_avif(data[:at])
    assert read_photo(data).notes == ()
