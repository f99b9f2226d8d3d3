"""Noise added to clean pictures: its strength, its seeds, and what `--noise` accepts."""

from __future__ import annotations

import numpy as np
import pytest

from jdcodec.bench.noise import CHENG_LEVELS, NoiseLevel, parse_noise
from jdcodec.errors import JdcError

from .conftest import make_picture

GREY = np.full((200, 200, 3), 128, np.uint8)


def to_linear(srgb: np.ndarray) -> np.ndarray:
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def test_gaussian_has_the_sigma_asked_for() -> None:
    noisy = NoiseLevel("gaussian", 10).apply(GREY, "a.png", seed=0)
    assert np.std(noisy.astype(float)) == pytest.approx(10, rel=0.02)
    assert np.mean(noisy) == pytest.approx(128, abs=0.2)


@pytest.mark.parametrize("level", [1, 2, 3])
def test_cheng_has_the_papers_variance_in_linear_light(level: int) -> None:
    noisy = NoiseLevel("cheng", level).apply(GREY, "a.png", seed=0)
    read, shot = CHENG_LEVELS[level]
    linear = to_linear(noisy / 255)
    light = to_linear(np.float64(128 / 255))
    assert np.std(linear) == pytest.approx(np.sqrt(read**2 + shot * light), rel=0.03)
    assert np.mean(linear) == pytest.approx(light, rel=0.01)


def test_the_released_curves_brighten_mid_grey_by_five_steps() -> None:
    noisy = NoiseLevel("cheng-released", 1).apply(GREY, "a.png", seed=0)
    assert np.mean(noisy) - 128 == pytest.approx(5, abs=1)


def test_noise_depends_on_seed_picture_and_level_only() -> None:
    picture, level = make_picture(), NoiseLevel("cheng", 2)
    noisy = level.apply(picture, "a.png", seed=3)
    assert np.array_equal(noisy, level.apply(picture, "a.png", seed=3))
    assert not np.array_equal(noisy, level.apply(picture, "b.png", seed=3))
    assert not np.array_equal(noisy, level.apply(picture, "a.png", seed=4))


def test_names_round_trip() -> None:
    assert [level.name for level in parse_noise("cheng")] == ["cheng:1", "cheng:2", "cheng:3", "cheng:4"]
    assert parse_noise("gaussian:10,25.5") == (NoiseLevel("gaussian", 10), NoiseLevel("gaussian", 25.5))
    assert parse_noise("cheng-released:4") == (NoiseLevel("cheng-released", 4),)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "unknown noise"),
        ("salt", "unknown noise"),
        ("gaussian", "levels are numbers"),
        ("gaussian:", "levels are numbers"),
        ("gaussian:0", "above 0"),
        ("gaussian:-3", "above 0"),
        ("gaussian:nan", "above 0"),
        ("gaussian:inf", "above 0"),
        ("cheng:5", "levels 1, 2, 3 and 4"),
        ("cheng:1.5", "levels 1, 2, 3 and 4"),
        ("cheng:1,,2", "levels are numbers"),
        ("cheng:2,2", "twice"),
    ],
)
def test_bad_noise_is_refused_in_a_line(text: str, why: str) -> None:
    with pytest.raises(JdcError, match=why) as caught:
        parse_noise(text)
    assert "\n" not in str(caught.value)
