"""Where photos are read from, what errors call them, and what reading costs and leaves behind."""

from __future__ import annotations

import io
import os
import re
import struct
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from jdcodec.errors import PhotoError
from jdcodec.photo import ReadOptions, read_photo
from jdcodec.photo.stderr import stderr_without

from .samples import exif_block, picture, pillow_file


def test_every_source_gives_the_same_photo(tmp_path: Path) -> None:
    data = pillow_file(picture(), "PNG")
    path = tmp_path / "photo é.jpg"
    path.write_bytes(data)
    with path.open("rb") as file:
        sources = [str(path), path, data, bytearray(data), memoryview(data), io.BytesIO(data), file]
        for source in sources:
            photo = read_photo(source)
            assert photo.format == "PNG"
            np.testing.assert_array_equal(photo.pixels, picture())


def test_errors_name_the_file(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.png"
    damaged.write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(PhotoError, match=r"damaged\.png: is cut short"):
        read_photo(damaged)
    with damaged.open("rb") as file, pytest.raises(PhotoError, match=r"damaged\.png: is cut short"):
        read_photo(file)
    with pytest.raises(PhotoError, match=r"^standard input: is empty$"):
        read_photo(io.BytesIO(b""))
    with pytest.raises(PhotoError, match=r"missing\.png: no such file"):
        read_photo(tmp_path / "missing.png")
    with pytest.raises(PhotoError, match="is a folder"):
        read_photo(tmp_path)
    with pytest.raises(PhotoError, match="cannot be read"):
        read_photo("a\0b")
    with pytest.raises(PhotoError, match="cannot be read: Not a directory"):
        read_photo(damaged / "photo.png")


def test_a_plain_tiff_stays_one_under_any_name(tmp_path: Path) -> None:
    plain = tmp_path / "photo.tif"
    plain.write_bytes(pillow_file(picture(), "TIFF", tiffinfo={271: "Maker"}))
    assert read_photo(plain).format == "TIFF"


def test_a_png_named_like_a_raw_file_is_a_png(tmp_path: Path) -> None:
    path = tmp_path / "photo.nef"
    path.write_bytes(pillow_file(picture(), "PNG"))
    assert read_photo(path).format == "PNG"


def test_a_raw_name_sends_unknown_bytes_to_libraw(tmp_path: Path) -> None:
    path = tmp_path / "photo.dcr"
    path.write_bytes(bytes(range(256)) * 40)
    with pytest.raises(PhotoError, match=r"photo\.dcr: is not a RAW file of a supported camera"):
        read_photo(path)


def test_threads_restore_what_they_change_for_pillow() -> None:
    data = pillow_file(picture(), "TIFF", exif=exif_block(6))
    filters, limit = list(warnings.filters), Image.MAX_IMAGE_PIXELS
    with ThreadPoolExecutor(4) as pool:
        photos = list(pool.map(read_photo, [data] * 40))
    assert all(np.array_equal(photo.pixels, photos[0].pixels) for photo in photos)
    assert (warnings.filters, Image.MAX_IMAGE_PIXELS) == (filters, limit)


def test_damage_neither_warns_nor_prints(capfd: pytest.CaptureFixture[str]) -> None:
    data = pillow_file(picture(), "TIFF", compression="tiff_lzw")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for place in range(8, len(data), 7):
            damaged = data[:place] + b"\xff\xff" + data[place + 2 :]
            try:
                read_photo(damaged)
            except PhotoError as error:
                assert "\n" not in str(error)
    captured = capfd.readouterr()
    assert captured.out == "" and captured.err == ""


def test_what_the_libraries_log_is_not_printed(tmp_path: Path) -> None:
    data = pillow_file(picture(), "TIFF")
    # Samples per pixel, a SHORT: 3 to 65535. Pillow logs an error about it.
    at = data.index(struct.pack("<HHIHH", 277, 3, 1, 3, 0)) + 8
    (tmp_path / "photo.tif").write_bytes(data[:at] + b"\xff\xff" + data[at + 2 :])
    code = (
        "import sys, jdcodec.photo as p\n"
        "try: p.read_photo(sys.argv[1])\nexcept p.read.PhotoError: print('refused')"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "photo.tif")]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    assert (result.stdout, result.stderr) == ("refused\n", "")


def test_what_others_write_to_stderr_meanwhile_is_passed_on(capfd: pytest.CaptureFixture[str]) -> None:
    pattern = re.compile(rb"^unknown file: .*\n?", re.MULTILINE)
    with pytest.raises(ValueError), stderr_without(pattern) as found:
        os.write(2, b"progress 50 %\nunknown file: data corrupted at 17\nprogress 60 %\n")
        raise ValueError
    assert capfd.readouterr().err == "progress 50 %\nprogress 60 %\n"
    assert found == [b"unknown file: data corrupted at 17\n"]


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = (
        "import sys, jdcodec.photo, jdcodec.atomic\n"
        "heavy = {'numpy', 'PIL', 'rawpy', 'torch', 'tifffile'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "jdcodec.photo.read_photo\n"
        "heavy = {'rawpy', 'torch', 'tifffile', 'PIL'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "options", [{"white_balance": "daylight"}, {"exposure": 1.0}, {"auto_brighten": True}]
)
def test_what_is_for_raw_files_alone_is_told_of_others(options: dict[str, Any]) -> None:
    data = pillow_file(picture(), "PNG")
    plain, asked = (read_photo(data, ReadOptions(**each)) for each in ({}, options))
    assert plain.notes == () and asked.notes == ("It is no RAW file: nothing of it was developed anew.",)
    np.testing.assert_array_equal(plain.pixels, asked.pixels)
