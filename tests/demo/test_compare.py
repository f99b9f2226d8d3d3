"""Coding one photo with several codecs: sizes are matched, and what is reported is what was measured."""

from __future__ import annotations

import numpy as np
import pytest

from jdcodec.demo.compare import Codec, SizeSearch, code, compare, pillow_codec
from jdcodec.photo.depth import to_8_bit

RNG = np.random.default_rng(11)
CLEAN = np.clip(
    np.linspace(40, 200, 160)[None, :, None] + 30 * np.sin(np.arange(120) / 5)[:, None, None], 0, 255
).repeat(3, axis=2)
NOISY = np.clip(CLEAN + RNG.normal(0, 14, CLEAN.shape), 0, 255)
PHOTO = (NOISY * 257).round().astype(np.uint16)
CLEAN_8 = CLEAN.round().astype(np.uint8)


def raw_copy(size: int = 3000) -> Codec:
    """A codec that keeps every pixel, and whose files are `size` bytes larger for each step of quality."""

    def encode(pixels: np.ndarray, quality: float) -> bytes:
        eight_bit = to_8_bit(pixels)
        return np.array(eight_bit.shape, "<u4").tobytes() + eight_bit.tobytes() + bytes(int(size * quality))

    def decode(data: bytes) -> np.ndarray:
        height, width, _ = np.frombuffer(data[:12], "<u4")
        return np.frombuffer(data, np.uint8, 3 * height * width, 12).reshape(height, width, 3)

    return Codec("copy", encode, decode)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2)))


def test_bytes_rate_and_fidelity_are_those_of_the_file() -> None:
    coded = code(raw_copy(), PHOTO, 2, CLEAN_8)
    assert len(coded.data) == 12 + 160 * 120 * 3 + 6000
    assert coded.bpp == 8 * len(coded.data) / (160 * 120)
    assert coded.psnr == pytest.approx(psnr(CLEAN_8, to_8_bit(PHOTO)))
    assert coded.encode_seconds > 0
    assert coded.decode_seconds > 0


def test_without_a_clean_scene_there_is_no_fidelity() -> None:
    assert code(raw_copy(), PHOTO, 2, None).psnr is None


def test_rounds_to_the_nearest_8_bit_level() -> None:
    levels = np.arange(65536, dtype=np.uint16)
    assert np.array_equal(to_8_bit(levels), np.round(levels / 257).astype(np.uint8))


@pytest.mark.parametrize("name", ["JPEG", "WebP"])
def test_pillow_codecs_return_the_picture(name: str) -> None:
    codec = pillow_codec(name)
    decoded = codec.decode(codec.encode(CLEAN_8, 90))
    assert decoded.dtype == np.uint8
    assert psnr(CLEAN_8, decoded) > 38


@pytest.mark.parametrize("size", [0, 1200, 2000, 3500, 9000, 10**7])
def test_search_finds_the_closest_size_of_all(size: int) -> None:
    codec, photo = pillow_codec("JPEG"), to_8_bit(PHOTO)
    sizes = {quality: len(codec.encode(photo, quality)) for quality in range(1, 96)}
    found = SizeSearch(codec, photo, 1, 95).closest(size)
    assert abs(sizes[found] - size) == min(abs(other - size) for other in sizes.values())


def test_search_encodes_no_quality_twice() -> None:
    qualities: list[float] = []

    def encode(_pixels: np.ndarray, quality: float) -> bytes:
        qualities.append(quality)
        return bytes(int(quality))

    search = SizeSearch(Codec("counting", encode, raw_copy().decode), CLEAN_8, 0, 100)
    assert [search.closest(size) for size in (20, 50, 51, 90)] == [20, 50, 51, 90]
    assert len(qualities) == len(set(qualities)) < 30


def test_rivals_come_at_the_size_of_ours() -> None:
    ours = pillow_codec("WebP")
    rows = compare(PHOTO, CLEAN_8, Codec("jdc", lambda p, q: ours.encode(p, 10 * q), ours.decode), (3, 7))
    assert [[coded.name for coded in row] for row in rows] == [["jdc", "JPEG", "WebP"]] * 2
    for jdc, _jpeg, webp in rows:
        assert len(webp.data) == len(jdc.data)
        assert not webp.is_smallest
    assert [jdc.quality for jdc, *_ in rows] == [3, 7]


def test_a_size_below_what_a_rival_can_do_is_marked() -> None:
    tiny = Codec("jdc", lambda p, q: b"x", lambda data: CLEAN_8)
    (_, jpeg, webp), *_ = compare(PHOTO, CLEAN_8, tiny, (1,))
    assert jpeg.is_smallest
    assert webp.is_smallest


def test_a_photo_too_long_for_webp_is_compared_with_jpeg() -> None:
    strip = np.full((2, 16_384, 3), 90, np.uint8)
    (row,) = compare(strip, None, raw_copy(), (1,))
    assert [coded.name for coded in row] == ["copy", "JPEG"]
