"""The model that comes with the package does what it promises, and says what it was made from."""

from __future__ import annotations

import csv
import re
import tomllib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from conftest import PictureMaker
from numpy.typing import NDArray

import jdcodec
from jdcodec.codec.weights import check_network, find_model, shipped_models
from jdcodec.photo import read_photo

ROOT = Path(__file__).parents[2]


def psnr(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    return float(-10 * np.log10(np.mean((a / 255.0 - b / 255.0) ** 2)))


@pytest.fixture(scope="module")
def attribution() -> list[dict[str, str]]:
    """The list of the photographs that the weights were made from, a dictionary for each row."""
    path = shipped_models()["fast"].with_name("ATTRIBUTION.tsv")
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def test_the_package_has_its_weights() -> None:
    """Not a reason to skip: without them nothing can be coded."""
    weights = find_model("fast")
    check_network(weights)
    card = (weights.path.parent / "fast.md").read_text("utf-8")
    assert f"`{weights.model_id.hex()}`" in card


def test_the_wheel_takes_weights_and_attribution_along() -> None:
    hatch = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]["targets"]
    assert hatch["wheel"]["force-include"] == {"weights": "jdcodec/weights"}
    assert "weights" in hatch["sdist"]["include"]
    assert {"ATTRIBUTION.tsv", "fast.md", "fast.safetensors"} <= {
        path.name for path in (ROOT / "weights").iterdir()
    }
    assert (ROOT / "weights" / "denoisers" / "fast-luma.safetensors").is_file()


def test_each_photograph_has_a_licence_and_an_address(attribution: list[dict[str, str]]) -> None:
    assert len(attribution) == len({row["file"] for row in attribution}) == 431
    for row in attribution:
        assert row["title"] and row["licence"] and row["path there"]
        assert re.fullmatch(r"https://[\w.-]+/\S+", row["address"])
        assert re.fullmatch(r"[\w.-]+/[\w.-]+", row["source repository"])


def test_model_card_and_readme_count_the_licences_right(attribution: list[dict[str, str]]) -> None:
    counts = Counter(row["licence"] for row in attribution)
    card = (ROOT / "weights" / "fast.md").read_text("utf-8")
    rows = re.findall(r"^\| ([^|]+) \| (\d+) \|$", card.partition("## Photographs")[2], re.MULTILINE)
    assert {licence: int(count) for licence, count in rows} == counts
    assert f"The author is named for {sum(bool(row['author']) for row in attribution)} of" in " ".join(
        card.split()
    )
    readme = " ".join((ROOT / "README.md").read_text("utf-8").partition("## Licence")[2].split())
    for licence, count in counts.items():
        assert f"{licence.partition(' (')[0]} ({count})" in readme


def test_quality_on_a_photograph(photographs: Path) -> None:
    photo = read_photo(photographs / "eval" / "kodak" / "kodim23.png").pixels[128:384, 128:512]
    found = []
    for quality in (1, 4, 8):
        data = jdcodec.encode(photo, quality=quality, denoise=0)
        found.append((len(data), psnr(jdcodec.decode(data), photo)))
    sizes, fidelity = zip(*found)
    assert sizes[0] < sizes[1] < sizes[2]
    assert fidelity[0] < fidelity[1] < fidelity[2]
    assert fidelity[0] > 25 and fidelity[2] > 36


def test_denoising_brings_the_picture_closer_to_the_scene(make_picture: PictureMaker) -> None:
    """Smooth gradients with noise: denoised, the file is smaller and closer to what there was without it."""
    rows, columns = np.mgrid[0:192, 0:192] / 64.0
    scene = np.stack([0.5 + 0.3 * np.sin(rows + k) * np.cos(columns - k) for k in range(3)], axis=2)
    noisy = scene + np.random.default_rng(0).normal(0, 0.06, scene.shape)
    scene8, noisy8 = (np.rint(255 * x.clip(0, 1)).astype(np.uint8) for x in (scene, noisy))
    kept, cleaned = (jdcodec.encode(noisy8, quality=6, denoise=share) for share in (0, 1))
    assert len(cleaned) < 0.7 * len(kept)
    assert psnr(jdcodec.decode(cleaned), scene8) > psnr(jdcodec.decode(kept), scene8) + 1
