"""Codecs in this process: Pillow's and its plugins', and what becomes of those that fail."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from jdcodec.bench.codec import CodecFailure, Unavailable
from jdcodec.bench.libraries import LIBRARIES, Library, PillowFormat
from jdcodec.bench.metrics import Pixels, psnr

from .conftest import make_picture, quantiser

PICTURE = make_picture(3, 96, 120)


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.name)
def test_more_quality_is_more_bytes_and_a_better_picture(library: Library) -> None:
    try:
        version = library.prepare()
    except Unavailable as error:
        pytest.skip(str(error))
    assert any(c.isdigit() for c in version)
    worst, best = (
        library.code(PICTURE, quality) for quality in (library.scale.grid[0], library.scale.grid[-1])
    )
    assert len(worst.data) < len(best.data)
    assert 15 < psnr(PICTURE, worst.pixels) < psnr(PICTURE, best.pixels)
    assert best.encode.seconds > 0 and best.decode.seconds > 0


def test_odd_and_tiny_sizes_come_back_in_their_size() -> None:
    jpeg = next(library for library in LIBRARIES if library.name == "jpeg")
    for height, width in ((1, 1), (7, 3), (33, 17)):
        assert jpeg.code(make_picture(0, height, width), 50).pixels.shape == (height, width, 3)


def test_the_command_is_the_call() -> None:
    jpeg = next(library for library in LIBRARIES if library.name == "jpeg")
    assert jpeg.command(30) == "Image.save(file, 'JPEG', quality=30, optimize=True, subsampling='4:2:0')"


def test_a_missing_plugin_says_how_to_get_it() -> None:
    form = PillowFormat("XYZ", lambda quality: {}, plugin="pillow_xyz", package="pillow-xyz")
    with pytest.raises(Unavailable, match="install pillow-xyz"):
        form.load()


def test_a_library_that_does_not_work_here_is_unavailable() -> None:
    def broken(pixels: Pixels, quality: float) -> bytes:
        raise RuntimeError("no such\ninstruction")

    with pytest.raises(Unavailable, match="fake does not work here: encoding failed: no such instruction"):
        replace(quantiser(), encode=broken).prepare()


def test_exceptions_become_failures_in_one_line() -> None:
    def broken(data: bytes) -> Pixels:
        raise MemoryError

    with pytest.raises(CodecFailure, match=r"^decoding failed: MemoryError$"):
        replace(quantiser(), decode=broken).code(PICTURE, 3)


def test_an_empty_file_is_a_failure() -> None:
    with pytest.raises(CodecFailure, match="wrote an empty file"):
        replace(quantiser(), encode=lambda p, q: b"", decode=lambda d: PICTURE).code(PICTURE, 3)


def test_a_wrong_size_is_a_failure() -> None:
    with pytest.raises(CodecFailure, match="decoded to 96 × 120 pixels, not 120 × 96"):
        replace(quantiser(), decode=lambda d: np.zeros((120, 96, 3), np.uint8)).code(PICTURE, 3)
