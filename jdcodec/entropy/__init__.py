"""Symbols to bytes and back: integer tables, integer scale indices, and the range coder. No torch here."""

from .checksum import symbols_crc
from .coder import decode_tile, encode_tile, estimate_bits
from .tables import EntropyTables

__all__ = ["EntropyTables", "decode_tile", "encode_tile", "estimate_bits", "symbols_crc"]
