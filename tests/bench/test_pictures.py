"""The pictures of the slider: which samples, which sizes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jdcodec.bench.codec import Scale
from jdcodec.bench.metrics import Pixels
from jdcodec.bench.pictures import LARGEST_SIDE, choose_samples, compare
from jdcodec.bench.runner import Entrant
from jdcodec.bench.sets import open_set, read_pixels
from jdcodec.errors import JdcError

from .conftest import make_picture, quantiser, save


def test_samples_are_spread_over_the_set_or_named(tmp_path: Path) -> None:
    for number in range(9):
        save(tmp_path / f"{number}.png", make_picture(number, 8, 8))
    pictures = open_set(tmp_path)
    assert [s.name for s in choose_samples(pictures, ())] == ["1", "4", "7"]
    assert [s.name for s in choose_samples(pictures, ("8", "0"))] == ["8", "0"]
    assert [s.name for s in choose_samples(open_set(tmp_path, max_images=1), ())] == ["0"]
    with pytest.raises(JdcError, match="no picture '9'"):
        choose_samples(pictures, ("9",))


@pytest.mark.parametrize(("worst", "best"), [(0, 4000), (4000, 0)])
def test_rivals_are_shown_at_about_the_first_ones_size(clean_set: Path, worst: int, best: int) -> None:
    def sized(pixels: Pixels, quality: float) -> bytes:
        return bytes(100 + int(abs(quality - worst)))

    rival = replace(
        quantiser("rival"),
        scale=Scale(worst, best, 1, (worst, best)),
        encode=sized,
        decode=lambda data: np.zeros((48, 64, 3), np.uint8),
    )
    first = quantiser("first")
    sample = open_set(clean_set).samples[0]
    shown = compare(
        sample, [Entrant(first, "1", (2, 3, 4)), Entrant(rival, "1", (worst, best))], read_pixels
    ).shown
    size = len(first.code(make_picture(0), 3).data)
    assert [one.codec for one in shown] == ["", "first", "rival"]
    assert all(one.detail.startswith(f"{size / 1000:.1f} kB") for one in shown[1:])


def test_noisy_input_and_clean_target_are_among_the_choices(tmp_path: Path) -> None:
    save(tmp_path / "a_noisy.png", make_picture(1))
    save(tmp_path / "a_clean.png", make_picture(0))
    comparison = compare(open_set(tmp_path).samples[0], [], read_pixels)
    assert [one.label for one in comparison.shown] == ["Clean target", "Noisy input"]


def test_a_codec_that_fails_is_left_out(clean_set: Path) -> None:
    def broken(pixels: Pixels, quality: float) -> bytes:
        raise RuntimeError

    entrants = [Entrant(replace(quantiser("bad"), encode=broken), "1", (3,)), Entrant(quantiser(), "1", (3,))]
    shown = compare(open_set(clean_set).samples[0], entrants, read_pixels).shown
    assert [one.codec for one in shown] == ["", "fake"]


def test_large_pictures_are_cropped_and_say_so(tmp_path: Path) -> None:
    save(tmp_path / "wide.png", make_picture(0, 16, LARGEST_SIDE + 100))
    comparison = compare(open_set(tmp_path).samples[0], [], read_pixels)
    assert (comparison.width, comparison.height, comparison.cropped) == (LARGEST_SIDE, 16, True)
