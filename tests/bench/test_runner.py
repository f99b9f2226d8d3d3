"""Coding a set: points, failures, resuming, working side by side."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jdcodec.bench.codec import Codec, Unavailable
from jdcodec.bench.libraries import Library
from jdcodec.bench.metrics import Pixels, bits_per_pixel, psnr
from jdcodec.bench.results import Point
from jdcodec.bench.runner import Entrant, Measuring, prepare, run
from jdcodec.bench.sets import open_set, read_pixels
from jdcodec.errors import JdcError

from .conftest import make_picture, quantiser

MEASURING = Measuring(read_pixels)


def entrants(*codecs: Codec) -> list[Entrant]:
    return prepare(codecs, {}, strict=True)[0]


def everything(folder: Path, *codecs: Codec, measuring: Measuring = MEASURING) -> list[Point]:
    return list(run(open_set(folder), entrants(*codecs), {}, measuring))


def counting(codec: Library) -> tuple[Library, list[float]]:
    """A codec that notes each quality it is asked for."""
    asked: list[float] = []

    def encode(pixels: Pixels, quality: float) -> bytes:
        asked.append(quality)
        return codec.encode(pixels, quality)

    return replace(codec, encode=encode), asked


def test_a_point_for_each_picture_codec_and_quality(clean_set: Path) -> None:
    points = everything(clean_set, quantiser("a"), quantiser("b"))
    assert {(p.image, p.codec, p.quality) for p in points} == {
        (f"picture{i}", codec, quality) for i in range(3) for codec in "ab" for quality in (2, 3, 4, 5)
    }
    assert len(points) == 24


def test_points_hold_what_the_file_and_the_decoded_picture_are(clean_set: Path) -> None:
    point = next(p for p in everything(clean_set, quantiser()) if (p.image, p.quality) == ("picture1", 4))
    picture = make_picture(1)
    coded = quantiser().code(picture, 4)
    assert point.bytes == len(coded.data)
    assert point.bpp == bits_per_pixel(len(coded.data), 48, 64)
    assert point.psnr == psnr(picture, coded.pixels)
    assert (point.ms_ssim, point.error) == (None, None)
    assert (point.version, point.command) == ("fake 1", "fake(image, quality=4)")


def test_noisy_sets_compare_with_the_clean_picture(tmp_path: Path) -> None:
    from .conftest import save

    clean = make_picture(0)
    save(tmp_path / "a_clean.png", clean)
    save(tmp_path / "a_noisy.png", 255 - clean)
    lossless = replace(
        quantiser(), encode=lambda pixels, quality: pixels.tobytes(), decode=lambda data: _as_picture(data)
    )
    points = list(run(open_set(tmp_path), [Entrant(lossless, "1", (2,))], {}, MEASURING))
    assert points[0].psnr == psnr(clean, 255 - clean)


def _as_picture(data: bytes) -> Pixels:
    return np.frombuffer(data, np.uint8).reshape(48, 64, 3)


def test_a_failure_costs_one_point(clean_set: Path) -> None:
    def fragile(pixels: Pixels, quality: float) -> bytes:
        if np.array_equal(pixels, make_picture(1)) and quality == 3:
            raise RuntimeError("boom")
        return quantiser().encode(pixels, quality)

    points = everything(clean_set, replace(quantiser(), encode=fragile))
    failed = [p for p in points if p.error]
    assert [(p.image, p.quality, p.error) for p in failed] == [("picture1", 3, "encoding failed: boom")]
    assert failed[0].bpp is None and failed[0].psnr is None
    assert len(points) == 12


def test_what_is_done_is_not_done_again(clean_set: Path) -> None:
    first = {p.key: p for p in everything(clean_set, quantiser())}
    codec, asked = counting(quantiser())
    ready = entrants(codec)
    asked.clear()  # of what the warm-up asked for
    again = list(run(open_set(clean_set), ready, first, MEASURING))
    assert asked == []
    assert {p.key: p for p in again} == first


@pytest.mark.parametrize("change", ["version", "picture", "failed", "measure"])
def test_what_has_changed_or_failed_is_done_again(clean_set: Path, change: str) -> None:
    done = {p.key: p for p in everything(clean_set, quantiser())}
    codec, asked = counting(quantiser(version="fake 2" if change == "version" else "fake 1"))
    measuring = MEASURING
    expected = 12
    if change == "picture":
        (clean_set / "picture0.png").unlink()
        (clean_set / "picture1.png").rename(clean_set / "picture0.png")
        expected = 4
    elif change == "failed":
        done = {key: replace(p, error="boom") if p.image == "picture2" else p for key, p in done.items()}
        expected = 4
    elif change == "measure":
        pytest.importorskip("ssimulacra2")
        measuring = Measuring(read_pixels, ssimulacra2=True)
    ready = entrants(codec)
    asked.clear()
    list(run(open_set(clean_set), ready, done, measuring))
    assert len(asked) == expected


def test_jobs_run_side_by_side_and_give_the_same_points(clean_set: Path) -> None:
    together = threading.Barrier(2, timeout=20)

    def meet(pixels: Pixels, quality: float) -> bytes:
        together.wait()
        return quantiser().encode(pixels, quality)

    def values(points: list[Point]) -> set[tuple[object, ...]]:
        return {(p.key, p.bytes, p.psnr) for p in points}

    side_by_side = list(
        run(
            open_set(clean_set),
            [Entrant(replace(quantiser(), encode=meet), "fake 1", (2, 3))],
            {},
            Measuring(read_pixels, jobs=2),
        )
    )
    one_by_one = list(run(open_set(clean_set), [Entrant(quantiser(), "fake 1", (2, 3))], {}, MEASURING))
    assert values(side_by_side) == values(one_by_one)


def test_stopping_early_leaves_the_rest_undone(clean_set: Path) -> None:
    codec, asked = counting(quantiser())
    ready = entrants(codec)
    asked.clear()
    points = run(open_set(clean_set), ready, {}, MEASURING)
    next(points)
    points.close()
    assert len(asked) < 12


def test_qualities_are_replaced_sorted_and_made_unique() -> None:
    ready, _ = prepare([quantiser("a"), quantiser("b")], {"a": (5, 1, 5)}, strict=True)
    assert [e.qualities for e in ready] == [(1, 5), (2, 3, 4, 5)]


@pytest.mark.parametrize(
    ("qualities", "why"),
    [
        ({"a": (7.0,)}, "a has no quality 7: it takes whole numbers from 1 to 6"),
        ({"a": (2.5,)}, "a has no quality 2.5"),
        ({"a": (float("nan"),)}, "a has no quality nan"),
        ({"c": (2.0,)}, "'c', which is not among the codecs: a"),
    ],
)
def test_qualities_that_a_codec_does_not_have(qualities: dict[str, tuple[float, ...]], why: str) -> None:
    with pytest.raises(JdcError, match=why):
        prepare([quantiser("a")], qualities, strict=False)


def test_a_codec_that_cannot_run_here_is_left_out_or_an_error() -> None:
    def missing() -> str:
        raise Unavailable("b: the program b is not installed (apt install b)")

    codecs = [quantiser("a"), replace(quantiser("b"), load=missing)]
    ready, absent = prepare(codecs, {}, strict=False)
    assert [e.codec.name for e in ready] == ["a"]
    assert [(a.name, a.reason) for a in absent] == [
        ("b", "b: the program b is not installed (apt install b)")
    ]
    with pytest.raises(Unavailable, match="apt install b"):
        prepare(codecs, {}, strict=True)
