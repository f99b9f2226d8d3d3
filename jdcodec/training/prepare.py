"""Folders made from folders: noisy copies of photographs, and targets that a denoiser makes.

Both write pairs that `jdc data index` reads: NAME_noisy.png with NAME_clean.png or NAME_denoised.png, below
the same folders as their sources.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image

from jdcodec.atomic import atomic_output, check_output
from jdcodec.errors import TrainingError

from .data import find_photographs, mixed_seed, picture_size, read_picture
from .denoisers import Denoiser, Pixels
from .noise import NoiseModel

#: Called with pictures done and in all.
Report = Callable[[int, int], None]

#: Noise models work on blocks of this many pixels (JPEG with halved chroma).
_BLOCK = 16


def write_noisy(folder: Path, out: Path, noise: NoiseModel, *, seed: int, force: bool, report: Report) -> int:
    """NAME_noisy.png and NAME_clean.png of each photograph below `folder`; returns how many.

    A picture's noise depends on the seed and its name alone. The clean picture is what the model calls so:
    camera noise may darken it. A picture is worked on whole, at some 300 bytes
    a pixel. Raises TrainingError, OutputError.
    """
    paths = find_photographs(folder)
    for path, (first, second) in _outputs(paths, folder, out, "clean", force, report):
        pixels = read_picture(path)
        height, width = pixels.shape[:2]
        x = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
        x = F.pad(x, (0, -width % _BLOCK, 0, -height % _BLOCK), mode="replicate")
        name = path.relative_to(folder).as_posix()
        generator = torch.Generator().manual_seed(mixed_seed(seed, name))
        for picture, target in zip(noise(x, generator), (first, second)):
            rounded = (picture[0].clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
            _write(rounded[:height, :width], target, force)
    return len(paths)


def write_denoised(folder: Path, out: Path, denoiser: Denoiser, *, force: bool, report: Report) -> int:
    """NAME_noisy.png, the picture as it is, and NAME_denoised.png of each one below `folder`.

    Where the folder holds NAME_noisy/NAME_clean pairs, only the noisy halves are taken. Returns how many.
    Raises TrainingError, OutputError.
    """
    paths = find_photographs(folder)
    noisy = [path for path in paths if path.stem.endswith("_noisy")]
    paths = noisy or paths
    for path, (first, second) in _outputs(paths, folder, out, "denoised", force, report):
        pixels = read_picture(path)
        result = denoiser(pixels)
        if result.shape != pixels.shape:
            size = f"{result.shape[1]} × {result.shape[0]}"
            raise TrainingError(f"{path}: the denoiser returned a picture of another size, {size}")
        _write(pixels, first, force)
        _write(result, second, force)
    return len(paths)


def _outputs(
    paths: Sequence[Path], folder: Path, out: Path, partner: str, force: bool, report: Report
) -> Iterator[tuple[Path, tuple[Path, Path]]]:
    """Each source with its two targets. All of both are checked before the first is yielded."""
    jobs: dict[Path, tuple[Path, Path]] = {}
    taken: set[tuple[Path, Path]] = set()
    for path in paths:
        place = out / path.relative_to(folder)
        name = place.stem.removesuffix("_noisy")
        targets = (place.with_name(f"{name}_noisy.png"), place.with_name(f"{name}_{partner}.png"))
        if targets in taken:
            raise TrainingError(f"{path}: another picture beside it has the same name but for the ending")
        jobs[path] = targets
        taken.add(targets)
        picture_size(path)
    for targets in jobs.values():
        try:
            targets[0].parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TrainingError(f"{targets[0].parent}: cannot be made: {error.strerror}") from error
        for target in targets:
            check_output(target, force=force)
    for number, (path, targets) in enumerate(jobs.items()):
        yield path, targets
        report(number + 1, len(jobs))


def _write(pixels: Pixels, path: Path, force: bool) -> None:
    with atomic_output(path, force=force) as file:
        Image.fromarray(pixels).save(file, "PNG", compress_level=1)
