"""A file that was cut short is an error, wherever it was cut; bytes after its end are not.

That holds, too, where something has put an end behind the part that is left. `jdcodec.photo.whole` says what
does not show in a JPEG.
"""

from __future__ import annotations

import base64
import io
import itertools
import re
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from jdcodec.errors import JdcError, PhotoError
from jdcodec.photo import read_photo
from jdcodec.photo.tiff import Tiff
from jdcodec.photo.write import encode_image

from .samples import deep_png, exif_block, picture, pillow_file, png_chunk, png_rows


def deep_tiff(compression: str | None) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, picture(bits=16), photometric="rgb", compression=compression)
    return file.getvalue()


WHOLE = {
    "png": lambda: pillow_file(picture(), "PNG"),
    "deep png": lambda: deep_png(picture(bits=16)),
    "jpeg": lambda: pillow_file(picture(), "JPEG"),
    "progressive jpeg": lambda: pillow_file(picture(), "JPEG", progressive=True),
    "webp": lambda: pillow_file(picture(), "WEBP"),
    "webp with metadata": lambda: pillow_file(picture(), "WEBP", exif=exif_block()),
    "lossless webp": lambda: pillow_file(picture(), "WEBP", lossless=True),
    "avif": lambda: pillow_file(picture(), "AVIF"),
    "tiff": lambda: pillow_file(picture(), "TIFF"),
    "lzw tiff": lambda: pillow_file(picture(), "TIFF", compression="tiff_lzw"),
    "deep tiff": lambda: deep_tiff(None),
    "deep deflate tiff": lambda: deep_tiff("zlib"),
    "our tiff": lambda: encode_image(picture(bits=16), format="tiff", exif=exif_block()),
    "gif": lambda: pillow_file(picture(), "GIF")[:-2],
    "ppm": lambda: encode_image(picture(bits=16), format="ppm"),
}


@pytest.mark.parametrize("kind", WHOLE)
def test_cut_anywhere(kind: str) -> None:
    data = WHOLE[kind]()
    read_photo(data)
    # Of a JPEG the last blocks may be missing.
    end = len(data) - 40 if kind == "jpeg" else len(data)
    places = {*range(0, end, max(1, end // 60)), *range(end - 12, end)}
    for length in sorted(places):
        with pytest.raises(PhotoError):
            read_photo(data[:length])


@pytest.mark.parametrize("kind", [kind for kind in WHOLE if kind != "avif"])
def test_bytes_after_the_end_do_no_harm(kind: str) -> None:
    data = WHOLE[kind]()
    np.testing.assert_array_equal(read_photo(data + b"trailing bytes").pixels, read_photo(data).pixels)


def test_the_end_of_a_thumbnail_is_not_the_end_of_the_jpeg() -> None:
    thumbnail = pillow_file(picture(8, 8), "JPEG")
    block = exif_block() + thumbnail
    data = pillow_file(picture(), "JPEG", exif=b"Exif\0\0" + block)
    read_photo(data)
    with pytest.raises(PhotoError, match="cut short"):
        read_photo(data[: data.rindex(b"\xff\xda")])


def test_a_flipped_bit_in_the_pixels_of_a_png_is_found() -> None:
    data = bytearray(pillow_file(picture(), "PNG"))
    data[data.index(b"IDAT") + 100] ^= 4
    with pytest.raises(PhotoError, match="checksum of its IDAT chunk"):
        read_photo(bytes(data))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"hello, this is no image at all", "is not an image that jdc reads"),
        (b"\x89PNG\r\n\x1a\n", "cut short"),
        (b"\xff\xd8\xff\xd9", "damaged"),
        (b"II*\0\x08\0\0\0", "cut short"),
        (b"II*\0\0\0\0\0", "no TIFF directory"),
        (b"GIF89a", "damaged"),
        (b"RIFF\0\0\0\0WEBP", "damaged"),
        (b"\0\0\0\x1cftypavif", "damaged"),
        (b"II\x1a\0\0\0HEAPCCDR", "cut short"),
        (b"FUJIFILMCCD-RAW 0201", "LibRaw says"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        (b"\xff\x0a\xff\xff", "JPEG XL"),
        (b"\x8aJDC\r\n\x1a\n\1\0", "jdc decode"),
    ],
)
def test_beginnings(data: bytes, message: str) -> None:
    with pytest.raises(PhotoError, match=message) as raised:
        read_photo(data)
    assert str(raised.value).startswith("input: ") and "\n" not in str(raised.value)


def test_image_data_beyond_the_end_is_named() -> None:
    data: Any = pillow_file(picture(), "TIFF")
    with pytest.raises(PhotoError, match=r"cut short: its image data reaches to byte \d+ of \d+"):
        # Pillow puts the directory first.
        read_photo(data[:-50])


JPEGS: dict[str, dict[str, Any]] = {
    "baseline": {},
    "without subsampling": {"quality": 97, "subsampling": 0},
    "progressive": {"progressive": True},
    "restarts": {"restart_marker_blocks": 3},
    "progressive with restarts": {"progressive": True, "restart_marker_blocks": 2},
    "gray": {"mode": "L"},
    "progressive gray": {"mode": "L", "progressive": True},
    "CMYK": {"mode": "CMYK"},
}


def half_flat(height: int, width: int) -> Any:
    """A picture whose lower half takes hardly any bits."""
    pixels = picture(height, width)
    pixels[height // 2 :] = 128
    return pixels


def scans_of(data: bytes) -> list[bytes]:
    """A progressive JPEG in pieces: what precedes its scans, and each scan with the tables before it."""
    bounds, in_scan = [], True
    for found in re.finditer(rb"\xff[\xc4\xda]", data):
        if in_scan:
            bounds.append(found.start())
        in_scan = found[0] == b"\xff\xda"
    return [data[begin:end] for begin, end in zip([0, *bounds], [*bounds, len(data) - 2])]


@pytest.mark.parametrize("kind", JPEGS)
@pytest.mark.parametrize("make", [picture, half_flat])
def test_an_end_marker_does_not_make_up_for_half_a_jpeg(kind: str, make: Callable[..., Any]) -> None:
    data = pillow_file(make(150, 203), "JPEG", **JPEGS[kind])
    whole = read_photo(data)
    # Fill bytes before the end marker and bytes after it do no harm.
    for other in (data[:-2] + b"\xff\xff\xd9", data[:-2] + bytes(20) + data[-2:], data + data[:999]):
        np.testing.assert_array_equal(read_photo(other).pixels, whole.pixels)
    # Of the last scan some bytes may be missing, and of a progressive image some last scans.
    pieces = scans_of(data) if "progressive" in kind else [data]
    ends = list(itertools.accumulate(map(len, pieces)))
    for length in range(len(data) // 4, len(data), len(data) // 50):
        if any(0 <= end - length < 40 for end in ends):
            continue
        with pytest.raises(PhotoError):
            read_photo(data[:length] + b"\xff\xd9")


@pytest.mark.parametrize(("height", "width"), [(1, 1), (8, 8), (9, 17), (16, 300), (301, 2)])
@pytest.mark.parametrize("kind", JPEGS)
def test_whole_jpegs_of_odd_sizes(kind: str, height: int, width: int) -> None:
    for pixels in (picture(height, width), np.full((height, width, 3), 128, np.uint8)):
        assert read_photo(pillow_file(pixels, "JPEG", **JPEGS[kind])).pixels.shape == (height, width, 3)


@pytest.mark.parametrize("kind", JPEGS)
@pytest.mark.parametrize("make", [picture, half_flat])
def test_a_jpeg_that_lacks_its_end_marker_alone(kind: str, make: Callable[..., Any]) -> None:
    data = pillow_file(make(150, 203), "JPEG", **JPEGS[kind])
    for cut in (data[:-1], data[:-2]):
        if "progressive" in kind:
            # More scans might have followed.
            with pytest.raises(PhotoError, match="no end-of-image marker"):
                read_photo(cut)
        else:
            np.testing.assert_array_equal(read_photo(cut).pixels, read_photo(data).pixels)


@pytest.mark.parametrize("kind", JPEGS)
def test_only_the_last_blocks_of_a_jpeg_may_be_missing(kind: str) -> None:
    data = pillow_file(picture(150, 203), "JPEG", **JPEGS[kind])
    whole = read_photo(data).pixels
    for missing in range(1, 60):
        try:
            found = read_photo(data[: -2 - missing] + b"\xff\xd9").pixels
        except PhotoError as error:
            assert "cut short" in str(error)
        else:
            assert np.count_nonzero(np.any(found != whole, axis=2)) <= 5 * 64


# Those of Pillow: DC of all; AC of Y, Cr, Cb and Y; refinements of Y, DC of all, Cr, Cb and Y.
@pytest.mark.parametrize("left_out", [{10}, {8, 9, 10}, {3, 4, 8, 9}, {2, 3, 4, 5, 6, 8, 9, 10}])
def test_whole_jpegs_that_spare_scans(left_out: set[int]) -> None:
    start, *scans = scans_of(pillow_file(picture(150, 203), "JPEG", progressive=True))
    assert len(scans) == 10
    data = start + b"".join(scan for n, scan in enumerate(scans, 1) if n not in left_out) + b"\xff\xd9"
    np.testing.assert_array_equal(read_photo(data).pixels, np.asarray(Image.open(io.BytesIO(data))))
    with pytest.raises(PhotoError, match="ends early"):
        last = max({*range(1, 11)} - left_out)
        read_photo(data[: -2 - len(scans[last - 1]) // 3] + b"\xff\xd9")


def test_a_jpeg_that_lost_its_last_scans() -> None:
    data = pillow_file(picture(), "JPEG", progressive=True)
    with pytest.raises(PhotoError, match="scans of the JPEG are missing"):
        # Tables without a scan for them.
        read_photo(data[: data.rindex(b"\xff\xda")] + b"\xff\xd9")
    start, *_ = scans_of(data)
    with pytest.raises(PhotoError, match="scans of the JPEG are missing"):
        read_photo(start + b"\xff\xd9")


# 16 × 16 pixels, gray, by `cjpeg -arithmetic`, which Pillow does not write.
_ARITHMETIC = base64.b64decode(
    "/9j/2wBDAAMCAgMCAgMDAwMEAwMEBQgFBQQEBQoHBwYIDAoMDAsKCwsNDhIQDQ4RDgsLEBYQERMUFRUVDA8XGBYU"
    "GBIUFRT/yQALCAAQABABAREA/8wABgAQEAX/2gAIAQEAAD8A/wDnfXLoSDt1iu48DOVU8hPWfSbKI4lA/wCKWbTv"
    "6o7QBuPLA+S3ds0KZwQ7SCghd0IgUhmKC3bfgbKR5XT/2Q=="
)


def test_an_arithmetic_jpeg_that_was_cut_has_no_end_marker_or_passes() -> None:
    whole = read_photo(_ARITHMETIC).pixels
    scan = _ARITHMETIC.index(b"\xff\xda")
    for length in range(scan, len(_ARITHMETIC) - 1):
        with pytest.raises(PhotoError, match=r"cut short|damaged"):
            read_photo(_ARITHMETIC[:length])
    with pytest.raises(PhotoError, match="scans of the JPEG are missing"):
        read_photo(_ARITHMETIC[:scan] + b"\xff\xd9")
    # What the docstring of `jdcodec.photo.whole` says does not show.
    assert read_photo(_ARITHMETIC[: scan + 40] + b"\xff\xd9").pixels.shape == whole.shape


def test_further_images_of_a_jpeg_are_no_news() -> None:
    image = Image.fromarray(picture())
    file = io.BytesIO()
    image.save(file, "MPO", save_all=True, append_images=[image.resize((8, 8))])
    assert Image.open(file).format == "MPO"
    photo = read_photo(file.getvalue())
    assert photo.pixels.shape == (24, 32, 3) and photo.notes == ()


def test_a_jpeg_that_lost_its_last_restarts() -> None:
    data = pillow_file(picture(64, 64), "JPEG", restart_marker_blocks=1)
    for restart in (b"\xff\xd4", b"\xff\xd7"):
        with pytest.raises(PhotoError, match="the image data of the JPEG ends early"):
            read_photo(data[: data.rindex(restart)] + b"\xff\xd9")


@pytest.mark.parametrize("marker", [b"\xff\xc0", b"\xff\xda", b"\xff\xdd"])
@pytest.mark.parametrize("length", range(2, 18))
def test_jpeg_segments_that_are_too_short(marker: bytes, length: int) -> None:
    data = pillow_file(picture(), "JPEG", restart_marker_blocks=2)
    at = data.index(marker) + 2
    size = int.from_bytes(data[at : at + 2], "big")
    if length < size:
        with pytest.raises(PhotoError):
            read_photo(data[:at] + length.to_bytes(2, "big") + data[at + 2 : at + length] + data[at + size :])


@pytest.mark.parametrize("sampling", [0x00, 0x01, 0x10, 0xFF])
def test_jpeg_components_without_sampling(sampling: int) -> None:
    data = bytearray(pillow_file(picture(), "JPEG", restart_marker_blocks=2))
    data[data.index(b"\xff\xc0") + 11] = sampling
    with pytest.raises(PhotoError):
        read_photo(bytes(data))


def png_of(
    rows: bytes, colour_type: int, bits: int, *, interlaced: bool = False, extra: bytes = b""
) -> bytes:
    """A PNG of 24 × 32 pixels with these bytes of rows, whatever they are."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 32, 24, bits, colour_type, 0, 0, int(interlaced)))
    # In three pieces, as encoders cut them.
    packed = zlib.compress(rows)
    third = len(packed) // 3
    pieces = (packed[:third], packed[third : 2 * third], packed[2 * third :])
    chunks = b"".join(png_chunk(b"IDAT", piece) for piece in pieces)
    return b"\x89PNG\r\n\x1a\n" + header + extra + chunks + png_chunk(b"IEND", b"")


_PALETTE = png_chunk(b"PLTE", bytes(range(255, 255 - 48, -1)))
_PNGS = {
    "gray": (0, 8, 1, b""),
    "RGB": (2, 8, 3, b""),
    "RGB with a transparent colour": (2, 8, 3, png_chunk(b"tRNS", bytes(6))),
    "gray with alpha": (4, 8, 2, b""),
    "RGBA": (6, 8, 4, b""),
    "palette": (3, 8, 1, _PALETTE),
    "palette with alpha": (3, 8, 1, _PALETTE + png_chunk(b"tRNS", b"\x80")),
    "deep gray": (0, 16, 2, b""),
    "deep gray with alpha": (4, 16, 4, b""),
    "deep RGB": (2, 16, 6, b""),
    "deep RGBA": (6, 16, 8, b""),
}


@pytest.mark.parametrize("kind", _PNGS)
@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("black", [False, True])
def test_sound_chunks_do_not_make_up_for_half_a_png(kind: str, interlaced: bool, black: bool) -> None:
    colour_type, bits, pixel_bytes, extra = _PNGS[kind]
    samples = np.zeros((24, 32, pixel_bytes), np.uint8) if black else picture(24, 32)[..., :1] % 16
    rows = png_rows(np.broadcast_to(samples, (24, 32, pixel_bytes)), interlaced=interlaced)
    # More than there should be is no harm.
    for more in (b"", b"\0" * 99):
        photo = read_photo(png_of(rows + more, colour_type, bits, interlaced=interlaced, extra=extra))
        assert (photo.width, photo.height) == (32, 24)
    for missing in (1, 32 * pixel_bytes + 1, len(rows) // 2, len(rows) - 1, len(rows)):
        with pytest.raises(PhotoError):
            read_photo(png_of(rows[:-missing], colour_type, bits, interlaced=interlaced, extra=extra))


def test_how_much_of_a_png_is_there_is_told() -> None:
    rows = png_rows(picture())
    with pytest.raises(PhotoError, match="is cut short: 1164 of 2328 bytes of pixels are there"):
        read_photo(png_of(rows[: len(rows) // 2], 2, 8))


@pytest.mark.timeout(10)
def test_bytes_behind_the_pixels_of_a_png_take_no_time() -> None:
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 64, 8, 3, 0, 0, 0))
    stream = zlib.compress(bytes(63 * 65))
    data = header + _PALETTE + png_chunk(b"IDAT", stream + bytes(50_000_000)) + png_chunk(b"IEND", b"")
    with pytest.raises(PhotoError, match="is cut short: 4095 of 4160 bytes of pixels are there"):
        read_photo(b"\x89PNG\r\n\x1a\n" + data)


TIFFS: dict[str, dict[str, Any]] = {
    "strips": {"rowsperstrip": 4},
    "deflated strips": {"rowsperstrip": 4, "compression": "zlib"},
    "tiles": {"tile": (16, 16)},
    "deflated tiles": {"tile": (16, 16), "compression": "zlib"},
    "planes": {"rowsperstrip": 4, "planarconfig": "separate"},
    "deflated planes": {"rowsperstrip": 4, "planarconfig": "separate", "compression": "zlib"},
}


@pytest.mark.parametrize("kind", TIFFS)
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("damage", ["table ends early", "no offset", "no size"])
def test_strips_and_tiles_that_lack(kind: str, bits: int, damage: str) -> None:
    settings = TIFFS[kind]
    pixels = picture(bits=bits)
    file = io.BytesIO()
    separate = "planarconfig" in settings
    pixels = pixels.transpose(2, 0, 1) if separate else pixels
    tifffile.imwrite(file, pixels, photometric="rgb", **settings)
    data = bytearray(file.getvalue())
    read_photo(bytes(data))
    structure = Tiff(bytes(data))
    fields = structure.directory(structure.first_offset).fields
    offsets, sizes = (fields[tag] for tag in ((324, 325) if "tile" in settings else (273, 279)))
    if damage == "table ends early":
        (entries,) = struct.unpack_from("<H", data, structure.first_offset)
        for entry in range(structure.first_offset + 2, structure.first_offset + 2 + 12 * entries, 12):
            if struct.unpack_from("<H", data, entry)[0] in (273, 279, 324, 325):
                struct.pack_into("<I", data, entry + 4, offsets.count - 1)
    else:
        field = offsets if damage == "no offset" else sizes
        value = field.size // field.count
        data[field.offset + value : field.offset + 2 * value] = bytes(value)
    with pytest.raises(PhotoError, match=rf"is cut short: {offsets.count - 1} of {offsets.count} strips"):
        read_photo(bytes(data))


@pytest.mark.parametrize("tag", [256, 257, 277, 278, 284])
@pytest.mark.parametrize("value", [0, 1, 0xFFFFFFFF])
def test_hostile_layouts_of_strips(tag: int, value: int) -> None:
    file = io.BytesIO()
    tifffile.imwrite(file, picture(), photometric="rgb", rowsperstrip=4)
    data = bytearray(file.getvalue())
    structure = Tiff(bytes(data))
    (entries,) = struct.unpack_from("<H", data, structure.first_offset)
    for entry in range(structure.first_offset + 2, structure.first_offset + 2 + 12 * entries, 12):
        if struct.unpack_from("<H", data, entry)[0] == tag:
            struct.pack_into("<HII", data, entry + 2, 4, 1, value)
    try:
        assert read_photo(bytes(data)).pixels.size
    except JdcError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize("lossless", [False, True])
def test_a_webp_whose_sizes_were_mended(lossless: bool) -> None:
    data = pillow_file(picture(96, 128), "WEBP", lossless=lossless)
    content = data[20 : 20 + int.from_bytes(data[16:20], "little")]
    content = content[: len(content) * 3 // 5 // 2 * 2]
    chunk = data[12:16] + struct.pack("<I", len(content)) + content
    with pytest.raises(PhotoError, match="damaged"):
        read_photo(b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk)


def test_an_avif_whose_sizes_were_mended() -> None:
    data = pillow_file(picture(96, 128), "AVIF")
    size = struct.pack(">I", len(data) - data.index(b"mdat") - 4)
    at = data.index(size, data.index(b"iloc"))
    with pytest.raises(PhotoError, match="damaged"):
        read_photo(data[:at] + struct.pack(">I", int.from_bytes(size, "big") * 3 // 5) + data[at + 4 :])
