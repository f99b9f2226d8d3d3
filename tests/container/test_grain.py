"""The `grai` payload: what is written is read, and nothing outside its ranges is either."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jdcodec.container.grain import Grain, pack_grain, unpack_grain
from jdcodec.errors import FormatError

GRAIN = Grain(
    seed=0xDEADBEEF,
    deviations=(tuple(range(8)), tuple(range(100, 108)), tuple(range(248, 256))),
    mixing=(-127, 0, 127),
    luma_bands=(0, 1, 2, 3, 255),
    chroma_bands=(9, 8, 7, 6, 5),
)
PAYLOAD = pack_grain(GRAIN)


def test_bytes_are_those_of_the_format_document() -> None:
    expected = "01 efbeadde 0001020304050607 6465666768696a6b f8f9fafbfcfdfeff 81007f 00010203ff 0908070605"
    assert bytes.fromhex(expected) == PAYLOAD
    assert len(PAYLOAD) == 42


def test_what_is_written_is_read() -> None:
    assert unpack_grain(memoryview(PAYLOAD)) == GRAIN
    assert GRAIN.deviation_levels[2][-1] == 255**2 / 512


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (b"", "grain section is empty"),
        (b"\2" + PAYLOAD[1:], "grain of version 2 is unknown: this program reads version 1"),
        (b"\0" * 42, "grain of version 0 is unknown"),
        (PAYLOAD[:-1], "grain section has 41 bytes instead of 42"),
        (PAYLOAD + b"\0", "grain section has 43 bytes instead of 42"),
        (b"\1", "grain section has 1 bytes instead of 42"),
        (PAYLOAD[:29] + b"\x80" + PAYLOAD[30:], "grain mixing -128 is outside -127 … 127"),
        (PAYLOAD[:32] + bytes(5) + PAYLOAD[37:], "grain has no luma spectrum: all of its bands are 0"),
        (PAYLOAD[:37] + bytes(5), "grain has no chroma spectrum: all of its bands are 0"),
    ],
)
def test_a_payload_outside_its_ranges_is_refused(payload: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message) as caught:
        unpack_grain(payload)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": -1},
        {"seed": 2**32},
        {"deviations": GRAIN.deviations[:2]},
        {"deviations": (*GRAIN.deviations[:2], (0,) * 7)},
        {"deviations": (*GRAIN.deviations[:2], (256,) * 8)},
        {"mixing": (0, 0)},
        {"mixing": (128, 0, 0)},
        {"luma_bands": (1, 2, 3, 4)},
        {"chroma_bands": (-1, 2, 3, 4, 5)},
    ],
)
def test_no_grain_outside_its_ranges_can_be_made(changes: dict[str, object]) -> None:
    with pytest.raises(FormatError):
        replace(GRAIN, **changes)  # type: ignore[arg-type]
