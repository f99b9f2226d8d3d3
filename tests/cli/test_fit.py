"""`jdc decode --fit`: the size asked for, from no more than it takes, and as the whole picture made small."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jdcodec.codec import picture as picture_module
from jdcodec.photo.shrink import fitted_size, shrink

from .command import jdc

GOLDEN = Path(__file__).parents[1] / "golden"
CODED, MODEL = GOLDEN / "tiles.jdc", GOLDEN / "tiny.safetensors"


def decode(output: Path, *arguments: object) -> Image.Image:
    result = jdc("decode", CODED, "-o", output, "--model", MODEL, *arguments)
    assert result.exit_code == 0, result.output
    with Image.open(output) as image:
        image.load()
        return image


def test_sizes_keep_the_shape() -> None:
    assert fitted_size(6000, 4000, 256) == (256, 171)
    assert fitted_size(4000, 6000, 256) == (171, 256)
    assert fitted_size(200, 100, 256) == (200, 100)
    assert fitted_size(10_000, 2, 100) == (100, 1)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_shrinking_keeps_levels_and_type(dtype: type) -> None:
    top = np.iinfo(dtype).max
    pixels = np.full((90, 120, 3), (0, top // 3, top), dtype)
    small = shrink(pixels, 40)
    assert small.shape == (30, 40, 3) and small.dtype == dtype
    assert np.abs(small.astype(int) - pixels[0, 0].astype(int)).max() <= 1
    assert shrink(pixels, 120) is pixels


def test_it_looks_like_the_whole_picture_made_small(tmp_path: Path) -> None:
    with Image.open(GOLDEN / "tiles.png") as whole:
        longest = max(whole.size) // 5
        wanted = whole.convert("RGB").resize(fitted_size(*whole.size, longest), Image.Resampling.LANCZOS)
    made = decode(tmp_path / "a.png", "--fit", longest)
    assert made.size == wanted.size
    difference = np.asarray(made, float) - np.asarray(wanted, float)
    assert np.sqrt((difference**2).mean()) < 12


def test_only_the_preview_that_it_takes_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scales: list[int] = []
    usual = picture_module.read_picture

    def noted(file: object, reading: object) -> object:
        scales.append(reading.view.scale)  # type: ignore[attr-defined]
        return usual(file, reading)  # type: ignore[arg-type]

    monkeypatch.setattr(picture_module, "read_picture", noted)
    with Image.open(GOLDEN / "tiles.png") as whole:
        side = max(whole.size)
    for fit in (side, side // 2 - 1, side // 4 - 1, side // 40, 1):
        assert max(decode(tmp_path / f"{fit}.png", "--fit", fit).size) == fit
    assert scales == [1, 1, 2, 16, 16]


def test_a_part_and_sixteen_bits(tmp_path: Path) -> None:
    assert decode(tmp_path / "a.png", "--region", "8,8,160,80", "--fit", 50).size == (50, 25)
    assert decode(tmp_path / "b.ppm", "--fit", 50, "--bits", 16).width == 50
    assert b"65535" in (tmp_path / "b.ppm").read_bytes()[:20]


def test_no_pixels_at_all_is_a_usage_error(tmp_path: Path) -> None:
    assert jdc("decode", CODED, "-o", tmp_path / "a.png", "--fit", 0).exit_code == 2
