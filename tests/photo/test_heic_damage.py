"""Damaged HEIC files: each is refused in one line, or read as it is, and nothing is printed."""

from __future__ import annotations

import random
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jdcodec.errors import JdcError, PhotoError
from jdcodec.photo import ReadOptions, read_photo
from jdcodec.photo.boxes import boxes, item_sizes, require_all_items

from .heic_samples import FILES, GRID, heic
from .samples import picture


@pytest.mark.parametrize("name", FILES)
def test_cut_anywhere(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    data = FILES[name]
    read_photo(data)
    for length in sorted({*range(1, len(data), max(1, len(data) // 150)), *range(len(data) - 12, len(data))}):
        with pytest.raises(PhotoError) as raised:
            read_photo(data[:length])
        assert "\n" not in str(raised.value)
    assert capfd.readouterr() == ("", "")


def test_a_grid_that_lacks_its_last_tiles_is_cut_short() -> None:
    """libheif leaves what it lacks of them black."""
    with pytest.raises(PhotoError, match=r"cut short: a box reaches beyond"):
        read_photo(GRID[:-200])
    at = GRID.index(b"mdat") - 4
    mended = GRID[:at] + struct.pack(">I", len(GRID) - 200 - at) + GRID[at + 4 : -200]
    with pytest.raises(PhotoError, match=rf"cut short: its image data reaches to byte {len(GRID)} of"):
        read_photo(mended)


def test_sizes_that_were_mended() -> None:
    data = heic(picture(96, 128))
    at = data.index(b"mdat") - 4
    size = struct.pack(">I", len(data) - at - 8)
    place = data.index(size, data.index(b"iloc"))
    kept = (len(data) - at - 8) * 3 // 5
    mended = data[:place] + struct.pack(">I", kept) + data[place + 4 : at]
    mended += struct.pack(">I", kept + 8) + data[at + 4 : at + 8 + kept]
    with pytest.raises(PhotoError, match="damaged"):
        read_photo(mended)


def test_bytes_after_the_end_do_no_harm() -> None:
    for name, data in FILES.items():
        whole = read_photo(data)
        np.testing.assert_array_equal(read_photo(data + b"trailing bytes").pixels, whole.pixels, name)


def read_or_refuse(data: bytes) -> None:
    try:
        photo = read_photo(data, ReadOptions(max_side=5000, max_pixels=1_000_000))
    except JdcError as error:
        assert str(error).startswith("input: ") and "\n" not in str(error)
        return
    assert photo.pixels.shape == (photo.height, photo.width, 3)


@pytest.mark.parametrize("name", FILES)
def test_flipped_bytes(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    draw = random.Random(name)
    data = FILES[name]
    start = data.index(b"mdat")
    for turn in range(150):
        damaged = bytearray(data)
        for _ in range(draw.choice((1, 1, 2, 4))):
            at = draw.randrange(start if turn % 2 else len(data))
            damaged[at] = draw.choice((0, 255, damaged[at] ^ 1 << draw.randrange(8)))
        read_or_refuse(bytes(damaged))
    assert capfd.readouterr() == ("", "")


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.binary(max_size=200), st.sampled_from([b"", b"meta", b"iloc", b"mdat"]))
def test_boxes_of_any_bytes(rest: bytes, kind: bytes) -> None:
    inner = struct.pack(">I4s", 8 + len(rest), b"iloc") + rest
    data = struct.pack(">I4s", 12 + len(inner), b"meta") + bytes(4) + inner
    assert [found for found, _, _ in boxes(data, 0, len(data))] == [b"meta"]
    for file in (data, struct.pack(">I4s", 8 + len(rest), kind.ljust(4)) + rest, rest):
        list(item_sizes(file))
        try:
            require_all_items(file)
        except PhotoError as error:
            assert "\n" not in str(error)
        read_or_refuse(b"\0\0\0\x10ftypheic\0\0\0\0" + file)


@pytest.mark.parametrize(
    ("iloc", "reach"),
    [
        # version 0, 32-bit offset and length; no base: item 1, one piece
        (b"\0\0\0\0\x44\x00" + struct.pack(">HHHHII", 1, 1, 0, 1, 900, 100), 1000),
        # version 0, 64-bit numbers and a base
        (b"\0\0\0\0\x88\x80" + struct.pack(">HHHQHQQ", 1, 1, 0, 500, 1, 400, 100), 1000),
        # version 1, an index; the second piece reaches farther
        (b"\1\0\0\0\x44\x04" + struct.pack(">HHHHHIIIIII", 1, 1, 0, 0, 2, 1, 1, 1, 1, 900, 100), 1000),
        # version 2, 32-bit item numbers
        (b"\2\0\0\0\x44\x00" + struct.pack(">IIHHHII", 1, 1, 0, 0, 1, 900, 100), 1000),
    ],
)
def test_items_are_looked_for_in_every_kind_of_list(iloc: bytes, reach: int) -> None:
    inner = struct.pack(">I4s", 8 + len(iloc), b"iloc") + iloc
    data = struct.pack(">I4s", 12 + len(inner), b"meta") + bytes(4) + inner
    require_all_items(data.ljust(reach, b"\0"))
    with pytest.raises(PhotoError, match=f"reaches to byte {reach} of {reach - 1}"):
        require_all_items(data.ljust(reach - 1, b"\0"))


@pytest.mark.parametrize(
    ("head", "kind"), [(b"\1\0\0\0\x44\x00" + struct.pack(">HHHHHII", 1, 1, 1, 0, 1, 900, 100), "idat")]
)
def test_items_inside_of_the_list_itself_are_left_to_the_decoder(head: bytes, kind: str) -> None:
    inner = struct.pack(">I4s", 8 + len(head), b"iloc") + head
    require_all_items(struct.pack(">I4s", 12 + len(inner), b"meta") + bytes(4) + inner)
