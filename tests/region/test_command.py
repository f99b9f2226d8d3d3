"""`jdc decode --region --scale`: what is written, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from jdcodec.cli import app
from jdcodec.errors import JdcError

from .conftest import HEIGHT, WIDTH, Coded


@pytest.fixture
def file(coded: Coded, tmp_path: Path) -> Path:
    path = tmp_path / "a.jdc"
    path.write_bytes(coded.data)
    return path


def decode(file: Path, model: Path, *options: str) -> Result:
    target = file.with_suffix(".png")
    words = ["decode", file, "-o", target, "--model", model, "--precision", "fp32", *options]
    return CliRunner().invoke(app, [str(word) for word in words])


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image).astype(int)


def test_region(coded: Coded, file: Path, tiny_model: Path) -> None:
    result = decode(file, tiny_model, "--region", "200,130,90,70", "--json")
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    assert (figures["width"], figures["height"]) == (90, 70)
    assert np.abs(pixels(file.with_suffix(".png")) - coded.whole[130:200, 200:290]).max() <= 1


def test_scale(file: Path, tiny_model: Path) -> None:
    assert decode(file, tiny_model, "--scale", "8").exit_code == 0
    assert pixels(file.with_suffix(".png")).shape == (-(-HEIGHT // 8), -(-WIDTH // 8), 3)


def test_scaled_region_in_sixteen_bits(file: Path, tiny_model: Path) -> None:
    target = file.with_suffix(".ppm")
    words = ["decode", str(file), "-o", str(target), "--model", str(tiny_model), "--bits", "16"]
    assert CliRunner().invoke(app, [*words, "--region", "10,10,20,20", "--scale", "4"]).exit_code == 0
    assert target.read_bytes().startswith(b"P6\n6 6\n65535\n")


@pytest.mark.parametrize("options", [("--region", "1,2,3"), ("--region", "0,0,0,1"), ("--scale", "3")])
def test_usage_errors(file: Path, tiny_model: Path, options: tuple[str, str]) -> None:
    result = decode(file, tiny_model, *options)
    assert result.exit_code == 2
    assert options[0] in result.output
    assert not file.with_suffix(".png").exists()


def test_a_region_beyond_the_picture(file: Path, tiny_model: Path) -> None:
    result = decode(file, tiny_model, "--region", f"{WIDTH - 5},0,6,1")
    assert isinstance(result.exception, JdcError)
    assert str(result.exception).startswith(
        f"{file}: region 696,0,6,1 reaches beyond the picture of 701 × 650"
    )
    assert not file.with_suffix(".png").exists()


def test_a_damaged_tile_outside_of_the_region_does_no_harm(
    coded: Coded, file: Path, tiny_model: Path
) -> None:
    data = bytearray(coded.data)
    data[-60] ^= 1  # in the last tile
    file.write_bytes(data)
    assert decode(file, tiny_model, "--region", "0,0,20,20").exit_code == 0
    result = decode(file, tiny_model, "--region", "600,600,20,20", "--force")
    assert isinstance(result.exception, JdcError)
    assert "is damaged" in str(result.exception)
