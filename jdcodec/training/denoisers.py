"""Blind denoisers that make targets: networks from checkpoints, and any program that maps PNG to PNG."""

from __future__ import annotations

import json
import shlex
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from safetensors import SafetensorError, safe_open
from torch import Tensor

from jdcodec.errors import ModelError, TrainingError, first_line
from jdcodec.inference.halo import denoiser_halo
from jdcodec.model.config import ModelConfig
from jdcodec.model.denoiser import DenoiserStem
from jdcodec.model.shapes import network_shapes
from jdcodec.reference import load
from jdcodec.reference.base import Denoiser as ReferenceDenoiser
from jdcodec.reference.stored import is_stored

from .data import read_picture

Pixels = NDArray[np.uint8]

#: Windows begin at multiples of this, so that strided networks see each one as they would the whole picture.
_ALIGN = 16


class Denoiser(Protocol):
    """Anything that maps a picture, (H, W, 3) uint8, to one of the same size without its noise."""

    def __call__(self, pixels: Pixels) -> Pixels: ...


class NetworkDenoiser:
    """A network run window by window, so that memory is bounded and no seam can show.

    network: noisy pictures (1, 3, h, w) in [0, 1], sides multiples of 16, to clean ones. halo: pixels beyond
    a window that can change what comes out of it.
    """

    def __init__(
        self, network: Callable[[Tensor], Tensor], halo: int, device: torch.device, window: int = 1024
    ) -> None:
        self.network, self.device, self.window = network, device, window
        self.halo = -(-halo // _ALIGN) * _ALIGN

    def __call__(self, pixels: Pixels) -> Pixels:
        height, width = pixels.shape[:2]
        result = np.empty_like(pixels)
        for top in range(0, height, self.window):
            for left in range(0, width, self.window):
                above, before = max(0, top - self.halo), max(0, left - self.halo)
                bottom, right = top + self.window, left + self.window
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
        x = F.pad(x, (0, -width % _ALIGN, 0, -height % _ALIGN), mode="replicate")
        clean = (self.network(x).clamp(0, 1) * 255).round().to(torch.uint8)
        denoised: Pixels = clean[0].permute(1, 2, 0).cpu().numpy()[:height, :width]
        return denoised


def open_denoiser(path: Path, device: str) -> NetworkDenoiser:
    """The denoiser of a file: a training checkpoint of this project's networks (their stem) or of a denoiser
    of `jdcodec.reference`, or a weights file. Raises TrainingError for others.
    """
    try:
        place = torch.device(device)
        return _reference(path, place) if is_stored(path) else _stem(path, place)
    except (OSError, SafetensorError, KeyError, ValueError, TypeError, RuntimeError, ModelError) as error:
        reason = first_line(error)
        raise TrainingError(f"{path}: cannot be used as a denoiser on {device}: {reason}") from error


def _stem(path: Path, device: torch.device) -> NetworkDenoiser:
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
        prefix = "network/denoiser." if "model_id" in metadata else "average/denoiser."
        names = [name for name in file.keys() if name.startswith(prefix)]  # noqa: SIM118
        tensors = {name.removeprefix(prefix): file.get_tensor(name).float() for name in names}
    config = ModelConfig.from_dict(json.loads(metadata["config"]))
    # Before memory is taken for sizes that a forged file only claims.
    found = {f"denoiser.{name}": tuple(tensor.shape) for name, tensor in tensors.items()}
    if found != {name: s for name, s in network_shapes(config).items() if name.startswith("denoiser.")}:
        raise ModelError("its denoiser has not the sizes that its configuration says")
    stem = DenoiserStem(config.stem_channels, config.stem_blocks)
    stem.load_state_dict(tensors)
    stem.requires_grad_(False).eval().to(device)
    return NetworkDenoiser(lambda x: x - stem(x), denoiser_halo(config), device)


def _reference(path: Path, device: torch.device) -> NetworkDenoiser:
    model = load(path).to(device)
    if not isinstance(model, ReferenceDenoiser):
        raise ModelError("it is a codec; jdcodec.reference.load opens it")

    # Half the side of ours: a U-Net keeps a kilobyte and more of each pixel.
    return NetworkDenoiser(model.colour, model.reach, device, window=512)


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
