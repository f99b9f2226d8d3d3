"""Plots as SVG and PNG."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from jdcodec.bench.anchors import Anchor
from jdcodec.bench.plots import write_plots
from jdcodec.bench.summary import GroupSummary

from .test_summary import QUALITIES, point, summary

pytest.importorskip("matplotlib")

ANCHOR = Anchor("published codec", "a paper", (0.1, 40.0), {"psnr": (28.0, 90.0)})


@pytest.fixture(scope="module")
def group() -> GroupSummary:
    points = [point("p", c, q, bpp=0.1 * q * (1 if c == "a" else 2)) for c in "ab" for q in QUALITIES]
    return summary(points, images="p")


def test_a_plot_for_each_measure_in_both_formats(group: GroupSummary, tmp_path: Path) -> None:
    paths = write_plots(tmp_path, "meadow", [group], [ANCHOR])
    assert sorted(path.name for path in paths) == [
        "ms_ssim_db-all.png",
        "ms_ssim_db-all.svg",
        "psnr-all.png",
        "psnr-all.svg",
    ]
    with Image.open(tmp_path / "psnr-all.png") as image:
        assert image.width > 900
        assert len(image.convert("RGB").getcolors(1 << 24) or []) > 50
    text = (tmp_path / "psnr-all.svg").read_text()
    for word in ("bits per pixel", "PSNR (dB)", "meadow, all: mean of 1 pictures", ">a<", ">b<"):
        assert word in text


def test_the_same_curves_give_the_same_svg(group: GroupSummary, tmp_path: Path) -> None:
    first = [
        path.read_bytes() for path in write_plots(tmp_path / "1", "m", [group], []) if path.suffix == ".svg"
    ]
    again = [
        path.read_bytes() for path in write_plots(tmp_path / "2", "m", [group], []) if path.suffix == ".svg"
    ]
    assert first == again


def test_published_curves_do_not_stretch_the_axes(group: GroupSummary, tmp_path: Path) -> None:
    write_plots(tmp_path, "m", [group], [ANCHOR])
    assert ">40<" not in (tmp_path / "psnr-all.svg").read_text()


def test_names_of_groups_become_names_of_files(group: GroupSummary, tmp_path: Path) -> None:
    from dataclasses import replace

    paths = write_plots(
        tmp_path, "m", [replace(group, name="MS-SSIM ≥ 0.7"), replace(group, name="../cheng:1")], []
    )
    assert {path.parent for path in paths} == {tmp_path}
    assert {"psnr-ms-ssim-0.7.svg", "psnr-..-cheng-1.svg"} <= {path.name for path in paths}


def test_names_with_dollar_signs_are_no_formulas(group: GroupSummary, tmp_path: Path) -> None:
    write_plots(tmp_path, "a $set$ of $\\frac{$", [group], [])
    assert "$set$" in (tmp_path / "psnr-all.svg").read_text()
