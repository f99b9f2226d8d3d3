"""What a folder is searched for, and what is told of pictures in it that jdc does not read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import PictureMaker
from PIL import Image

from jdcodec.cli.jobs import plan_jobs
from jdcodec.errors import PhotoError
from jdcodec.photo import read_photo, write
from jdcodec.photo.endings import (
    HEIC_ENDINGS,
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
    for name in ("c.jp2", "d.JP2", "e.jxl", "deep/f.psd", "deep/g.jp2"):
        (folder / name).touch()
    for name in ("._c.jp2", "c.xmp", "c.thm", "notes.txt", "movie.mov", "b.jdc.bak", "no ending"):
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
    assert HEIC_ENDINGS < PHOTO_ENDINGS or HEIC_ENDINGS < UNREAD_ENDINGS
    assert HEIC_ENDINGS < PICTURE_ENDINGS
    # What jdc writes itself it reads, too.
    assert {f".{name}" for name in write._FORMATS} < IMAGE_ENDINGS
    assert ".jdc" not in PICTURE_ENDINGS
    assert all(ending == ending.lower() and ending[0] == "." for ending in PICTURE_ENDINGS)


@pytest.mark.parametrize(
    ("recursive", "line"),
    [
        ([], "jdc: passed over: 2 .jp2, 1 .jxl, which jdc does not read\n"),
        (["-r"], "jdc: passed over: 3 .jp2, 1 .jxl, 1 .psd, which jdc does not read\n"),
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
        "jdc: 1 of 2 files failed\njdc: passed over: 2 .jp2, 1 .jxl, which jdc does not read\n"
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
    assert result.stderr == "jdc: passed over: 2 .jp2, 1 .jxl, which jdc does not read\n"


def test_one_that_is_named_outright_is_tried(folder: Path) -> None:
    """Its content decides, and it says why it cannot be read."""
    [job] = plan_jobs([str(folder / "c.jp2")], None, suffix=".jdc", endings=PHOTO_ENDINGS, recursive=False)
    assert job.target == str(folder / "c.jdc")


def without_pillow_heif(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """`jdc` in a process of its own that cannot import pillow_heif."""
    code = "import sys; sys.modules['pillow_heif'] = None; from jdcodec.cli import main; main()"
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_what_would_be_read_with_another_package_names_it(folder: Path) -> None:
    for name in ("h.HEIC", "i.heic", "j.heic", "k.hif"):
        (folder / name).touch()
    done = without_pillow_heif("encode", folder, "--model", MODEL)
    remedy = "(pip install 'jdcodec[heic]')"
    assert done.returncode == 0 and done.stderr == (
        f"jdc: passed over: 3 .heic {remedy}, 2 .jp2, 1 .hif {remedy}, 1 .jxl, which jdc does not read\n"
    )


def test_heic_that_is_named_outright_says_what_to_install(tmp_path: Path) -> None:
    path = tmp_path / "a.heic"
    path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    done = without_pillow_heif("encode", path, "--model", MODEL)
    assert done.returncode == 1 and done.stderr == (
        f"jdc: {path}: is HEIC; jdc reads it with pillow-heif: pip install 'jdcodec[heic]', "
        "or convert it to PNG, TIFF or JPEG\n"
    )
    assert not (tmp_path / "a.jdc").exists()


def test_heic_in_a_folder_is_coded_where_it_is_read(tmp_path: Path, make_picture: PictureMaker) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    images = pillow_heif.from_bytes("RGB", (64, 64), make_picture(64, 64).tobytes())
    names = [f"{number}{ending}" for number, ending in enumerate(sorted(HEIC_ENDINGS))]
    for name in (*names, "z.HEIC"):
        images.save(tmp_path / name)
    result = jdc("encode", tmp_path, "--model", MODEL)
    assert result.exit_code == 0 and "passed over" not in result.stderr
    assert {path.stem for path in tmp_path.glob("*.jdc")} == {*"01234z"}


def test_heic_with_10_bits_gives_a_file_of_16(tmp_path: Path, make_picture: PictureMaker) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    deep = make_picture(64, 64).astype("<u2") * 257
    pillow_heif.from_bytes("RGB;16", (64, 64), deep.tobytes()).save(tmp_path / "a.heic")
    assert jdc("encode", tmp_path / "a.heic", "--model", MODEL).exit_code == 0
    assert json.loads(jdc("info", tmp_path / "a.jdc", "--json").stdout)["bit_depth"] == 16


@pytest.mark.parametrize("ending", sorted(HEIC_ENDINGS))
def test_no_result_is_named_as_heic(ending: str, folder: Path) -> None:
    result = jdc("encode", folder / "b.pgm", "-o", folder / f"out{ending}", "--model", MODEL)
    assert result.exit_code != 0 and not (folder / f"out{ending}").exists()
