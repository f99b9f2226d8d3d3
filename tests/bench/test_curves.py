"""BD-rate, BD-PSNR, the frontier of curves that fall again, and rates at a quality."""

from __future__ import annotations

import math

import pytest

from jdcodec.bench.curves import Curve, bd_quality, bd_rate, rate_at

RATES = [0.1, 0.2, 0.4, 0.8, 1.6]
LINE = [28.0, 31.0, 34.0, 37.0, 40.0]  # 3 dB a doubling


def test_bd_rate_of_twice_the_bits_is_a_hundred_per_cent() -> None:
    delta = bd_rate(Curve.of(RATES, LINE), Curve.of([2 * r for r in RATES], LINE))
    assert delta.value == pytest.approx(100)
    assert delta.overlap == pytest.approx(1)


def test_bd_rate_of_fewer_bits_is_negative() -> None:
    delta = bd_rate(Curve.of(RATES, LINE), Curve.of([r * 0.75 for r in RATES], LINE))
    assert delta.value == pytest.approx(-25)


def test_bd_quality_of_a_shift_is_the_shift() -> None:
    delta = bd_quality(Curve.of(RATES, LINE), Curve.of(RATES, [q + 1.5 for q in LINE]))
    assert delta.value == pytest.approx(1.5)


def test_curves_with_different_numbers_of_points() -> None:
    fine = [0.1 * 2 ** (i / 2) for i in range(9)]
    delta = bd_rate(Curve.of(RATES, LINE), Curve.of(fine, [28 + 3 * math.log2(r / 0.1) for r in fine]))
    assert delta.value == pytest.approx(0, abs=1e-6)


def test_curves_that_do_not_overlap_have_no_difference() -> None:
    high = Curve.of(RATES, [q + 20 for q in LINE])
    delta = bd_rate(Curve.of(RATES, LINE), high)
    assert (delta.value, delta.why) == (None, "no overlap")
    far = Curve.of([r * 100 for r in RATES], LINE)
    assert bd_quality(Curve.of(RATES, LINE), far).why == "no overlap"


def test_partial_overlap_is_told() -> None:
    delta = bd_rate(Curve.of(RATES, LINE), Curve.of(RATES, [q + 6 for q in LINE]))
    assert delta.overlap == pytest.approx(6 / 18)
    assert delta.value == pytest.approx(-75)


def test_too_few_points() -> None:
    assert bd_rate(Curve.of(RATES[:2], LINE[:2]), Curve.of(RATES, LINE)).why == "too few points"
    assert bd_quality(Curve.of([], []), Curve.of(RATES, LINE)).why == "too few points"


def test_a_curve_beyond_its_peak_counts_up_to_the_peak() -> None:
    peaked = Curve.of([*RATES, 3.2, 6.4], [*LINE, 38.0, 33.0])
    assert peaked.frontier() == Curve.of(RATES, LINE)
    assert peaked.peak() == (1.6, 40.0)
    assert bd_rate(Curve.of(RATES, LINE), peaked).value == pytest.approx(0)


def test_points_are_sorted_and_the_better_of_two_at_one_rate_is_kept() -> None:
    assert Curve.of([0.4, 0.1, 0.4], [30.0, 25.0, 31.0]) == Curve((0.1, 0.4), (25.0, 31.0))


def test_rate_at_a_quality() -> None:
    curve = Curve.of(RATES, LINE)
    assert rate_at(curve, 32.5) == pytest.approx(math.sqrt(0.2 * 0.4))
    assert rate_at(curve, 20.0) == pytest.approx(0.1)
    assert rate_at(curve, 40.1) is None
    assert rate_at(Curve.of([], []), 30.0) is None
