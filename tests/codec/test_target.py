"""Files of a wanted size: how near they come, in how many runs, and what cannot be had."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from conftest import PictureMaker
from hypothesis import given
from hypothesis import strategies as st

from jdcodec.codec.encoder import Coded, EncodeSettings, code_photo
from jdcodec.codec.target import SizeGoal, code_to_size, parse_size
from jdcodec.errors import JdcError, LimitError
from jdcodec.photo import from_array

HIGHEST = 224


class MadeUpCoder:
    """Sizes that rise with the step, off by up to `drift` with latents from the other end of the scale."""

    def __init__(self, lowest: float, growth: float, drift: float = 0.02) -> None:
        self.lowest, self.growth, self.drift = lowest, growth, drift
        self.runs, self.from_step = 0, 0

    def analyse(self, step: int) -> None:
        self.runs += 1
        self.from_step = step

    def size(self, step: int, from_step: int) -> int:
        drift = 1 + self.drift * (from_step - step) / HIGHEST
        return round(self.lowest * self.growth ** (step / HIGHEST) * drift)

    def code(self, step: int) -> bytes:
        return bytes(self.size(step, self.from_step))


@given(st.integers(0, HIGHEST), st.floats(3, 40), st.floats(-0.03, 0.03), st.floats(0.99, 1.01))
def test_a_target_within_2_percent(step: int, growth: float, drift: float, off: float) -> None:
    coder = MadeUpCoder(10_000, growth, drift)
    wanted = off * coder.size(step, step)
    data = code_to_size(coder, SizeGoal(wanted), start=HIGHEST // 2, highest=HIGHEST)
    assert abs(len(data) / wanted - 1) <= 0.02
    assert coder.runs <= 3


@given(st.integers(0, HIGHEST), st.floats(3, 40), st.floats(-0.03, 0.03), st.integers(0, HIGHEST))
def test_a_bound_is_never_passed(step: int, growth: float, drift: float, highest: int) -> None:
    coder = MadeUpCoder(10_000, growth, drift)
    wanted = coder.size(step, step)
    data = code_to_size(coder, SizeGoal(wanted, never_above=True), start=highest, highest=highest)
    assert len(data) <= wanted
    fits = [
        len(data) for data in (bytes(coder.size(s, s)) for s in range(highest + 1)) if len(data) <= wanted
    ]
    # 1.5 % may be left, and what one step takes.
    assert len(data) >= 0.985 * max(fits) - coder.size(step, step) * math.log(growth) / HIGHEST
    assert coder.runs <= 4


def test_a_bound_that_is_kept_anyway_takes_one_run() -> None:
    coder = MadeUpCoder(10_000, 10)
    code_to_size(coder, SizeGoal(1e9, never_above=True), start=100, highest=100)
    assert coder.runs == 1


@pytest.mark.parametrize("never_above", [True, False])
def test_a_size_below_the_smallest(never_above: bool) -> None:
    goal = SizeGoal(9000, never_above)
    with pytest.raises(LimitError, match="cannot be as small as 9,000 bytes; quality 1 gives 10,000"):
        code_to_size(MadeUpCoder(10_000, 10), goal, start=112, highest=HIGHEST)


def test_a_target_above_the_largest() -> None:
    with pytest.raises(LimitError, match="cannot be as large as 200,000 bytes; quality 8 gives 100,000"):
        code_to_size(MadeUpCoder(10_000, 10), SizeGoal(200_000), start=112, highest=HIGHEST)


@pytest.mark.parametrize(
    ("text", "size"),
    [("4096", 4096), ("300kB", 300e3), ("300 KB", 300e3), ("1.5M", 1.5e6), ("2MiB", 2**21), (".5k", 500)],
)
def test_sizes_as_people_write_them(text: str, size: float) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "kB", "-3kB", "3 bits", "3ib", "1e3", "nan", "3,5MB", "²kB"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(JdcError, match="is no size"):
        parse_size(text)


@pytest.mark.parametrize("amount", [0.0, -1.0, math.nan, math.inf])
def test_amounts_out_of_range(amount: float) -> None:
    with pytest.raises(JdcError, match="a size must be above 0"):
        SizeGoal(amount)


@pytest.fixture(scope="module")
def code(tiny_model: Path, make_picture: PictureMaker):  # type: ignore[no-untyped-def]
    photo = from_array(make_picture(256, 320))

    def run(quality: float = 5.0, size: SizeGoal | None = None) -> Coded:
        return code_photo(photo, EncodeSettings(quality, model=str(tiny_model), size=size))

    return run


def test_a_real_photo(code) -> None:  # type: ignore[no-untyped-def]
    wanted = len(code(4.0).data)
    coded = code(size=SizeGoal(wanted))
    assert abs(len(coded.data) / wanted - 1) <= 0.02 and coded.network_runs <= 3
    # What is returned is the file of its quality, not one from latents of another.
    assert code(coded.header.quality).data == coded.data


def test_bits_per_pixel_count_the_whole_file(code) -> None:  # type: ignore[no-untyped-def]
    bpp = 8 * len(code(3.0).data) / (256 * 320)
    coded = code(size=SizeGoal(bpp, per_pixel=True))
    assert abs(8 * len(coded.data) / (256 * 320) / bpp - 1) <= 0.02


def test_a_bound_lowers_the_quality_given(code) -> None:  # type: ignore[no-untyped-def]
    most = len(code(4.0).data)
    coded = code(6.0, SizeGoal(most, never_above=True))
    assert 0.95 * most <= len(coded.data) <= most
    assert code(2.0, SizeGoal(most, never_above=True)).header.quality == 2.0
