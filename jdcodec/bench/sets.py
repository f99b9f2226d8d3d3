"""The pictures of a benchmark: clean ones, `_noisy`/`_clean` pairs, or clean ones with noise added.

Every picture is read once before anything is coded, so that a bad file is told at the start and not after
hours. Pixels are read again when they are needed; a set may be larger than memory.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from jdcodec.errors import JdcError, OptionError
from jdcodec.photo.endings import IMAGE_ENDINGS

from .metrics import Pixels, ms_ssim, psnr
from .noise import NoiseLevel

MS_SSIM_GROUPS = (0.5, 0.7, 0.95)
"""Groups of noisy pictures by MS-SSIM of noisy to clean, as in the ManyPriors and JDC papers."""

ReadPixels = Callable[[Path], Pixels]


@dataclass(frozen=True)
class Sample:
    """One picture to code (`source`) and the picture to compare with (`target`).

    `source` and `target` are the same file for clean sets; `noise` is what is added to `source` first.
    `digest` stands for the pixels of both, so that a resumed run knows what it has measured.
    `input_psnr` (dB) and `input_ms_ssim` compare the two, None where they are the same.
    """

    name: str
    source: Path
    target: Path
    noise: NoiseLevel | None
    seed: int
    height: int
    width: int
    digest: str
    input_psnr: float | None
    input_ms_ssim: float | None

    def load(self, read: ReadPixels) -> tuple[Pixels, Pixels]:
        """(pixels to code, pixels to compare with), each (H, W, 3) uint8."""
        return _load(self.source, self.target, self.noise, self.seed, read)


@dataclass(frozen=True)
class PictureSet:
    """A set: its name, its kind ("clean", "pairs" or "noise") and its samples, sorted by file name."""

    name: str
    kind: str
    samples: tuple[Sample, ...]

    def groups(self) -> dict[str, tuple[Sample, ...]]:
        """What curves are averaged over: all samples, each noise level, and MS-SSIM groups for noisy sets."""
        groups = {"all": self.samples}
        levels = dict.fromkeys(s.noise for s in self.samples if s.noise)
        if len(levels) > 1:
            groups |= {level.name: tuple(s for s in self.samples if s.noise == level) for level in levels}
        for threshold in MS_SSIM_GROUPS:
            chosen = tuple(s for s in self.samples if s.input_ms_ssim and s.input_ms_ssim >= threshold)
            if chosen and len(chosen) < len(self.samples):
                groups[f"MS-SSIM ≥ {threshold:g}"] = chosen
        return groups


def open_set(
    folder: Path,
    *,
    noise: tuple[NoiseLevel, ...] = (),
    seed: int = 0,
    max_images: int | None = None,
    name: str | None = None,
    read: ReadPixels | None = None,
) -> PictureSet:
    """Read and check all pictures of a folder; `max_images` keeps the first ones by name.

    Raises JdcError for a folder that is missing or holds no picture, for a `_noisy` file without its `_clean`
    one or the reverse, for a file that is neither in a set of pairs, for a pair of different sizes, and for
    noise asked for on pairs; PhotoError for a picture that cannot be read.
    """
    read = read or read_pixels
    files = _pictures_in(folder)
    pairs = any(path.stem.endswith(("_noisy", "_clean")) for path in files)
    if pairs and noise:
        raise OptionError(
            f"{folder} holds _noisy/_clean pairs, which have their own noise: leave out --noise"
        )
    found = list(_pairs(files, folder)) if pairs else _named(files)
    samples = [
        _survey(label, source, target, level, seed, read)
        for label, source, target in found[:max_images]
        for level in (noise or (None,))
    ]
    kind = "pairs" if pairs else "noise" if noise else "clean"
    return PictureSet(name or folder.resolve().name, kind, tuple(samples))


def read_pixels(path: Path) -> Pixels:
    """The photo as `jdcodec.photo` reads it, as (H, W, 3) uint8 sRGB. Raises PhotoError, LimitError."""
    from jdcodec.photo import read_photo
    from jdcodec.photo.depth import to_8_bit

    return to_8_bit(read_photo(path).pixels)


def _pictures_in(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise JdcError(f"{folder} is not a folder: a set is a folder of pictures")
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() in IMAGE_ENDINGS and p.is_file())
    if not files:
        raise JdcError(f"{folder} holds no picture ({', '.join(sorted(IMAGE_ENDINGS))})")
    return files


def _named(files: list[Path]) -> list[tuple[str, Path, Path]]:
    """(name, source, target) of clean pictures: the stem, or the whole name where two files share a stem."""
    stems = [path.stem for path in files]
    return [(p.stem if stems.count(p.stem) == 1 else p.name, p, p) for p in files]


def _pairs(files: list[Path], folder: Path) -> Iterator[tuple[str, Path, Path]]:
    by_stem: dict[str, Path] = {}
    for path in files:
        if path.stem in by_stem:
            raise JdcError(f"{folder}: {by_stem[path.stem].name} and {path.name} are the same half of a pair")
        by_stem[path.stem] = path
    for stem, path in by_stem.items():
        name, _, half = stem.rpartition("_")
        if half not in ("noisy", "clean") or not name:
            raise JdcError(f"{path} is in a set of pairs but its name ends in neither _noisy nor _clean")
        other = f"{name}_{'clean' if half == 'noisy' else 'noisy'}"
        if other not in by_stem:
            raise JdcError(f"{path} has no partner: {other} is not in the folder")
        if half == "noisy":
            yield name, path, by_stem[other]


def _survey(
    name: str, source: Path, target: Path, noise: NoiseLevel | None, seed: int, read: ReadPixels
) -> Sample:
    pixels, clean = _load(source, target, noise, seed, read)
    height, width = clean.shape[:2]
    if pixels.shape != clean.shape:
        sizes = f"{pixels.shape[1]} × {pixels.shape[0]} and {width} × {height}"
        raise JdcError(f"{source} and {target.name} are of different sizes, {sizes}")
    digest = hashlib.sha256(f"{height} {width}".encode())
    digest.update(pixels.tobytes())
    digest.update(clean.tobytes())
    noisy = noise is not None or source != target
    return Sample(
        name=f"{name} {noise.name}" if noise else name,
        source=source,
        target=target,
        noise=noise,
        seed=seed,
        height=height,
        width=width,
        digest=digest.hexdigest()[:16],
        input_psnr=psnr(clean, pixels) if noisy else None,
        input_ms_ssim=ms_ssim(clean, pixels) if noisy else None,
    )


def _load(
    source: Path, target: Path, noise: NoiseLevel | None, seed: int, read: ReadPixels
) -> tuple[Pixels, Pixels]:
    pixels = read(source)
    clean = pixels if source == target else read(target)
    return (noise.apply(pixels, source.name, seed) if noise else pixels), clean
