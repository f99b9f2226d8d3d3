"""`import jdcodec.pillow`: Pillow opens and saves `.jdc` files."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import PictureMaker
from PIL import Image

import jdcodec
import jdcodec.pillow
from jdcodec.codec import weights


@pytest.fixture(autouse=True)
def shipped_model(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The small model of the tests in place of the shipped one."""
    monkeypatch.setattr(weights, "shipped_models", lambda: {"fast": tiny_model})


@pytest.fixture
def coded(make_picture: PictureMaker, tmp_path: Path) -> Path:
    path = tmp_path / "photo.jdc"
    exif = Image.Exif()
    exif[272] = "Model 1"
    Image.fromarray(make_picture(40, 70)).save(path, quality=3, denoise=0.5, exif=exif, xmp=b"<x/>")
    return path


def test_save_and_open(coded: Path) -> None:
    with Image.open(coded) as image:
        assert (image.format, image.mode, image.size) == ("JDC", "RGB", (70, 40))
        assert (image.info["quality"], image.info["denoise"]) == (3.0, 0.5)
        assert image.getexif()[272] == "Model 1" and image.info["xmp"] == b"<x/>"
        np.testing.assert_array_equal(np.asarray(image), jdcodec.decode(coded.read_bytes()))


def test_opening_decodes_nothing(coded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(jdcodec, "decode", fail, raising=False)
    with Image.open(coded) as image:
        assert image.size == (70, 40)


def test_gray_stays_gray(make_picture: PictureMaker) -> None:
    file = io.BytesIO()
    Image.fromarray(make_picture(33, 65)).convert("L").save(file, "JDC")
    image = Image.open(io.BytesIO(file.getvalue()))
    assert (image.mode, image.size) == ("L", (65, 33))
    np.testing.assert_array_equal(np.asarray(image), jdcodec.decode(file.getvalue())[..., 0])


def test_loading_twice_and_after_the_file_is_closed(coded: Path) -> None:
    with Image.open(coded) as image:
        image.load()
        first = np.asarray(image)
    np.testing.assert_array_equal(np.asarray(image), first)


def test_damage_is_an_oserror(coded: Path) -> None:
    data = bytearray(coded.read_bytes())
    data[-40] ^= 1
    with pytest.raises(OSError, match="damaged"):
        Image.open(io.BytesIO(data)).load()
    with pytest.raises(OSError):
        Image.open(io.BytesIO(data[:30])).load()
    with pytest.raises(Image.UnidentifiedImageError):
        Image.open(io.BytesIO(b"junk"))


def test_settings_out_of_range_are_an_oserror_and_leave_no_file(tmp_path: Path) -> None:
    path = tmp_path / "x.jdc"
    with pytest.raises(OSError, match="quality must lie between 1 and 8, not 95"):
        Image.new("RGB", (8, 8)).save(path, quality=95)
    assert not path.exists()


def test_the_import_is_light() -> None:
    code = "import sys, jdcodec.pillow; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
