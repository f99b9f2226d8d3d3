"""Folders of pictures as sets: clean, pairs, noise added; and folders that are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from jdcodec.bench.noise import NoiseLevel, parse_noise
from jdcodec.bench.sets import open_set, read_pixels
from jdcodec.errors import JdcError, PhotoError

from .conftest import make_picture, save


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    folder = tmp_path / "pairs"
    folder.mkdir()
    random = np.random.default_rng(0)
    for number, sigma in enumerate((4, 90)):
        clean = make_picture(number, 176, 192)
        noisy = (clean + random.normal(0, sigma, clean.shape)).clip(0, 255).astype(np.uint8)
        save(folder / f"scene{number}_clean.png", clean)
        save(folder / f"scene{number}_noisy.png", noisy)
    return folder


def test_a_clean_set(clean_set: Path) -> None:
    (clean_set / "README.md").write_text("not a picture")
    pictures = open_set(clean_set)
    assert (pictures.name, pictures.kind) == ("meadow", "clean")
    assert [s.name for s in pictures.samples] == ["picture0", "picture1", "picture2"]
    first = pictures.samples[0]
    assert (first.height, first.width, first.input_psnr) == (48, 64, None)
    source, target = first.load(read_pixels)
    assert np.array_equal(source, make_picture(0)) and np.array_equal(target, source)
    assert list(pictures.groups()) == ["all"]


def test_only_the_first_pictures(clean_set: Path) -> None:
    assert [s.name for s in open_set(clean_set, max_images=2).samples] == ["picture0", "picture1"]


def test_files_that_share_a_stem_keep_their_suffix(clean_set: Path) -> None:
    save(clean_set / "picture0.bmp", make_picture(9))
    assert [s.name for s in open_set(clean_set).samples][:2] == ["picture0.bmp", "picture0.png"]


def test_pairs_code_the_noisy_and_compare_with_the_clean_one(pairs: Path) -> None:
    pictures = open_set(pairs)
    assert pictures.kind == "pairs"
    assert [s.name for s in pictures.samples] == ["scene0", "scene1"]
    source, target = pictures.samples[0].load(read_pixels)
    assert np.array_equal(target, make_picture(0, 176, 192)) and not np.array_equal(source, target)
    psnr = pictures.samples[0].input_psnr
    assert psnr is not None and 33 < psnr < 38


def test_noisy_pictures_are_grouped_by_ms_ssim(pairs: Path) -> None:
    groups = open_set(pairs).groups()
    assert "all" in groups and len(groups["all"]) == 2
    strictest = groups["MS-SSIM ≥ 0.95"]
    assert [s.name for s in strictest] == ["scene0"]


def test_noise_makes_a_sample_of_each_picture_and_level(clean_set: Path) -> None:
    pictures = open_set(clean_set, noise=parse_noise("gaussian:5,25"), seed=1)
    assert pictures.kind == "noise" and len(pictures.samples) == 6
    groups = pictures.groups()
    assert [s.name for s in groups["gaussian:25"]] == [f"picture{i} gaussian:25" for i in range(3)]
    noisy, clean = pictures.samples[1].load(read_pixels)
    assert np.array_equal(clean, make_picture(0))
    assert np.array_equal(noisy, NoiseLevel("gaussian", 25).apply(clean, "picture0.png", 1))


def test_digests_follow_the_pixels(clean_set: Path) -> None:
    before = [s.digest for s in open_set(clean_set).samples]
    save(clean_set / "picture1.png", make_picture(77))
    after = [s.digest for s in open_set(clean_set).samples]
    assert [a == b for a, b in zip(before, after)] == [True, False, True]


def test_sixteen_bit_pictures_are_rounded_to_eight(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    values = np.linspace(0, 65535, 48, dtype=np.uint16).reshape(4, 4, 3)
    tifffile.imwrite(tmp_path / "deep.tif", values, photometric="rgb")
    assert np.array_equal(read_pixels(tmp_path / "deep.tif"), np.rint(values / 257).astype(np.uint8))


def test_a_folder_without_pictures(tmp_path: Path) -> None:
    with pytest.raises(JdcError, match="holds no picture"):
        open_set(tmp_path)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(JdcError, match="is not a folder"):
        open_set(tmp_path / "nowhere")


@pytest.mark.parametrize("half", ["noisy", "clean"])
def test_half_of_a_pair(pairs: Path, half: str) -> None:
    other = "clean" if half == "noisy" else "noisy"
    (pairs / f"scene1_{other}.png").unlink()
    with pytest.raises(JdcError, match=f"scene1_{half}.png has no partner: scene1_{other}"):
        open_set(pairs)


def test_a_stray_file_among_pairs(pairs: Path) -> None:
    save(pairs / "stray.png", make_picture())
    with pytest.raises(JdcError, match=r"stray\.png is in a set of pairs"):
        open_set(pairs)


def test_a_pair_of_different_sizes(pairs: Path) -> None:
    save(pairs / "scene1_clean.png", make_picture(1, 176, 190))
    with pytest.raises(JdcError, match=r"scene1_noisy\.png and scene1_clean\.png are of different sizes"):
        open_set(pairs)


def test_the_same_half_twice(pairs: Path) -> None:
    save(pairs / "scene1_clean.bmp", make_picture(1, 176, 192))
    with pytest.raises(JdcError, match="same half of a pair"):
        open_set(pairs)


def test_noise_on_pairs(pairs: Path) -> None:
    with pytest.raises(JdcError, match="leave out --noise"):
        open_set(pairs, noise=parse_noise("cheng"))


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n" + bytes(40)])
def test_a_file_that_is_no_picture(clean_set: Path, content: bytes) -> None:
    (clean_set / "picture1.png").write_bytes(content)
    with pytest.raises(PhotoError, match=r"picture1\.png"):
        open_set(clean_set)


def test_a_picture_that_is_cut_short(clean_set: Path) -> None:
    path = clean_set / "picture2.png"
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(PhotoError, match=r"picture2\.png"):
        open_set(clean_set)
