"""The worked hex dump in `docs/format.md` is a valid file, and the one that the text says."""

from __future__ import annotations

import re
import zlib
from pathlib import Path

from jdcodec.container import Header, JdcFile, Metadata, Tile, parse, serialize

FORMAT = Path(__file__).parents[2] / "docs" / "format.md"


def worked_dump() -> bytes:
    text = FORMAT.read_text(encoding="utf-8")
    lines = re.findall(r"^([0-9a-f]{6})  ([0-9a-f]{2}(?: [0-9a-f]{2})*)  ", text, flags=re.MULTILINE)
    data = b""
    for offset, values in lines:
        assert int(offset, 16) == len(data)
        data += bytes.fromhex(values)
    return data


def test_hex_dump_is_the_file_it_says() -> None:
    expected = JdcFile(
        header=Header.from_settings(
            model_id=bytes.fromhex("00112233445566778899aabbccddeeff"),
            quality=4.0,
            denoise=1.0,
            gray=False,
            bit_depth=8,
            width=3,
            height=2,
        ),
        tiles=(Tile(0, 0xB5A4C3D2, bytes.fromhex("efbeadde bebafeca")),),
        metadata=Metadata(xmp=b"<x/>"),
    )
    assert parse(worked_dump()) == expected
    assert serialize(expected) == worked_dump()


def test_crc_is_the_one_the_text_names() -> None:
    assert "that of the ASCII string `123456789` is 0xCBF43926" in FORMAT.read_text(encoding="utf-8")
    assert zlib.crc32(b"123456789") == 0xCBF43926
