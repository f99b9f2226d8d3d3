"""Metadata through encode and decode, into every format that holds it, as exiftool sees it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import PictureMaker
from PIL import Image

from jdcodec.container import Metadata, parse, serialize

from .command import jdc

needs_exiftool = pytest.mark.skipif(shutil.which("exiftool") is None, reason="exiftool is not installed")

SOURCES = ("jpg", "png", "tif", "webp")
OUTPUTS = ("png", "tiff", "jpeg", "webp", "avif")

WRITTEN = {
    "Make": "Nikon",
    "Model": "Nikon Z 9",
    "LensModel": "50mm f/1.8",
    "ExposureTime": 0.004,
    "FNumber": 2.8,
    "ISO": 400,
    "FocalLength": 50,
    "DateTimeOriginal": "2024:05:06 07:08:09",
    "Artist": "Zoë",
    "Rating": 4,
    "Title": "Baum",
}
PLACE = {"GPSLatitude": 52.5, "GPSLongitude": 13.4}


def exiftool(*arguments: object) -> bytes:
    command = ["exiftool", "-n", *(str(argument) for argument in arguments)]
    return subprocess.run(command, check=True, capture_output=True).stdout


def tags(*files: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(exiftool("-j", *files))
    return found


@pytest.fixture(scope="module")
def sources(make_picture: PictureMaker, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A picture of 96 × 64 pixels, to be turned by 90°, in each format; exiftool wrote its metadata."""
    folder = tmp_path_factory.mktemp("photos")
    files = {ending: folder / f"photo.{ending}" for ending in SOURCES}
    for path in files.values():
        Image.fromarray(make_picture(64, 96)).save(path)
    values = [f"-{name}={value}" for name, value in {**WRITTEN, **PLACE}.items()]
    refs = ("-GPSLatitudeRef=N", "-GPSLongitudeRef=E", "-XMP-exif:GPSLatitude=52.5", "-Orientation=6")
    exiftool("-q", "-overwrite_original", *values, *refs, *files.values())
    return files


@pytest.fixture(scope="module")
def encode(
    sources: dict[str, Path], tiny_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Path]:
    """A function that codes one of the sources, with more arguments for `jdc encode`."""

    def run(ending: str, *arguments: str) -> Path:
        output = tmp_path_factory.mktemp("coded") / f"{ending}.jdc"
        result = jdc("encode", sources[ending], "-o", output, "--model", tiny_model, "-q", 1, *arguments)
        assert result.exit_code == 0, result.output
        return output

    return run


def decode(coded: Path, ending: str, model: Path, *arguments: str) -> Path:
    output = coded.with_suffix(f".{ending}")
    result = jdc("decode", coded, "-o", output, "--model", model, *arguments)
    assert result.exit_code == 0, result.output
    return output


@needs_exiftool
@pytest.mark.parametrize("source", SOURCES)
def test_every_tag_arrives_in_every_format(
    source: str, encode: Callable[..., Path], tiny_model: Path
) -> None:
    coded = encode(source)
    header = parse(coded.read_bytes()).header
    assert (header.width, header.height) == (64, 96)
    outputs = [decode(coded, ending, tiny_model) for ending in OUTPUTS]
    for path, found in zip(outputs, tags(*outputs)):
        assert {name: found.get(name) for name in WRITTEN} == WRITTEN, path
        assert abs(found["GPSLatitude"] - 52.5) < 1e-6 and abs(found["GPSLongitude"] - 13.4) < 1e-6
        assert found.get("Orientation", 1) == 1 and "Warning" not in found
        assert (found["ImageWidth"], found["ImageHeight"]) == (64, 96)


@needs_exiftool
def test_strip_gps_takes_the_place_alone(encode: Callable[..., Path], tiny_model: Path) -> None:
    coded = encode("jpg", "--strip", "gps")
    outputs = [decode(coded, ending, tiny_model) for ending in ("jpeg", "png", "tiff")]
    for found in tags(*outputs):
        assert {name: found.get(name) for name in WRITTEN} == WRITTEN
        assert not [name for name in found if name.startswith("GPS")] and "Warning" not in found


@pytest.fixture(scope="module")
def awkward(make_picture: PictureMaker, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A .jdc file as no encoder of ours writes it: damaged EXIF, and XMP that is too long for a JPEG."""
    folder = tmp_path_factory.mktemp("awkward")
    Image.fromarray(make_picture(64, 64)).save(folder / "photo.png")
    assert jdc("encode", folder / "photo.png", "--model", tiny_model).exit_code == 0
    content = parse((folder / "photo.jdc").read_bytes())
    metadata = Metadata(exif=b"MM\0*\0\0\xff\xff", xmp=b"<x>" + bytes(70_000))
    path = folder / "awkward.jdc"
    path.write_bytes(serialize(replace(content, metadata=metadata)))
    return path


@pytest.mark.parametrize("ending", [*OUTPUTS, "ppm"])
def test_no_metadata_keeps_a_file_from_being_decoded(awkward: Path, tiny_model: Path, ending: str) -> None:
    output = awkward.with_name(f"out.{ending}")
    result = jdc("decode", awkward, "-o", output, "--model", tiny_model)
    assert result.exit_code == 0 and Image.open(output).size == (64, 64)
    said = [line for line in result.output.splitlines() if line.startswith("  ")]
    assert said == [
        "  Its EXIF block is damaged and was left out.",
        *(["  Its XMP was left out: a JPEG holds 65,504 bytes of it."] if ending == "jpeg" else []),
    ]
    assert (
        "left out" not in jdc("decode", awkward, "-o", output, "--model", tiny_model, "-f", "--quiet").output
    )
    spoken = jdc("decode", awkward, "-o", output, "--model", tiny_model, "--force", "--json").stdout
    assert json.loads(spoken)["notes"] == [line.strip() for line in said]


@needs_exiftool
def test_decode_strips_too(encode: Callable[..., Path], tiny_model: Path) -> None:
    coded = encode("jpg")
    (found,) = tags(decode(coded, "jpeg", tiny_model, "--strip", "gps,xmp"))
    assert found["Model"] == "Nikon Z 9" and "Title" not in found
    assert not [name for name in found if name.startswith("GPS")]


@needs_exiftool
def test_strip_all_leaves_nothing(encode: Callable[..., Path], tiny_model: Path) -> None:
    coded = encode("png", "--strip", "all")
    metadata = parse(coded.read_bytes()).metadata
    assert (metadata.exif, metadata.xmp, metadata.icc) == (None, None, None)
    (found,) = tags(decode(coded, "jpeg", tiny_model))
    assert not {*WRITTEN, *PLACE} & set(found)


@needs_exiftool
def test_the_thumbnail_of_a_photo_does_not_outlive_its_turning(
    sources: dict[str, Path], make_picture: PictureMaker, tiny_model: Path, tmp_path: Path
) -> None:
    small, photo, coded = (tmp_path / name for name in ("small.jpg", "photo.jpg", "photo.jdc"))
    Image.fromarray(make_picture(120, 160)).save(small, quality=95)
    photo.write_bytes(sources["jpg"].read_bytes())
    exiftool("-q", "-overwrite_original", f"-ThumbnailImage<={small}", photo)
    assert tags(photo)[0]["ThumbnailLength"] == small.stat().st_size
    assert jdc("encode", photo, "-o", coded, "--model", tiny_model, "-q", 1).exit_code == 0
    block = parse(coded.read_bytes()).metadata.exif
    assert block is not None and len(block) < 1000 < small.stat().st_size
    (found,) = tags(decode(coded, "jpeg", tiny_model))
    assert {name: found.get(name) for name in WRITTEN} == WRITTEN
    assert not [name for name in found if name.startswith("Thumbnail")] and "Warning" not in found


@needs_exiftool
def test_info_says_it_in_words(encode: Callable[..., Path]) -> None:
    printed = jdc("info", encode("tif")).output
    for line in (
        "camera  Nikon Z 9",
        "lens  50mm f/1.8",
        "exposure  1/250 s, f/2.8, 50 mm",
        "ISO  400",
        "taken  2024-05-06 07:08:09",
        "GPS  yes",
    ):
        assert f" {line}\n" in printed
    assert " GPS  no\n" in jdc("info", encode("tif", "--strip", "gps")).output


def test_an_unknown_kind_is_a_usage_error(tmp_path: Path) -> None:
    result = jdc("encode", tmp_path / "a.png", "--strip", "gsp")
    assert result.exit_code == 2 and "'gsp' cannot be stripped" in result.output


@needs_exiftool
def test_raw(photographs: Path, tiny_model: Path, tmp_path: Path) -> None:
    raw = photographs / "raw" / "linear-canon-6d.dng"
    coded = tmp_path / "raw.jdc"
    assert jdc("encode", raw, "-o", coded, "--model", tiny_model).exit_code == 0
    before, *after = tags(raw, *(decode(coded, ending, tiny_model) for ending in ("jpeg", "tiff", "png")))
    names = ("Make", "Model", "ExposureTime", "FNumber", "ISO", "DateTimeOriginal")
    for found in after:
        assert {name: found.get(name) for name in names} == {name: before.get(name) for name in names}
