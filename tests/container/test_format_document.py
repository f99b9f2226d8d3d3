"""The worked hex dump in `docs/format.md` is a valid file, and the one that the text says."""

from __future__ import annotations

import json
import re
import zlib
from pathlib import Path

from safetensors import safe_open

from jdcodec.container import Header, JdcFile, Metadata, Tile, parse, serialize

FORMAT = Path(__file__).parents[2] / "docs" / "format.md"
WEIGHTS = Path(__file__).parents[1] / "golden" / "tiny.safetensors"


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


def test_names_of_the_weights_file_are_those_it_has() -> None:
    text = FORMAT.read_text(encoding="utf-8")
    with safe_open(WEIGHTS, framework="numpy") as file:
        metadata, arrays = file.metadata(), set(file.keys())
    tables = set(re.findall(r"`(tables/\w+)`", text))
    assert tables - {"tables/trellis"} <= arrays
    assert {name for name in arrays if name.startswith("tables/")} <= tables
    networks = text[text.index("### Networks") : text.index("| part | parameters")]
    named = set(re.findall(r"`([a-z_]+)`", networks)) - {"config", "gain", "synthesis", "entropy", "network"}
    assert named == set(json.loads(metadata["config"]))
    for part in re.findall(r"`((?:gain|synthesis|entropy)\.[a-z_.0-9]+)`", text):
        assert any(name.startswith(f"network/{part}") for name in arrays), part
