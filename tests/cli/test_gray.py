"""A photo that was gray comes back as a gray image, by every way that `jdc decode` has."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import jdcodec
from jdcodec.cli import app
from jdcodec.codec import picture as picture_module
from jdcodec.container import Metadata, parse, serialize
from jdcodec.errors import PhotoError
from jdcodec.photo import read_photo

from .command import jdc

GOLDEN = Path(__file__).parents[1] / "golden"
GRAY, COLOUR, MODEL = GOLDEN / "gray.jdc", GOLDEN / "tiles.jdc", GOLDEN / "tiny.safetensors"


def decoded(**options: object) -> np.ndarray:
    """The one channel that is expected."""
    pixels = jdcodec.decode(GRAY, model=str(MODEL), **options)  # type: ignore[arg-type]
    assert pixels.shape[2] == 3 and (pixels == pixels[..., :1]).all()
    return pixels[..., 0]


@pytest.mark.parametrize(
    ("name", "mode", "start"),
    [
        ("y.png", "L", b"\x89PNG"),
        ("y.tif", "L", b"II*\0"),
        ("y.jpg", "L", b"\xff\xd8\xff"),
        ("y.pgm", "L", b"P5\n"),
        ("y.pnm", "L", b"P5\n"),
        ("y", "L", b"\x89PNG"),
        # These have no gray.
        ("y.ppm", "RGB", b"P6\n"),
        ("y.webp", "RGB", b"RIFF"),
        ("y.avif", "RGB", b"\0\0\0"),
    ],
)
def test_one_channel_where_the_format_has_it(name: str, mode: str, start: bytes, tmp_path: Path) -> None:
    target = tmp_path / name
    result = jdc("decode", GRAY, "-o", target, "--model", MODEL)
    assert result.exit_code == 0, result.exception
    assert target.read_bytes().startswith(start)
    with Image.open(target) as image:
        assert image.mode == mode
        values = np.asarray(image.convert("L")).astype(int)
    assert np.abs(values - decoded()).max() <= (0 if start[0] in b"P\x89I" else 12)


@pytest.mark.parametrize("ending", ["png", "tiff", "pgm"])
def test_sixteen_bits_too(ending: str, tmp_path: Path) -> None:
    target = tmp_path / f"y.{ending}"
    assert jdc("decode", GRAY, "-o", target, "--bits", 16, "--model", MODEL).exit_code == 0
    photo = read_photo(target)
    assert photo.is_gray and photo.bit_depth == 16
    assert np.array_equal(photo.pixels[..., 0], decoded(dtype="uint16"))


@pytest.mark.parametrize(
    "words",
    [
        ["--region", "3,5,20,10"],
        ["--scale", "2"],
        ["--fit", "20"],
        ["--fit", "20", "--bits", "16"],
        ["--grain", "1"],
        ["--salvage"],
    ],
    ids=" ".join,
)
def test_a_part_a_preview_grain_and_salvage_too(words: list[str], tmp_path: Path) -> None:
    result = jdc("decode", GRAY, "-o", tmp_path / "y.png", *words, "--model", MODEL)
    assert result.exit_code == 0, result.exception
    assert read_photo(tmp_path / "y.png").is_gray


def test_folders_and_standard_output_too(tmp_path: Path) -> None:
    for name, source in (("a", GRAY), ("b", COLOUR)):
        (tmp_path / f"{name}.jdc").write_bytes(source.read_bytes())
    assert jdc("decode", tmp_path, "--model", MODEL).exit_code == 0
    assert [read_photo(tmp_path / f"{name}.png").is_gray for name in "ab"] == [True, False]
    words = ["decode", "-", "-o", "-", "--format", "tiff", "--model", str(MODEL)]
    result = CliRunner().invoke(app, words, input=GRAY.read_bytes())
    assert result.exit_code == 0 and read_photo(BytesIO(result.stdout_bytes)).is_gray


def test_a_picture_in_colour_is_no_pgm_and_nothing_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture_module, "read_picture", lambda file, reading: pytest.fail("decoded"))
    for words in ([], ["--salvage"], ["--region", "0,0,8,8"]):
        result = jdc("decode", COLOUR, "-o", tmp_path / "y.PGM", *words, "--model", MODEL)
        assert isinstance(result.exception, PhotoError)
        assert str(result.exception) == (
            f"{COLOUR}: is in colour, and a .pgm holds gray alone; choose .ppm, or another format"
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("space", "gray"), [(b"RGB ", False), (b"GRAY", True)])
def test_a_profile_of_colours_keeps_three_channels(space: bytes, gray: bool, tmp_path: Path) -> None:
    """Other encoders may put one in; an image of one channel must not have it."""
    profile = bytes(16) + space + bytes(108)
    file = parse(GRAY.read_bytes())
    coded = tmp_path / "a.jdc"
    coded.write_bytes(serialize(replace(file, metadata=Metadata(icc=profile))))
    assert jdc("decode", coded, "--model", MODEL).exit_code == 0
    with Image.open(tmp_path / "a.png") as image:
        assert image.mode == ("L" if gray else "RGB") and image.info["icc_profile"] == profile
    assert jdc("decode", coded, "-o", tmp_path / "a.pgm", "--model", MODEL).exit_code == 0
    assert (tmp_path / "a.pgm").read_bytes().startswith(b"P5")
    assert jdc("decode", coded, "--strip", "icc", "--force", "--model", MODEL).exit_code == 0
    assert read_photo(tmp_path / "a.png").is_gray
