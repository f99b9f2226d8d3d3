"""The thumbnail of an EXIF block does not outlive the turning of the photo; all else stays where it is."""

from __future__ import annotations

import contextlib
import io
import struct
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from jdcodec.errors import PhotoError
from jdcodec.photo import exif, from_array, read_photo
from jdcodec.photo.thumbnail import without_thumbnail
from jdcodec.photo.tiff import Tiff

from .samples import exif_block, picture, pillow_file

MAKER_NOTE = b"MAKER" + bytes(range(1, 60))


def block(
    thumbnail: bytes, *, order: str = "<", behind: bytes = b"", note_last: bool = False, strips: bool = False
) -> bytes:
    """An EXIF block of orientation 6 as of a camera: IFD0, Exif, maker note, IFD1, its values, thumbnail.

    note_last: the maker note lies behind the thumbnail. behind: bytes after all of it that nothing points to.
    strips: the thumbnail is an uncompressed one.
    """

    def entry(tag: int, kind: int, count: int, value: int) -> bytes:
        inline = struct.pack(order + ("H" if kind == 3 and count == 1 else "I"), value).ljust(4, b"\0")
        return struct.pack(order + "HHI", tag, kind, count) + inline

    def directory(*entries: bytes, following: int = 0) -> bytes:
        return (
            struct.pack(order + "H", len(entries)) + b"".join(entries) + struct.pack(order + "I", following)
        )

    photo_at = 8 + 2 + 12 * 2 + 4
    after_photo = photo_at + 2 + 12 * 2 + 4
    second_at = after_photo + (0 if note_last else len(MAKER_NOTE))
    value_at = second_at + 2 + 12 * 3 + 4
    image_at = value_at + 8
    note_at = image_at + len(thumbnail) if note_last else after_photo
    first = directory(entry(274, 3, 1, 6), entry(34665, 4, 1, photo_at), following=second_at)
    photo = directory(entry(34855, 3, 1, 800), entry(37500, 7, len(MAKER_NOTE), note_at))
    place, size = (273, 279) if strips else (513, 514)
    second = directory(
        entry(282, 5, 1, value_at), entry(place, 4, 1, image_at), entry(size, 4, 1, len(thumbnail))
    )
    parts = [first, photo, b"" if note_last else MAKER_NOTE, second, struct.pack(order + "II", 72, 1)]
    parts += [thumbnail, MAKER_NOTE if note_last else b"", behind]
    magic = b"II*\0" if order == "<" else b"MM\0*"
    return magic + struct.pack(order + "I", 8) + b"".join(parts)


def thumbnail_of(pixels: object) -> bytes:
    return pillow_file(pixels, "JPEG", quality=90)


THUMBNAIL = thumbnail_of(picture(120, 160))


def maker_note(payload: bytes) -> tuple[int, bytes]:
    tiff = Tiff(payload)
    (photo,) = tiff.integers(tiff.directory(tiff.first_offset), 34665)
    field = tiff.directory(photo).fields[37500]
    return field.offset, tiff.value_bytes(field)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("strips", [False, True])
@pytest.mark.parametrize("behind", [b"", bytes(11)])
def test_a_thumbnail_at_the_end_goes_with_its_bytes(order: str, strips: bool, behind: bytes) -> None:
    payload = block(THUMBNAIL, order=order, strips=strips, behind=behind)
    cut = without_thumbnail(payload)
    assert len(cut) == payload.index(MAKER_NOTE) + len(MAKER_NOTE)
    tiff = Tiff(cut)
    assert tiff.directory(tiff.first_offset).next_offset == 0
    assert maker_note(cut) == maker_note(payload)
    assert exif.iso(cut) == 800 and without_thumbnail(cut) == cut


@pytest.mark.parametrize("order", ["<", ">"])
def test_in_front_of_other_bytes_it_becomes_zeros(order: str) -> None:
    for payload in (
        block(THUMBNAIL, order=order, note_last=True),
        # Nothing points to these bytes but perhaps the maker note.
        block(THUMBNAIL, order=order, behind=b"preview"),
    ):
        cut = without_thumbnail(payload)
        assert len(cut) == len(payload) and maker_note(cut) == maker_note(payload)
        at = payload.index(THUMBNAIL)
        assert cut[at : at + len(THUMBNAIL)] == bytes(len(THUMBNAIL))
        assert cut[at + len(THUMBNAIL) :] == payload[at + len(THUMBNAIL) :]


def test_a_block_without_a_thumbnail_stays_as_it_is() -> None:
    assert without_thumbnail(exif_block()) == exif_block()
    assert without_thumbnail(exif_block() + bytes(9)) == exif_block() + bytes(9)


def test_a_photo_that_is_turned_keeps_no_sideways_thumbnail() -> None:
    pixels = picture(120, 160)
    data = pillow_file(pixels, "JPEG", exif=b"Exif\0\0" + block(THUMBNAIL))
    assert THUMBNAIL in Image.open(io.BytesIO(data)).info["exif"]
    for photo in (read_photo(data), from_array(Image.open(io.BytesIO(data)))):
        assert (photo.height, photo.width, photo.iso) == (160, 120, 800)
        assert photo.exif is not None and exif.orientation(photo.exif) == 1
        assert len(photo.exif) < 200 < len(THUMBNAIL)
        assert maker_note(photo.exif)[1] == MAKER_NOTE and b"\xff\xd8\xff" not in photo.exif
        assert photo.notes == ()
        after = Image.Exif()
        after.load(photo.exif)
        assert after.get_ifd(0x1) == {}


@pytest.mark.parametrize(
    "hostile",
    [
        # The second directory is the first, the EXIF directory, the header; or lies beyond the end.
        lambda good: pointing(good, 8),
        lambda good: pointing(good, 38),
        lambda good: pointing(good, 2),
        lambda good: pointing(good, len(good)),
        lambda good: pointing(good, 0xFFFFFFFF),
        # The thumbnail is cut short, or claims to be all of the block.
        lambda good: good[:-20],
        lambda good: good.replace(struct.pack("<I", len(THUMBNAIL)), struct.pack("<I", 0xFFFFFFFF)),
        lambda good: good.replace(
            struct.pack("<HHII", 513, 4, 1, good.index(THUMBNAIL)), struct.pack("<HHII", 513, 4, 1, 0)
        ),
    ],
)
def test_hostile_pointers_take_nothing_else_along(hostile: object) -> None:
    good = block(THUMBNAIL)
    cut = exif.upright(hostile(good))  # type: ignore[operator]
    assert exif.orientation(cut) == 1 and exif.iso(cut) == 800
    assert maker_note(cut) == maker_note(good)
    tiff = Tiff(cut)
    following = tiff.directory(tiff.first_offset).next_offset
    if following:  # what leads nowhere may be no pointer
        with pytest.raises(PhotoError):
            tiff.directory(following)


def pointing(payload: bytes, to: int) -> bytes:
    """The block with another offset of its second directory."""
    return payload[:34] + struct.pack("<I", to) + payload[38:]


def test_very_many_directories_are_refused_with_one_note() -> None:
    # 100 SubIFDs, each of them empty.
    at = 8 + 2 + 12 + 4
    offsets = [at + 400 + 6 * k for k in range(100)]
    payload = b"II*\0\x08\0\0\0" + struct.pack("<HHHIII", 1, 330, 4, 100, at, at)
    payload += struct.pack("<100I", *offsets) + bytes(600)
    with pytest.raises(PhotoError, match="more than 32 EXIF directories"):
        exif.upright(payload)
    photo = read_photo(pillow_file(picture(), "PNG", exif=b"Exif\0\0" + payload))
    assert photo.exif is None and photo.notes == ("Its EXIF block is damaged and was left out.",)


def test_overlapping_values_cost_no_time() -> None:
    """5,000 entries that each claim half a megabyte: the bytes are handled once."""
    count, size = 5000, 1 << 19
    entries = b"".join(struct.pack("<HHII", 1000 + k, 7, size, 0) for k in range(count))
    second = struct.pack("<H", count) + entries + bytes(4)
    payload = b"II*\0\x08\0\0\0" + struct.pack("<HI", 0, 14) + second + bytes(size)
    started = time.perf_counter()
    assert len(without_thumbnail(payload)) == 14
    assert time.perf_counter() - started < 2


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.data())
def test_any_damage_is_a_photo_error_or_an_upright_block(data: st.DataObject) -> None:
    hostile = bytearray(block(b"\xff\xd8thumbnail\xff\xd9", note_last=data.draw(st.booleans())))
    for _ in range(data.draw(st.integers(1, 6))):
        hostile[data.draw(st.integers(0, len(hostile) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(PhotoError):
        result = exif.upright(bytes(hostile))
        assert len(result) <= len(hostile)
        assert exif.orientation(result) == 1


def test_pixels_are_those_of_the_photo_not_of_the_thumbnail() -> None:
    data = pillow_file(picture(), "PNG", exif=b"Exif\0\0" + block(thumbnail_of(picture(8, 8))))
    np.testing.assert_array_equal(read_photo(data).pixels, np.rot90(picture(), -1))


def without_pointer(*fields: tuple[int, int, int, int], behind: bytes) -> bytes:
    """A block whose first directory has no pointer behind its entries, as some cameras write it."""
    entries = b"".join(struct.pack("<HHII", *field) for field in fields)
    return struct.pack("<2sHIH", b"II", 42, 8, len(fields)) + entries + behind


def test_a_value_in_the_place_of_the_pointer_stays() -> None:
    make = b"Canon Inc\0"
    data = without_pointer((271, 2, len(make), 34), (274, 3, 1, 6), behind=make)
    assert make in exif.upright(data)


def test_a_directory_in_the_place_of_the_pointer_stays() -> None:
    photo = struct.pack("<HHHIII", 1, 34855, 3, 1, 400, 0)
    data = without_pointer((274, 3, 1, 6), (34665, 4, 1, 34), behind=photo)
    assert exif.iso(data) == exif.iso(exif.upright(data)) == 400


def test_a_pointer_to_nowhere_changes_nothing() -> None:
    data = without_pointer((274, 3, 1, 1), behind=struct.pack("<I", 1 << 20) + b"note")
    assert without_thumbnail(data) == data
