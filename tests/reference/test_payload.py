"""The bytes of a coded picture, and bytes that are not."""

from __future__ import annotations

import random
import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jdcodec.errors import DamagedError, FormatError, JdcError, LimitError
from jdcodec.reference.base import Denoiser
from jdcodec.reference.payload import MAGIC, pack, unpack

from .systems import narrow, pictures

STRINGS = [b"latents", b"", b"hyper"]


def _sealed(body: bytes) -> bytes:
    return body + struct.pack("<I", zlib.crc32(body))


@given(st.integers(1, 8000), st.integers(1, 8000), st.lists(st.binary(max_size=40), min_size=1, max_size=4))
@settings(max_examples=50, deadline=None)
def test_round_trip(height: int, width: int, strings: list[bytes]) -> None:
    assert unpack(pack(height, width, strings), len(strings)) == (height, width, strings)


@pytest.mark.parametrize("size", [(0, 1), (1, 0), (65536, 1), (65535, 65535)])
def test_sizes_beyond_the_limit_are_neither_written_nor_read(size: tuple[int, int]) -> None:
    with pytest.raises(LimitError):
        pack(*size, [b""])
    height, width = (side & 0xFFFF for side in size)
    with pytest.raises(LimitError):
        unpack(_sealed(struct.pack("<4sHHBI", MAGIC, height, width, 1, 0)), 1)


def test_every_cut_and_every_flipped_bit_is_noticed() -> None:
    data = pack(30, 40, STRINGS)
    for length in range(len(data)):
        with pytest.raises(JdcError):
            unpack(data[:length], 3)
    for bit in range(8 * len(data)):
        broken = bytearray(data)
        broken[bit // 8] ^= 1 << bit % 8
        with pytest.raises(FormatError):
            unpack(bytes(broken), 3)


def test_what_follows_the_end_is_noticed() -> None:
    with pytest.raises(DamagedError):
        unpack(pack(30, 40, STRINGS) + b"\0", 3)


@pytest.mark.parametrize("lengths", [(7, 0), (8, 0), (2**32 - 1, 1), (2**32 - 1, 2**32 - 1)])
def test_sealed_lengths_that_do_not_add_up(lengths: tuple[int, int]) -> None:
    body = struct.pack("<4sHHB2I", MAGIC, 8, 8, 2, *lengths) + b"123456"
    with pytest.raises(DamagedError, match="do not add up"):
        unpack(_sealed(body), 2)


def test_sealed_strings_that_are_missing() -> None:
    with pytest.raises(DamagedError, match="ends before its strings"):
        unpack(_sealed(struct.pack("<4sHHB", MAGIC, 8, 8, 255)), 255)


def test_another_systems_bytes_are_refused() -> None:
    with pytest.raises(FormatError, match="has 3 strings, but this system writes 2"):
        unpack(pack(30, 40, STRINGS), 2)


def test_noise_is_refused() -> None:
    draw = random.Random(4)
    for length in (0, 1, 4, 16, 300):
        with pytest.raises(FormatError, match="not a picture"):
            unpack(draw.randbytes(length), 1)


@pytest.mark.parametrize(
    "stream",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"no zlib stream", id="other bytes"),
        pytest.param(zlib.compress(bytes(3 * 8 * 8 - 1)), id="too short"),
        pytest.param(zlib.compress(bytes(3 * 8 * 8 + 1)), id="too long"),
        pytest.param(zlib.compress(bytes(50_000_000)), id="a bomb"),
        pytest.param(zlib.compress(bytes(3 * 8 * 8))[:-2], id="cut off"),
    ],
)
def test_a_denoisers_samples_must_fit_its_size(stream: bytes) -> None:
    model = narrow("autoencoder")
    assert isinstance(model, Denoiser)
    with pytest.raises(DamagedError):
        model.decompress(pack(8, 8, [stream]))


def test_a_damaged_picture_is_refused_by_the_system() -> None:
    model = narrow("residual")
    data = bytearray(model.compress(pictures(1, 3, 16, 16)))
    data[len(data) // 2] ^= 4
    with pytest.raises(DamagedError, match="checksum"):
        model.decompress(bytes(data))
