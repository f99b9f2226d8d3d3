"""Which of several weights is best on photographs held out of training, clean and with seven kinds of noise.

    python -m jdcodec.bench.held_out PHOTOGRAPHS REFERENCE [WEIGHTS...] [--every N] [--kind KIND]

PHOTOGRAPHS is the folder that training had as `--data`; what it holds out is cut to 512 × 512 pixels in the
middle and made noisy in seven ways, six of them unlike the trainer's own noise. REFERENCE and WEIGHTS are
shipped models by name or weights files. For each of WEIGHTS and each noise the rate of real files at equal
PSNR is printed, compared with REFERENCE. The sets that results are published on are not for choosing weights;
this is.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from jdcodec.errors import JdcError

from .curves import Curve, bd_rate
from .metrics import Pixels, psnr
from .noise import NoiseLevel, linear_to_srgb, srgb_to_linear

Floats = npt.NDArray[np.float64]

#: Makes (noisy, clean) of a clean picture that is half as large again as what is asked for.
Maker = Callable[[Pixels, np.random.Generator], tuple[Pixels, Pixels]]

QUALITIES = (1.0, 3.0, 5.0, 7.0, 8.0)
CROP = 512

#: How many the clean picture of "burst" is the mean of.
EXPOSURES = 32


def _clean(large: Pixels, random: np.random.Generator) -> tuple[Pixels, Pixels]:
    clean = _middle(large, CROP)
    return clean, clean


def _raw_gamma(large: Pixels, random: np.random.Generator) -> tuple[Pixels, Pixels]:
    """Cheng's noise at gains 1, 2 and 4: white, in every pixel and channel for itself."""
    clean = _middle(large, CROP)
    level = NoiseLevel("cheng", int(random.integers(1, 4)))
    return level.apply(clean, "held out", int(random.integers(1 << 31))), clean


def _resized(large: Pixels, random: np.random.Generator) -> tuple[Pixels, Pixels]:
    """A mosaic's noise, and then both pictures scaled down by 1.5."""
    noisy = _through_mosaic(large, random, random.uniform(0.05, 0.14), random.uniform(1.3, 2.2, 3))
    size = large.shape[1] * 2 // 3, large.shape[0] * 2 // 3
    return _scaled(noisy, size), _scaled(large, size)


def _chroma(large: Pixels, random: np.random.Generator) -> tuple[Pixels, Pixels]:
    """White noise in luma and stronger, coarse noise in chroma, as a camera's own denoising leaves it."""
    from scipy.ndimage import gaussian_filter

    clean = _middle(large, CROP)
    luma = random.normal(0, random.uniform(2, 8), (*clean.shape[:2], 1))
    width = random.uniform(1.5, 3.5)
    chroma = gaussian_filter(random.normal(size=clean.shape), (width, width, 0), mode="reflect")
    chroma *= random.uniform(4, 14) / chroma.std()
    chroma -= chroma.mean(2, keepdims=True)
    return _as_8_bit((clean + luma + chroma) / 255), clean


def _lamp(large: Pixels, random: np.random.Generator) -> tuple[Pixels, Pixels]:
    """The scene dark and lit by a yellow to red lamp, with heavy noise through a mosaic."""
    light = np.array([1.0, random.uniform(0.45, 0.7), random.uniform(0.15, 0.4)]) * random.uniform(0.25, 0.7)
    clean = _as_8_bit(linear_to_srgb(srgb_to_linear(_middle(large, CROP) / 255) * light))
    return _through_mosaic(clean, random, random.uniform(0.06, 0.18), np.array([1.4, 1.0, 2.0])), clean


def _burst(large: Pixels, random: np.random.Generator) -> tuple[Pixels, Pixels]:
    """One JPEG of a camera, and the mean of many more of the same scene: each smoothed and sharpened in it.

    So pairs of the PolyU data set were made (Xu et al., "Real-world noisy image denoising: a new benchmark",
    arXiv:1804.02603). At full size photographs are softer than those scaled down, so the scene is enlarged.
    """
    scene = _enlarged(_middle(large, CROP), random.uniform(1.0, 2.0))
    noise, balance = float(np.exp(random.uniform(np.log(0.01), np.log(0.1)))), random.uniform(1.3, 2.2, 3)
    smoothing, chroma_width = random.uniform(0.4, 1.0), random.uniform(0.5, 3.0)
    sharpening, quality = random.uniform(0.0, 0.8), int(random.integers(85, 98))

    def exposure() -> Pixels:
        raw = _through_mosaic(scene, random, noise, balance)
        return _as_jpeg(_smoothed_and_sharpened(raw, smoothing, chroma_width, sharpening), quality)

    noisy = exposure()
    mean = np.mean([exposure() for _ in range(EXPOSURES)], axis=0)
    return noisy, _as_8_bit(mean / 255)


def _luma(large: Pixels, random: np.random.Generator) -> tuple[Pixels, Pixels]:
    """A JPEG whose noise is fine and has hardly any colour, as cameras that smooth chroma alone write it."""
    clean = _middle(large, CROP)
    noisy = _as_8_bit((clean + _fine_grain(clean, random)) / 255)
    return _as_jpeg(noisy, int(random.integers(90, 99))), clean


def _gray(large: Pixels, random: np.random.Generator) -> tuple[Pixels, Pixels]:
    """A black-and-white photograph with grain."""
    luma = _middle(large, CROP) @ np.array([0.299, 0.587, 0.114])
    clean = _as_8_bit(np.repeat(luma[..., None], 3, axis=2) / 255)
    return _as_8_bit((clean + _fine_grain(clean, random)) / 255), clean


def _fine_grain(clean: Pixels, random: np.random.Generator) -> Floats:
    """Noise in luma, (H, W, 1), of some 2 to 10 levels of 255, more in the dark; blurred and sharpened."""
    from scipy.ndimage import gaussian_filter

    grain = gaussian_filter(random.normal(size=clean.shape[:2]), random.uniform(0.0, 0.7), mode="reflect")
    grain += random.uniform(0.0, 1.0) * (grain - gaussian_filter(grain, 1.0, mode="reflect"))
    level = random.uniform(2, 10) * (1.3 - 0.6 * clean.mean(2) / 255)
    scaled: Floats = grain / grain.std() * level
    return scaled[..., None]


#: Kinds of noise by name.
KINDS: dict[str, Maker] = {
    "clean": _clean,
    "raw-gamma": _raw_gamma,
    "resized": _resized,
    "chroma": _chroma,
    "lamp": _lamp,
    "burst": _burst,
    "luma": _luma,
    "gray": _gray,
}


def pairs(photographs: Sequence[Path], kind: str) -> Iterator[tuple[Pixels, Pixels]]:
    """(noisy, clean) of each photograph, (H, W, 3) uint8: the same for the same files, whatever their order.

    Raises JdcError for a photograph that cannot be read.
    """
    from jdcodec.training.data import read_picture

    for path in photographs:
        seed = [list(KINDS).index(kind), *path.name.encode()]
        yield KINDS[kind](_middle(read_picture(path), CROP * 3 // 2), np.random.default_rng(seed))


def measure(photographs: Sequence[Path], kind: str, model: str) -> Curve:
    """Mean bits per pixel of real files and mean PSNR in dB to the clean pictures, at QUALITIES."""
    import jdcodec

    points = np.zeros((len(QUALITIES), 2))
    for noisy, clean in pairs(photographs, kind):
        for index, quality in enumerate(QUALITIES):
            data = jdcodec.encode(noisy, quality=quality, model=model)
            decoded = jdcodec.decode(data, model=model)
            points[index] += 8 * len(data) / clean[..., 0].size, psnr(clean, decoded)
    bpp, quality_db = (points / len(photographs)).T.tolist()
    return Curve.of(bpp, quality_db)


def _middle(picture: Pixels, size: int) -> Pixels:
    """At most size × size pixels from the middle."""
    top, left = (max(0, side - size) // 2 for side in picture.shape[:2])
    return picture[top : top + size, left : left + size]


def _through_mosaic(clean: Pixels, random: np.random.Generator, noise: float, balance: Floats) -> Pixels:
    """With shot and read noise on a Bayer mosaic, demosaiced bilinearly; the scene keeps its detail.

    Which colour lies at the corner is random, as it is in photographs.

    noise: the deviation of a white pixel's shot noise; balance: what each colour is multiplied by after it.
    """
    from scipy.ndimage import convolve

    balance = balance / np.array([1.0, balance[1], 1.0])
    raw = srgb_to_linear(clean / 255) / balance
    grain = random.normal(size=raw.shape) * np.sqrt(noise**2 * raw + (0.8 * noise**2) ** 2)
    height, width, _ = raw.shape
    rows, columns = np.mgrid[:height, :width] % 2
    cross, square = (
        np.array([[0, 1, 0], [1, 4, 1], [0, 1, 0]]) / 4,
        np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]]) / 4,
    )
    red_row, red_column = random.integers(2, size=2)
    red = (rows == red_row) & (columns == red_column)
    blue = (rows != red_row) & (columns != red_column)
    places = (red, ~(red | blue), blue)
    planes = [
        convolve(grain[..., colour] * place, cross if colour == 1 else square, mode="mirror")
        for colour, place in enumerate(places)
    ]
    return _as_8_bit(linear_to_srgb((raw + np.stack(planes, axis=2)) * balance))


def _smoothed_and_sharpened(picture: Pixels, share: float, chroma_width: float, sharpening: float) -> Pixels:
    """Luma shrunk in wavelets by a share, chroma blurred, then luma sharpened by unsharp masking."""
    from scipy.ndimage import gaussian_filter
    from skimage.restoration import denoise_wavelet

    values = picture / 255
    luma = values @ np.array([0.299, 0.587, 0.114])
    chroma = gaussian_filter(values - luma[..., None], (chroma_width, chroma_width, 0), mode="reflect")
    luma = (1 - share) * luma + share * denoise_wavelet(luma, wavelet="db2", mode="soft", rescale_sigma=False)
    luma = luma + sharpening * (luma - gaussian_filter(luma, 1.0, mode="reflect"))
    return _as_8_bit(luma[..., None] + chroma)


def _as_jpeg(picture: Pixels, quality: int) -> Pixels:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def _enlarged(picture: Pixels, factor: float) -> Pixels:
    """The middle of a picture, enlarged to the size of the whole."""
    height, width, _ = picture.shape
    left, top = (width - width / factor) / 2, (height - height / factor) / 2
    box = (left, top, width - left, height - top)
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BICUBIC, box=box))


def _scaled(picture: Pixels, size: tuple[int, int]) -> Pixels:
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BOX))


def _as_8_bit(picture: Floats) -> Pixels:
    pixels: Pixels = np.rint(picture.clip(0, 1) * 255).astype(np.uint8)
    return pixels


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the comparison."""
    from jdcodec.training.data import find_photographs, hold_out
    from jdcodec.training.recipe import Recipe

    parser = argparse.ArgumentParser(prog="python -m jdcodec.bench.held_out")
    parser.add_argument("photographs", type=Path)
    parser.add_argument("reference")
    parser.add_argument("weights", nargs="*")
    parser.add_argument("--every", type=int, default=1, help="of the photographs held out, every so many")
    parser.add_argument("--hold-out-every", type=int, default=Recipe("").hold_out_every, help="the recipe's")
    parser.add_argument("--kind", action="append", choices=KINDS, help="this kind alone; may be repeated")
    given = parser.parse_args(arguments)
    if given.every < 1 or given.hold_out_every < 2:
        parser.error("--every is a whole number from 1, --hold-out-every one from 2")
    found = find_photographs(given.photographs)
    held_out = hold_out(found, given.hold_out_every)[1][:: given.every]
    if not held_out:
        raise JdcError(f"{given.photographs}: of {len(found)} photographs none is held out")
    for kind in given.kind or KINDS:
        reference = measure(held_out, kind, given.reference)
        _print(kind, given.reference, reference, "")
        for model in given.weights:
            curve = measure(held_out, kind, model)
            delta = bd_rate(reference, curve)
            _print(kind, model, curve, delta.why if delta.value is None else f"{delta.value:+.2f} %")


def _print(kind: str, model: str, curve: Curve, delta: str) -> None:
    points = "  ".join(f"{bpp:.3f} {quality:.2f}" for bpp, quality in zip(curve.bpp, curve.quality))
    print(f"{kind:10} {Path(model).stem:16} {delta:>9}  {points}", flush=True)


if __name__ == "__main__":
    try:
        main()
    except JdcError as error:
        sys.exit(f"held_out: {error}")
