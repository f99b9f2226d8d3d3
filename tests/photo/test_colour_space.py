"""Colours that a file describes without an ICC profile: converted where it is known how, else told of."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

import jdcodec
from jdcodec.photo import encode_image, exif, from_array, read_photo

from .samples import DISPLAY_P3, deep_png, exif_block, matrix_profile, picture, pillow_file, png_chunk

# Adobe RGB (1998), adapted to D50: columns are its primaries; its curve is a power of 563/256.
ADOBE_RGB = np.array(
    [[0.6097559, 0.2052401, 0.1492240], [0.3111242, 0.6256560, 0.0632197], [0.0194811, 0.0608902, 0.7448387]]
)
ADOBE_NOTE = "The colours were converted from Adobe RGB to sRGB."
SRGB_CHROMATICITY = (31_270, 32_900, 64_000, 33_000, 30_000, 60_000, 15_000, 6000)
ADOBE_CHROMATICITY = (31_270, 32_900, 64_000, 33_000, 21_000, 71_000, 15_000, 6000)


def marked(space: int = 65_535, index: str | None = "R03", *, order: str = "<") -> bytes:
    """An EXIF block of a colour space and an interoperability index, as of a camera."""
    block = Image.Exif()
    block.endian = order
    block[271] = "Maker"
    photo = block.get_ifd(34665)
    photo[40961] = space
    if index is not None:
        photo[40965] = {1: index}
    return block.tobytes().removeprefix(b"Exif\0\0")


def by_profile(pixels: Any, to_xyz: Any, *curve: Any) -> Any:
    """The same values converted from a profile, which other tests compare with Little CMS."""
    return read_photo(pillow_file(pixels, "PNG", icc_profile=matrix_profile(to_xyz, *curve))).pixels


def assert_close(found: Any, expected: Any, steps: int = 1) -> None:
    assert np.abs(found.astype(int) - expected.astype(int)).max() <= steps


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP"])
def test_adobe_rgb_that_exif_alone_tells_of(format_name: str, order: str) -> None:
    settings = {"lossless": True} if format_name == "WEBP" else {}
    data = pillow_file(picture(), format_name, exif=b"Exif\0\0" + marked(order=order), **settings)
    values = np.asarray(Image.open(io.BytesIO(data)))
    expected = by_profile(values, ADOBE_RGB, [563 / 256])
    assert np.abs(expected.astype(int) - values).max() > 10
    for photo in (read_photo(data), from_array(Image.open(io.BytesIO(data)))):
        assert_close(photo.pixels, expected)
        assert photo.notes == (ADOBE_NOTE,) and photo.icc is None
        # The block says what the pixels are now.
        assert photo.exif is not None and not exif.says_adobe_rgb(photo.exif)
        after = Image.Exif()
        after.load(photo.exif)
        assert after.get_ifd(34665)[40961] == 1 and after.get_ifd(40965)[1] == "R98"
        assert after[271] == "Maker" and len(photo.exif) == len(marked(order=order))


def test_adobe_rgb_in_the_tags_of_a_tiff() -> None:
    # A TIFF whose first directory is that of the block, and whose strip lies behind it.
    pixels = np.full((1, 1, 3), (200, 100, 50), np.uint8)
    entries = {256: 1, 257: 1, 258: 8, 259: 1, 262: 2, 273: 0, 277: 3, 278: 1, 279: 3, 34665: 0}
    photo_at = 8 + 2 + 12 * len(entries) + 4
    interoperability_at = photo_at + 2 + 12 * 2 + 4
    entries |= {34665: photo_at, 273: interoperability_at + 2 + 12 + 4}

    def directory(items: Any) -> bytes:
        rows = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in items)
        return struct.pack("<H", len(items)) + rows + bytes(4)

    data = b"II*\0\x08\0\0\0" + directory(sorted(entries.items()))
    data += directory([(40961, 65_535), (40965, interoperability_at)])
    data += struct.pack("<HHHI4sI", 1, 1, 2, 4, b"R03\0", 0) + pixels.tobytes()
    photo = read_photo(data)
    assert photo.notes == (ADOBE_NOTE,)
    assert_close(photo.pixels, by_profile(pixels, ADOBE_RGB, [563 / 256]))


@pytest.mark.parametrize(
    "block", [marked(1, "R98"), marked(65_535, "R98"), marked(65_535, None), marked(1, "R03"), exif_block()]
)
def test_any_other_exif_is_srgb(block: bytes) -> None:
    photo = read_photo(pillow_file(picture(), "PNG", exif=b"Exif\0\0" + block))
    np.testing.assert_array_equal(photo.pixels, picture())
    assert photo.notes == () and photo.exif == block


def test_a_profile_counts_for_more_than_exif() -> None:
    data = pillow_file(picture(), "PNG", exif=b"Exif\0\0" + marked(), icc_profile=matrix_profile())
    photo = read_photo(data)
    np.testing.assert_array_equal(photo.pixels, by_profile(picture(), DISPLAY_P3))
    assert photo.notes == ("The colours were converted from the embedded profile to sRGB.",)


def test_exif_counts_where_the_profile_is_damaged() -> None:
    photo = read_photo(pillow_file(picture(), "PNG", exif=b"Exif\0\0" + marked(), icc_profile=b"junk"))
    assert photo.notes == ("The colour profile was ignored: it is damaged.", ADOBE_NOTE)


def png(pixels: Any, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG with chunks behind its header, 8 bits or 16."""
    extra = b"".join(png_chunk(kind, data) for kind, data in chunks)
    if pixels.dtype == np.uint16:
        return deep_png(pixels, extra=extra)
    plain = pillow_file(pixels, "PNG")
    return plain[:33] + extra + plain[33:]


def gamma(value: int) -> tuple[bytes, bytes]:
    return b"gAMA", struct.pack(">I", value)


def chromaticity(values: tuple[int, ...]) -> tuple[bytes, bytes]:
    return b"cHRM", struct.pack(">8I", *values)


@pytest.mark.parametrize(
    "chunks",
    [
        [gamma(45_455)],
        [gamma(45_455), chromaticity(SRGB_CHROMATICITY)],
        # As some programs round them.
        [gamma(45_000), chromaticity((31_300, 32_900, 64_000, 33_000, 30_000, 60_000, 15_000, 6000))],
        [chromaticity(ADOBE_CHROMATICITY)],
        [gamma(100_000), (b"sRGB", b"\0")],
        [(b"cICP", bytes([1, 13, 0, 1])), gamma(100_000)],
        [(b"cICP", bytes([1, 1, 0, 1]))],
        [(b"cICP", bytes([2, 2, 0, 1]))],
    ],
)
def test_what_counts_as_srgb_in_a_png(chunks: list[tuple[bytes, bytes]]) -> None:
    photo = read_photo(png(picture(), *chunks))
    np.testing.assert_array_equal(photo.pixels, picture())
    assert photo.notes == ()


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_gamma_of_a_png(bits: int, channels: int) -> None:
    pixels = picture(bits=bits, channels=channels)
    samples = pixels if channels == 3 or bits == 8 else pixels[..., np.newaxis]
    photo = read_photo(png(samples, gamma(100_000)))
    top = 2**bits - 1
    light = pixels / top
    expected = top * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    expected = expected[..., np.newaxis] if channels == 1 else expected
    np.testing.assert_allclose(photo.pixels, np.broadcast_to(expected, photo.pixels.shape), atol=1)
    assert photo.notes == ("The colours were converted from a gamma of 1 to sRGB.",)
    assert photo.bit_depth == bits and photo.is_gray == (channels == 1)


def test_the_primaries_of_a_png() -> None:
    data = png(picture(), gamma(45_471), chromaticity(ADOBE_CHROMATICITY))
    expected = by_profile(picture(), ADOBE_RGB, [563 / 256])
    note = "The colours were converted from a gamma of 2.2 and the file's own primaries to sRGB."
    for photo in (read_photo(data), from_array(Image.open(io.BytesIO(data)))):
        assert_close(photo.pixels, expected)
        assert photo.notes == (note,)
    # Of a gray image the curve alone matters.
    gray = read_photo(png(picture(channels=1), gamma(45_471), chromaticity(ADOBE_CHROMATICITY)))
    np.testing.assert_array_equal(gray.pixels[..., 0], picture(channels=1))
    assert gray.notes == ()


def test_transparent_parts_are_not_converted_to_anything_but_white() -> None:
    samples = picture(bits=16, channels=4)
    samples[..., 3] = 0
    photo = read_photo(png(samples, gamma(100_000)))
    assert (photo.pixels == 65_535).all()


@pytest.mark.parametrize(
    "chunks",
    [
        [gamma(0)],
        [gamma(1)],
        [gamma(0xFFFFFFFF)],
        [gamma(45_455), chromaticity((0,) * 8)],
        [gamma(45_455), chromaticity((0xFFFFFFFF,) * 8)],
        # Primaries on one line, and a white outside of them.
        [gamma(45_455), chromaticity((31_270, 32_900, 10_000, 10_000, 20_000, 20_000, 30_000, 30_000))],
        [gamma(45_455), chromaticity((70_000, 20_000, *SRGB_CHROMATICITY[2:]))],
    ],
)
def test_nonsense_is_ignored_with_one_note(chunks: list[tuple[bytes, bytes]]) -> None:
    photo = read_photo(png(picture(), *chunks))
    np.testing.assert_array_equal(photo.pixels, picture())
    assert photo.notes == ("What the file says of its colours was ignored: it makes no sense.",)


def avif(primaries: int, transfer: int) -> bytes:
    data = pillow_file(picture(64, 64), "AVIF", quality=100, subsampling="4:4:4")
    usual = b"colrnclx" + struct.pack(">HH", 1, 13)
    assert usual in data
    return data.replace(usual, b"colrnclx" + struct.pack(">HH", primaries, transfer))


def coded(primaries: int, transfer: int, format_name: str) -> tuple[Any, bytes]:
    """Values, and a file that says by code points what they are."""
    if format_name == "PNG":
        return picture(64, 64), png(picture(64, 64), (b"cICP", bytes([primaries, transfer, 0, 1])))
    data = avif(primaries, transfer)
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")), data


FORMATS = pytest.mark.parametrize("format_name", ["PNG", "AVIF"])


@FORMATS
@pytest.mark.parametrize(("primaries", "transfer"), [(1, 13), (1, 1), (1, 6), (6, 6), (2, 2), (1, 4)])
def test_code_points_of_srgb_and_of_television(format_name: str, primaries: int, transfer: int) -> None:
    values, data = coded(primaries, transfer, format_name)
    photo = read_photo(data)
    np.testing.assert_array_equal(photo.pixels, values)
    assert photo.notes == ()


@FORMATS
def test_code_points_of_display_p3(format_name: str) -> None:
    values, data = coded(12, 13, format_name)
    photo = read_photo(data)
    assert_close(photo.pixels, by_profile(values, DISPLAY_P3))
    assert photo.notes == ("The colours were converted from Display P3 to sRGB.",)


@FORMATS
@pytest.mark.parametrize(
    ("primaries", "transfer", "name"),
    [
        (9, 16, "BT.2020 with PQ"),
        (9, 18, "BT.2020 with HLG"),
        (12, 16, "Display P3 with PQ"),
        (1, 17, "BT.709 with transfer 17 of H.273"),
        (10, 13, "primaries 10 of H.273"),
        (0, 0, "primaries 0 of H.273 with transfer 0 of H.273"),
    ],
)
def test_code_points_that_are_only_told_of(
    format_name: str, primaries: int, transfer: int, name: str
) -> None:
    values, data = coded(primaries, transfer, format_name)
    photo = read_photo(data)
    np.testing.assert_array_equal(photo.pixels, values)
    assert photo.notes == (f"The colours are described as {name}; they were taken for sRGB.",)


@pytest.mark.parametrize(
    ("primaries", "transfer", "name"), [(9, 1, "BT.2020"), (1, 8, "BT.709 with a gamma of 1")]
)
def test_code_points_that_are_converted(primaries: int, transfer: int, name: str) -> None:
    photo = read_photo(coded(primaries, transfer, "PNG")[1])
    assert photo.notes == (f"The colours were converted from {name} to sRGB.",)
    # White stays white, black black, and gray gray.
    grays = np.repeat(np.arange(0, 65_536, 257, dtype=np.uint16)[np.newaxis, :, np.newaxis], 3, axis=2)
    found = read_photo(png(grays, (b"cICP", bytes([primaries, transfer, 0, 1])))).pixels
    assert np.ptp(found.astype(int), axis=2).max() <= 1
    assert (found[0, 0] == 0).all() and (found[0, -1] >= 65_534).all()


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.data())
def test_damage_to_exif_that_tells_of_adobe_rgb(data: st.DataObject) -> None:
    hostile = bytearray(marked())
    for _ in range(data.draw(st.integers(1, 4))):
        hostile[data.draw(st.integers(0, len(hostile) - 1))] = data.draw(st.integers(0, 255))
    exif.says_adobe_rgb(bytes(hostile))
    assert len(exif.as_srgb(bytes(hostile))) == len(hostile)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.binary(max_size=80))
def test_boxes_of_any_bytes(rest: bytes) -> None:
    from jdcodec.photo.colour_space import of_file

    for start in (b"", b"\0\0\0\x60meta\0\0\0\0", b"\0\0\0\0meta\0\0\0\0\0\0\0\0iprp\0\0\0\0ipco"):
        of_file(start + rest, "AVIF")


def test_exif_of_srgb_pixels_no_longer_says_adobe_rgb() -> None:
    """A profile that is sRGB itself counts for more and gives no note; what is written is read again."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    block = marked()
    photo = read_photo(pillow_file(picture(), "PNG", exif=b"Exif\0\0" + block, icc_profile=srgb))
    np.testing.assert_array_equal(photo.pixels, picture())
    assert photo.exif is not None and not exif.says_adobe_rgb(photo.exif)
    again = read_photo(encode_image(photo.pixels, format="png", exif=photo.exif))
    np.testing.assert_array_equal(again.pixels, photo.pixels)
    given = jdcodec.read(jdcodec.encode(picture(), exif=block)).metadata.exif
    assert given is not None and not exif.says_adobe_rgb(given)


def test_an_avif_has_the_colours_of_its_primary_image() -> None:
    """Another item, such as a gain map, may have an nclx of its own in front."""
    data = bytearray(pillow_file(picture(32, 32), "AVIF", quality=95))
    kinds = (b"meta", b"iprp", b"ipco", b"ipma", b"iloc")
    meta, iprp, ipco, ipma, iloc = (data.index(kind) - 4 for kind in kinds)
    other = struct.pack(">I4s4sHHHB", 19, b"colr", b"nclx", 9, 16, 9, 128)

    def add(at: int, amount: int) -> None:
        data[at : at + 4] = struct.pack(">I", struct.unpack_from(">I", data, at)[0] + amount)

    for box in (meta, iprp, ipco):
        add(box, len(other))
    at = ipma + 16
    for _ in range(struct.unpack_from(">I", data, ipma + 12)[0]):
        count = data[at + 2]
        for index in range(at + 3, at + 3 + count):
            data[index] += 1
        at += 3 + count
    at = iloc + 16
    for _ in range(struct.unpack_from(">H", data, iloc + 14)[0]):
        (pieces,) = struct.unpack_from(">H", data, at + 4)
        for piece in range(pieces):
            add(at + 6 + 8 * piece, len(other))
        at += 6 + 8 * pieces
    data[ipco + 8 : ipco + 8] = other
    photo = read_photo(bytes(data))
    assert photo.notes == ()
    plain = read_photo(pillow_file(picture(32, 32), "AVIF", quality=95))
    np.testing.assert_array_equal(photo.pixels, plain.pixels)
