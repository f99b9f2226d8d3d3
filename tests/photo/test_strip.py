"""Leaving metadata out: all of a kind, or the place alone, and nothing else with it."""

from __future__ import annotations

import struct

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from jdcodec.errors import PhotoError
from jdcodec.photo import exif
from jdcodec.photo.describe import describe
from jdcodec.photo.metadata import KINDS, MetadataBlocks, parse_kinds, strip, without_gps
from jdcodec.photo.xmp import tells_place, without_place

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


def test_gps_takes_out_what_else_of_exif_tells_of_the_place() -> None:
    # An XMP packet, IPTC, Photoshop's resources, and a tie point of GeoTIFF, each with a value that shows.
    order, image, photo, _ = exif.groups(exif_block())
    values = dict.fromkeys((700, 33723, 34377), (exif.BYTE, 9, b"Home St 5"))
    values[33922] = (12, 1, struct.pack("<d", 52.5))
    block = exif.build(order, image | values, photo, {})
    assert block is not None
    cleaned = without_gps(block)
    assert cleaned is not None and len(cleaned) == len(block)
    assert b"Home" not in cleaned and struct.pack("<d", 52.5) not in cleaned
    assert exif.groups(cleaned) == exif.groups(exif.build(order, image, photo, {}) or b"")


def test_gps_takes_coordinates_out_of_xmp_in_every_spelling() -> None:
    kept = strip(MetadataBlocks(None, _XMP, None), {"gps"}).xmp
    assert kept is not None and b"GPS" not in kept
    assert b'xmp:Rating="4"' in kept and b"<exif:ISOSpeedRatings>400</exif:ISOSpeedRatings>" in kept
    assert kept.endswith(b"</rdf:Description></rdf:RDF></x:xmpmeta>")


def described(attributes: bytes, elements: bytes) -> bytes:
    """An XMP packet with these properties between two that say nothing of a place."""
    return (
        b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        b'<rdf:RDF><rdf:Description rdf:about=""'
        + attributes
        + b" xmp:Rating='4'>"
        + elements
        + b"<dc:title>"
        b'<rdf:Alt><rdf:li xml:lang="x-default">Paris &amp; K\xc3\xb6ln</rdf:li></rdf:Alt></dc:title>'
        b'</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    )


NAMES = [
    *("photoshop:City", "photoshop:State", "photoshop:Country"),
    *("Iptc4xmpCore:Location", "Iptc4xmpCore:CountryCode", "iptcExt:Sublocation", "iptcExt:ProvinceState"),
    *("Iptc4xmpExt:LocationShown", "Iptc4xmpExt:LocationCreated", "Iptc4xmpExt:WorldRegion"),
    *("exif:GPSLatitude", "exif:GPSMapDatum", "drone-dji:GpsLongtitude", "drone-dji:AbsoluteAltitude"),
    *("geo:lat", "geo:long", "dc:coverage", "xmpDM:shotLocation", "prism:location", "dwc:decimalLatitude"),
]


@pytest.mark.parametrize("name", NAMES)
def test_gps_takes_out_what_names_the_place(name: str) -> None:
    tag = name.encode()
    structure = b'<rdf:Bag><rdf:li rdf:parseType="Resource"><a:b c="/>">Paris<a:b/></a:b></rdf:li></rdf:Bag>'
    ways = [
        (b"\n  " + tag + b' = "a > b"', b""),
        (b" " + tag + b"='Home St \"5\"'", b""),
        (b"", b"<" + tag + b">Paris</" + tag + b" >"),
        (b"", b"<" + tag + b' rdf:resource=">"/>'),
        (b"", b"<" + tag + b"></" + tag + b">"),
        (b"", b"<" + tag + b">" + structure + b"</" + tag + b">"),
        (b" " + tag + b'="1"', b"<" + tag + b"><" + tag + b"/></" + tag + b">"),
    ]
    for attributes, elements in ways:
        packet = described(attributes, elements)
        assert without_place(packet) == described(b"", b""), packet
        assert describe(None, packet).has_place
    inside = (b"", b"<mwg-rs:Area><rdf:li " + tag + b'="x" stArea:x="0.5"/></mwg-rs:Area>')
    assert without_place(described(*inside)) == described(b"", inside[1].replace(b" " + tag + b'="x"', b""))


def test_what_names_no_place_stays_to_the_byte() -> None:
    elements = (
        b"<exif:SubjectLocation>5 5</exif:SubjectLocation><Iptc4xmpCore:CreatorContactInfo "
        b'Iptc4xmpCore:CiAdrCity="Rome"/><dc:subject><rdf:Bag><rdf:li>City</rdf:li></rdf:Bag></dc:subject>'
        b"<crs:ToneCurve><![CDATA[<photoshop:City>]]></crs:ToneCurve><mwg-rs:Regions/>"
    )
    for packet in (described(b' xmlns:gps="urn:x" photoshop:Credit="a"', elements), described(b"", b"")):
        for padding in (b"", b"\n" * 9, b"\0\0"):
            assert without_place(packet + padding) == packet + padding
        assert not describe(None, packet).has_place


def test_comments_go_with_the_place() -> None:
    assert without_place(described(b"", b"<!-- photoshop:City Paris > -->")) == described(b"", b"")
    with_comment = described(b"", b"<dc:coverage>a<!-- b --></dc:coverage><!---->")
    assert without_place(with_comment) == described(b"", b"")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be"])
def test_what_is_left_out_besides_the_place_is_none(encoding: str) -> None:
    def packet(text: str) -> bytes:
        return f"<x>\u00e9<!-- edited: City -->{text}</x>".encode(encoding)

    assert not describe(None, packet("<dc:title>photoshop:City</dc:title>")).has_place
    assert not describe(None, packet("") + bytes(4)).has_place
    for place in ("<photoshop:City>K\u00f6ln</photoshop:City>", "<a photoshop:City='x'/>", "GPSLatitude=5"):
        assert describe(None, packet(place)).has_place


@pytest.mark.parametrize(
    "packet", [b"not XML: City", b"<x>\xff</x>", b"<x>&place;</x>", b"<x", b"\0<\0", b"<\0x"]
)
def test_damaged_xmp_that_names_no_place_tells_none(packet: bytes) -> None:
    assert without_place(packet) is None
    assert not describe(None, packet).has_place


_ENTITY = b'<!DOCTYPE x [<!ENTITY c "photoshop:City">]>'


@pytest.mark.parametrize(
    "packet",
    [
        _XMP.decode().encode("utf-16-le"),
        _XMP.decode().encode("utf-16-be"),
        _XMP.decode().encode("utf-16"),
        b'<?xml version="1.0" encoding="utf-16"?>' + _XMP.decode().encode("utf-16"),
        b'<a exif:GPSLatitude="5',
        b"<exif:GPSLatitude>" + b" " * 9999,
        _ENTITY + _XMP,
        _XMP.decode().encode("utf-32"),
        b"<x><![CDATA[exif:GPSLatitude=5]]></x>",
        b"<x>&lt;exif:GPSLongitude&gt;</x>",
        b"<x/><photoshop:City>Paris</photoshop:City>",
        b"<x>\xff</x>" + _XMP,
    ],
)
def test_xmp_that_may_keep_a_place_goes_as_a_whole(packet: bytes) -> None:
    assert strip(MetadataBlocks(None, packet, None), {"gps"}).xmp is None
    assert describe(None, packet).has_place


@pytest.mark.timeout(20)
def test_hostile_xmp_takes_linear_time() -> None:
    laughs = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + b"".join(
        b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(20)
    )
    assert without_place(laughs + b"]><x>&u;</x>") is None
    for piece in (b"<a:GPSx>", b" ", b" a:GPSx=", b"<a:GPSx \"'", b"a", b"<a:b>", b"<!--", b"<a:City/>"):
        many = piece * (200_000 // len(piece))
        for packet in (many, b"<x>" + many + b"</x>", b"<x " + many + b"/>"):
            without_place(packet)
            tells_place(packet)
    attributes = b"".join(b' a%d:City=""' % number for number in range(10_000))
    assert without_place(b"<x" + attributes + b"/>") == b"<x/>"


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 800), st.binary(min_size=1, max_size=6), st.integers(0, 6))
def test_damaged_xmp_loses_its_place_or_goes(offset: int, junk: bytes, removed: int) -> None:
    packet = described(b' photoshop:City="Pa-ris"', b"<geo:lat>52.5</geo:lat><a:b/>")
    damaged = packet[:offset] + junk + packet[offset + removed :]
    cleaned = without_place(damaged)
    # What is left is XML again.
    if cleaned is not None:
        assert without_place(cleaned) == cleaned
        assert b" photoshop:City=" not in cleaned and b"<geo:lat>" not in cleaned


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
@example(67, b"\x01")  # the directory of the place lies beyond the end
def test_hostile_blocks_lose_their_place_or_go(offset: int, junk: bytes) -> None:
    block = with_place()
    hostile = (block[:offset] + junk + block[offset + len(junk) :])[: len(block)]
    cleaned = without_gps(hostile)
    if cleaned is not None:
        assert exif.groups(cleaned)[3] == {}
