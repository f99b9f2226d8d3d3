"""A trained network to a weights file: fp16 parameters, and the integer tables that the codec uses.

The scale map becomes int8 weights with an affine map in integers. The probability tables start from the
network's own densities and are then fitted to the symbols that the exported network makes of training
crops, noisy and clean, over the whole quality range.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from jdcodec.atomic import check_output
from jdcodec.codec.noise import NoisePower
from jdcodec.codec.symbols import Symbols, latents_to_symbols
from jdcodec.codec.weights import save_weights
from jdcodec.container import TileRect
from jdcodec.entropy import EntropyTables
from jdcodec.entropy.coder import indices_by_table
from jdcodec.entropy.tables import (
    AFFINE_BITS,
    ANCHORS,
    HYPER_LIMIT,
    QUALITY_STEPS,
    quantise_probabilities,
)
from jdcodec.errors import TrainingError
from jdcodec.inference.on_torch import TorchInference
from jdcodec.model.config import TRELLIS_LEVEL, ModelConfig, quality_to_t
from jdcodec.model.entropy_model import LOG_SCALE_STEP, SCALE_MIN
from jdcodec.model.network import JointCodec
from jdcodec.model.precision import fast_dtype
from jdcodec.training.checkpoint import read_checkpoint, section
from jdcodec.training.data import find_photographs, load_photographs, random_crops
from jdcodec.training.level_tables import ESCAPE_SHARE, blend, count_indices, latent_densities
from jdcodec.training.noise import CameraNoise
from jdcodec.training.recipe import Recipe

#: Batches that first tables are fitted to: what is best to code depends on the tables itself.
_FIRST_BATCHES = 24

#: Tables are fitted to this many batches of two crops.
_FIT_BATCHES = 160
_FIT_CROP = 320


def export_weights(
    state: dict[str, Tensor],
    config: ModelConfig,
    batches: Iterable[Tensor],
    path: Path,
    report: Callable[[str], None] = lambda line: None,
    *,
    force: bool = True,
) -> bytes:
    """Write a weights file from parameters; returns its model id.

    batches: pictures (B, 3, H, W) in [0, 1] to fit the tables to, sides multiples of 64. force: as in
    `save_weights`.
    """
    rounded = {name: tensor.detach().cpu().half() for name, tensor in state.items()}
    for name, tensor in rounded.items():
        if not bool(torch.isfinite(tensor).all()):
            raise TrainingError(f"parameter {name} is not finite in fp16; this checkpoint cannot be exported")
    network = JointCodec(config)
    network.load_state_dict({name: tensor.float() for name, tensor in rounded.items()})
    network.requires_grad_(False).eval().channels_last()
    remaining = iter(batches)
    first = list(islice(remaining, _FIRST_BATCHES))
    tables = _fit(network, _start_tables(network), first)
    tables = _fit(network, tables, chain(first, remaining), report)
    arrays = {name: tensor.numpy() for name, tensor in rounded.items()}
    return save_weights(path, config, arrays, tables, force=force)


def _start_tables(network: JointCodec) -> EntropyTables:
    """Tables from the network's densities alone."""
    scale = network.entropy.scale
    weight = scale.expand.weight.flatten(1).double()
    largest = weight.abs().amax(dim=1).clamp_min(1e-9)
    integers = torch.round(weight / largest[:, None] * 127)
    unit = largest / 127 / LOG_SCALE_STEP * 2**AFFINE_BITS
    assert scale.expand.bias is not None
    bias = ((scale.expand.bias.double() - math.log(SCALE_MIN)) / LOG_SCALE_STEP + 0.5) * 2**AFFINE_BITS
    offsets = []
    for anchor in range(ANCHORS):
        t = torch.tensor([quality_to_t(anchor + 1.0)])
        offset = scale.offset(network.gain(t), t).double().flatten()
        offsets.append(offset / LOG_SCALE_STEP * 2**AFFINE_BITS)
    latent_half, latent_tables = latent_densities(TRELLIS_LEVEL)
    hyper_half, hyper_tables = _hyper_densities(network)
    return EntropyTables(
        scale_weight=integers.to(torch.int8).numpy(),
        scale_multiplier=unit.round().to(torch.int32).numpy(),
        scale_bias=bias.round().to(torch.int32).numpy(),
        quality_offset=torch.stack(offsets).round().to(torch.int32).numpy(),
        latent_half_width=latent_half,
        latent_frequency=np.concatenate([quantise_probabilities(p) for p in latent_tables]),
        hyper_half_width=hyper_half,
        hyper_frequency=np.stack(
            [np.concatenate([quantise_probabilities(p) for p in row]) for row in hyper_tables]
        ),
        trellis=np.array([TRELLIS_LEVEL], np.int32),
    )


def _hyper_densities(network: JointCodec) -> tuple[NDArray[np.int32], list[list[NDArray[np.float64]]]]:
    """Half widths of the hyperlatent channels, and at each anchor each channel's density."""
    prior = network.entropy.prior
    channels = network.config.hyper_channels
    values = torch.arange(-HYPER_LIMIT, HYPER_LIMIT + 1.0).view(1, 1, -1, 1).expand(1, channels, -1, 1)
    rows = []
    for anchor in range(ANCHORS):
        t = torch.tensor([quality_to_t(anchor + 1.0)])
        rows.append(torch.exp2(-prior.bits(values, t))[0, :, :, 0].double().numpy())
    densities = np.stack(rows)  # (ANCHORS, N, 255)
    half = np.full(channels, HYPER_LIMIT, np.int32)
    extended = np.concatenate((densities, np.full((ANCHORS, channels, 1), ESCAPE_SHARE)), axis=2)
    return half, [list(row) for row in extended]


def _fit(
    network: JointCodec,
    start: EntropyTables,
    batches: Iterable[Tensor],
    report: Callable[[str], None] = lambda line: None,
) -> EntropyTables:
    """Tables fitted to the symbols that the network and the tables before make of the batches."""
    _, started = latent_densities(start.trellis_level)
    hyper_half, hyper_densities = _hyper_densities(network)
    latent_counts = [np.zeros(len(density)) for density in started]
    hyper_counts = np.zeros((ANCHORS, len(hyper_half), 2 * HYPER_LIMIT + 2))
    for number, batch in enumerate(batches):
        quality_step = (number * 37) % (QUALITY_STEPS * (ANCHORS - 1) + 1)
        for picture in torch.split(batch, 1):
            symbols = _symbols(network, start, picture, quality_step)
            for level, quantiser, indices in indices_by_table(start, symbols.layouts[0], symbols.y):
                count_indices(latent_counts[start.table_number(level, quantiser)], indices)
            _count_hyper(hyper_counts, symbols.z, quality_step)
    report(f"tables fitted to {int(sum(c.sum() for c in latent_counts)):,} latents")
    latent = [
        quantise_probabilities(blend(counts, density)) for counts, density in zip(latent_counts, started)
    ]
    hyper = [
        np.concatenate(
            [
                quantise_probabilities(blend(counts, density))
                for counts, density in zip(_neighbours(hyper_counts, anchor), hyper_densities[anchor])
            ]
        )
        for anchor in range(ANCHORS)
    ]
    arrays: dict[str, NDArray[Any]] = start.to_arrays()
    arrays["latent_frequency"] = np.concatenate(latent)
    arrays["hyper_frequency"] = np.stack(hyper)
    return EntropyTables.from_arrays(arrays)


def _symbols(network: JointCodec, tables: EntropyTables, picture: Tensor, quality_step: int) -> Symbols:
    t = quality_to_t(1 + quality_step / QUALITY_STEPS)
    inference = TorchInference(network, t, fast_dtype(picture.device), tables.units)
    pixels = (picture[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
    clean = inference.denoise(pixels, 1.0)
    power = NoisePower()
    power.add(pixels, clean.transpose(1, 2, 0))
    tile = TileRect(0, 0, 0, pixels.shape[1], pixels.shape[0])
    return latents_to_symbols(
        inference.latents(clean),
        inference,
        tables,
        [tile],
        quality_step=quality_step,
        noise=power.result(),
        denoise=1.0,
    )


def _count_hyper(counts: NDArray[np.float64], z: NDArray[np.int8], quality_step: int) -> None:
    anchor = (quality_step + QUALITY_STEPS // 2) // QUALITY_STEPS
    for channel in range(z.shape[0]):
        places = z[channel].ravel().astype(np.int64) + HYPER_LIMIT
        counts[anchor, channel] += np.bincount(places, minlength=counts.shape[2])


def _neighbours(counts: NDArray[np.float64], anchor: int) -> NDArray[np.float64]:
    """Counts at an anchor, with half of those beside it."""
    total: NDArray[np.float64] = counts[anchor].copy()
    for other in (anchor - 1, anchor + 1):
        if 0 <= other < len(counts):
            total += 0.5 * counts[other]
    return total


def check_export(path: Path, photographs: Path | None, recipe: Recipe, *, force: bool = False) -> None:
    """Refuse before training what `export_checkpoint` would refuse after it.

    Raises TrainingError, and OutputError where the file exists and `force` is not set.
    """
    if recipe.reference is not None:
        raise TrainingError(
            f"--export writes weights for jdc encode, which {recipe.arch} is not for: its checkpoint is all "
            "that jdcodec.reference.load needs"
        )
    if photographs is None:
        raise TrainingError("--export fits its tables to photographs: name a folder with --data")
    find_photographs(photographs)
    check_output(path, force=force)


def export_checkpoint(
    checkpoint: Path,
    photographs: Path,
    path: Path,
    report: Callable[[str], None] = lambda line: None,
    *,
    force: bool = False,
) -> bytes:
    """Export a checkpoint's averaged weights, its tables fitted to crops of `photographs`.

    Returns the model id. Raises TrainingError, and OutputError where the file exists and `force` is not set.
    """
    config, _, tensors = read_checkpoint(checkpoint)
    paths = find_photographs(photographs)
    pictures = load_photographs(paths[:: max(1, len(paths) // 100)], _FIT_CROP)
    average = section(tensors, "average")
    return export_weights(average, config, _fit_batches(pictures), path, report, force=force)


def _fit_batches(pictures: list[Tensor]) -> Iterator[Tensor]:
    """Crops to fit tables to: every second batch noisy, as in training."""
    noise = CameraNoise()
    for number in range(_FIT_BATCHES):
        generator = torch.Generator().manual_seed(number)
        clean = random_crops(pictures, 2, _FIT_CROP, generator, torch.device("cpu"))
        yield noise(clean, generator)[0] if number % 2 else clean
