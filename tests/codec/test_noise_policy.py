"""For photos with noise the encoder rounds more strongly, and leaves out steps that show noise alone."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from conftest import PictureMaker

import jdcodec
from jdcodec.codec.encoder import Coded, EncodeSettings, code_photo
from jdcodec.codec.noise import NoisePower
from jdcodec.codec.noise_policy import rounding_strength, useful_quality
from jdcodec.codec.target import SizeGoal
from jdcodec.model.config import ROUNDING_STRENGTH
from jdcodec.photo import from_array

QUARTERS = [1 + step / 4 for step in range(29)]


def variance(deviation: float) -> float:
    """Of pixels in [0, 1], from a deviation in levels of 255."""
    return (deviation / 255) ** 2


@pytest.mark.parametrize("quality", [1, 4, 8])
def test_without_noise_rounding_is_that_of_training(quality: float) -> None:
    assert rounding_strength(0.0, quality, 1.0) == ROUNDING_STRENGTH


@pytest.mark.parametrize(
    ("quality", "noisy", "heavy"), [(1, 1.3, 1.3), (4, 1.3, 1.3), (6, 1.55, 1.85), (8, 1.8, 2.4)]
)
def test_rounding_rises_with_noise_to_a_bound(quality: float, noisy: float, heavy: float) -> None:
    deviations = (0, 0.4, 0.8, 1.2, 1.5, 3, 6, 30)
    strengths = [rounding_strength(variance(deviation), quality, 1.0) for deviation in deviations]
    assert strengths == sorted(strengths) and len(set(np.round(strengths, 9))) >= 5
    little = 0.1 * (noisy - ROUNDING_STRENGTH)
    assert strengths[1] < ROUNDING_STRENGTH + little, "clean photos have a little, too"
    assert strengths[4] == pytest.approx(noisy)
    assert strengths[5] == pytest.approx((noisy + heavy) / 2), "by the logarithm"
    assert strengths[-2:] == pytest.approx([heavy, heavy])


def test_noise_that_is_to_stay_is_not_rounded_away() -> None:
    strengths = [rounding_strength(variance(5), 8, denoise) for denoise in (0, 0.25, 0.5, 0.75, 1)]
    assert strengths[0] == ROUNDING_STRENGTH and strengths == sorted(set(strengths))
    assert strengths[2] < 0.5 * (strengths[0] + strengths[-1])


@pytest.mark.parametrize("deviation", [0.0, 0.4, 1.0, 1.5, 20.0])
@pytest.mark.parametrize("denoise", [0.0, 0.3, 1.0])
def test_the_quality_rises_with_what_is_asked_for(deviation: float, denoise: float) -> None:
    fine = [useful_quality(variance(deviation), 1 + step / 32, denoise) for step in range(225)]
    assert fine == sorted(fine) and all(quality <= 1 + step / 32 for step, quality in enumerate(fine))
    found = [useful_quality(variance(deviation), quality, denoise) for quality in QUARTERS]
    assert all(after - before >= 0.1875 for before, after in pairwise(found))
    assert found[:21] == QUARTERS[:21], "up to quality 6 it is that"
    assert 7.5 <= found[-1] <= 8
    if deviation < 0.7 or not denoise:
        assert found == QUARTERS
    if denoise == 1:
        assert found[-1] == pytest.approx({1.0: 7.875, 1.5: 7.75, 20.0: 7.5}.get(deviation, 8.0))


@pytest.fixture
def code(
    tiny_model: Path, make_picture: PictureMaker, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Coded]:
    """Code a picture, of which the encoder believes that so much noise was removed."""
    photo = from_array(make_picture(128, 192))

    def run(deviation: float, quality: float, **settings: object) -> Coded:
        monkeypatch.setattr(NoisePower, "result", lambda _: variance(deviation))
        return code_photo(photo, EncodeSettings(quality, model=str(tiny_model), **settings))  # type: ignore[arg-type]

    return run


def test_files_say_the_quality_that_they_have(code: Callable[..., Coded], tiny_model: Path) -> None:
    assert code(0.0, 8.0).header.quality == 8
    assert code(9.0, 8.0, denoise=0.0).header.quality == 8
    assert code(9.0, 5.0).header.quality == 5
    noisy = code(9.0, 8.0)
    assert noisy.header.quality == 7.5 and noisy.network_runs == 1
    assert noisy.notes == ("Noisy: coded at quality 7.5 instead of 8, which would show more noise alone.",)
    assert not code(9.0, 5.0).notes and not code(0.0, 8.0).notes
    assert jdcodec.info(noisy.data).quality == 7.5
    assert jdcodec.decode(noisy.data, model=str(tiny_model)).shape == (128, 192, 3)


def test_a_bound_takes_it_too_and_a_size_that_is_wanted_does_not(code: Callable[..., Coded]) -> None:
    largest = len(code(9.0, 8.0).data)
    assert code(9.0, 8.0, size=SizeGoal(10.0 * largest, never_above=True)).header.quality == 7.5
    assert code(9.0, 5.0, size=SizeGoal(1.03 * largest)).header.quality > 7.5
