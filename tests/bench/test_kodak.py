"""JPEG on the Kodak pictures reproduces the curves that others measured."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jdcodec.bench.curves import Curve, bd_rate
from jdcodec.bench.libraries import LIBRARIES, Library, PillowFormat, pillow
from jdcodec.bench.runner import Measuring, prepare, run
from jdcodec.bench.sets import PictureSet, open_set, read_pixels
from jdcodec.bench.summary import MeanPoint, summarise

pytest.importorskip("bjontegaard")
DATA = os.environ.get("JDC_DATA")
if not DATA:
    pytest.skip("JDC_DATA names no folder of photographs", allow_module_level=True)
KODAK = Path(DATA) / "eval" / "kodak"
if not KODAK.is_dir():
    pytest.skip(f"there is no {KODAK}", allow_module_level=True)

# Means over the 24 pictures at quality 10, 45 and 88, measured by others: Pillow 13, 4:2:0, optimised.
QUALITIES = (10, 45, 88)
BPP = [0.25551, 0.81039, 2.09643]
PSNR = [26.6718, 31.8221, 37.3303]
MS_SSIM_AT_45 = 0.974491
# CompressAI results/image/kodak/jpeg.json, every second point: Pillow 7.1.2, quality 5, 15 … 95.
PUBLISHED = Curve.of(
    [0.221153, 0.423126, 0.587866, 0.728946, 0.849719, 0.96438, 1.127396, 1.368827, 1.858816, 3.40134],
    [23.78, 28.042246, 29.78473, 30.903165, 31.704845, 32.399296, 33.234742, 34.394295, 36.328865, 40.556657],
)
JPEG = next(library for library in LIBRARIES if library.name == "jpeg")


@pytest.fixture(scope="module")
def kodak() -> PictureSet:
    pictures = open_set(KODAK)
    assert len(pictures.samples) == 24
    return pictures


def mean_points(pictures: PictureSet, codec: Library, qualities: tuple[float, ...]) -> tuple[MeanPoint, ...]:
    entrants, _ = prepare([codec], {"jpeg": qualities}, strict=True)
    points = list(run(pictures, entrants, {}, Measuring(read_pixels)))
    return summarise(pictures, entrants, points)[0].curves["jpeg"]


@pytest.fixture
def without_ms_ssim(monkeypatch: pytest.MonkeyPatch) -> None:
    """MS-SSIM takes nine tenths of the time; it is checked once."""
    monkeypatch.setattr("jdcodec.bench.metrics.ms_ssim", lambda target, decoded: None)


def test_ms_ssim_measured_elsewhere_comes_out_the_same(kodak: PictureSet) -> None:
    (point,) = mean_points(kodak, JPEG, (45,))
    assert point.ms_ssim == pytest.approx(MS_SSIM_AT_45, abs=1e-4)


@pytest.mark.usefixtures("without_ms_ssim")
def test_rates_and_psnr_measured_elsewhere_come_out_the_same(kodak: PictureSet) -> None:
    points = mean_points(kodak, JPEG, QUALITIES)
    assert [p.bpp for p in points] == pytest.approx(BPP, rel=0.002)
    assert [p.psnr for p in points] == pytest.approx(PSNR, abs=0.01)


@pytest.mark.usefixtures("without_ms_ssim")
def test_the_published_curve_is_met_within_two_per_cent(kodak: PictureSet) -> None:
    # The published files were not optimised.
    form = PillowFormat("JPEG", lambda quality: {"quality": round(quality)})
    points = mean_points(kodak, pillow("jpeg", "JPEG", JPEG.scale, form), tuple(range(5, 100, 10)))
    delta = bd_rate(PUBLISHED, Curve.of([p.bpp for p in points], [p.psnr for p in points]))
    assert delta.value == pytest.approx(0, abs=2)
    assert delta.overlap > 0.98
