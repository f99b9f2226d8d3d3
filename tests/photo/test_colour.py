"""Embedded profiles: what is not sRGB is converted to it, at the depth of the file, and a note says so."""

from __future__ import annotations

import io
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from jdcodec.photo import read_photo

from .samples import (
    DISPLAY_P3,
    deep_png,
    exif_block,
    gray_profile,
    matrix_profile,
    picture,
    pillow_file,
    png_chunk,
    table_profile,
)

# IEC 61966-2-1 and Bradford: linear sRGB to XYZ of D50.
SRGB = np.array(
    [[0.4360747, 0.3850649, 0.1430804], [0.2225045, 0.7168786, 0.0606169], [0.0139322, 0.0971045, 0.7141733]]
)
D50 = np.array([0.9642, 1.0, 0.8249])


def linear(values: Any) -> Any:
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def lab(xyz: Any) -> Any:
    t = xyz / D50
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack(
        [116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1
    )


def with_profile(pixels: Any, profile: bytes) -> bytes:
    if pixels.dtype == np.uint8:
        return pillow_file(pixels, "PNG", icc_profile=profile)
    return deep_png(pixels, extra=png_chunk(b"iCCP", b"x\0\0" + zlib.compress(profile)))


@pytest.mark.parametrize("bits", [8, 16])
def test_display_p3_keeps_its_colours(bits: int) -> None:
    top = 2**bits - 1
    # Colours inside of sRGB: made in sRGB, expressed in P3.
    wanted = picture(64, 64).astype(np.float64) / 255
    p3 = np.clip(linear(wanted) @ (np.linalg.inv(DISPLAY_P3) @ SRGB).T, 0, 1)
    encoded = np.where(p3 <= 0.0031308, p3 * 12.92, 1.055 * p3 ** (1 / 2.4) - 0.055)
    pixels = np.rint(encoded * top).astype(np.uint16 if bits == 16 else np.uint8)
    photo = read_photo(with_profile(pixels, matrix_profile()))
    assert photo.icc is None and photo.bit_depth == bits
    assert photo.notes == ("The colours were converted from the embedded profile to sRGB.",)
    difference = lab(linear(photo.pixels / top) @ SRGB.T) - lab(linear(pixels / top) @ DISPLAY_P3.T)
    delta_e = np.sqrt((difference**2).sum(axis=-1))
    assert delta_e.max() < (1.0 if bits == 8 else 0.05)
    # Taken for sRGB, the same pixels would be far off: the test can fail.
    unconverted = np.abs(photo.pixels.astype(int) - pixels.astype(int)).max()
    assert unconverted > 0.02 * top


def test_agrees_with_little_cms_at_8_bits() -> None:
    pixels = picture(64, 64)
    profile = ImageCms.ImageCmsProfile(io.BytesIO(matrix_profile()))
    expected = ImageCms.profileToProfile(
        Image.fromarray(pixels), profile, ImageCms.createProfile("sRGB"), renderingIntent=1
    )
    photo = read_photo(with_profile(pixels, matrix_profile()))
    assert np.abs(photo.pixels.astype(int) - np.asarray(expected).astype(int)).max() <= 1


def test_colours_outside_of_srgb_are_clipped() -> None:
    red = np.array([[[255, 0, 0]]], np.uint8)
    assert read_photo(with_profile(red, matrix_profile())).pixels[0, 0].tolist() == [255, 0, 0]


def test_srgb_profiles_change_nothing() -> None:
    pixels = picture()
    for profile in (ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(), matrix_profile(SRGB)):
        photo = read_photo(with_profile(pixels, profile))
        np.testing.assert_array_equal(photo.pixels, pixels)
        assert photo.icc is None and photo.notes == ()


def test_a_pure_power_is_not_srgb() -> None:
    pixels = np.full((4, 4, 3), 40, np.uint8)
    photo = read_photo(with_profile(pixels, matrix_profile(SRGB, [1.8])))
    expected = 255 * (1.055 * ((40 / 255) ** 1.8) ** (1 / 2.4) - 0.055)
    np.testing.assert_allclose(photo.pixels, expected, atol=0.6)


@pytest.mark.parametrize("bits", [8, 16])
def test_gray_profile(bits: int) -> None:
    top = 2**bits - 1
    pixels = picture(bits=bits, channels=1)
    data = (
        with_profile(pixels, gray_profile(1.0))
        if bits == 8
        else with_profile(pixels[..., np.newaxis], gray_profile(1.0))
    )
    photo = read_photo(data)
    light = pixels / top
    expected = top * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    np.testing.assert_allclose(photo.pixels[..., 0], expected, atol=0.51 if bits == 8 else 1.5)
    assert photo.is_gray and np.ptp(photo.pixels, axis=2).max() == 0


def test_gray_image_with_the_rgb_profile_of_its_camera() -> None:
    pixels = picture(channels=1)
    photo = read_photo(with_profile(pixels, matrix_profile()))
    assert photo.is_gray
    np.testing.assert_allclose(photo.pixels[..., 0], pixels, atol=1)


@pytest.mark.parametrize(
    "profile",
    [
        b"not a profile",
        matrix_profile()[:200],
        matrix_profile().replace(b"rTRC", b"xTRC"),
        matrix_profile().replace(b"para", b"junk"),
        gray_profile(2.2),
        ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes(),
    ],
)
def test_a_profile_that_does_not_fit_is_ignored_with_a_note(profile: bytes) -> None:
    pixels = picture()
    photo = read_photo(with_profile(pixels, profile))
    np.testing.assert_array_equal(photo.pixels, pixels)
    assert len(photo.notes) == 1 and photo.notes[0].startswith("The colour profile was ignored: ")


def test_cmyk_jpeg_without_a_profile() -> None:
    # Ink amounts: pure cyan, black, half black.
    inks = np.zeros((8, 24, 4), np.uint8)
    inks[:, :8, 0], inks[:, 8:16, 3], inks[:, 16:, 3] = 255, 255, 128
    file = io.BytesIO()
    Image.frombytes("CMYK", (24, 8), inks.tobytes()).save(file, "JPEG", quality=100, subsampling=0)
    photo = read_photo(file.getvalue())
    for column, colour in ((4, (0, 255, 255)), (12, (0, 0, 0)), (20, (127, 127, 127))):
        np.testing.assert_allclose(photo.pixels[4, column], colour, atol=4)
    assert photo.notes == ("The CMYK colours have no profile; they were converted by the plain formula.",)


def test_cmyk_with_a_damaged_profile_is_still_read() -> None:
    inks = np.full((8, 8, 4), 0, np.uint8)
    file = io.BytesIO()
    Image.frombytes("CMYK", (8, 8), inks.tobytes()).save(file, "TIFF", icc_profile=b"junk" * 100)
    photo = read_photo(file.getvalue())
    assert photo.pixels.min() == 255
    assert photo.notes[0].startswith("The colour profile was ignored")


@pytest.mark.parametrize("bits", [8, 16])
def test_a_profile_of_tables_goes_through_little_cms(bits: int) -> None:
    pixels = np.zeros((4, 4, 3), np.uint8 if bits == 8 else np.uint16)
    pixels[..., 0] = 2**bits - 1
    photo = read_photo(with_profile(pixels, table_profile(3)))
    # Pure red stands for a third of the lightness: L* 33.3 is sRGB 79, give or take the black point.
    expected = np.full((4, 4, 3), 79) * (1 if bits == 8 else 257)
    np.testing.assert_allclose(photo.pixels, expected, atol=2 * (1 if bits == 8 else 257))
    assert photo.bit_depth == bits
    assert photo.notes[0].endswith("to sRGB." if bits == 8 else "to sRGB, at 8 bits.")


def test_cmyk_with_its_profile() -> None:
    inks = np.zeros((8, 8, 4), np.uint8)
    inks[..., 3] = 255
    file = io.BytesIO()
    Image.frombytes("CMYK", (8, 8), inks.tobytes()).save(file, "TIFF", icc_profile=table_profile(4))
    photo = read_photo(file.getvalue())
    # Black ink alone is L* 75 in this profile, and 0 by the plain formula.
    np.testing.assert_allclose(photo.pixels, 185, atol=2)
    assert photo.notes == ("The colours were converted from the embedded profile to sRGB.",)


def test_exif_no_longer_claims_another_colour_space() -> None:
    exif = Image.Exif()
    exif.get_ifd(34665)[40961] = 65_535
    block = exif.tobytes()
    photo = read_photo(pillow_file(picture(), "PNG", icc_profile=matrix_profile(), exif=block))
    after = Image.Exif()
    after.load(photo.exif)
    assert after.get_ifd(34665)[40961] == 1
    plain = read_photo(pillow_file(picture(), "PNG", exif=exif_block()))
    assert plain.exif == exif_block()
