"""EXIF, XMP and colour profiles through the Python functions: kept, replaced, left out, converted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import jdcodec
from jdcodec.errors import PhotoError
from tests.photo.samples import gray_profile, matrix_profile

XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/" exif:GPSLatitude="52,30.0N" tiff:Orientation="6" xmp:Rating="4"/>'


def exif_block(orientation: int) -> bytes:
    """Camera, orientation and coordinates, with the prefix that JPEG files have."""
    block = Image.Exif()
    block[271], block[272], block[274] = "Maker", "Maker One", orientation
    gps = block.get_ifd(34853)
    gps[1], gps[2], gps[3], gps[4] = "N", (52.0, 31.0, 17.0), "E", (13.0, 24.0, 36.0)
    return block.tobytes()


def test_metadata_of_a_photo_come_through(photo: Path, model: str) -> None:
    metadata = jdcodec.read(jdcodec.encode(photo, model=model), model=model).metadata
    assert metadata == jdcodec.info(jdcodec.encode(photo, model=model)).metadata
    block = Image.Exif()
    block.load(metadata.exif)
    assert (block[272], block[274]) == ("Model 1", 1)


def test_metadata_given_for_an_array(picture: NDArray[np.uint8], model: str) -> None:
    """Orientation is set to 1 and turns nothing: the array is what is seen."""
    coded = jdcodec.encode(picture, exif=exif_block(6), xmp=XMP, model=model)
    found = jdcodec.read(coded, model=model)
    assert found.pixels.shape == picture.shape
    assert found.metadata.exif == exif_block(1).removeprefix(b"Exif\0\0")
    assert found.metadata.xmp == XMP.replace(b'Orientation="6"', b'Orientation="1"')
    assert found.metadata.icc is None
    assert coded == jdcodec.encode(
        picture, exif=exif_block(6).removeprefix(b"Exif\0\0"), xmp=XMP, model=model
    )


def test_metadata_given_for_a_photo_take_the_place_of_its_own(photo: Path, model: str) -> None:
    facts = jdcodec.info(jdcodec.encode(photo, xmp=XMP, model=model))
    assert (facts.height, facts.camera) == (300, "Maker Model 1")
    other = Image.Exif()
    other[271], other[272] = "Other", "Two"
    facts = jdcodec.info(jdcodec.encode(photo, exif=other.tobytes(), model=model))
    assert (facts.height, facts.camera) == (300, "Other Two")


@pytest.mark.parametrize(
    ("strip", "left"), [("gps", (True, True)), ("exif", (False, True)), ("all", (False, False))]
)
def test_strip(picture: NDArray[np.uint8], model: str, strip: str, left: tuple[bool, bool]) -> None:
    coded = jdcodec.encode(picture, exif=exif_block(1), xmp=XMP, strip=strip, model=model)
    facts = jdcodec.info(coded)
    assert (facts.metadata.exif is not None, facts.metadata.xmp is not None) == left
    assert facts.gps == (strip == "exif")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_profile_of_an_array_is_converted(
    picture: NDArray[np.uint8], scalar_model: Path, dtype: type[np.generic]
) -> None:
    """As that of a PIL image is; with 16 bits the same picture up to rounding.

    Latents are rounded one by one here: with dependent quantisation what little differs sends some lanes on
    another path, which is as near to the picture.
    """
    model = str(scalar_model)
    icc = matrix_profile()
    image = Image.fromarray(picture)
    image.info["icc_profile"] = icc
    expected = jdcodec.decode(jdcodec.encode(image, denoise=0, model=model), model=model).astype(int)
    array = picture if dtype is np.uint8 else picture.astype(np.uint16) * 257
    found = jdcodec.decode(jdcodec.encode(array, denoise=0, icc=icc, model=model), model=model).astype(int)
    plain = jdcodec.decode(jdcodec.encode(array, denoise=0, model=model), model=model).astype(int)
    assert np.abs(found - expected).mean() < (0.01 if dtype is np.uint8 else 0.5)
    assert np.abs(found - plain).mean() > 5


def test_a_gray_profile(picture: NDArray[np.uint8], model: str) -> None:
    gray = picture[..., 0]
    image = Image.fromarray(gray)
    image.info["icc_profile"] = gray_profile(1.0)
    coded = jdcodec.encode(gray, icc=gray_profile(1.0), model=model)
    assert coded == jdcodec.encode(image, model=model) != jdcodec.encode(gray, model=model)
    assert jdcodec.info(coded).colour == "gray"


def test_a_profile_is_for_arrays(photo: Path, model: str) -> None:
    for image in (photo, Image.open(photo)):
        with pytest.raises(PhotoError, match="photos and PIL images bring their own"):
            jdcodec.encode(image, icc=matrix_profile(), model=model)
