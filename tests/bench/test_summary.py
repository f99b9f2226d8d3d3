"""Means over groups, what failures do to them, and who peaks where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from jdcodec.bench.metrics import ms_ssim_db
from jdcodec.bench.results import Point
from jdcodec.bench.runner import Entrant
from jdcodec.bench.sets import PictureSet, Sample
from jdcodec.bench.summary import GroupSummary, expenses, summarise

from .conftest import quantiser

QUALITIES = (2, 3, 4, 5)


def sample(name: str, input_ms_ssim: float | None = None) -> Sample:
    return Sample(name, Path(name), Path(name), None, 0, 1000, 500, "d", None, input_ms_ssim)


def point(image: str, codec: str, quality: float, **values: object) -> Point:
    """A point with 0.1 bpp and 3 dB for each step of quality, unless `values` say else."""
    usual = {"bpp": 0.1 * quality, "psnr": 24.0 + 3 * quality, "ms_ssim": 0.9 + quality / 100}
    return Point(image, codec, quality, "d", "1", "", **{**usual, **values})  # type: ignore[arg-type]


def summary(points: list[Point], images: str = "pqrs", codecs: Sequence[str] = "ab") -> GroupSummary:
    pictures = PictureSet("set", "clean", tuple(sample(name) for name in images))
    ready = [Entrant(quantiser(name), "1", QUALITIES) for name in codecs]
    return summarise(pictures, ready, points)[0]


def test_means_are_of_bits_and_of_decibels() -> None:
    points = [
        point(i, "a", q, bpp=q * (n + 1), psnr=30.0 + n) for n, i in enumerate("pqrs") for q in QUALITIES
    ]
    mean = summary(points, codecs="a").curves["a"][0]
    assert (mean.quality, mean.bpp, mean.psnr) == (2, 5.0, 31.5)
    assert mean.ms_ssim == pytest.approx(0.92)
    assert mean.ms_ssim_db == pytest.approx(ms_ssim_db(0.92))
    assert mean.ssimulacra2 is None


def test_a_measure_that_a_picture_lacks_has_no_mean() -> None:
    points = [point(i, "a", q, ms_ssim=None if i == "p" else 0.9) for i in "pqrs" for q in QUALITIES]
    group = summary(points, codecs="a")
    assert group.curves["a"][0].ms_ssim_db is None
    assert list(group.bd_rate) == ["psnr"]


def test_a_picture_on_which_a_codec_fails_is_averaged_for_none() -> None:
    points = [point(i, c, q) for i in "pqrs" for c in "ab" for q in QUALITIES]
    points = [
        Point("q", "b", 3, "d", "1", "", error="boom")
        if (p.image, p.codec, p.quality) == ("q", "b", 3)
        else p
        for p in points
    ]
    group = summary(points)
    assert group.pictures == ("p", "r", "s")
    assert group.left_out == {"q": "b: at quality 3 boom"}
    assert set(group.curves) == {"a", "b"}


def test_a_codec_that_fails_on_most_pictures_is_dropped_alone() -> None:
    points = [point(i, "a", q) for i in "pqrs" for q in QUALITIES]
    points += [point("p", "b", q) for q in QUALITIES]
    points += [Point(i, "b", q, "d", "1", "", error="boom") for i in "qrs" for q in QUALITIES]
    group = summary(points)
    assert group.pictures == tuple("pqrs")
    assert set(group.curves) == {"a"}
    assert group.dropped == {"b": "failed on 3 of 4 pictures: at quality 2 boom"}


def test_nothing_left_is_no_curve_and_no_crash() -> None:
    points = [Point(i, "a", q, "d", "1", "", error="boom") for i in "pqrs" for q in QUALITIES]
    group = summary(points, codecs="a")
    assert (group.pictures, group.curves, group.bd_rate) == (tuple("pqrs"), {}, {})


def test_bd_rates_between_every_two_codecs() -> None:
    points = [point(i, "a", q) for i in "pq" for q in QUALITIES]
    points += [point(i, "b", q, bpp=0.05 * q) for i in "pq" for q in QUALITIES]
    group = summary(points, images="pq")
    assert group.bd_rate["psnr"]["a"]["b"].value == pytest.approx(-50)
    assert group.bd_rate["psnr"]["b"]["a"].value == pytest.approx(100)
    assert group.bd_rate["ms_ssim_db"]["a"]["b"].value == pytest.approx(-50)


def test_peaks_and_the_bits_at_which_others_reach_them() -> None:
    falls = {2: 30.0, 3: 33.0, 4: 32.0, 5: 31.0}
    points = [point("p", "a", q, psnr=falls[q]) for q in QUALITIES]
    points += [point("p", "b", q, bpp=0.01 * q) for q in QUALITIES]
    peaks = summary(points, images="p").peaks["psnr"]
    assert (peaks["a"].bpp, peaks["a"].quality) == (pytest.approx(0.3), 33.0)
    assert peaks["a"].bpp_of_others["b"] == pytest.approx(0.03)
    assert peaks["b"].quality == 39.0 and peaks["b"].bpp_of_others["a"] is None


def test_the_input_of_noisy_sets_is_a_mean_too() -> None:
    noisy = [replace(sample(n, m), input_psnr=p) for n, m, p in (("p", 0.9, 20.0), ("q", 0.8, 30.0))]
    group = summarise(PictureSet("set", "pairs", tuple(noisy)), [], [])[0]
    assert group.input == {"psnr": 25.0, "ms_ssim_db": pytest.approx(ms_ssim_db(0.85))}
    assert summary([], codecs="").input == {}


def test_groups_have_summaries_of_their_own() -> None:
    pictures = PictureSet("set", "pairs", (sample("p", 0.98), sample("q", 0.6)))
    points = [point(i, "a", q, psnr=30.0 if i == "p" else 20.0) for i in "pq" for q in QUALITIES]
    groups = summarise(pictures, [Entrant(quantiser("a"), "1", QUALITIES)], points)
    assert [(g.name, len(g.pictures)) for g in groups] == [
        ("all", 2),
        ("MS-SSIM ≥ 0.7", 1),
        ("MS-SSIM ≥ 0.95", 1),
    ]
    assert groups[1].curves["a"][0].psnr == 30.0


def test_expenses_are_medians_for_each_megapixel() -> None:
    pictures = PictureSet("set", "clean", (sample("p"),))
    points = [
        point(
            "p", "a", q, encode_seconds=s, decode_seconds=1.0, encode_peak_bytes=1000, decode_peak_bytes=None
        )
        for q, s in zip(QUALITIES, (1.0, 2.0, 2.0, 90.0))
    ]
    spent = expenses(pictures, points)["a"]
    assert (spent.encode_seconds, spent.decode_seconds) == (4.0, 2.0)
    assert (spent.encode_bytes, spent.decode_bytes) == (2000, None)
