"""Denoisers from checkpoints, to go before a codec: "denoiser:PATH+jxl".

Those of the papers that `jdc train --arch` made (U-Net, DnCNN …), and the stem of jdc's own networks.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from jdcodec.errors import JdcError
from jdcodec.reference import find

from .checkpoints import checkpoint_at, find_checkpoints, label, short_hash, torch_device
from .denoisers import Denoiser
from .metrics import Pixels

if TYPE_CHECKING:
    from jdcodec.training.denoisers import NetworkDenoiser

PREFIX = "denoiser:"


def split_front(name: str) -> tuple[str, str]:
    """("denoiser:PATH", "CODEC") of "denoiser:PATH+CODEC", where a path that exists may have a + in it.

    The codec is "" where there is none.
    """
    places = [index for index, letter in enumerate(name) if letter == "+"]
    for place in places:
        if checkpoint_at(name[len(PREFIX) : place]):
            return name[:place], name[place + 1 :]
    return (name[: places[0]], name[places[0] + 1 :]) if places else (name, "")


def trained_denoiser(name: str, device: str) -> Denoiser:
    """The denoiser of a name like "denoiser:runs/dncnn"; `device` as in `--device`.

    Raises JdcError where it names no file, several, or a codec. What else cannot be opened is told by `load`.
    """
    where = name.removeprefix(PREFIX)
    paths = find_checkpoints(name, where)
    if len(paths) > 1:
        raise JdcError(f"{name}: {len(paths)} checkpoints, but a denoiser is one: {paths[0]}, {paths[1]} …")
    network = _Network(paths[0], torch_device(device))
    said = label(where)
    return Denoiser(
        name=name,
        title=f"{network.system} ({said})" if said else network.system,
        load=network.load,
        denoise=network.denoise,
    )


class _Network:
    """A checkpoint's denoiser, opened when first needed. `system` is what it is called in a report."""

    def __init__(self, path: Path, device: str) -> None:
        self.path, self.device = path, device
        self.system = _system(path)

    @cached_property
    def _run(self) -> NetworkDenoiser:
        from jdcodec.training.denoisers import open_denoiser

        return open_denoiser(self.path, self.device)

    def load(self) -> str:
        """The version. Raises TrainingError for a file that holds no denoiser."""
        self._run(np.zeros((16, 16, 3), np.uint8))
        return f"{self.system} {short_hash(self.path)}, on {self.device}"

    def denoise(self, pixels: Pixels) -> Pixels:
        return self._run(np.array(pixels))  # a copy, as torch warns of arrays that are not to be written to


def _system(path: Path) -> str:
    """The architecture's name; "stem" for what is no checkpoint of the papers' systems. Raises JdcError."""
    from jdcodec.reference.stored import is_stored, stored_name

    if not is_stored(path):
        return "stem"
    architecture = find(stored_name(path)[0])
    if not architecture.is_denoiser:
        raise JdcError(f"{path}: {architecture.name} is a codec and no denoiser; it is called ref:{path}")
    return architecture.name
