"""Leaving metadata out: all of a kind, or the place alone, and nothing else with it."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from jdcodec.errors import PhotoError
from jdcodec.photo import exif
from jdcodec.photo.metadata import KINDS, MetadataBlocks, parse_kinds, strip, without_gps

from .samples import exif_block

_XMP = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description xmlns:exif="http://ns.adobe.com/exif/1.0/"
 exif:GPSLatitude="52,30.0N" exif:GPSLongitude = '13,24E' xmp:Rating="4">
<exif:GPSAltitude>33/1</exif:GPSAltitude><exif:GPSMapDatum rdf:resource="x"/>
<exif:ISOSpeedRatings>400</exif:ISOSpeedRatings></rdf:Description></rdf:RDF></x:xmpmeta>"""


def with_place(order: str = "<") -> bytes:
    """`exif_block` with coordinates that are easy to find again in the bytes."""
    block = Image.Exif()
    block.load(exif_block(order=order))
    block.endian = order
    gps = block.get_ifd(34853)
    gps[2], gps[3], gps[4], gps[29] = (52.0, 31.0, 17.0), "E", (13.0, 24.0, 36.0), "2024:05:06"
    return block.tobytes().removeprefix(b"Exif\0\0")


def tags(block: bytes) -> tuple[dict[int, object], dict[int, object], dict[int, object]]:
    result = Image.Exif()
    result.load(block)
    return dict(result), dict(result.get_ifd(34665)), dict(result.get_ifd(34853))


@pytest.mark.parametrize("order", ["<", ">"])
def test_gps_takes_the_place_out_and_leaves_every_other_tag(order: str) -> None:
    block = with_place(order)
    cleaned = without_gps(block)
    assert cleaned is not None and len(cleaned) == len(block)
    image, photo, gps = tags(block)
    del image[34853]
    assert gps and tags(cleaned) == (image, photo, {})
    assert b"private notes" in cleaned
    # The values are overwritten, not merely out of reach.
    assert b"2024:05:06" in block and b"2024:05:06" not in cleaned
    assert struct.pack(order + "II", 52, 1) in block and struct.pack(order + "II", 52, 1) not in cleaned


def test_a_block_without_a_place_stays_as_it_is() -> None:
    block = exif.compose(exif.Shot(make="Maker"))
    assert block is not None and without_gps(block) == block


def test_gps_takes_coordinates_out_of_xmp_in_every_spelling() -> None:
    kept = strip(MetadataBlocks(None, _XMP, None), {"gps"}).xmp
    assert kept is not None and b"GPS" not in kept
    assert b'xmp:Rating="4"' in kept and b"<exif:ISOSpeedRatings>400</exif:ISOSpeedRatings>" in kept
    assert kept.endswith(b"</rdf:Description></rdf:RDF></x:xmpmeta>")


@pytest.mark.parametrize(
    "packet",
    [_XMP.decode().encode("utf-16-le"), b'<a exif:GPSLatitude="5', b"<exif:GPSLatitude>" + b" " * 9999],
)
def test_xmp_that_may_keep_a_coordinate_goes_as_a_whole(packet: bytes) -> None:
    assert strip(MetadataBlocks(None, packet, None), {"gps"}).xmp is None


@pytest.mark.timeout(10)
def test_hostile_xmp_takes_linear_time() -> None:
    for piece in (b"<a:GPSx>", b" ", b" a:GPSx=", b"<a:GPSx \"'", b"a"):
        strip(MetadataBlocks(None, piece * (200_000 // len(piece)), None), {"gps"})


def test_kinds_are_left_out_one_by_one() -> None:
    blocks = MetadataBlocks(exif_block(), b"<x/>", b"profile")
    assert strip(blocks, set()) == blocks
    assert strip(blocks, {"exif"}) == MetadataBlocks(None, b"<x/>", b"profile")
    assert strip(blocks, {"xmp"}) == MetadataBlocks(blocks.exif, None, b"profile")
    assert strip(blocks, {"icc"}) == MetadataBlocks(blocks.exif, b"<x/>", None)
    assert strip(blocks, parse_kinds("all")) == MetadataBlocks(None, None, None)


def test_lists_of_kinds() -> None:
    assert parse_kinds("gps") == {"gps"} and parse_kinds("EXIF, icc") == {"exif", "icc"}
    assert parse_kinds("all") == parse_kinds("gps,all") == set(KINDS)
    for text in ("", "gsp", "exif;gps"):
        with pytest.raises(PhotoError, match="choose from exif, gps, xmp, icc or all"):
            parse_kinds(text)


def test_a_damaged_block_goes_as_a_whole() -> None:
    assert without_gps(b"not EXIF") is None


def test_a_block_of_another_layout_is_built_anew() -> None:
    # BigTIFF: a model, and a directory of coordinates with its one value.
    start = b"II+\0\x08\0\0\0" + struct.pack("<Q", 16)
    first = struct.pack("<QHHQ8sHHQQQ", 2, 272, 2, 6, b"Camera\0\0", 34853, 4, 1, 72, 0)
    place = struct.pack("<QHHQ8sQ", 1, 29, 2, 8, b"20240506", 0)
    block = start + first + place
    assert exif.groups(block)[3] == {29: (2, 8, b"20240506")}
    cleaned = without_gps(block)
    assert cleaned is not None and b"20240506" not in cleaned
    assert tags(cleaned)[0][272] == "Camera"


def test_a_directory_that_is_its_own_place_keeps_no_place() -> None:
    # The GPS pointer leads back to the directory that holds it.
    loop = b"II*\0\x08\0\0\0" + struct.pack("<HHHII", 1, 34853, 4, 1, 8) + b"\0\0\0\0"
    cleaned = without_gps(loop)
    assert cleaned is None or 34853 not in tags(cleaned)[0]


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 400), st.binary(min_size=1, max_size=12))
def test_hostile_blocks_lose_their_place_or_go(offset: int, junk: bytes) -> None:
    block = with_place()
    hostile = (block[:offset] + junk + block[offset + len(junk) :])[: len(block)]
    cleaned = without_gps(hostile)
    if cleaned is not None:
        assert exif.groups(cleaned)[3] == {}
