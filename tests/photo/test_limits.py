"""Sizes are checked before pixels are decoded, and ours are the only limits."""

from __future__ import annotations

import io
import struct
import tracemalloc
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from jdcodec.errors import LimitError, PhotoError
from jdcodec.photo import ReadOptions, from_array, read_photo

from .samples import RAW_FOLDER, deep_png, needs_raw, picture, pillow_file, png_chunk


@pytest.mark.parametrize("format_name", ["PNG", "JPEG", "TIFF", "WEBP", "AVIF", "GIF", "BMP"])
def test_both_limits(format_name: str) -> None:
    data = pillow_file(picture(24, 32), format_name)
    read_photo(data, ReadOptions(max_side=32, max_pixels=24 * 32))
    with pytest.raises(LimitError, match="is 32 × 24; the limit is 31 pixels a side"):
        read_photo(data, ReadOptions(max_side=31))
    with pytest.raises(LimitError, match="768 pixels; the limit is 767"):
        read_photo(data, ReadOptions(max_pixels=24 * 32 - 1))


def test_a_bomb_costs_nothing() -> None:
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(1_000_000))
    bomb = (
        b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", rows) + png_chunk(b"IEND", b"")
    )
    tracemalloc.start()
    with pytest.raises(LimitError, match=r"3,600,000,000 pixels; the limit is 400,000,000"):
        read_photo(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5_000_000


def test_pillow_neither_warns_nor_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("PNG", "JPEG", "TIFF", "AVIF", "BMP")
    data = {name: pillow_file(picture(), name) for name in names}
    data |= {
        "LZW": pillow_file(picture(), "TIFF", compression="tiff_lzw"),
        "16 bits": deep_png(picture(bits=16)),
    }
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for file in data.values():
            assert read_photo(file).width == 32


def test_a_lowered_limit_of_pillow_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some versions of Pillow look at the size of a WebP where nobody can keep them from it."""
    data = pillow_file(picture(), "WEBP")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    try:
        assert read_photo(data).width == 32
    except LimitError as error:
        assert "is larger than this program's Image.MAX_IMAGE_PIXELS" in str(error)


@pytest.mark.parametrize("format_name", ["PNG", "JPEG", "TIFF"])
def test_other_threads_keep_the_limit_of_pillow(format_name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = pillow_file(picture(), format_name)
    bomb = pillow_file(picture(5, 3), "PNG")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    asarray, seen = np.asarray, []

    def meanwhile(*arguments: object, **options: object) -> object:
        with pytest.raises(Image.DecompressionBombWarning):
            Image.open(io.BytesIO(bomb))
        seen.append(Image.MAX_IMAGE_PIXELS)
        return asarray(*arguments, **options)

    monkeypatch.setattr(np, "asarray", meanwhile)
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        read_photo(data)
    assert seen and set(seen) == {10}


@needs_raw
def test_raw() -> None:
    data = (RAW_FOLDER / "nikon-d1.nef").read_bytes()
    with pytest.raises(LimitError, match="is 2012 × 1324; the limit is 2000"):
        read_photo(data, ReadOptions(max_side=2000))


def test_arrays_and_pil_images() -> None:
    options = ReadOptions(max_side=10)
    with pytest.raises(LimitError):
        from_array(np.zeros((4, 11, 3), np.uint8), options)
    with pytest.raises(LimitError):
        from_array(Image.new("L", (11, 4)), options)


@pytest.mark.parametrize(
    "settings",
    [
        {"white_balance": "sunny"},
        {"exposure": float("nan")},
        {"exposure": 11},
        {"max_side": 0},
        {"max_pixels": -1},
    ],
)
def test_options_out_of_range(settings: dict) -> None:
    with pytest.raises(PhotoError):
        ReadOptions(**settings)
