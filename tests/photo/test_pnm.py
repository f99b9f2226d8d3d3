"""PBM, PGM and PPM, text and binary, at every depth."""

from __future__ import annotations

import numpy as np
import pytest

from jdcodec.errors import LimitError, PhotoError
from jdcodec.photo import ReadOptions, encode_image, read_photo

from .samples import picture


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("channels", [1, 3])
def test_written_and_read_back(bits: int, channels: int) -> None:
    pixels = picture(bits=bits, channels=channels)
    data = encode_image(pixels, format="ppm")
    assert data.startswith(b"P6\n32 24\n" if channels == 3 else b"P5\n32 24\n")
    photo = read_photo(data)
    assert photo.bit_depth == bits and photo.is_gray == (channels == 1)
    np.testing.assert_array_equal(photo.pixels[..., 0], pixels if channels == 1 else pixels[..., 0])


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"P1 3 1 1 0 1", [0, 255, 0]),
        (b"P1\n# comment\n3 1\n101", [0, 255, 0]),
        (b"P4 3 1 \xa0", [0, 255, 0]),
        (b"P2 3 1 15 0 5 15\n", [0, 85, 255]),
        (b"P2 3 1 # of one row\n255 0 85 255", [0, 85, 255]),
        (b"P5 3 1 15 \x00\x05\x0f", [0, 85, 255]),
        (b"P2 2 1 1023 1023 512", [65_535, 32_800]),
        (b"P5 2 1 1023 \x03\xff\x02\x00", [65_535, 32_800]),
    ],
)
def test_gray(data: bytes, expected: list[int]) -> None:
    photo = read_photo(data)
    assert photo.is_gray and photo.format == "PPM"
    assert photo.pixels[0, :, 1].tolist() == expected


def test_colour_as_text() -> None:
    assert read_photo(b"P3 1 2 255 1 2 3 4 5 6").pixels[:, 0].tolist() == [[1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize(
    "data",
    [
        b"P6 2 2 255 \0\0\0",
        b"P3 2 2 255 1 2 3",
        b"P3 1 1 255 1 x 3",
        b"P3 1 1 255 1 -2 3",
        b"P3 1 1 255 1 256 3",
        b"P5 1 1 65536 \0\0\0",
        b"P5 1 1 0 \0",
        b"P5 0 1 255 \0",
        b"P5 1",
        b"P5 12345678901234567890 1 255 \0",
        b"P1 2 1 12",
        b"P5 1 1 300 \xff\xff",
    ],
)
def test_damage_is_refused(data: bytes) -> None:
    with pytest.raises(PhotoError):
        read_photo(data)


def test_size_is_checked_before_the_pixels_are_looked_for() -> None:
    with pytest.raises(LimitError, match="limit is 65535 pixels a side"):
        read_photo(b"P6 70000 2 255 ")
    with pytest.raises(LimitError, match=r"20,000,000 pixels; the limit is 10,"):
        read_photo(b"P6 5000 4000 255 ", ReadOptions(max_pixels=10_000_000))
