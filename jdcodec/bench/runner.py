"""Code every sample with every codec at every quality, and measure what was decoded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product

from jdcodec.errors import OptionError

from . import metrics
from .codec import Codec, CodecFailure, Unavailable
from .metrics import Pixels
from .results import Point
from .sets import PictureSet, ReadPixels, Sample


@dataclass(frozen=True)
class Entrant:
    """A codec that works here, its version, and the qualities to run, from worst to best."""

    codec: Codec
    version: str
    qualities: tuple[float, ...]


@dataclass(frozen=True)
class Absent:
    """A codec that was asked for and cannot run here, and why, in one line."""

    name: str
    title: str
    reason: str


@dataclass(frozen=True)
class Measuring:
    """How points are made: `read` gives the pixels of a file, `jobs` run side by side, and whether the slow
    SSIMULACRA 2 is measured too."""

    read: ReadPixels
    jobs: int = 1
    ssimulacra2: bool = False


def prepare(
    codecs: Sequence[Codec], qualities: Mapping[str, tuple[float, ...]], strict: bool
) -> tuple[list[Entrant], list[Absent]]:
    """Warm up each codec; those that cannot run are returned apart.

    `qualities` replaces the default ones of the codecs it names. Raises JdcError for qualities that a codec
    does not have, for a name in `qualities` that no codec has, and, if `strict`, for a codec that cannot run.
    """
    chosen = {codec.name: _qualities(codec, qualities) for codec in codecs}
    for name in qualities:
        if name not in chosen:
            raise OptionError(f"qualities for {name!r}, which is not among the codecs: {', '.join(chosen)}")
    entrants, absent = [], []
    for codec in codecs:
        try:
            entrants.append(Entrant(codec, codec.prepare(), chosen[codec.name]))
        except Unavailable as error:
            if strict:
                raise
            absent.append(Absent(codec.name, codec.title, str(error)))
    return entrants, absent


def run(
    pictures: PictureSet,
    entrants: Sequence[Entrant],
    done: Mapping[tuple[object, ...], Point],
    measuring: Measuring,
) -> Iterator[Point]:
    """Yield a point for each sample, codec and quality, in the order in which they are finished.

    Points in `done` are yielded as they are, unless they failed or lack a measure asked for. A codec's
    failure is a point with an `error`. Ends early, without waiting for what is queued, when the caller stops.
    """

    @lru_cache(maxsize=measuring.jobs + 1)
    def load(sample: Sample) -> tuple[Pixels, Pixels]:
        return sample.load(measuring.read)

    def measure(blank: Point, sample: Sample, codec: Codec) -> Point:
        return _measured(blank, *load(sample), codec, measuring.ssimulacra2)

    waiting: list[Future[Point]] = []
    with ThreadPoolExecutor(measuring.jobs) as pool:
        try:
            for sample, entrant in product(pictures.samples, entrants):
                for quality in entrant.qualities:
                    blank = _blank(sample, entrant, quality)
                    kept = done.get(blank.key)
                    if kept and _complete(kept, measuring):
                        yield kept
                    else:
                        waiting.append(pool.submit(measure, blank, sample, entrant.codec))
            for future in as_completed(waiting):
                yield future.result()
        finally:
            for future in waiting:
                future.cancel()


def _qualities(codec: Codec, asked: Mapping[str, tuple[float, ...]]) -> tuple[float, ...]:
    """A codec's qualities from worst to best: those asked for, or its default grid."""
    scale = codec.scale
    qualities = asked.get(codec.name, scale.grid)
    for quality in qualities:
        if not scale.holds(quality):
            low, high = sorted((scale.worst, scale.best))
            numbers = "whole numbers" if scale.step == 1 else "numbers"
            raise OptionError(
                f"{codec.name} has no quality {quality:g}: it takes {numbers} from {low:g} to {high:g}"
            )
    return tuple(sorted(set(qualities), reverse=scale.worst > scale.best))


def _blank(sample: Sample, entrant: Entrant, quality: float) -> Point:
    return Point(
        image=sample.name,
        codec=entrant.codec.name,
        quality=quality,
        digest=sample.digest,
        version=entrant.version,
        command=entrant.codec.command(quality),
    )


def _complete(point: Point, measuring: Measuring) -> bool:
    return not point.error and (point.ssimulacra2 is not None or not measuring.ssimulacra2)


def _measured(blank: Point, source: Pixels, target: Pixels, codec: Codec, ssimulacra2: bool) -> Point:
    try:
        coded = codec.code(source, blank.quality)
    except CodecFailure as failure:
        return replace(blank, error=str(failure))
    similarity = metrics.ms_ssim(target, coded.pixels)
    return replace(
        blank,
        bytes=len(coded.data),
        bpp=metrics.bits_per_pixel(len(coded.data), *target.shape[:2]),
        psnr=metrics.psnr(target, coded.pixels),
        ms_ssim=similarity,
        ms_ssim_db=None if similarity is None else metrics.ms_ssim_db(similarity),
        ssimulacra2=metrics.ssimulacra2(target, coded.pixels) if ssimulacra2 else None,
        encode_seconds=coded.encode.seconds,
        decode_seconds=coded.decode.seconds,
        encode_peak_bytes=coded.encode.peak_bytes,
        decode_peak_bytes=coded.decode.peak_bytes,
    )
