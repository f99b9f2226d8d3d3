"""The place in an XMP packet: whether it is told, and how to cut it out so that every other byte stays.

A property tells of the place by its name, whatever its prefix: the coordinates of EXIF, of DJI's drones and
of WGS84 vocabularies; city, province, country and location of Photoshop, IPTC Core and Extension (structures
in LocationShown and LocationCreated included), Dynamic Media, PRISM and Darwin Core; coverage of Dublin Core.
Addresses of persons (CreatorContactInfo, LicensorCity) and free text (titles, keywords) stay.
"""

from __future__ import annotations

import codecs
import re
from xml.parsers import expat

# In lower case: parts of names, and whole ones.
_PARTS = ("gps", "latitude", "longitude", "longtitude", "altitude", "coordinates", "geolocation")
_NAMES = {
    *("location", "locationcreated", "locationid", "locationname", "locationshown", "shotlocation"),
    *("sublocation", "city", "locality", "municipality", "county", "provincestate", "state", "stateprovince"),
    *("country", "countrycode", "countryname", "continent", "worldregion", "coverage", "spatial"),
    *("footprintwkt", "geotag"),
}
# WGS84 vocabularies, as they are spelled: in lower case one would be rdf:Alt.
_COORDINATES = {"lat", "long", "lon", "alt", "lat_long"}

_ATTRIBUTE = re.compile(rb"""\s+([^\s=<>"'/]+)\s*=\s*(?:"[^"]*"|'[^']*')""")
_TAG_NAME = re.compile(rb"""<[^\s=<>"'/]+""")
# Coordinates where no name of a property is, as in XML within a text.
_HIDDEN = re.compile(rb"GPSL(?:atitude|ongitude)")
# A name of a property, with its prefix.
_NAME = re.compile(rb"(?<![\w.-])[\w.-]+:[\w.-]+")


def without_place(packet: bytes) -> bytes | None:
    """The packet less what tells of the place, and less comments; None where that cannot be told for sure.

    That is so where it is no well-formed XML in UTF-8, or declares entities, which may hide anything.
    """
    try:
        cleaned = _cut(packet, _Finder(packet).spans)
    except (expat.ExpatError, _UnsafeError):
        return None
    return None if _HIDDEN.search(cleaned) else cleaned


def tells_place(packet: bytes) -> bool:
    """Whether a packet, in UTF-8 or UTF-16, tells of the place; comments do not count.

    One that is damaged or declares entities does where the name of such a property is anywhere in its bytes.
    """
    text = _in_utf8(packet)
    try:
        finder = _Finder(text)
    except (expat.ExpatError, _UnsafeError):
        # The characters of UTF-16 and UTF-32 that names are made of hold zeros.
        return any(_tells_place(name[0].decode()) for name in _NAME.finditer(packet.replace(b"\0", b"")))
    return finder.tells_place or _HIDDEN.search(_cut(text, finder.spans)) is not None


def _in_utf8(packet: bytes) -> bytes:
    """A packet in UTF-16, which shows in its first two bytes, as UTF-8; any other as it is."""
    if packet.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return packet.decode("utf-16", "replace").encode()
    if packet.startswith((b"<\0", b"\0<")):
        return packet.decode("utf-16-le" if packet[0] else "utf-16-be", "replace").encode()
    return packet


def _cut(packet: bytes, spans: list[tuple[int, int]]) -> bytes:
    kept, position = [], 0
    for start, end in spans:
        kept.append(packet[position:start])
        position = end
    return b"".join((*kept, packet[position:]))


class _UnsafeError(Exception):
    """The packet has a document type, and so may declare entities, or is not in UTF-8."""


class _Finder:
    """Finds what is to be cut out of a packet. spans: start and end of each, rising, none within another.

    tells_place: whether some of that is more than comments. Raises `ExpatError` where the packet is not
    well-formed, and `_UnsafeError`.
    """

    def __init__(self, packet: bytes) -> None:
        self.spans: list[tuple[int, int]] = []
        self.tells_place = False
        # Files pad packets with zeros, which XML does not allow.
        self._packet = packet.rstrip(b"\0")
        if self._packet.startswith(b"\0"):
            # Expat would read it as UTF-16, whatever it is told.
            raise _UnsafeError
        # How deep below an element that is cut out, 0 outside of one; start and end of its tag.
        self._depth, self._start, self._tag_end = 0, 0, 0
        self._parser = expat.ParserCreate("utf-8")
        self._parser.StartElementHandler = self._begin
        self._parser.EndElementHandler = self._end
        self._parser.CommentHandler = self._comment
        self._parser.StartDoctypeDeclHandler = self._refuse
        self._parser.Parse(self._packet, True)

    def _begin(self, name: str, _: dict[str, str]) -> None:
        if self._depth:
            self._depth += 1
            return
        start = self._parser.CurrentByteIndex
        attributes, tag_end = self._tag(start)
        if _tells_place(name):
            self._depth, self._start, self._tag_end = 1, start, tag_end
            self.tells_place = True
        elif attributes:
            self.spans += attributes
            self.tells_place = True

    def _end(self, _: str) -> None:
        if self._depth == 1:
            # An element that is empty ends with its only tag.
            empty = self._packet[self._tag_end - 2 : self._tag_end] == b"/>"
            end = self._tag_end if empty else self._packet.index(b">", self._parser.CurrentByteIndex) + 1
            self.spans.append((self._start, end))
        self._depth = max(0, self._depth - 1)

    def _comment(self, _: str) -> None:
        if not self._depth:
            start = self._parser.CurrentByteIndex
            self.spans.append((start, self._packet.index(b"-->", start) + 3))

    def _refuse(self, *_: object) -> None:
        raise _UnsafeError

    def _tag(self, start: int) -> tuple[list[tuple[int, int]], int]:
        """The attributes of the tag at `start` that tell of the place, and where the tag ends."""
        name = _TAG_NAME.match(self._packet, start)
        assert name is not None
        found, position = [], name.end()
        while (attribute := _ATTRIBUTE.match(self._packet, position)) is not None:
            if _tells_place(attribute[1].decode()):
                found.append(attribute.span())
            position = attribute.end()
        return found, self._packet.index(b">", position) + 1


def _tells_place(name: str) -> bool:
    """Whether a property of that name, with its prefix, tells of the place."""
    prefix, _, local = name.rpartition(":")
    if prefix == "xmlns":
        return False
    small = local.lower()
    return local in _COORDINATES or small in _NAMES or any(part in small for part in _PARTS)
