"""Where photos are read from, what errors call them, and what reading costs and leaves behind."""

from __future__ import annotations

import io
import os
import re
import struct
import subprocess
import sys
import tracemalloc
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from jdcodec.errors import LimitError, PhotoError
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


class Watched(io.BytesIO):
    """A file that counts the bytes it hands out, and may be a pipe, with small gulps, or too large."""

    def __init__(self, data: bytes, *, pipe: bool = False, too_large: bool = False) -> None:
        super().__init__(data)
        self.handed_out, self._pipe, self._too_large = 0, pipe, too_large

    def seekable(self) -> bool:
        return not self._pipe

    def seek(self, *place: int) -> int:
        assert not self._pipe
        return super().seek(*place)

    def read(self, size: int | None = -1) -> bytes:
        all_of_it = size is None or size < 0
        if self._too_large and all_of_it:
            raise MemoryError
        data = super().read(size if all_of_it or not self._pipe else min(int(size or 0), 7))
        self.handed_out += len(data)
        return data


@pytest.mark.parametrize("pipe", [False, True])
@pytest.mark.parametrize(
    ("start", "message"), [(b"plain text ", "is not an image"), (b"%PDF-1.7", "is a PDF document")]
)
def test_of_what_is_no_image_only_the_beginning_is_read(pipe: bool, start: bytes, message: str) -> None:
    file = Watched(start + bytes(1_000_000), pipe=pipe)
    with pytest.raises(PhotoError, match=f"^standard input: {message}"):
        read_photo(file)
    assert file.handed_out <= 256


@pytest.mark.parametrize("pipe", [False, True])
def test_a_file_is_read_from_where_it_stands(pipe: bool) -> None:
    before = b"something before"
    file = Watched(before + pillow_file(picture(), "PNG"), pipe=pipe)
    io.BytesIO.seek(file, len(before))
    np.testing.assert_array_equal(read_photo(file).pixels, picture())


def test_a_file_larger_than_any_image_within_the_limits_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    with path.open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        # Sparse: it takes no room on the disk.
        file.truncate(32 * 1000 + (1 << 28) + 1)
    tracemalloc.start()
    with pytest.raises(LimitError, match=r"large\.png: takes 0\.3 GB; no image of 0\.001 megapixels"):
        read_photo(path, ReadOptions(max_pixels=1000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


def test_too_little_memory_for_a_file_is_said_in_one_line() -> None:
    file = Watched(pillow_file(picture(), "PNG"), too_large=True)
    with pytest.raises(PhotoError, match=r"^standard input: too large for the memory of this machine$"):
        read_photo(file)


def test_too_little_memory_for_a_raw_file_is_no_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    import rawpy

    for kind in (MemoryError, rawpy.LibRawUnsufficientMemoryError):

        def fail(kind: type[Exception] = kind) -> None:
            raise kind

        monkeypatch.setattr(rawpy, "RawPy", fail)
        with pytest.raises(PhotoError, match=r"^input: too large for the memory of this machine$"):
            read_photo(b"FUJIFILMCCD-RAW " + bytes(100))


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


class Odd(io.BytesIO):
    """A file whose `seek` does not say where it stands then."""

    def seek(self, *place: int) -> None:  # type: ignore[override]
        super().seek(*place)


class Reader:
    """What has a `read` and little else."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)

    def read(self, size: int = -1) -> bytes:
        return self._file.read(size)


class SeekableReader(Reader):
    def seekable(self) -> bool:
        return True


class WholeReader(Reader):
    def read(self) -> bytes:  # type: ignore[override]
        return self._file.read()


@pytest.mark.parametrize("kind", [Odd, Reader, SeekableReader, WholeReader])
def test_objects_that_are_files_not_quite(kind: Any) -> None:
    data = pillow_file(picture(), "PNG")
    np.testing.assert_array_equal(read_photo(kind(data)).pixels, picture())


def test_a_file_that_has_nothing_to_give_is_empty() -> None:
    class Nothing(Reader):
        def read(self, size: int = -1) -> None:  # type: ignore[override]
            return None

    with pytest.raises(PhotoError, match="is empty"):
        read_photo(Nothing(b""))  # type: ignore[arg-type]
