"""`import jdcodec.pillow`: Pillow opens and saves `.jdc` files."""

from __future__ import annotations

import copy
import errno
import functools
import importlib
import io
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import PictureMaker
from PIL import Image

import jdcodec
import jdcodec.pillow
from jdcodec.codec import weights
from jdcodec.photo import from_array
from tests.photo.samples import matrix_profile


@pytest.fixture(autouse=True)
def shipped_model(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The small model of the tests in place of the shipped one."""
    monkeypatch.setattr(weights, "shipped_models", lambda: {"fast": tiny_model})


@pytest.fixture
def coded(make_picture: PictureMaker, tmp_path: Path) -> Path:
    path = tmp_path / "photo.jdc"
    exif = Image.Exif()
    exif[272] = "Model 1"
    Image.fromarray(make_picture(40, 70)).save(path, quality=3, denoise=0.5, exif=exif, xmp=b"<x/>")
    return path


def test_save_and_open(coded: Path) -> None:
    with Image.open(coded) as image:
        assert (image.format, image.mode, image.size) == ("JDC", "RGB", (70, 40))
        assert (image.info["quality"], image.info["denoise"]) == (3.0, 0.5)
        assert image.getexif()[272] == "Model 1" and image.info["xmp"] == b"<x/>"
        np.testing.assert_array_equal(np.asarray(image), jdcodec.decode(coded.read_bytes()))


EMPTY = pytest.mark.parametrize("empty", [None, b""])


@pytest.fixture
def described(make_picture: PictureMaker) -> Image.Image:
    """A picture of 70 × 40 that lies on its side, with a place in its EXIF, an XMP packet and a profile."""
    exif = Image.Exif()
    exif[272], exif[274] = "Model 1", 6
    exif.get_ifd(34853)[1] = "N"
    image = Image.fromarray(make_picture(40, 70))
    image.info |= {"exif": exif.tobytes(), "xmp": b"<x/>", "icc_profile": matrix_profile()}
    return image


def saved(image: Image.Image, **options: Any) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JDC", **options)
    return Image.open(io.BytesIO(file.getvalue()))


def test_metadata_that_is_not_spoken_of_is_the_images_own(described: Image.Image) -> None:
    result = saved(described)
    assert result.size == (40, 70)
    assert result.getexif()[272] == "Model 1" and result.getexif().get_ifd(34853) == {1: "N"}
    assert result.info["xmp"] == b"<x/>"


@EMPTY
@pytest.mark.parametrize("strip", [{}, {"strip": None}, {"strip": "icc"}])
def test_empty_exif_takes_that_of_the_image_away(
    described: Image.Image, empty: bytes | None, strip: dict[str, Any]
) -> None:
    result = saved(described, exif=empty, **strip)
    assert "exif" not in result.info and result.info["xmp"] == b"<x/>"
    # What it said of the orientation has been done.
    assert result.size == (40, 70)
    assert "exif" not in saved(described, exif=Image.Exif()).info


@EMPTY
def test_empty_xmp_takes_that_of_the_image_away(described: Image.Image, empty: bytes | None) -> None:
    result = saved(described, xmp=empty)
    assert "xmp" not in result.info and "exif" in result.info


@EMPTY
def test_an_empty_profile_leaves_the_values_as_they_are(
    described: Image.Image, empty: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def look(image: Image.Image, **options: Any) -> bytes:
        seen.append(from_array(image))
        return b""

    monkeypatch.setattr(jdcodec, "encode", look, raising=False)
    for options in ({}, {"icc_profile": empty}):
        described.save(io.BytesIO(), "JDC", **options)
    converted, plain = seen
    assert converted.notes == ("The colours were converted from the embedded profile to sRGB.",)
    assert plain.notes == () and not np.array_equal(plain.pixels, converted.pixels)


def test_metadata_given_and_empty_leave_the_image_as_it_was(described: Image.Image) -> None:
    before = dict(described.info)
    saved(described, exif=None, xmp=b"<y/>", icc_profile=b"")
    assert described.info == before


def test_a_strip_that_is_no_text_is_refused_with_empty_metadata_too(described: Image.Image) -> None:
    with pytest.raises(OSError, match="strip must be text"):
        saved(described, exif=b"", strip=7)


def test_tags_of_a_tiff_are_kept(make_picture: PictureMaker) -> None:
    file = io.BytesIO()
    Image.fromarray(make_picture(40, 70)).save(file, "TIFF", tiffinfo={271: "Maker", 274: 6})
    result = saved(Image.open(io.BytesIO(file.getvalue())))
    assert result.size == (40, 70) and result.getexif()[271] == "Maker"
    assert "exif" not in saved(Image.open(io.BytesIO(file.getvalue())), exif=b"").info


def test_opening_decodes_nothing(coded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(jdcodec, "decode", fail, raising=False)
    with Image.open(coded) as image:
        assert image.size == (70, 40)


def test_gray_stays_gray(make_picture: PictureMaker) -> None:
    file = io.BytesIO()
    Image.fromarray(make_picture(33, 65)).convert("L").save(file, "JDC")
    image = Image.open(io.BytesIO(file.getvalue()))
    assert (image.mode, image.size) == ("L", (65, 33))
    np.testing.assert_array_equal(np.asarray(image), jdcodec.decode(file.getvalue())[..., 0])


def test_loading_twice_and_after_the_file_is_closed(coded: Path) -> None:
    with Image.open(coded) as image:
        image.load()
        first = np.asarray(image)
    np.testing.assert_array_equal(np.asarray(image), first)


def test_damage_is_an_oserror(coded: Path) -> None:
    data = bytearray(coded.read_bytes())
    data[-40] ^= 1
    with pytest.raises(OSError, match="damaged"):
        Image.open(io.BytesIO(data)).load()
    with pytest.raises(OSError):
        Image.open(io.BytesIO(data[:30])).load()
    with pytest.raises(Image.UnidentifiedImageError):
        Image.open(io.BytesIO(b"junk"))


@pytest.mark.parametrize("place", [-40, 30, -1])
def test_verify_finds_damage_and_decodes_nothing(
    coded: Path, place: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jdcodec, "decode", None, raising=False)
    with Image.open(coded) as image:
        image.verify()
    data = bytearray(coded.read_bytes())
    data[place] ^= 1
    for damaged in (data, data[:-40]):
        with pytest.raises(OSError):
            Image.open(io.BytesIO(damaged)).verify()


def test_verify_closes_the_file(coded: Path) -> None:
    image = Image.open(coded)
    file = image.fp
    image.verify()
    assert file is not None and file.closed
    loaded = Image.open(coded)
    loaded.load()
    loaded.verify()


def test_models_of_ones_own(coded: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = jdcodec.decode(coded.read_bytes())
    monkeypatch.setattr(weights, "shipped_models", dict)
    with (
        Image.open(coded) as image,
        pytest.raises(OSError, match=r"weights file with image\.load\(model=…\)"),
    ):
        image.load()
    with Image.open(coded) as image:
        image.load(model=str(tiny_model))
        np.testing.assert_array_equal(np.asarray(image), expected)
        with pytest.raises(OSError, match="no model"):
            image.save(coded.with_name("a.jdc"))
        image.save(coded.with_name("b.jdc"), model=str(tiny_model), quality=1)
    assert sorted(path.name for path in coded.parent.iterdir()) == ["b.jdc", "photo.jdc"]


def test_grain(coded: Path) -> None:
    with Image.open(coded) as image:
        image.load(grain=1.0)
        np.testing.assert_array_equal(np.asarray(image), jdcodec.decode(coded.read_bytes(), grain=1.0))
    with Image.open(coded) as image, pytest.raises(OSError, match="grain must lie between 0 and 1"):
        image.load(grain=2.0)


BAD_SETTINGS = [
    ({"quality": 90}, r"quality must lie between 1 \(smallest\) and 8 \(best\), not 90: it is not JPEG's"),
    ({"quality": float("nan")}, "quality must lie between 1"),
    ({"quality": "keep"}, "quality must be a number"),
    ({"denoise": 7}, "denoise must lie between 0 and 1"),
    ({"model": "no-such-model"}, "no model 'no-such-model'"),
]


@pytest.mark.parametrize(("options", "message"), BAD_SETTINGS)
def test_what_cannot_be_saved_leaves_the_file_as_it_was(
    tmp_path: Path, options: dict[str, object], message: str
) -> None:
    path, other = tmp_path / "x.jdc", tmp_path / "x.bin"
    for precious in ([], [path, other]):
        for file in precious:
            file.write_bytes(b"precious")
        before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
        for name, kind in ((path, None), (str(path), "jdc"), (bytes(path), None), (other, "JDC")):
            with pytest.raises(OSError, match=message):
                Image.new("RGB", (8, 8)).save(name, kind, **options)
        assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "x.jdc"
    path.write_bytes(b"precious")
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="no room left"):
        Image.new("RGB", (8, 8)).save(path)
    assert path.read_bytes() == b"precious" and list(tmp_path.iterdir()) == [path]


def test_saving_over_a_file_replaces_it_and_keeps_its_permissions(coded: Path) -> None:
    coded.chmod(0o600)
    with Image.open(coded) as image:
        image.save(coded, quality=1)
    with Image.open(coded) as image:
        assert image.info["quality"] == 1 and image.load()
    assert coded.stat().st_mode & 0o777 == 0o600
    with pytest.raises(OSError, match="no such folder"):
        Image.new("RGB", (8, 8)).save(coded.parent / "missing" / "x.jdc")


def test_other_formats_are_saved_as_ever(tmp_path: Path) -> None:
    image = Image.new("RGB", (8, 8))
    image.save(tmp_path / "a.png")
    image.save(tmp_path / "b.jdc", format="PNG")
    image.save(tmp_path / "c.jpg", quality=90)
    assert [Image.open(path).format for path in sorted(tmp_path.iterdir())] == ["PNG", "PNG", "JPEG"]
    with pytest.raises(ValueError, match="unknown file extension"):
        image.save(tmp_path / "d.nonsense")
    with pytest.raises(ValueError, match="unknown file extension"):
        image.save(io.BytesIO())


def test_the_module_may_be_imported_anew(
    make_picture: PictureMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = Image.Image.save

    @functools.wraps(ours)
    def wrapped_by_others(*arguments: Any, **options: Any) -> None:
        ours(*arguments, **options)

    image = Image.fromarray(make_picture(16, 16))
    for save in (ours, wrapped_by_others):
        monkeypatch.setattr(Image.Image, "save", save)
        for _ in range(2):
            importlib.reload(jdcodec.pillow)
        assert Image.Image.save is save
        image.save(tmp_path / "a.jdc")
        image.save(tmp_path / "a.png")
        assert [Image.open(path).format for path in sorted(tmp_path.iterdir())] == ["JDC", "PNG"]
        with pytest.raises(OSError, match="denoise"):
            image.save(tmp_path / "a.jdc", denoise=7)
        assert Image.open(tmp_path / "a.jdc").size == (16, 16)


def test_the_import_is_light() -> None:
    code = "import sys, jdcodec.pillow; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize("gray", [False, True])
@pytest.mark.parametrize(("side", "scale"), [(16, 4), (40, 1), (36, 1), (35, 2), (8, 8), (1, 16)])
def test_a_draft_decodes_a_preview(
    make_picture: PictureMaker, tmp_path: Path, side: int, scale: int, gray: bool
) -> None:
    path = tmp_path / "photo.jdc"
    image = Image.fromarray(make_picture(70, 131))
    (image.convert("L") if gray else image).save(path)
    with Image.open(path) as opened:
        result = opened.draft("L", (side, side))
        expected = None if scale == 1 else (opened.mode, (0, 0, 131 / scale, 70 / scale))
        assert result == expected
        preview = jdcodec.decode(path, scale=scale)
        assert opened.size == preview.shape[1::-1]
        np.testing.assert_array_equal(np.asarray(opened.convert("RGB")), preview)
        # Once there are pixels, they stay.
        assert opened.draft(None, (1, 1)) is None and opened.size == preview.shape[1::-1]


def test_a_thumbnail_is_that_of_the_whole_picture(make_picture: PictureMaker, tmp_path: Path) -> None:
    path = tmp_path / "photo.jdc"
    Image.fromarray(make_picture(210, 331)).save(path)
    whole = Image.fromarray(jdcodec.decode(path))
    with Image.open(path) as opened:
        opened.thumbnail((40, 40))
        whole.thumbnail((40, 40))
        assert opened.size == whole.size == (40, 25)
        difference = np.asarray(opened).astype(float) - np.asarray(whole)
    assert np.sqrt(np.mean(difference**2)) < 6


def test_a_gray_file_larger_than_its_pixels(make_picture: PictureMaker, tmp_path: Path) -> None:
    """Pillow maps files of uncompressed gray pixels, where they are long enough for that."""
    path = tmp_path / "photo.jdc"
    Image.fromarray(make_picture(20, 30)).convert("L").save(path, xmp=b"<x/>" * 500)
    with Image.open(path) as opened:
        np.testing.assert_array_equal(np.asarray(opened.convert("RGB")), jdcodec.decode(path))


@pytest.mark.parametrize("loaded", [False, True])
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda image: pickle.loads(pickle.dumps(image))])
def test_copies_of_all_kinds_have_the_pixels(coded: Path, copied: Any, loaded: bool) -> None:
    with Image.open(coded) as image:
        if loaded:
            image.load()
        twin = copied(image)
    assert twin.draft(None, (1, 1)) is None
    twin.load()
    np.testing.assert_array_equal(np.asarray(twin), jdcodec.decode(coded))
    np.testing.assert_array_equal(np.asarray(twin.copy()), jdcodec.decode(coded))


def test_threads_load_one_image(coded: Path) -> None:
    with Image.open(coded) as image, ThreadPoolExecutor(4) as pool:
        for pixels in pool.map(lambda _: np.asarray(image), range(4)):
            np.testing.assert_array_equal(pixels, jdcodec.decode(coded))


@pytest.mark.parametrize("ending", ["jpg", "png", "tif", "webp", "avif"])
def test_exif_of_info_goes_into_other_formats(coded: Path, tmp_path: Path, ending: str) -> None:
    with Image.open(coded) as image:
        image.save(tmp_path / f"copy.{ending}", exif=image.info["exif"])
    with Image.open(tmp_path / f"copy.{ending}") as written:
        assert written.getexif()[272] == "Model 1"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"exif": b"junk"}, "exif: "),
        ({"exif": "text"}, "exif must be bytes, not str"),
        ({"xmp": "<x/>"}, "xmp must be bytes, not str"),
        ({"icc_profile": 7}, "icc_profile must be bytes, not int"),
    ],
)
def test_metadata_that_is_none_is_refused(
    described: Image.Image, options: dict[str, Any], reason: str
) -> None:
    with pytest.raises(OSError, match=reason):
        saved(described, **options)
