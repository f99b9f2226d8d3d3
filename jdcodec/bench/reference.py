"""The papers' systems under test: each checkpoint that `jdc train --arch` made is a point of a curve.

They train at one rate each, so quality n is the n-th checkpoint. Bytes are those of their own `compress`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jdcodec.errors import JdcError, ModelError
from jdcodec.reference import Architecture, find, load

from .checkpoints import find_checkpoints, label, short_hash, torch_device, weight_of
from .codec import CodecFailure, Coded, Scale, Unavailable, checked, guarded
from .libraries import warm_up_picture
from .memory import measured
from .metrics import Pixels

if TYPE_CHECKING:
    from torch import Tensor

PREFIX = "ref:"


@dataclass(frozen=True)
class Stored:
    """A checkpoint: the system in it, the file's hash, and the weight λ it was trained with, where known."""

    path: Path
    architecture: Architecture
    digest: str
    weight: float | None


@dataclass(frozen=True)
class ReferenceCurve:
    """A system of a paper as a codec under test, a checkpoint a quality, from the lowest rate to the highest.

    Runs in float32 on `device`, which is torch's name for it.
    """

    name: str
    title: str
    checkpoints: tuple[Stored, ...]
    device: str
    kind: str = "library"
    _models: list[Any] = field(default_factory=list, repr=False, compare=False)

    @property
    def scale(self) -> Scale:
        """Whole numbers, one a checkpoint."""
        count = len(self.checkpoints)
        return Scale(1, count, 1, tuple(range(1, count + 1)))

    def prepare(self) -> str:
        """Load all checkpoints and code a small picture with each; returns the version.

        Raises Unavailable where compressai is missing, JdcError for a file that cannot be coded with.
        """
        _require_compressai(self.name)
        self._models[:] = [load(stored.path).to(self.device) for stored in self.checkpoints]
        for quality, stored in enumerate(self.checkpoints, 1):
            try:
                self.code(warm_up_picture(), quality)
            except CodecFailure as error:
                raise JdcError(f"{stored.path}: cannot be coded with: {error}") from error
        names = _names(self.checkpoints)
        package = f"compressai {version('compressai')}"
        if len(self.checkpoints) == 1:
            return f"{names} {self.checkpoints[0].digest}, {package}"
        # Without their number and hashes: what the others were must not keep a point from being resumed.
        return f"{names}, {package}; the commands say which files"

    def command(self, quality: float) -> str:
        """The call that encodes, as one would type it, and which file it loads."""
        stored = self.checkpoints[round(quality) - 1]
        weight = "" if stored.weight is None else f", λ = {stored.weight:g}"
        call = f"jdcodec.reference.load({str(stored.path)!r}).compress(image)"
        return f"{call}  # {stored.architecture.name}, sha256 {stored.digest}{weight}, on {self.device}"

    def code(self, pixels: Pixels, quality: float) -> Coded:
        """Encode to bytes and decode them again. Raises CodecFailure, whatever torch raises."""
        model = self._models[round(quality) - 1]
        data, encode = guarded(
            lambda: measured(lambda: model.compress(_to_tensor(pixels, self.device))), "encoding"
        )
        decoded, decode = guarded(lambda: measured(lambda: _to_pixels(model.decompress(data))), "decoding")
        return checked(Coded(data, decoded, encode, decode), pixels)


def reference_curve(name: str, device: str) -> ReferenceCurve:
    """The codec of a name like "ref:runs/manypriors-*"; `device` as in `--device`.

    Checkpoints go by λ where each has its recipe beside it, else by name. Raises JdcError where there are
    none, and for files that hold no codec or not all the same.
    """
    where = name.removeprefix(PREFIX)
    checkpoints = [_stored(path) for path in find_checkpoints(name, where)]
    first = checkpoints[0]
    for stored in checkpoints:
        if stored.architecture.title != first.architecture.title:
            names = f"{first.path} holds {first.architecture.name}, {stored.path} {stored.architecture.name}"
            raise JdcError(f"{name}: a curve is of one system, but {names}")
    if all(stored.weight is not None for stored in checkpoints):
        checkpoints.sort(key=lambda stored: stored.weight or 0.0)
    said = label(where)
    title = f"{_names(checkpoints)} ({said})" if said else _names(checkpoints)
    return ReferenceCurve(name, title, tuple(checkpoints), torch_device(device))


def _stored(path: Path) -> Stored:
    from jdcodec.reference.stored import is_stored, stored_name

    if not is_stored(path):
        raise JdcError(f"{path}: not a checkpoint of `jdc train --arch`; jdc's own models are jdc:MODEL")
    architecture = find(stored_name(path)[0])
    if architecture.is_denoiser:
        raise JdcError(
            f"{path}: {architecture.name} is a denoiser; it goes before a codec, as in denoiser:{path}+jxl"
        )
    return Stored(path, architecture, short_hash(path), weight_of(path))


def _names(checkpoints: Sequence[Stored]) -> str:
    """The architectures, each once: guided-128 and guided-192 may share a curve."""
    return ", ".join(dict.fromkeys(stored.architecture.name for stored in checkpoints))


def _require_compressai(name: str) -> None:
    try:
        import jdcodec.reference.backend  # noqa: F401  (only asks whether it is there)
    except ModelError as error:
        raise Unavailable(f"{name}: {error}") from error


def _to_tensor(pixels: Pixels, device: str) -> Tensor:
    """(H, W, 3) uint8 to (1, 3, H, W) float32 in [0, 1]."""
    import torch

    return torch.tensor(pixels, device=device).permute(2, 0, 1)[None].float() / 255


def _to_pixels(picture: Tensor) -> Pixels:
    """Inverse of `_to_tensor`, clipped and rounded."""
    levels = (picture[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0)
    return np.ascontiguousarray(levels.cpu().numpy())
