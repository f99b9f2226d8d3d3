"""The `.jdc` file: bytes ↔ sections, with every check and limit (`docs/format.md` is normative).

Standard library only: `jdc info` and `jdc verify` answer without numpy or torch. What the words of a
tile mean is left to `jdcodec.entropy`, what is done with a photo to `jdcodec.codec`.
"""

from jdcodec.container.contents import JdcFile, Metadata, Tile
from jdcodec.container.framing import Section
from jdcodec.container.header import Header, TileRect
from jdcodec.container.layout import SIGNATURE, VERSION, Limits
from jdcodec.container.reader import Reader, parse
from jdcodec.container.salvage import ScanReport, TileReport, TileState, scan
from jdcodec.container.writer import Writer, serialize

__all__ = [
    "SIGNATURE",
    "VERSION",
    "Header",
    "JdcFile",
    "Limits",
    "Metadata",
    "Reader",
    "ScanReport",
    "Section",
    "Tile",
    "TileRect",
    "TileReport",
    "TileState",
    "Writer",
    "parse",
    "scan",
    "serialize",
]
