"""HEIC and HEIF through pillow-heif: depth, colour, metadata, limits, and Pillow left as it was."""

from __future__ import annotations

import io
import struct
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jdcodec.errors import LimitError, PhotoError
from jdcodec.photo import ReadOptions, exif, from_array, read_photo

from .heic_samples import FILES, assert_near, heic, pillow_heif, replaced, several
from .samples import deep_png, exif_block, matrix_profile, picture, pillow_file, png_chunk


def test_8_bits_stay_8() -> None:
    photo = read_photo(heic(picture(96, 128)))
    assert (photo.bit_depth, photo.format, photo.is_gray, photo.notes) == (8, "HEIC", False, ())
    assert_near(photo.pixels, picture(96, 128))


@pytest.mark.parametrize("depth", [10, 12])
def test_more_than_8_bits_become_16(depth: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pillow_heif.options, "SAVE_HDR_TO_12_BIT", depth == 12)
    pixels = picture(96, 128, bits=16)
    photo = read_photo(heic(pixels))
    assert photo.bit_depth == 16
    assert_near(photo.pixels, pixels)
    assert np.unique(photo.pixels).size > (1000 if depth == 12 else 500)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("depth", [10, 12])
def test_white_of_any_depth_is_white(channels: int, depth: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pillow_heif.options, "SAVE_HDR_TO_12_BIT", depth == 12)
    pixels = np.full((64, 64, channels), 65_535, np.uint16)
    pixels[:, :32] = 0
    photo = read_photo(heic(pixels))
    assert photo.pixels[:, 63].min() == 65_535 and photo.pixels[:, 0].max() == 0


@pytest.mark.parametrize("bits", [8, 16])
def test_gray_is_gray(bits: int) -> None:
    pixels = picture(96, 128, bits=bits, channels=1)
    photo = read_photo(heic(pixels))
    assert photo.is_gray and photo.bit_depth == bits
    assert_near(photo.pixels, np.repeat(pixels[..., np.newaxis], 3, axis=2))


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("channels", [2, 4])
def test_alpha_is_laid_on_white(bits: int, channels: int) -> None:
    pixels = picture(96, 128, bits=bits, channels=channels)
    top = 2**bits - 1
    pixels[:48, :, -1], pixels[48:, :, -1] = top // 2, top
    photo = read_photo(heic(pixels))
    colour = np.repeat(pixels[..., :1], 3, axis=2) if channels == 2 else pixels[..., :3]
    expected = colour.copy()
    expected[:48] = top - (top - colour[:48].astype(np.uint32)) // 2
    assert_near(photo.pixels, expected)
    assert photo.is_gray == (channels == 2)
    assert photo.notes == ("Its transparent parts were laid on white.",)


@pytest.mark.parametrize("bits", [8, 16])
def test_colour_that_was_multiplied_by_alpha_is_divided_by_it(bits: int) -> None:
    top = 2**bits - 1
    straight = picture(96, 128, bits=bits, channels=4)
    straight[..., 3] = top // 2
    multiplied = straight.copy()
    multiplied[..., :3] //= 2
    photo = read_photo(heic(multiplied, "RGBa" if bits == 8 else "RGBa;16"))
    expected = (top - (top - straight[..., :3].astype(np.uint32)) // 2).astype(straight.dtype)
    assert_near(photo.pixels, expected)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pixels_are_turned_once(orientation: int) -> None:
    """pillow-heif writes the turn to the properties of the image, and EXIF goes on to say the same."""
    data = heic(picture(96, 128), exif=exif_block(orientation))
    photo = read_photo(data)
    png = pillow_file(picture(96, 128), "PNG", exif=exif_block(orientation))
    assert_near(photo.pixels, read_photo(png).pixels)
    assert photo.exif is not None and exif.orientation(photo.exif) == 1


def test_an_orientation_that_exif_alone_has_is_not_applied() -> None:
    xmp = b'<rdf tiff:Orientation="6"/>'
    data = heic(picture(96, 128), exif=exif_block(1), xmp=xmp)
    photo = read_photo(replaced(data, exif_block(1), exif_block(6)))
    assert_near(photo.pixels, picture(96, 128).transpose(1, 0, 2)[:, ::-1])
    data = heic(picture(96, 128), exif=exif_block(1))
    photo = read_photo(replaced(data, exif_block(1), exif_block(6)))
    assert_near(photo.pixels, picture(96, 128))
    assert photo.exif == exif_block(1)


def test_metadata() -> None:
    photo = read_photo(heic(picture(), exif=b"Exif\0\0" + exif_block(), xmp=b"<x:xmpmeta/>\0"))
    assert photo.exif == exif_block() and photo.iso == 800
    assert photo.xmp == b"<x:xmpmeta/>"


def test_the_thumbnail_of_exif_is_cut_off() -> None:
    block = Image.Exif()
    block.endian = "<"
    block[271] = "Maker"
    body = bytearray(block.tobytes().removeprefix(b"Exif\0\0"))
    thumbnail = pillow_file(picture(8, 8), "JPEG")
    (first,) = struct.unpack_from("<I", body, 4)
    (count,) = struct.unpack_from("<H", body, first)
    struct.pack_into("<I", body, first + 2 + 12 * count, len(body))
    start = len(body) + 2 + 24 + 4
    body += struct.pack("<HHHIIHHIII", 2, 513, 4, 1, start, 514, 4, 1, len(thumbnail), 0) + thumbnail
    photo = read_photo(heic(picture(), exif=bytes(body)))
    assert photo.exif is not None and b"Maker" in photo.exif
    assert b"\xff\xd8\xff" not in photo.exif


def test_a_damaged_exif_block_is_left_out() -> None:
    photo = read_photo(heic(picture(), exif=b"this is no EXIF block"))
    assert photo.exif is None and photo.notes == ("Its EXIF block is damaged and was left out.",)


@pytest.mark.parametrize("bits", [8, 16])
def test_a_profile_is_converted(bits: int) -> None:
    pixels = picture(96, 128, bits=bits)
    photo = read_photo(heic(pixels, icc_profile=matrix_profile()))
    plain = read_photo(heic(pixels)).pixels
    chunk = png_chunk(b"iCCP", b"P3\0\0" + zlib.compress(matrix_profile()))
    by_png = (
        deep_png(plain, extra=chunk)
        if bits == 16
        else pillow_file(plain, "PNG", icc_profile=matrix_profile())
    )
    np.testing.assert_array_equal(photo.pixels, read_photo(by_png).pixels)
    assert photo.notes == ("The colours were converted from the embedded profile to sRGB.",)
    assert photo.icc is None


def with_code_points(primaries: int, transfer: int) -> bytes:
    usual = b"colrnclx" + struct.pack(">HH", 1, 13)
    return replaced(FILES["8 bits"], usual, b"colrnclx" + struct.pack(">HH", primaries, transfer))


def test_code_points_of_display_p3_are_converted() -> None:
    photo = read_photo(with_code_points(12, 13))
    values = read_photo(FILES["8 bits"]).pixels
    expected = read_photo(pillow_file(values, "PNG", icc_profile=matrix_profile())).pixels
    assert np.abs(photo.pixels.astype(int) - expected).max() <= 1
    assert photo.notes == ("The colours were converted from Display P3 to sRGB.",)


@pytest.mark.parametrize(
    ("primaries", "transfer", "name"), [(9, 16, "BT.2020 with PQ"), (9, 18, "BT.2020 with HLG")]
)
def test_code_points_of_hdr_are_told_of(primaries: int, transfer: int, name: str) -> None:
    photo = read_photo(with_code_points(primaries, transfer))
    np.testing.assert_array_equal(photo.pixels, read_photo(FILES["8 bits"]).pixels)
    assert photo.notes == (f"The colours are described as {name}; they were taken for sRGB.",)


def test_code_points_of_another_image_do_not_count() -> None:
    """A gain map or a thumbnail has its own, which may stand first in the file."""
    images = pillow_heif.from_bytes("RGB", (32, 24), picture().tobytes())
    images.add_frombytes("RGB", (32, 24), picture().tobytes())
    images[0].info["nclx_profile"] = {
        "color_primaries": 12,
        "transfer_characteristics": 13,
        "matrix_coefficients": 6,
        "full_range_flag": 1,
    }
    file = io.BytesIO()
    images.save(file, primary_index=1)
    assert struct.pack(">HH", 12, 13) in file.getvalue()
    assert not any("Display P3" in note for note in read_photo(file.getvalue()).notes)


@pytest.mark.parametrize(("primary", "which"), [(0, "first"), (1, "primary one")])
def test_the_primary_one_of_several_images_is_read(primary: int, which: str) -> None:
    pictures = (picture(96, 128), picture(96, 128)[::-1].copy())
    photo = read_photo(several(primary, *pictures))
    assert_near(photo.pixels, pictures[primary])
    assert photo.notes == (f"It holds several images; the {which} was read.",)


@pytest.mark.parametrize("name", ["grid", "thumbnail"])
def test_tiles_and_thumbnails_are_no_further_images(name: str) -> None:
    photo = read_photo(FILES[name])
    assert_near(photo.pixels, picture(150, 200) if name == "grid" else picture(64, 64))
    assert photo.notes == ()


@pytest.mark.parametrize("brand", [b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"])
@pytest.mark.parametrize("others", [b"mif1heic", b"miafmif1"])
def test_any_brand_of_heif(brand: bytes, others: bytes) -> None:
    data = FILES["8 bits"]
    old = data[: int.from_bytes(data[:4], "big")]
    head = b"ftyp" + brand + bytes(4) + others
    head = struct.pack(">I", len(old)) + head.ljust(len(old) - 4, b"\0")
    np.testing.assert_array_equal(read_photo(head + data[len(old) :]).pixels, read_photo(data).pixels)


def test_a_name_of_any_ending(tmp_path: Path) -> None:
    for name in ("a.HEIC", "a.hif", "a.jpg", "a.nef"):
        (tmp_path / name).write_bytes(FILES["8 bits"])
        assert read_photo(tmp_path / name).format == "HEIC"


def test_limits_are_checked_before_pixels_are_decoded() -> None:
    data = heic(picture(96, 128))
    # The picture in it says that it is longer than there are bytes, so that it cannot be decoded.
    at = data.index(b"mdat") + 4
    hollow = data[:at] + b"\xff\xff\xff\xff" + data[at + 4 :]
    for file in (data, hollow):
        with pytest.raises(LimitError, match="is 128 × 96; the limit is 127 pixels a side"):
            read_photo(file, ReadOptions(max_side=127))
        with pytest.raises(LimitError, match="pixels; the limit is"):
            read_photo(file, ReadOptions(max_pixels=96 * 128 - 1))
    with pytest.raises(PhotoError, match="damaged"):
        read_photo(hollow)
    read_photo(data, ReadOptions(max_side=128, max_pixels=96 * 128))


def with_size(width: int, height: int) -> bytes:
    """A file whose picture of 64 × 64, of which 32 × 24 are shown, claims to be of another size."""
    size = b"ispe" + bytes(4)
    old = size + struct.pack(">II", 64, 64)
    return replaced(FILES["8 bits"], old, size + struct.pack(">II", width, height))


@pytest.mark.parametrize(("width", "height"), [(70_000, 70_000), (2**32 - 1, 1), (30_000, 30_000)])
def test_a_large_picture_of_which_little_is_shown(width: int, height: int) -> None:
    with pytest.raises(LimitError, match=f"is {width} × {height}"):
        read_photo(with_size(width, height))


def test_blocks_that_are_filled_up_do_not_count() -> None:
    read_photo(FILES["8 bits"], ReadOptions(max_side=32, max_pixels=32 * 24))
    with pytest.raises(LimitError, match="is 32 × 24"):
        read_photo(FILES["8 bits"], ReadOptions(max_side=31))


@pytest.mark.parametrize(("width", "height"), [(0, 24), (20_000, 20_000), (32, 24)])
def test_a_size_that_is_not_that_of_the_pixels(width: int, height: int) -> None:
    with pytest.raises(PhotoError, match="damaged"):
        read_photo(with_size(width, height))


def test_several_threads_at_once() -> None:
    names = [*FILES] * 4
    alone = {name: read_photo(data).pixels for name, data in FILES.items()}
    with ThreadPoolExecutor(4) as pool:
        for name, photo in zip(names, pool.map(lambda name: read_photo(FILES[name]), names)):
            np.testing.assert_array_equal(photo.pixels, alone[name])


def test_nothing_is_registered_in_pillow() -> None:
    read_photo(FILES["10 bits"])
    Image.init()
    assert not {"HEIF", "HEIC"} & {*Image.OPEN, *Image.SAVE}
    assert not {".heic", ".heif", ".hif"} & {*Image.registered_extensions()}


def test_an_image_that_pillow_heif_opened_for_pillow() -> None:
    image = pillow_heif.open_heif(FILES["metadata"]).to_pillow()
    photo = from_array(image)
    np.testing.assert_array_equal(photo.pixels, read_photo(FILES["metadata"]).pixels)
    assert photo.exif is not None and exif.orientation(photo.exif) == 1


def test_what_to_install_is_said_without_pillow_heif(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(PhotoError) as raised:
        read_photo(FILES["8 bits"])
    assert str(raised.value) == (
        "input: is HEIC; jdc reads it with pillow-heif: pip install 'jdcodec[heic]', "
        "or convert it to PNG, TIFF or JPEG"
    )


@pytest.mark.parametrize(("version", "is_read"), [("0.22.0", False), ("1.8.1", True), ("1.10.0.dev0", True)])
def test_versions_that_damaged_files_crash_are_refused(
    version: str, is_read: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pillow_heif, "__version__", version)
    if is_read:
        read_photo(FILES["8 bits"])
        return
    with pytest.raises(PhotoError, match=r"1\.8\.1 or later, not 0\.22\.0: pip install 'jdcodec\[heic\]'"):
        read_photo(FILES["8 bits"])


def test_settings_of_development_change_nothing_and_are_told_of() -> None:
    notes = read_photo(FILES["8 bits"], ReadOptions(exposure=1)).notes
    assert notes == ("It is no RAW file: nothing of it was developed anew.",)
