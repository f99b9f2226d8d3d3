"""`--max-pixels` and `--max-side`: every command that reads a picture refuses larger ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import PictureMaker
from PIL import Image

from .command import jdc


@pytest.fixture
def photo(tmp_path: Path, make_picture: PictureMaker) -> Path:
    Image.fromarray(make_picture(30, 40)).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


@pytest.fixture
def coded(photo: Path, tiny_model: Path) -> Path:
    assert jdc("encode", photo, "--model", tiny_model).exit_code == 0
    return photo.with_suffix(".jdc")


@pytest.mark.parametrize("limit", [("--max-pixels", 29 * 40), ("--max-side", 39)])
@pytest.mark.parametrize("command", ["decode", "info", "verify", "view"])
def test_a_file_beyond_them(coded: Path, tiny_model: Path, command: str, limit: tuple[str, int]) -> None:
    output = coded.with_name("out.html" if command == "view" else "out.png")
    more = () if command in ("info", "verify") else ("-o", output)
    model = () if command == "info" else ("--model", tiny_model)
    refused = jdc(command, coded, *more, *model, *limit)
    assert refused.exit_code == 1
    assert "40 × 30 pixels is beyond the limit of" in str(refused.exception) + refused.output
    assert not output.exists()
    assert jdc(command, coded, *more, *model, "--max-pixels", 30 * 40, "--max-side", 40).exit_code == 0


@pytest.mark.parametrize("limit", [("--max-pixels", 29 * 40), ("--max-side", 39)])
@pytest.mark.parametrize("command", ["encode", "view"])
def test_a_photo_beyond_them(photo: Path, command: str, limit: tuple[str, int]) -> None:
    output = photo.with_name("out.html" if command == "view" else "out.jdc")
    refused = jdc(command, photo, "-o", output, *limit)
    assert refused.exit_code == 1
    assert f"{photo}: is 40 × 30" in str(refused.exception)
    assert not output.exists()


def test_they_are_above_zero(photo: Path) -> None:
    assert jdc("encode", photo, "--max-pixels", 0).exit_code == 2
    assert jdc("info", photo, "--max-side", -1).exit_code == 2
