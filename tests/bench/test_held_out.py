"""Weights compared on photographs held out of training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import PictureMaker
from PIL import Image

from jdcodec.bench import held_out
from jdcodec.errors import JdcError


@pytest.fixture
def photographs(tmp_path: Path, make_picture: PictureMaker) -> list[Path]:
    paths = []
    for seed, size in enumerate([(800, 900), (300, 420)]):
        paths.append(tmp_path / f"{seed}.png")
        Image.fromarray(make_picture(*size, seed)).save(paths[-1])
    return paths


#: Kinds of noise to be asked for, and found.
ASKED = (["--kind", "lamp", "--kind", "clean"], ["lamp", "clean"])


@pytest.fixture(autouse=True)
def short_bursts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few exposures, for the time that they take."""
    monkeypatch.setattr(held_out, "EXPOSURES", 4)


@pytest.mark.parametrize("kind", held_out.KINDS)
def test_pairs_of_a_kind(kind: str, photographs: list[Path]) -> None:
    found = list(held_out.pairs(photographs, kind))
    sizes = [clean.shape for _, clean in found]
    assert sizes == ([(512, 512, 3), (200, 280, 3)] if kind == "resized" else [(512, 512, 3), (300, 420, 3)])
    for noisy, clean in found:
        assert noisy.dtype == clean.dtype == np.uint8 and noisy.shape == clean.shape
        noise = noisy.astype(float) - clean
        assert noise.std() == 0 if kind == "clean" else 1 < noise.std() < 60
        assert abs(noise.mean()) < 6  # clipping at black and white moves it
    again = list(held_out.pairs(photographs[::-1], kind))[::-1]
    for pair, same in zip(found, again):
        np.testing.assert_array_equal(pair, same)


def test_16_bits_are_read_as_training_reads_them(tmp_path: Path) -> None:
    gray = np.full((160, 200), 40 * 256 + 9, np.uint16)
    Image.fromarray(gray).save(tmp_path / "deep.png")
    for kind in held_out.KINDS:
        ((noisy, clean),) = held_out.pairs([tmp_path / "deep.png"], kind)
        assert noisy.dtype == clean.dtype == np.uint8
    assert (next(held_out.pairs([tmp_path / "deep.png"], "clean"))[1] == 40).all()


@pytest.mark.parametrize("kind", ["resized", "lamp"])
def test_a_mosaic_takes_no_detail_from_the_scene(kind: str, tmp_path: Path) -> None:
    """Stripes a pixel wide: a demosaic would lose them."""
    stripes = np.zeros((96, 96, 3), np.uint8)
    stripes[:, ::2] = 200
    Image.fromarray(stripes).save(tmp_path / "stripes.png")
    noisy, clean = next(held_out.pairs([tmp_path / "stripes.png"], kind))
    assert np.corrcoef(noisy.mean((0, 2)), clean.mean((0, 2)))[0, 1] > 0.97


def test_the_clean_picture_of_a_burst_has_nearly_no_noise_and_is_softer(photographs: list[Path]) -> None:
    """It is the mean of exposures, and of an enlarged part of the photograph."""
    noisy, clean = (x.astype(float) for x in next(held_out.pairs(photographs, "burst")))
    original = next(held_out.pairs(photographs, "clean"))[1].astype(float)

    def roughness(picture: np.ndarray) -> float:
        return float(np.diff(picture, axis=1).std())

    assert roughness(clean) < roughness(original)
    assert roughness(clean) < 0.9 * roughness(noisy)


def test_noise_of_a_mosaic_is_coarser_than_white(photographs: list[Path]) -> None:
    def neighbours(kind: str) -> float:
        noisy, clean = next(held_out.pairs(photographs, kind))
        noise = (noisy.astype(float) - clean)[..., 0]
        return float(np.mean(noise[:, 1:] * noise[:, :-1]) / np.mean(noise**2))

    assert abs(neighbours("raw-gamma")) < 0.1 < 0.2 < neighbours("lamp")


def test_any_colour_of_a_mosaic_may_lie_at_the_corner() -> None:
    gray = np.full((64, 64, 3), 128, np.uint8)
    corners = set()
    for seed in range(30):
        noisy = held_out._through_mosaic(gray, np.random.default_rng(seed), 0.05, np.ones(3))
        red = noisy[..., 0].astype(float).reshape(32, 2, 32, 2).var((0, 2))
        corners.add(int(red.argmax()))
    assert corners == {0, 1, 2, 3}


@pytest.mark.parametrize(("options", "kinds"), [([], list(held_out.KINDS)), ASKED])
def test_the_command_compares(
    options: list[str],
    kinds: list[str],
    tmp_path: Path,
    tiny_model: Path,
    make_picture: PictureMaker,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for number in range(20):
        Image.fromarray(make_picture(80, 96, number)).save(tmp_path / f"{number:02}.png")
    monkeypatch.setattr(held_out, "CROP", 64)
    held_out.main([str(tmp_path), str(tiny_model), str(tiny_model), *options])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [kind for kind in kinds for _ in range(2)]
    assert all("+0.00 %" in line or "too few" in line or "no overlap" in line for line in lines[1::2])
    assert options or any("+0.00 %" in line for line in lines)


def test_too_few_photographs(tmp_path: Path, make_picture: PictureMaker) -> None:
    Image.fromarray(make_picture(64, 64)).save(tmp_path / "one.png")
    with pytest.raises(JdcError, match="of 1 photographs none is held out"):
        held_out.main([str(tmp_path), "fast"])
