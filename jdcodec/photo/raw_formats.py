"""Which camera RAW format a file is, by its first bytes, its tags and its name. No pixels here."""

from __future__ import annotations

from jdcodec.photo import ciff, tiff
from jdcodec.photo.endings import RAW_ENDINGS

# Endings of names without their dots, used only where the content leaves the question open.
RAW_SUFFIXES = frozenset(ending.removeprefix(".") for ending in RAW_ENDINGS)

# First bytes of RAW files that are neither TIFF nor CRW.
_MAGICS = ((b"FUJIFILMCCD-RAW", 0, "RAF"), (b"FOVb", 0, "X3F"), (b"\0MRM", 0, "MRW"), (b"ftypcrx ", 4, "CR3"))

_FORMAT_OF_MAKE = {
    "NIKON": "NEF",
    "CANON": "CR2",
    "SONY": "ARW",
    "KODAK": "KDC",
    "EASTMAN": "KDC",
    "PENTAX": "PEF",
    "RICOH": "PEF",
    "SAMSUNG": "SRW",
    "OLYMPUS": "ORF",
    "PANASONIC": "RW2",
    "HASSELBLAD": "3FR",
    "EPSON": "ERF",
}


def magic_format(data: bytes) -> str | None:
    """The RAW format that the first bytes name by themselves, or None."""
    if ciff.is_crw(data):
        return "CRW"
    return next((name for magic, at, name in _MAGICS if data.startswith(magic, at)), None)


def tiff_format(structure: tiff.Tiff | None, suffix: str) -> str:
    """What photographers call the format of a TIFF-based RAW file."""
    if structure is not None:
        fields = structure.directory(structure.first_offset).fields
        if tiff.DNG_VERSION in fields:
            return "DNG"
        if suffix not in RAW_SUFFIXES and tiff.MAKE in fields:
            maker = structure.value_bytes(fields[tiff.MAKE]).decode("ascii", "replace").upper()
            return next((name for make, name in _FORMAT_OF_MAKE.items() if maker.startswith(make)), "RAW")
    return suffix.upper() if suffix in RAW_SUFFIXES else "RAW"
