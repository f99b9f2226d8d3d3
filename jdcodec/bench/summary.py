"""From points to answers: curves averaged over a group of pictures, who needs fewer bits, who peaks where."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from .curves import Curve, Delta, bd_quality, bd_rate, rate_at
from .metrics import ms_ssim_db
from .results import Point
from .runner import Entrant
from .sets import PictureSet, Sample

MEASURES = {"psnr": "PSNR (dB)", "ms_ssim_db": "MS-SSIM (dB)", "ssimulacra2": "SSIMULACRA 2"}
"""What curves are drawn and compared in, all "higher is better"."""


@dataclass(frozen=True)
class MeanPoint:
    """Means over the pictures of a group at one quality; `ms_ssim_db` is that of the mean MS-SSIM.

    `psnr` is the mean of the pictures' dB. A measure is None unless all of the pictures have it.
    """

    quality: float
    bpp: float
    psnr: float
    ms_ssim: float | None
    ms_ssim_db: float | None
    ssimulacra2: float | None


@dataclass(frozen=True)
class Expense:
    """What a codec takes for each megapixel, median over pictures and qualities; memory in bytes."""

    encode_seconds: float
    decode_seconds: float
    encode_bytes: float | None
    decode_bytes: float | None


@dataclass(frozen=True)
class Peak:
    """The best point of a curve: its bpp and quality, and the fewest bpp at which others reach that quality
    (by codec; None where one never does)."""

    bpp: float
    quality: float
    bpp_of_others: dict[str, float | None]


@dataclass(frozen=True)
class GroupSummary:
    """Everything that is compared over one group of pictures.

    `pictures` are averaged over: those that every codec in `curves` coded at all its qualities. `left_out`
    says which pictures are not, and why; `dropped` which codecs failed on more than half of the pictures.
    `input` is how good the noisy pictures are that were coded, by measure; empty for clean ones.
    `bd_rate` (%) and `bd_quality` (the measure's unit) go by measure, reference codec and test codec.
    """

    name: str
    pictures: tuple[str, ...]
    left_out: dict[str, str]
    dropped: dict[str, str]
    input: dict[str, float]
    curves: dict[str, tuple[MeanPoint, ...]]
    bd_rate: dict[str, dict[str, dict[str, Delta]]]
    bd_quality: dict[str, dict[str, dict[str, Delta]]]
    peaks: dict[str, dict[str, Peak]]


def summarise(
    pictures: PictureSet, entrants: Sequence[Entrant], points: Sequence[Point]
) -> list[GroupSummary]:
    """One summary for each group of the set; without a picture that all codecs coded, it has no curves."""
    by_codec: dict[str, dict[tuple[str, float], Point]] = {e.codec.name: {} for e in entrants}
    for point in points:
        by_codec[point.codec][point.image, point.quality] = point
    return [
        _summarise(name, samples, {e.codec.name: e.qualities for e in entrants}, by_codec)
        for name, samples in pictures.groups().items()
    ]


def expenses(pictures: PictureSet, points: Sequence[Point]) -> dict[str, Expense]:
    """What each codec with a good point takes, by name."""
    megapixels = {s.name: s.height * s.width / 1e6 for s in pictures.samples}
    good: dict[str, list[Point]] = {}
    for point in points:
        if not point.error:
            good.setdefault(point.codec, []).append(point)

    def typical(chosen: list[Point], field: str) -> float | None:
        values = [getattr(p, field) / megapixels[p.image] for p in chosen if getattr(p, field) is not None]
        return median(values) if values else None

    return {
        codec: Expense(
            encode_seconds=typical(chosen, "encode_seconds") or 0.0,
            decode_seconds=typical(chosen, "decode_seconds") or 0.0,
            encode_bytes=typical(chosen, "encode_peak_bytes"),
            decode_bytes=typical(chosen, "decode_peak_bytes"),
        )
        for codec, chosen in good.items()
    }


def _curves(points: Mapping[str, Sequence[MeanPoint]], measure: str) -> dict[str, Curve]:
    """The curves in one measure of the codecs that have it."""
    curves = {codec: curve_of(of, measure) for codec, of in points.items()}
    return {codec: curve for codec, curve in curves.items() if curve.bpp}


def curve_of(points: Sequence[MeanPoint], measure: str) -> Curve:
    """The curve of one measure, without the points that lack it."""
    chosen = [p for p in points if getattr(p, measure) is not None]
    return Curve.of([p.bpp for p in chosen], [getattr(p, measure) for p in chosen])


def _summarise(
    name: str,
    samples: Sequence[Sample],
    qualities: Mapping[str, tuple[float, ...]],
    by_codec: Mapping[str, Mapping[tuple[str, float], Point]],
) -> GroupSummary:
    failures = {
        codec: {s.name: error for s in samples if (error := _failure(s, qualities[codec], by_codec[codec]))}
        for codec in qualities
    }
    dropped = {
        codec: f"failed on {len(failed)} of {len(samples)} pictures: {next(iter(failed.values()))}"
        for codec, failed in failures.items()
        if 2 * len(failed) > len(samples)
    }
    kept = [codec for codec in qualities if codec not in dropped]
    left_out = {
        image: f"{codec}: {error}" for codec in reversed(kept) for image, error in failures[codec].items()
    }
    common = [s.name for s in samples if s.name not in left_out]
    curves = {
        codec: tuple(_mean(q, [by_codec[codec][image, q] for image in common]) for q in qualities[codec])
        for codec in kept
        if common
    }
    measured = {measure: _curves(curves, measure) for measure in MEASURES}
    measured = {measure: of for measure, of in measured.items() if of}
    return GroupSummary(
        name=name,
        pictures=tuple(common),
        left_out=left_out,
        dropped=dropped,
        input=_input([s for s in samples if s.name in common]),
        curves=curves,
        bd_rate={measure: _all_pairs(bd_rate, of) for measure, of in measured.items()},
        bd_quality={measure: _all_pairs(bd_quality, of) for measure, of in measured.items()},
        peaks={measure: {codec: _peak(codec, of) for codec in of} for measure, of in measured.items()},
    )


def _input(samples: Sequence[Sample]) -> dict[str, float]:
    """Mean PSNR and MS-SSIM (dB) of noisy to clean pictures, where all have them."""
    psnrs = [s.input_psnr for s in samples if s.input_psnr is not None]
    similarities = [s.input_ms_ssim for s in samples if s.input_ms_ssim is not None]
    means = {}
    if samples and len(psnrs) == len(samples):
        means["psnr"] = fmean(psnrs)
    if samples and len(similarities) == len(samples):
        means["ms_ssim_db"] = ms_ssim_db(fmean(similarities))
    return means


def _all_pairs(
    compare: Callable[[Curve, Curve], Delta], curves: Mapping[str, Curve]
) -> dict[str, dict[str, Delta]]:
    """`compare(reference, test)` of every two codecs, by reference and then by test."""
    return {a: {b: compare(curves[a], curves[b]) for b in curves if b != a} for a in curves}


def _failure(
    sample: Sample, qualities: Sequence[float], points: Mapping[tuple[str, float], Point]
) -> str | None:
    """Why a codec has no good point for the picture at one of its qualities, or None."""
    for quality in qualities:
        point = points.get((sample.name, quality))
        if point is None or point.error:
            return f"at quality {quality:g} {point.error if point else 'not run'}"
    return None


def _mean(quality: float, points: Sequence[Point]) -> MeanPoint:
    def mean(field: str) -> float | None:
        values = [getattr(point, field) for point in points]
        return None if None in values else fmean(values)

    similarity = mean("ms_ssim")
    return MeanPoint(
        quality=quality,
        bpp=mean("bpp") or 0.0,
        psnr=mean("psnr") or 0.0,
        ms_ssim=similarity,
        ms_ssim_db=None if similarity is None else ms_ssim_db(similarity),
        ssimulacra2=mean("ssimulacra2"),
    )


def _peak(codec: str, curves: Mapping[str, Curve]) -> Peak:
    bpp, quality = curves[codec].peak()
    return Peak(bpp, quality, {o: rate_at(curve, quality) for o, curve in curves.items() if o != codec})
