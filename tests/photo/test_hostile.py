"""Damaged files of every format end in a photo or in a `JdcError`, never in anything else."""

from __future__ import annotations

import io
import struct
import warnings

import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jdcodec.errors import JdcError
from jdcodec.photo import ReadOptions, encode_image, read_photo

from .samples import deep_png, exif_block, gray_profile, matrix_profile, picture, pillow_file, png_chunk

SMALL = picture(9, 11)
# Small limits, so that a flipped size does not cost a second of zeros.
OPTIONS = ReadOptions(max_side=5000, max_pixels=1_000_000)


def _planar_tiff() -> bytes:
    file = io.BytesIO()
    planes = picture(9, 11, bits=16).transpose(2, 0, 1)
    tifffile.imwrite(file, planes, photometric="rgb", planarconfig="separate", compression="zlib")
    return file.getvalue()


# Chromaticities of white, red, green and blue, times 100,000.
ADOBE_RGB = (31_270, 32_900, 64_000, 33_000, 21_000, 71_000, 15_000, 6000)

FILES = {
    "png": pillow_file(SMALL, "PNG", exif=exif_block(6), icc_profile=matrix_profile()),
    "deep png": deep_png(picture(9, 11, bits=16, channels=4), late=png_chunk(b"eXIf", exif_block(5))),
    "gamma png": deep_png(
        picture(9, 11, bits=16),
        extra=png_chunk(b"gAMA", struct.pack(">I", 55_556))
        + png_chunk(
            b"cHRM", struct.pack(">8I", 31_270, 32_900, 64_000, 33_000, 21_000, 71_000, 15_000, 6000)
        ),
    ),
    "jpeg": pillow_file(SMALL, "JPEG", exif=b"Exif\0\0" + exif_block(3), icc_profile=matrix_profile()),
    "cmyk jpeg": pillow_file(SMALL, "JPEG", mode="CMYK"),
    "gray jpeg": pillow_file(SMALL, "JPEG", mode="L", icc_profile=gray_profile(2.2)),
    "webp": pillow_file(SMALL, "WEBP", exif=exif_block(8), xmp=b"<xmp/>"),
    "avif": pillow_file(SMALL, "AVIF", exif=exif_block(2)),
    "gif": pillow_file(SMALL, "GIF"),
    "bmp": pillow_file(SMALL, "BMP"),
    "tiff": pillow_file(SMALL, "TIFF", compression="tiff_lzw", icc_profile=matrix_profile()),
    "our tiff": encode_image(picture(9, 11, bits=16), format="tiff", exif=exif_block()),
    "planar tiff": _planar_tiff(),
    "ppm": encode_image(SMALL, format="ppm"),
    "text ppm": b"P3 2 1 15\n1 2 3 4 5 6\n",
}


def read_or_refuse(data: bytes) -> None:
    try:
        photo = read_photo(data, OPTIONS)
    except JdcError as error:
        assert str(error).startswith("input: ") and "\n" not in str(error)
        return
    assert photo.pixels.shape == (photo.height, photo.width, 3)
    assert photo.exif is None or len(photo.exif) >= 8


@pytest.mark.parametrize("kind", FILES)
def test_every_byte_set_to_its_extremes(kind: str) -> None:
    data = FILES[kind]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for place in range(0, len(data), max(1, len(data) // 60)):
            for value in (0, 255, data[place] ^ 1):
                read_or_refuse(data[:place] + bytes([value]) + data[place + 1 :])


@settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(FILES)), st.data())
def test_several_bytes_changed_removed_or_added(kind: str, data: st.DataObject) -> None:
    damaged = bytearray(FILES[kind])
    for _ in range(data.draw(st.integers(1, 5))):
        # Headers, where most of what can go wrong is, as often as the whole file.
        end = data.draw(st.sampled_from([min(64, len(damaged)), len(damaged)]))
        place = data.draw(st.integers(0, max(0, end - 1)))
        damaged[place : place + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    read_or_refuse(bytes(damaged))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.sampled_from([b"", *sorted({data[:12] for data in FILES.values()})]), st.binary(max_size=120))
def test_random_bytes_behind_a_signature(start: bytes, rest: bytes) -> None:
    read_or_refuse(start + rest)


@pytest.mark.parametrize("profile", [matrix_profile(), gray_profile(2.2)])
@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.data())
def test_damaged_profiles_do_not_lose_the_picture(profile: bytes, data: st.DataObject) -> None:
    damaged = bytearray(profile)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    mode = "L" if profile == gray_profile(2.2) else None
    photo = read_photo(pillow_file(SMALL, "PNG", mode=mode, icc_profile=bytes(damaged)))
    assert photo.pixels.shape == SMALL.shape
