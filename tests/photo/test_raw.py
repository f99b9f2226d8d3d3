"""Camera RAW, on real files of six cameras."""

from __future__ import annotations

import io
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rawpy
from PIL import Image

from jdcodec.errors import JdcError, PhotoError
from jdcodec.photo import Photo, ReadOptions, read_photo

from .samples import RAW_FOLDER, needs_raw

pytestmark = needs_raw

# Format, height, width, ISO, model.
EXPECTED: dict[str, tuple[str, int, int, int | None, str]] = {
    "blackmagic-pocket.dng": ("DNG", 1112, 1952, None, "Blackmagic Pocket Cinema Camera"),
    "canon-d30.crw": ("CRW", 1448, 2176, 100, "Canon EOS D30"),
    "canon-s40.crw": ("CRW", 1720, 2312, 50, "Canon PowerShot S40"),
    "kodak-dc50-é.kdc": ("KDC", 512, 768, 84, "Kodak Digital Science DC50 Zoom Camera"),
    "linear-canon-6d.dng": ("DNG", 816, 1224, 1000, "Canon EOS 6D"),
    "nikon-d1.nef": ("NEF", 1324, 2012, 200, "NIKON D1"),
}
EACH = pytest.mark.parametrize("name", EXPECTED)
SMALL = ("kodak-dc50-é.kdc", "linear-canon-6d.dng")


def content(name: str) -> bytes:
    return (RAW_FOLDER / name).read_bytes()


@pytest.fixture(scope="module")
def photos() -> dict[str, Photo]:
    return {name: read_photo(RAW_FOLDER / name) for name in EXPECTED}


@EACH
def test_what_was_read(photos: dict[str, Photo], name: str) -> None:
    photo = photos[name]
    assert (photo.format, photo.height, photo.width, photo.iso) == EXPECTED[name][:4]
    assert (photo.bit_depth, photo.pixels.dtype, photo.is_gray) == (16, np.uint16, False)
    assert photo.icc is None and photo.xmp is None
    assert photo.exif is not None and len(photo.exif) < 2000
    exif = Image.Exif()
    exif.load(photo.exif)
    assert exif[272].strip("\0 ") == EXPECTED[name][4] and exif[274] == 1
    if name != "blackmagic-pocket.dng":
        assert exif.get_ifd(34665)[36867 if "kdc" not in name else 33434]


@EACH
def test_looks_like_the_preview_of_the_camera(photos: dict[str, Photo], name: str) -> None:
    """The thumbnail that the camera made shows the same scene, as far as contrast goes."""
    with rawpy.imread(io.BytesIO(content(name))) as raw:
        try:
            thumb = raw.extract_thumb()
        except rawpy.LibRawError:
            pytest.skip("the file has no thumbnail")
    image = Image.open(io.BytesIO(thumb.data)) if thumb.format == rawpy.ThumbFormat.JPEG else None
    preview = np.asarray(image.convert("RGB")) if image else thumb.data
    # Some thumbnails have black bars above and below.
    preview = preview[preview.max(axis=(1, 2)) > 24]
    small = [
        np.asarray(Image.fromarray(a).convert("L").resize((48, 36), Image.Resampling.BOX), np.float64)
        for a in (preview, (photos[name].pixels >> 8).astype(np.uint8))
    ]
    assert np.corrcoef(small[0].ravel(), small[1].ravel())[0, 1] > 0.85


@EACH
@pytest.mark.parametrize("part", [0.1, 0.6, 0.95, 0.999])
def test_cut_short(name: str, part: float) -> None:
    data = content(name)
    with pytest.raises(PhotoError, match="cut short"):
        read_photo(data[: int(len(data) * part)])


@pytest.mark.parametrize("name", ["canon-s40.crw", "linear-canon-6d.dng"])
def test_damage_inside_compressed_data_is_found(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    data = bytearray(content(name))
    middle = len(data) * 3 // 4
    data[middle : middle + 400] = random.Random(1).randbytes(400)
    with pytest.raises(PhotoError, match="is damaged"):
        read_photo(bytes(data))
    # LibRaw's own words about it stay off the terminal.
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("name", SMALL)
def test_exposure_is_linear_light(name: str) -> None:
    def light(pixels: Any) -> Any:
        values = pixels / 65_535
        return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)

    normal, brighter = (light(read_photo(content(name), ReadOptions(exposure=e)).pixels) for e in (0, 1))
    middle = (normal > 0.02) & (normal < 0.4)
    assert np.median(brighter[middle] / normal[middle]) == pytest.approx(2, abs=0.02)


def test_white_balance() -> None:
    data = content("linear-canon-6d.dng")
    means = {
        balance: read_photo(data, ReadOptions(white_balance=balance)).pixels.mean(axis=(0, 1))
        for balance in ("camera", "auto", "daylight")
    }
    assert means["daylight"][0] > 1.03 * means["camera"][0]
    assert np.ptp(means["auto"]) < 0.25 * np.ptp(means["camera"])


def test_a_camera_balance_that_is_not_recorded_is_noted(photos: dict[str, Photo]) -> None:
    assert photos["canon-d30.crw"].notes == (
        "The camera did not record its automatic white balance; it was computed anew.",
    )
    assert photos["canon-s40.crw"].notes == ()


def test_auto_brighten() -> None:
    data = content("linear-canon-6d.dng")
    assert read_photo(data, ReadOptions(auto_brighten=True)).pixels.mean() > read_photo(data).pixels.mean()


@pytest.mark.parametrize("name", ["nikon-d1.nef", "linear-canon-6d.dng", "kodak-dc50-é.kdc"])
def test_content_decides_without_a_name_or_with_a_wrong_one(tmp_path: Path, name: str) -> None:
    data = content(name)
    wrong = tmp_path / "photo.tif"
    wrong.write_bytes(data)
    assert read_photo(data).format == read_photo(wrong).format == EXPECTED[name][0]


def test_the_time_zone_of_the_machine_does_not_move_the_date(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        exif = Image.Exif()
        exif.load(read_photo(content("canon-s40.crw")).exif)
        assert exif.get_ifd(34665)[36867] == "2021:03:26 21:18:06"
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("name", SMALL)
def test_hostile_bytes_are_a_jdc_error(name: str) -> None:
    whole = content(name)
    for seed in range(25):
        source = random.Random(seed)
        data = bytearray(whole)
        for _ in range(source.choice((1, 4, 16))):
            data[source.randrange(source.choice((64, 1500, len(data))))] = source.randrange(256)
        try:
            read_photo(bytes(data), ReadOptions(max_pixels=2_000_000))
        except JdcError as error:
            assert "\n" not in str(error)
