"""Outputs whose names macOS or Windows would take for one, as they ignore case or Unicode form."""

from __future__ import annotations

import random
import unicodedata
from pathlib import Path

import pytest
from conftest import PictureMaker
from PIL import Image

from jdcodec.naming import output_names, same_on_some_disk

from .command import jdc

MODEL = Path(__file__).parents[1] / "golden" / "tiny.safetensors"
COMPOSED, DECOMPOSED = (unicodedata.normalize(form, "été.jpg") for form in ("NFC", "NFD"))


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([], []),
        (["a.jpg", "b.jpg"], ["a.jdc", "b.jdc"]),
        (["a.NEF", "a.JPG"], ["a.NEF.jdc", "a.JPG.jdc"]),
        (["a.NEF", "A.JPG"], ["a.NEF.jdc", "A.JPG.jdc"]),
        (["a.jpg", "A.jpg"], ["a.jpg-2.jdc", "A.jpg.jdc"]),
        (["a.jpg", "A.jpg", "a.JPG", "b.jpg"], ["a.jpg-3.jdc", "A.jpg.jdc", "a.JPG-2.jdc", "b.jdc"]),
        (["STRASSE.jpg", "straße.jpg"], ["STRASSE.jpg.jdc", "straße.jpg-2.jdc"]),
        ([COMPOSED, DECOMPOSED], [f"{COMPOSED}-2.jdc", f"{DECOMPOSED}.jdc"]),
        # The number that a name would get may be taken.
        (["a.jpg", "A.jpg", "A.jpg-2.png"], ["a.jpg-3.jdc", "A.jpg.jdc", "A.jpg-2.jdc"]),
        (["a", "A", "a.jpg"], ["a-2.jdc", "A.jdc", "a.jpg.jdc"]),
        (["a.jpg", "a.jpg"], ["a.jdc", "a.jdc"]),
    ],
)
def test_names(names: list[str], expected: list[str]) -> None:
    chosen = output_names(names, ".jdc")
    assert [chosen[name] for name in names] == expected


def test_any_names_are_kept_apart_whatever_their_order() -> None:
    rng = random.Random(0)
    parts = ["a", "A", "é", "e\u0301", "É", "ß", "ss", "-2", ".jpg", ".JPG", ".nef", ".jdc", "-3"]
    for _ in range(2000):
        names = ["".join(rng.choices(parts, k=rng.randint(1, 4))) for _ in range(rng.randint(1, 8))]
        chosen = output_names(names, ".jdc")
        assert set(chosen) == set(names)
        assert len({same_on_some_disk(name) for name in chosen.values()}) == len(chosen), names
        rng.shuffle(names)
        assert output_names(names, ".jdc") == chosen


def test_two_photos_that_differ_in_case_are_both_coded_and_come_back(
    tmp_path: Path, make_picture: PictureMaker
) -> None:
    for name, height in (("a.png", 32), ("A.png", 40)):
        Image.fromarray(make_picture(height, 32)).save(tmp_path / name)
    if len(list(tmp_path.iterdir())) == 1:
        pytest.skip("this disk takes no account of case")
    out = tmp_path / "out"
    assert jdc("encode", tmp_path, "-o", out, "--model", MODEL).exit_code == 0
    assert {path.name for path in out.iterdir()} == {"A.png.jdc", "a.png-2.jdc"}
    assert jdc("decode", out, "--model", MODEL).exit_code == 0
    sizes = {}
    for path in out.glob("*.png"):
        with Image.open(path) as image:
            sizes[path.name] = image.height
    assert sizes == {"A.png.png": 40, "a.png-2.png": 32}
