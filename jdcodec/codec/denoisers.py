"""Which denoiser a photo gets: the one of its weights, or another for noise without colour.

Noise is told from texture by its colours. Cameras that smooth chroma alone leave noise that has none, and
black-and-white photographs never have any: a denoiser made for colour takes it for texture and leaves all of
it in. One that was trained on such noise takes it out, but is bolder with texture than others need. It lies
beside a weights file, in `denoisers/NAME-luma.safetensors`, and takes over where it finds clearly more noise
in flat places than the other. Only the encoder needs it: files are those of the weights themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from jdcodec.atomic import atomic_output
from jdcodec.codec.file_cache import FileCache
from jdcodec.codec.noise import may_lack_colour, noise_level
from jdcodec.codec.weights import Weights, arrays_id
from jdcodec.errors import ModelError
from jdcodec.model.shapes import denoiser_shapes

if TYPE_CHECKING:
    from jdcodec.inference.interface import Inference

#: The denoiser for noise without colour takes over from this much noise on (`noise_level`), and where it
#: finds so many times what the other one does. On held-out photographs (`jdcodec.bench.held_out`) it finds
#: 0.94 to 1.3 times as much in bursts, and up to 14 times as much of noise without colour; in clean ones up
#: to 2.6 times, but then no more than 0.6 levels.
_LEAST_NOISE, _TIMES = 2.0, 1.5

_FORMAT = "jdcodec denoiser 1"

# Every so many pixels a side are looked at first: hardly any colour photograph takes more.
_APART = 16


def with_denoiser_for(
    pixels: NDArray[Any], weights: Weights, start: Callable[[Weights], Inference]
) -> Weights:
    """The weights with the denoiser that fits a photo, (H, W, 3) uint8 or uint16, or as they are.

    start: makes the network ready. Raises ModelError for a damaged denoiser, or one of another network.
    """
    other = with_luma_denoiser(weights)
    if other is None:
        return weights
    if has_no_colour(pixels):
        return other
    if not may_lack_colour(pixels):
        return weights
    with ThreadPoolExecutor(2, thread_name_prefix="jdc-noise") as pool:
        own, found = pool.map(lambda each: noise_level(pixels, start(each)), (weights, other))
    return other if found >= max(_LEAST_NOISE, _TIMES * own) else weights


def has_no_colour(pixels: NDArray[Any]) -> bool:
    """Whether the channels of pixels (H, W, 3) are equal everywhere."""

    def equal(part: NDArray[Any]) -> bool:
        return bool((part[..., :1] == part[..., 1:]).all())

    return equal(pixels[::_APART, ::_APART]) and equal(pixels)


def with_luma_denoiser(weights: Weights) -> Weights | None:
    """The weights with the denoiser for noise without colour; None where they have none.

    Raises ModelError for a damaged file, or one of another network.
    """
    path = luma_denoiser_of(weights.path)
    if not path.is_file():
        return None
    identity, arrays = _loaded(path)
    if {name: array.shape for name, array in arrays.items()} != denoiser_shapes(weights.config):
        raise ModelError(f"{path}: the denoiser does not fit the network {weights.name}")
    return replace(weights, network={**weights.network, **arrays}, denoiser=identity)


def luma_denoiser_of(weights: Path) -> Path:
    """Where the denoiser for noise without colour of a weights file lies, if it has one."""
    return weights.parent / "denoisers" / f"{weights.stem}-luma.safetensors"


def luma_denoiser_id(weights: Weights) -> str:
    """The identity of the denoiser for noise without colour, in hexadecimal; "" where there is none.

    Files depend on it as they do on the model id. Raises ModelError as `with_luma_denoiser` does.
    """
    other = with_luma_denoiser(weights)
    return other.denoiser if other is not None else ""


def _load(path: Path) -> tuple[str, dict[str, NDArray[Any]]]:
    """Identity and arrays of a denoiser's file. Raises ModelError."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path}: not a readable denoiser: {error}") from error
    if metadata.get("format") != _FORMAT:
        raise ModelError(f"{path}: not a jdcodec denoiser")
    identity = arrays_id(_FORMAT, arrays).hex()
    if metadata.get("denoiser_id") != identity:
        raise ModelError(f"{path}: the denoiser does not match its id; the file is damaged")
    return identity, arrays


_loaded = FileCache(_load, keep=2)


def save_denoiser(path: Path, network: Mapping[str, NDArray[Any]], *, force: bool = False) -> None:
    """Write the denoiser of a network's arrays, in fp16, with its id. Raises OutputError."""
    from safetensors.numpy import save

    arrays = {
        name: np.ascontiguousarray(array, np.float16)
        for name, array in network.items()
        if name.startswith("denoiser.")
    }
    metadata = {"format": _FORMAT, "denoiser_id": arrays_id(_FORMAT, arrays).hex()}
    with atomic_output(path, force=force) as file:
        file.write(save(arrays, metadata))
