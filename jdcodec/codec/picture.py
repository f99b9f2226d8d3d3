"""An open `.jdc` file to a picture with its metadata: whole, a part, reduced, or what is left of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from jdcodec.codec.decoder import DecodeSettings, decode_file
from jdcodec.codec.region import View, decode_view
from jdcodec.codec.salvage import salvage
from jdcodec.container import Metadata, Reader, parse

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Reading:
    """What is decoded of a file, and how. tolerant: hatch damaged tiles instead of refusing the file."""

    settings: DecodeSettings
    view: View
    tolerant: bool


@dataclass(frozen=True)
class Picture:
    """pixels: (h, w, 3). damage: one line on what is damaged in the file, "" where nothing is."""

    pixels: NDArray[Any]
    metadata: Metadata
    damage: str = ""


def read_picture(file: BinaryIO, reading: Reading) -> Picture:
    """Decode an open, seekable file; of a part of the picture, only the tiles that it takes are read.

    Raises JdcError, and leaves errors of the file (OSError) as they are.
    """
    settings, view = reading.settings, reading.view
    if reading.tolerant:
        saved = salvage(file.read(), view, settings)
        return Picture(saved.pixels, saved.metadata, saved.damage)
    if view.is_whole:
        content = parse(file.read(), settings.limits)
        return Picture(decode_file(content, settings), content.metadata)
    reader = Reader(file, settings.limits)
    return Picture(decode_view(reader, view, settings), reader.metadata)
