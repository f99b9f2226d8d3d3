"""HEIC files that tests read, made with pillow-heif."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

from .samples import exif_block, matrix_profile, picture

pillow_heif = pytest.importorskip("pillow_heif", minversion="1.8.1")

MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
# Lossy coding, and for samples of 10 bits their step.
NEAR = {8: 1.5, 16: 200}


def heic(pixels: Any, mode: str | None = None, **settings: Any) -> bytes:
    """The bytes of a HEIC file of (H, W) or (H, W, 1 to 4) uint8 or uint16; of the latter 10 bits stay."""
    pixels = pixels if pixels.ndim == 3 else pixels[..., np.newaxis]
    height, width, channels = pixels.shape
    mode = mode or MODES[channels] + ("" if pixels.dtype == np.uint8 else ";16")
    file = io.BytesIO()
    settings = {"quality": 95, "chroma": 444, **settings}
    pillow_heif.encode(mode, (width, height), np.ascontiguousarray(pixels).tobytes(), file, **settings)
    return file.getvalue()


def several(primary: int, *pictures: Any) -> bytes:
    height, width, _ = pictures[0].shape
    images = pillow_heif.from_bytes("RGB", (width, height), pictures[0].tobytes())
    for other in pictures[1:]:
        images.add_frombytes("RGB", (width, height), other.tobytes())
    file = io.BytesIO()
    images.save(file, quality=95, chroma=444, primary_index=primary)
    return file.getvalue()


def assert_near(found: Any, expected: Any, *, times: float = 1) -> None:
    assert found.dtype == expected.dtype and found.shape == expected.shape
    off = np.abs(found.astype(float) - expected).mean()
    assert off < times * NEAR[8 * found.dtype.itemsize], off


def replaced(data: bytes, old: bytes, new: bytes) -> bytes:
    assert old in data and len(old) == len(new)
    return data.replace(old, new)


GRID = heic(picture(150, 200), tile_size=64)
FILES = {
    "8 bits": heic(picture()),
    "10 bits": heic(picture(bits=16)),
    "gray": heic(picture(channels=1)),
    "alpha": heic(picture(channels=4)),
    "grid": GRID,
    "metadata": heic(picture(), exif=exif_block(6), xmp=b"<xmp/>", icc_profile=matrix_profile()),
    "several": several(0, picture(), picture()[::-1].copy()),
    "thumbnail": heic(picture(64, 64), thumbnails=[16]),
}
