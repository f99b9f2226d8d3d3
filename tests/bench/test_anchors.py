"""Files of published curves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jdcodec.bench.anchors import read_anchors
from jdcodec.errors import JdcError

CURVE = {"codec": "JPEG", "source": "somewhere", "bpp": [0.2, 0.4], "psnr": [27, 30], "ms_ssim": [0.9, 0.99]}


def written(path: Path, document: object) -> Path:
    file = path / "anchors.json"
    file.write_text(json.dumps(document))
    return file


def test_a_list_of_curves(tmp_path: Path) -> None:
    (anchor,) = read_anchors(written(tmp_path, [CURVE]), "anything")
    assert (anchor.codec, anchor.source, anchor.bpp) == ("JPEG", "somewhere", (0.2, 0.4))
    assert anchor.measures["psnr"] == (27, 30)
    assert anchor.measures["ms_ssim_db"] == pytest.approx((10, 20))


def test_curves_sorted_by_set(tmp_path: Path) -> None:
    measured = {key: CURVE[key] for key in ("bpp", "psnr", "ms_ssim")}
    file = written(
        tmp_path,
        {
            "published_kodak": [CURVE, {**CURVE, "ms_ssim": None}],
            "measured": {"kodak": {"curves": {"bpg": measured}}},
        },
    )
    anchors = read_anchors(file, "kodak")
    assert [a.codec for a in anchors] == ["JPEG", "JPEG", "bpg"]
    assert set(anchors[1].measures) == {"psnr"}
    with pytest.raises(JdcError, match="no curves for the set 'clic': --name says which set"):
        read_anchors(file, "clic")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(JdcError, match=r"none\.json: curves cannot be read"):
        read_anchors(tmp_path / "none.json", "kodak")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "\x00",
        "[" * 100_000,
        "1",
        '"text"',
        "[1]",
        "[[]]",
        "[{}]",
        '{"published_kodak": 3}',
        '{"measured": []}',
    ],
    ids=lambda text: text[:20] or "empty",
)
def test_files_that_hold_something_else(tmp_path: Path, text: str) -> None:
    file = tmp_path / "anchors.json"
    file.write_text(text)
    with pytest.raises(JdcError) as caught:
        read_anchors(file, "kodak")
    assert "anchors.json" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        {"bpp": [0.2]},
        {"bpp": []},
        {"bpp": [0, 1]},
        {"bpp": ["a", 1]},
        {"bpp": 3},
        {"psnr": [27, None]},
        {"psnr": [27, float("nan")]},
        {"psnr": [27, float("inf")]},
        {"ms_ssim": {}, "psnr": "27"},
    ],
    ids=str,
)
def test_curves_that_are_none(tmp_path: Path, change: dict[str, object]) -> None:
    with pytest.raises(JdcError, match="a curve in it is not of the form"):
        read_anchors(written(tmp_path, [{**CURVE, **change}]), "kodak")
