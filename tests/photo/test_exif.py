"""EXIF blocks: what is kept, how a clean one is made, and what damage does."""

from __future__ import annotations

import contextlib
import struct
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from jdcodec.errors import PhotoError
from jdcodec.photo import exif, read_photo

from .samples import exif_block, picture, pillow_file


def parsed(block: bytes) -> Image.Exif:
    result = Image.Exif()
    result.load(block)
    return result


@pytest.mark.parametrize("order", ["<", ">"])
def test_rebuild_keeps_what_a_photographer_looks_up(order: str) -> None:
    block = exif.rebuild(exif_block(6, order=order))
    assert block is not None and block[:2] == (b"II" if order == "<" else b"MM")
    result = parsed(block)
    photo = result.get_ifd(34665)
    assert (result[271], result[272], result[274]) == ("Maker", "Model 1", 1)
    assert (photo[34855], photo[33434], photo[36864]) == (800, 0.01, b"0232")
    assert result.get_ifd(34853) == {1: "N"}
    assert b"private notes" not in block
    assert exif.rebuild(block) == block


def test_rebuild_moves_exposure_out_of_the_first_directory() -> None:
    # As TIFF/EP has it: exposure time, ISO and date beside the make.
    source = Image.Exif()
    source[271], source[33434], source[34855], source[36867] = "Maker", 0.5, 64, "2001:02:03 04:05:06"
    result = parsed(exif.rebuild(source.tobytes().removeprefix(b"Exif\0\0")) or b"")
    assert result.get_ifd(34665)[34855] == 64 and 34855 not in result
    assert result.get_ifd(34665)[36867] == "2001:02:03 04:05:06"


def test_rebuild_adds_a_sensitivity_only_where_there_is_none() -> None:
    assert exif.iso(exif.rebuild(exif_block(), sensitivity=50) or b"") == 800
    bare = Image.Exif()
    bare[271] = "Maker"
    assert exif.iso(exif.rebuild(bare.tobytes()[6:], sensitivity=50) or b"") == 50


def test_nothing_to_keep_gives_no_block() -> None:
    assert exif.rebuild(b"II*\0\x08\0\0\0\0\0\0\0\0\0") is None
    assert exif.compose(exif.Shot()) is None


def test_compose() -> None:
    shot = exif.Shot("Canon", "S40", "Zoë", datetime(2021, 3, 26, 21, 18, 6), 50, 1 / 60, 2.8, 7.1)
    result = parsed(exif.compose(shot) or b"")
    photo = result.get_ifd(34665)
    assert (result[271], result[272], result[274]) == ("Canon", "S40", 1)
    assert photo[36867] == "2021:03:26 21:18:06" and photo[34855] == 50
    assert float(photo[33434]) == pytest.approx(1 / 60) and float(photo[37386]) == pytest.approx(7.1)


@pytest.mark.parametrize("iso", [0, 65_535])
def test_an_iso_that_says_nothing_is_none(iso: int) -> None:
    source = Image.Exif()
    source.get_ifd(34665)[34855] = iso
    assert exif.iso(source.tobytes()[6:]) is None


@pytest.mark.parametrize("kind", [1, 3, 4])
def test_an_orientation_of_any_integer_type_is_applied_once(kind: int) -> None:
    # BYTE, SHORT or LONG, which lie alike in a little-endian entry.
    block = b"II*\0\x08\0\0\0" + struct.pack("<HHHIII", 1, 274, kind, 1, 6, 0)
    photo = read_photo(pillow_file(picture(), "PNG", exif=b"Exif\0\0" + block))
    assert (photo.height, photo.width) == (32, 24)
    assert photo.exif is not None and exif.orientation(photo.exif) == 1


def test_a_damaged_block_is_left_out_and_the_pixels_kept() -> None:
    photo = read_photo(pillow_file(picture(), "PNG", exif=b"Exif\0\0MM\0*\0\0\xff\xff"))
    assert photo.exif is None and photo.notes == ("Its EXIF block is damaged and was left out.",)


def test_directories_that_point_at_each_other_end() -> None:
    loop = b"II*\0\x08\0\0\0" + struct.pack("<HHHIII", 1, 34665, 4, 1, 8, 8)
    assert exif.orientation(loop) == 1
    assert exif.rebuild(loop) is None
    with pytest.raises(PhotoError):
        read_photo(loop)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.data())
def test_any_damage_is_a_photo_error(data: st.DataObject) -> None:
    block = bytearray(exif_block(6))
    for _ in range(data.draw(st.integers(1, 6))):
        block[data.draw(st.integers(0, len(block) - 1))] = data.draw(st.integers(0, 255))
    hostile = bytes(block[: data.draw(st.integers(0, len(block)))])
    exif.orientation(hostile)
    exif.iso(hostile)
    exif.as_srgb(hostile)
    for function in (exif.rebuild, exif.upright):
        with contextlib.suppress(PhotoError):
            assert exif.orientation(function(hostile) or b"") == 1


@given(st.binary(max_size=200))
def test_random_bytes_are_a_photo_error(data: bytes) -> None:
    for start in (b"", b"II*\0\x08\0\0\0", b"MM\0+\0\x08\0\0\0\0\0\0\0\0\0\x10"):
        for function in (exif.rebuild, exif.upright):
            with contextlib.suppress(PhotoError):
                function(start + data)
