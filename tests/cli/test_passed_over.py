"""What a folder is searched for, and what is told of pictures in it that jdc does not read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import PictureMaker
from PIL import Image

from jdcodec.cli.jobs import plan_jobs
from jdcodec.errors import PhotoError
from jdcodec.photo import read_photo, write
from jdcodec.photo.endings import (
    IMAGE_ENDINGS,
    PHOTO_ENDINGS,
    PICTURE_ENDINGS,
    RAW_ENDINGS,
    UNREAD_ENDINGS,
)
from jdcodec.photo.raw_formats import RAW_SUFFIXES

from .command import jdc

MODEL = Path(__file__).parents[1] / "golden" / "tiny.safetensors"

#: What Pillow calls the format of an ending, where that is not its name.
FORMATS = {
    **dict.fromkeys((".jfif", ".jpe", ".jpg"), "JPEG"),
    **dict.fromkeys((".pbm", ".pgm", ".pnm"), "PPM"),
    **{".apng": "PNG", ".tif": "TIFF", ".avifs": "AVIF"},
}
MODES = {".pbm": "1", ".pgm": "L"}


@pytest.fixture
def folder(tmp_path: Path, make_picture: PictureMaker) -> Path:
    """A photo among pictures that are not read, and files that nobody misses."""
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    Image.fromarray(make_picture(32, 40)).convert("L").save(folder / "b.pgm", "PPM")
    for name in ("c.heic", "d.HEIC", "e.jxl", "deep/f.psd", "deep/g.heic"):
        (folder / name).touch()
    for name in ("._c.heic", "c.xmp", "c.thm", "notes.txt", "movie.mov", "b.jdc.bak", "no ending"):
        (folder / name).touch()
    return folder


def test_a_pgm_in_a_folder_is_coded(folder: Path) -> None:
    assert jdc("encode", folder, "--model", MODEL).exit_code == 0
    assert (folder / "b.jdc").exists()


@pytest.mark.parametrize("ending", sorted(IMAGE_ENDINGS))
def test_what_folders_are_searched_for_is_read(
    ending: str, tmp_path: Path, make_picture: PictureMaker
) -> None:
    path = tmp_path / f"a{ending}"
    image = Image.fromarray(make_picture(32, 40)).convert(MODES.get(ending, "RGB"))
    several = {"save_all": True, "append_images": [image]} if ending in (".avifs", ".mpo", ".apng") else {}
    image.save(path, FORMATS.get(ending, ending[1:].upper()), **several)
    photo = read_photo(path)
    assert (photo.width, photo.height) == (40, 32)


def test_the_lists_agree() -> None:
    assert {f".{name}" for name in RAW_SUFFIXES} == RAW_ENDINGS
    assert {".dcr", ".gpr", ".k25", ".cap"} < PHOTO_ENDINGS
    assert not PHOTO_ENDINGS & UNREAD_ENDINGS
    # What jdc writes itself it reads, too.
    assert {f".{name}" for name in write._FORMATS} < IMAGE_ENDINGS
    assert ".jdc" not in PICTURE_ENDINGS
    assert all(ending == ending.lower() and ending[0] == "." for ending in PICTURE_ENDINGS)


@pytest.mark.parametrize(
    ("recursive", "line"),
    [
        ([], "jdc: passed over: 2 .heic, 1 .jxl, which jdc does not read\n"),
        (["-r"], "jdc: passed over: 3 .heic, 1 .jxl, 1 .psd, which jdc does not read\n"),
    ],
)
def test_a_folder_ends_with_what_was_passed_over(folder: Path, recursive: list[str], line: str) -> None:
    result = jdc("encode", folder, *recursive, "--model", MODEL)
    assert result.exit_code == 0 and result.stderr == line


def test_programs_and_failures_leave_the_line_as_it_is(folder: Path) -> None:
    (folder / "bad.png").touch()
    result = jdc("encode", folder, "--json", "--model", MODEL)
    assert result.exit_code == 1 and len(list(map(json.loads, result.stdout.splitlines()))) == 2
    assert result.stderr.endswith(
        "jdc: 1 of 2 files failed\njdc: passed over: 2 .heic, 1 .jxl, which jdc does not read\n"
    )


def test_nothing_is_said_where_it_is_not_wanted_or_nothing_was_passed_over(folder: Path) -> None:
    assert jdc("encode", folder, "--quiet", "--model", MODEL).stderr == ""
    assert jdc("encode", folder / "b.pgm", "--force", "--model", MODEL).stderr == ""
    assert jdc("decode", folder, "--model", MODEL).stderr == ""
    assert jdc("verify", folder).stderr == ""


def test_a_folder_of_nothing_else_says_both(folder: Path) -> None:
    (folder / "b.pgm").unlink()
    result = jdc("encode", folder, "--model", MODEL)
    assert isinstance(result.exception, PhotoError)
    assert "no file with a known ending" in str(result.exception)
    assert result.stderr == "jdc: passed over: 2 .heic, 1 .jxl, which jdc does not read\n"


def test_one_that_is_named_outright_is_tried(folder: Path) -> None:
    """Its content decides, and it says why it cannot be read."""
    [job] = plan_jobs([str(folder / "c.heic")], None, suffix=".jdc", endings=PHOTO_ENDINGS, recursive=False)
    assert job.target == str(folder / "c.jdc")
