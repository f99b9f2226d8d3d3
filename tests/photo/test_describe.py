"""EXIF in words: what a photographer reads, and nothing that a hostile block could do with a terminal."""

from __future__ import annotations

import subprocess
import sys

import pytest
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from jdcodec.photo.describe import ShotWords, describe


def block(image: dict[int, object], photo: dict[int, object], gps: dict[int, object] | None = None) -> bytes:
    exif = Image.Exif()
    exif.update(image)
    exif.get_ifd(34665).update(photo)
    exif.get_ifd(34853).update(gps or {})
    return exif.tobytes().removeprefix(b"Exif\0\0")


def test_all_of_it() -> None:
    words = describe(
        block(
            {271: "NIKON CORPORATION", 272: "NIKON Z 9"},
            {
                33434: IFDRational(1, 250),
                33437: IFDRational(28, 10),
                37386: IFDRational(50, 1),
                34855: 400,
                42036: "NIKKOR Z 50mm f/1.8 S",
                36867: "2024:05:06 07:08:09",
                36881: "+02:00",
            },
            {1: "N", 2: (52.0, 31.0, 17.0), 3: "E", 4: (13.0, 24.0, 36.0)},
        )
    )
    assert words == ShotWords(
        camera="NIKON Z 9",
        lens="NIKKOR Z 50mm f/1.8 S",
        exposure="1/250 s, f/2.8, 50 mm",
        iso="400",
        taken="2024-05-06 07:08:09 +02:00",
        has_place=True,
    )


@pytest.mark.parametrize(
    ("numerator", "denominator", "words"),
    [
        (1, 8000, "1/8000 s"),
        (1, 4, "1/4 s"),
        (3, 10, "0.3 s"),
        (10, 4, "2.5 s"),
        (30, 1, "30 s"),
        (1, 0, ""),
        (0, 1, ""),
    ],
)
def test_exposure_times(numerator: int, denominator: int, words: str) -> None:
    assert describe(block({}, {33434: IFDRational(numerator, denominator)})).exposure == words


def test_a_make_that_the_model_does_not_repeat() -> None:
    assert describe(block({271: "FUJIFILM", 272: "X100"}, {})).camera == "FUJIFILM X100"
    assert describe(block({272: "X100"}, {})).camera == "X100"


def test_coordinates_in_xmp_count() -> None:
    assert describe(None, b'<x exif:GPSLatitude="52,30N"/>').has_place
    assert not describe(None, b"<x/>").has_place


@pytest.mark.parametrize("payload", [None, b"", b"junk", b"II*\0\xff\xff\xff\xff"])
def test_no_block_or_a_damaged_one_says_nothing(payload: bytes | None) -> None:
    assert describe(payload) == ShotWords()


def test_texts_cannot_reach_the_terminal() -> None:
    camera = describe(block({272: "\x1b[2J\x07evil\r\nname" + "x" * 500}, {})).camera
    assert camera.isprintable() and camera.startswith("[2J evil name") and len(camera) <= 80


def test_needs_no_numpy() -> None:
    code = "import sys, jdcodec.photo.describe; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
