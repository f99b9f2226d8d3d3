"""The DNG writer: other people's readers find the mosaic, the tags and the right colours in its files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rawpy
import tifffile

from jdcodec.demo.dng import DngTags, dng_bytes, write_dng
from jdcodec.demo.sensor import Sensor
from jdcodec.errors import OutputError

CELL = 48


def patches() -> np.ndarray:
    """(4, 6, 3) linear colours within the sensor's gamut, one of them white."""
    rng = np.random.default_rng(3)
    colours = rng.uniform(0.08, 0.7, (4, 6, 1)) + rng.uniform(-0.07, 0.07, (4, 6, 3))
    # Light at saturation also keeps LibRaw from stretching a dim photo.
    colours[0, 0] = 1.0
    return colours.astype(np.float32)


def scene() -> np.ndarray:
    return np.kron(patches(), np.ones((CELL, CELL, 1), np.float32))


def srgb(linear: np.ndarray) -> np.ndarray:
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def develop(path: Path) -> np.ndarray:
    """What a photographer's program makes of the file, in [0, 1]."""
    with rawpy.imread(str(path)) as raw:
        pixels = raw.postprocess(use_camera_wb=True, no_auto_bright=True, output_bps=16, gamma=(2.4, 12.92))
    return pixels / 65535


def inner_cells(picture: np.ndarray) -> np.ndarray:
    """(4, m, 6, m, 3): the middles of the patches, where no demosaicing crosses an edge."""
    cells = picture.reshape(4, CELL, 6, CELL, 3)
    return cells[:, 8:-8, :, 8:-8]


@pytest.fixture
def tags() -> DngTags:
    return Sensor().dng_tags(iso=6400)


@pytest.mark.parametrize("pattern", ["RGGB", "BGGR", "GRBG", "GBRG"])
def test_rawpy_develops_the_colours_that_were_photographed(tmp_path: Path, pattern: str) -> None:
    sensor = Sensor(cfa_pattern=pattern)
    path = tmp_path / "clean.dng"
    write_dng(path, sensor.expose(scene(), 100, None), sensor.dng_tags(100))

    developed, expected = inner_cells(develop(path)), inner_cells(srgb(scene()))

    assert np.abs(developed.mean((1, 3)) - expected.mean((1, 3))).max() * 255 < 1
    assert 10 * np.log10(1 / np.mean((developed - expected) ** 2)) > 45


def test_rawpy_reads_the_mosaic_and_its_levels(tmp_path: Path, tags: DngTags) -> None:
    mosaic = np.random.default_rng(0).integers(0, 16384, (70, 94)).astype(np.uint16)
    path = tmp_path / "noise.dng"
    write_dng(path, mosaic, tags)

    with rawpy.imread(str(path)) as raw:
        assert np.array_equal(raw.raw_image, mosaic)
        assert raw.black_level_per_channel == [512] * 4
        assert raw.white_level == 16383
        balance = np.array(raw.camera_whitebalance[:3])
    assert balance / balance[1] == pytest.approx(1 / np.array(tags.as_shot_neutral), rel=1e-3)


def test_tags_are_where_the_specifications_put_them(tmp_path: Path, tags: DngTags) -> None:
    path = tmp_path / "tags.dng"
    write_dng(path, np.zeros((64, 96), np.uint16), tags)

    with tifffile.TiffFile(path) as file:
        page = file.pages.first
        assert file.is_dng
        assert page.tags["DNGVersion"].value == bytes((1, 4, 0, 0))
        assert page.tags["CFAPattern"].value == bytes((0, 1, 1, 2))
        assert page.tags["CalibrationIlluminant1"].value == 21
        assert page.tags["UniqueCameraModel"].value == "jdcodec Demo Camera"
        assert page.tags["NoiseProfile"].value == pytest.approx(tags.noise_profile)
        matrix = np.array(page.tags["ColorMatrix1"].value).reshape(9, 2)
        assert matrix[:, 0] / matrix[:, 1] == pytest.approx(np.array(tags.color_matrix).ravel())
        exif = page.tags["ExifTag"].value
    assert exif["ISOSpeedRatings"] == 6400
    assert exif["ExposureTime"] == (1, 60)
    assert exif["DateTimeOriginal"] == "2024:09:21 20:15:00"


def test_the_same_photograph_is_the_same_file(tags: DngTags) -> None:
    mosaic = np.full((64, 64), 700, np.uint16)
    assert dng_bytes(mosaic, tags) == dng_bytes(mosaic, tags)


@pytest.mark.parametrize(
    "mosaic",
    [np.zeros((4, 4, 3), np.uint16), np.zeros((4, 4), np.uint8), np.zeros((0, 4), np.uint16)],
    ids=["colour", "8-bit", "empty"],
)
def test_refuses_what_is_no_mosaic(mosaic: np.ndarray, tags: DngTags) -> None:
    with pytest.raises(ValueError, match="mosaic"):
        dng_bytes(mosaic, tags)


@pytest.mark.parametrize("pattern", ["RGB", "RGGX", "RRRR", ""])
def test_refuses_what_is_no_bayer_pattern(pattern: str, tags: DngTags) -> None:
    with pytest.raises(ValueError, match="Bayer"):
        dng_bytes(np.zeros((4, 4), np.uint16), replace(tags, cfa_pattern=pattern))


def test_a_folder_that_is_missing_is_one_clear_line(tmp_path: Path, tags: DngTags) -> None:
    with pytest.raises(OutputError, match="no such folder"):
        write_dng(tmp_path / "missing" / "a.dng", np.zeros((4, 4), np.uint16), tags)
