"""Folders made from folders: noisy copies of photographs, and targets that a denoiser makes.

Both write pairs that `jdc data index` reads: NAME_noisy.png with NAME_clean.png or NAME_denoised.png, below
the same folders as their sources.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from safetensors import SafetensorError, safe_open

from jdcodec.atomic import atomic_output, check_output
from jdcodec.errors import TrainingError
from jdcodec.model.config import ModelConfig
from jdcodec.model.denoiser import DenoiserStem
from jdcodec.model.inference import analysis_halo

from .data import find_photographs, mixed_seed, picture_size, read_picture
from .noise import NoiseModel

Pixels = NDArray[np.uint8]

#: Called with pictures done and in all.
Report = Callable[[int, int], None]

#: Noise models work on blocks of this many pixels (JPEG with halved chroma).
_BLOCK = 16

#: Side of the squares that a picture is denoised in.
_WINDOW = 1024


class Denoiser(Protocol):
    """Anything that maps a picture, (H, W, 3) uint8, to one of the same size without its noise."""

    def __call__(self, pixels: Pixels) -> Pixels: ...


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


class StemDenoiser:
    """The denoiser stem of a training checkpoint or of a weights file. Raises TrainingError for others."""

    def __init__(self, path: Path, device: str) -> None:
        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
                prefix = "network/denoiser." if "model_id" in metadata else "average/denoiser."
                names = [name for name in file.keys() if name.startswith(prefix)]  # noqa: SIM118
                tensors = {name.removeprefix(prefix): file.get_tensor(name).float() for name in names}
            config = ModelConfig.from_dict(json.loads(metadata["config"]))
            stem = DenoiserStem(config.stem_channels, config.stem_blocks)
            stem.load_state_dict(tensors)
            self.stem = stem.requires_grad_(False).eval().to(device)
        except (OSError, SafetensorError, KeyError, ValueError, TypeError, RuntimeError) as error:
            reason = str(error).splitlines()[0]
            raise TrainingError(f"{path}: cannot be used as a denoiser on {device}: {reason}") from error
        self.halo = analysis_halo(config)
        self.device = torch.device(device)

    def __call__(self, pixels: Pixels) -> Pixels:
        height, width = pixels.shape[:2]
        result = np.empty_like(pixels)
        for top in range(0, height, _WINDOW):
            for left in range(0, width, _WINDOW):
                above, before = max(0, top - self.halo), max(0, left - self.halo)
                bottom, right = top + _WINDOW, left + _WINDOW
                window = self._denoise(pixels[above : bottom + self.halo, before : right + self.halo])
                core = window[top - above :, left - before :]
                place = result[top:bottom, left:right]
                place[:] = core[: place.shape[0], : place.shape[1]]
        return result

    @torch.inference_mode()
    def _denoise(self, pixels: Pixels) -> Pixels:
        height, width = pixels.shape[:2]
        x = (
            torch.from_numpy(np.ascontiguousarray(pixels)).to(self.device).permute(2, 0, 1)[None].float()
            / 255
        )
        x = F.pad(x, (0, -width % 8, 0, -height % 8), mode="replicate")
        clean = ((x - self.stem(x)).clamp(0, 1) * 255).round().to(torch.uint8)
        denoised: Pixels = clean[0].permute(1, 2, 0).cpu().numpy()[:height, :width]
        return denoised


class CommandDenoiser:
    """A program that reads one PNG and writes another, as in "denoise {input} {output}".

    The words are split as a shell would, but no shell runs. Raises TrainingError for a command that lacks a
    place for either file, cannot be started, fails, takes longer than `timeout` seconds or writes no picture.
    """

    def __init__(self, command: str, timeout: float = 600.0) -> None:
        try:
            self.words = shlex.split(command)
        except ValueError as error:
            raise TrainingError(f"command {command!r}: {error}") from error
        for place in ("{input}", "{output}"):
            if not any(place in word for word in self.words):
                raise TrainingError(
                    f"command {command!r}: has no {place}, as in: denoise {{input}} {{output}}"
                )
        self.timeout = timeout

    def __call__(self, pixels: Pixels) -> Pixels:
        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder) / "input.png", Path(folder) / "output.png"
            Image.fromarray(pixels).save(source, compress_level=1)
            words = [
                word.replace("{input}", str(source)).replace("{output}", str(target)) for word in self.words
            ]
            try:
                done = subprocess.run(words, capture_output=True, timeout=self.timeout, check=False)
            except subprocess.TimeoutExpired as error:
                raise TrainingError(f"{words[0]}: took longer than {self.timeout:g} seconds") from error
            except OSError as error:
                raise TrainingError(f"{words[0]}: cannot be started: {error.strerror}") from error
            if done.returncode or not target.is_file():
                last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
                what = f"left with status {done.returncode}" if done.returncode else "wrote no picture"
                raise TrainingError(": ".join([words[0], what, *last]))
            return read_picture(target)


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
