"""The layouts of public data sets are read as they come, and a picture without its partner is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jdcodec.errors import TrainingError
from jdcodec.training.data import keep_low_iso, picture_iso, picture_size, read_picture
from jdcodec.training.pairs import find_pairs


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return folder


def found(folder: Path, layout: str = "auto") -> tuple[str, set[tuple[str, str]]]:
    name, pairs = find_pairs(folder, layout)
    return name, {(pair.noisy.name, pair.clean.name) for pair in pairs}


def test_nind_pairs_each_iso_with_the_lowest(tmp_path: Path) -> None:
    touch(
        tmp_path,
        *("bark/NIND_bark_ISO200.jpg", "bark/NIND_bark_ISO6400.jpg", "bark/NIND_bark_ISOH1.jpg"),
        *("books/NIND_books_ISO100.png", "books/NIND_books_ISO100-1.png", "books/NIND_books_ISO3200-2.png"),
    )
    layout, pairs = find_pairs(tmp_path)
    assert layout == "nind"
    assert {(p.noisy.name, p.clean.name, p.scene, p.iso) for p in pairs} == {
        ("NIND_bark_ISO6400.jpg", "NIND_bark_ISO200.jpg", "NIND_bark", 6400),
        ("NIND_bark_ISOH1.jpg", "NIND_bark_ISO200.jpg", "NIND_bark", 0),
        ("NIND_books_ISO100-1.png", "NIND_books_ISO100.png", "NIND_books", 100),
        ("NIND_books_ISO3200-2.png", "NIND_books_ISO100.png", "NIND_books", 3200),
    }


def test_nind_scene_of_one_iso(tmp_path: Path) -> None:
    touch(tmp_path, "a/NIND_a_ISO200.jpg", "a/NIND_a_ISO800.jpg", "b/NIND_b_ISO200.jpg")
    with pytest.raises(TrainingError, match=r"NIND_b_ISO200\.jpg: the only ISO of its scene"):
        find_pairs(tmp_path)


def test_sidd_medium(tmp_path: Path) -> None:
    folder = "Data/0001_001_S6_00100_00060_3200_L"
    shots = ("010", "011")
    touch(tmp_path, *(f"{folder}/0001_{kind}_SRGB_{shot}.PNG" for kind in ("NOISY", "GT") for shot in shots))
    layout, pairs = find_pairs(tmp_path)
    assert (layout, len(pairs)) == ("sidd", 2)
    assert [(p.noisy.name, p.clean.name) for p in pairs] == [
        (f"0001_NOISY_SRGB_{shot}.PNG", f"0001_GT_SRGB_{shot}.PNG") for shot in shots
    ]
    assert len({p.scene for p in pairs}) == 1  # two shots of one scene are not split


def test_renoir(tmp_path: Path) -> None:
    batch = "Mi3_Aligned/Batch_001"
    touch(
        tmp_path, *(f"{batch}/{name}.bmp" for name in ("4030Noisy", "4031Noisy", "4032Reference", "4033full"))
    )
    assert found(tmp_path) == (
        "renoir",
        {("4030Noisy.bmp", "4032Reference.bmp"), ("4031Noisy.bmp", "4032Reference.bmp")},
    )
    (tmp_path / batch / "4032Reference.bmp").unlink()
    with pytest.raises(TrainingError, match="Batch_001: expected one …Reference"):
        find_pairs(tmp_path)


def test_polyu(tmp_path: Path) -> None:
    touch(tmp_path, "Canon5D2_5_160_3200_bicycle_12_Real.JPG", "Canon5D2_5_160_3200_bicycle_12_mean.JPG")
    assert found(tmp_path)[0] == "polyu"
    assert len(found(tmp_path)[1]) == 1


@pytest.mark.parametrize(("layout", "target"), [("pairs", "clean"), ("denoised", "denoised")])
def test_named_pairs(layout: str, target: str, tmp_path: Path) -> None:
    touch(tmp_path, "a_noisy.png", f"a_{target}.jpg", "notes.png")
    touch(tmp_path / "below", "a_noisy.png", f"a_{target}.png")
    pairs = {("a_noisy.png", f"a_{target}.jpg"), ("a_noisy.png", f"a_{target}.png")}
    assert found(tmp_path) == (layout, pairs)


def test_a_missing_partner_is_named(tmp_path: Path) -> None:
    touch(tmp_path, "a_noisy.png", "a_clean.png", "b_noisy.png")
    with pytest.raises(TrainingError, match=r"b_noisy\.png: has no partner b_clean") as caught:
        find_pairs(tmp_path)
    assert "\n" not in str(caught.value)


def test_the_same_half_twice(tmp_path: Path) -> None:
    touch(tmp_path, "a_noisy.png", "a_noisy.jpg", "a_clean.png")
    with pytest.raises(TrainingError, match=r"the same half of a pair"):
        find_pairs(tmp_path)


def test_no_pairs(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no such folder"):
        find_pairs(tmp_path / "nowhere")
    with pytest.raises(TrainingError, match="no photographs"):
        find_pairs(tmp_path)
    touch(tmp_path, "holiday.png")
    with pytest.raises(TrainingError, match="names fit none of the layouts nind, sidd"):
        find_pairs(tmp_path)
    with pytest.raises(TrainingError, match="no pairs in the layout nind"):
        find_pairs(tmp_path, "nind")
    with pytest.raises(TrainingError, match="unknown layout 'imagenet'"):
        find_pairs(tmp_path, "imagenet")


def photograph(path: Path, iso: int | None = None, orientation: int | None = None) -> Path:
    exif = Image.Exif()
    if iso is not None:
        exif.get_ifd(0x8769)[34855] = iso
    if orientation is not None:
        exif[0x0112] = orientation
    Image.fromarray(np.zeros((30, 40, 3), np.uint8)).save(path, exif=exif)
    return path


def test_photographs_of_low_iso_are_kept(tmp_path: Path) -> None:
    low, high = photograph(tmp_path / "low.jpg", 200), photograph(tmp_path / "high.jpg", 201)
    silent = photograph(tmp_path / "silent.jpg")
    assert [picture_iso(path) for path in (low, high, silent)] == [200, 201, None]
    assert keep_low_iso([low, high, silent], 200, unknown=False) == [low]
    assert keep_low_iso([low, high, silent], 200, unknown=True) == [low, silent]
    with pytest.raises(TrainingError, match=r"none of 2 photographs .* ISO 100 or less; 1 do"):
        keep_low_iso([high, silent], 100, unknown=False)


def test_pictures_are_read_upright(tmp_path: Path) -> None:
    sideways = photograph(tmp_path / "sideways.jpg", orientation=6)
    assert picture_size(sideways) == read_picture(sideways).shape[:2] == (40, 30)


def test_16_bit_pictures_keep_their_upper_byte(tmp_path: Path) -> None:
    Image.fromarray(np.full((8, 8), 0x80FF, np.uint16)).save(tmp_path / "gray.png")
    picture = read_picture(tmp_path / "gray.png")
    assert picture.shape == (8, 8, 3) and (picture == 0x80).all()
