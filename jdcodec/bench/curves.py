"""What follows from whole rate–distortion curves: BD-rate, BD-PSNR, peaks, rate at a quality."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

METHOD = "pchip"
"""Piecewise cubic Hermite interpolation, the method of the JVET common test conditions; it cannot overshoot
between points, as the single cubic through all points of the first BD proposal (VCEG-M33) does."""

FEWEST_POINTS = 3
"""Below three points a curve has no shape to integrate."""


@dataclass(frozen=True)
class Curve:
    """Points of one codec in rising bpp; `quality` is PSNR, MS-SSIM in dB, or another "higher is better"."""

    bpp: tuple[float, ...]
    quality: tuple[float, ...]

    @staticmethod
    def of(bpp: list[float], quality: list[float]) -> Curve:
        """Sort points by bpp; of points with the same bpp keep the best."""
        best: dict[float, float] = {}
        for rate, value in zip(bpp, quality, strict=True):
            best[rate] = max(value, best.get(rate, value))
        return Curve(tuple(sorted(best)), tuple(best[rate] for rate in sorted(best)))

    def frontier(self) -> Curve:
        """The points that are better than every cheaper one.

        On noisy pictures quality falls again beyond a peak, so rate is no function of quality there; what a
        user would pay for a quality is the cheapest point that reaches it.
        """
        kept: list[tuple[float, float]] = []
        for point in zip(self.bpp, self.quality):
            if not kept or point[1] > kept[-1][1]:
                kept.append(point)
        return Curve(tuple(rate for rate, _ in kept), tuple(value for _, value in kept))

    def peak(self) -> tuple[float, float]:
        """(bpp, quality) of the best point. Raises ValueError for an empty curve."""
        best = max(self.quality)
        return self.bpp[self.quality.index(best)], best


@dataclass(frozen=True)
class Delta:
    """A Bjøntegaard difference: `value` in % of rate or in dB, `overlap` the share of the curves' joint range
    that both cover (0…1), and, where `value` is None, `why`: "no overlap" or "too few points"."""

    value: float | None
    overlap: float
    why: str = ""


def bd_rate(reference: Curve, test: Curve) -> Delta:
    """Mean rate difference of `test` to `reference` at equal quality, in %; negative: `test` needs less.

    Both curves are cut down to their `frontier` first.
    """
    return _delta("bd_rate", reference.frontier(), test.frontier(), along="quality")


def bd_quality(reference: Curve, test: Curve) -> Delta:
    """Mean quality difference of `test` to `reference` at equal rate, in the quality's unit (BD-PSNR).

    Positive: `test` is better.
    """
    return _delta("bd_psnr", reference, test, along="rate")


def rate_at(curve: Curve, quality: float) -> float | None:
    """Fewest bpp at which the curve reaches `quality`, log-linear between points; None if it never does.

    A quality below the first point's gives the first point's rate: what lies below is not known.
    """
    frontier = curve.frontier()
    if not frontier.quality or quality > frontier.quality[-1]:
        return None
    return float(np.exp(np.interp(quality, frontier.quality, np.log(frontier.bpp))))


def _delta(function: str, reference: Curve, test: Curve, along: str) -> Delta:
    axes = [np.log(c.bpp) if along == "rate" else np.asarray(c.quality) for c in (reference, test)]
    if min(len(axis) for axis in axes) < FEWEST_POINTS:
        return Delta(None, 0.0, "too few points")
    low, high = max(a.min() for a in axes), min(a.max() for a in axes)
    if high <= low:
        return Delta(None, 0.0, "no overlap")
    overlap = (high - low) / (max(a.max() for a in axes) - min(a.min() for a in axes))
    # Imported here because the package imports matplotlib.pyplot, which takes half a second.
    import bjontegaard

    value = getattr(bjontegaard, function)(
        reference.bpp,
        reference.quality,
        test.bpp,
        test.quality,
        method=METHOD,
        require_matching_points=False,
        min_overlap=0,
    )
    return Delta(float(value), float(overlap))
