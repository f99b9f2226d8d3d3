"""The denoiser of a checkpoint as the one that a weights file has for noise without colour.

    python -m jdcodec.training.export_denoiser CHECKPOINT WEIGHTS [--force]

CHECKPOINT comes from a recipe with `part = "stem"` and `luma_share = 1.0`. The denoiser is written beside
WEIGHTS, into `denoisers/`, where encoders look for it (`jdcodec.codec.denoisers`).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from jdcodec.codec.denoisers import luma_denoiser_of, save_denoiser
from jdcodec.codec.weights import load_weights
from jdcodec.errors import JdcError, TrainingError
from jdcodec.training.checkpoint import read_averaged


def export_luma_denoiser(checkpoint: Path, weights: Path, *, force: bool = False) -> Path:
    """Returns where it was written. Raises TrainingError, ModelError and OutputError."""
    config, part, tensors = read_averaged(checkpoint)
    if part == "codec":
        raise TrainingError(f"{checkpoint}: has no denoiser: it is of the codec alone")
    if config != load_weights(weights.resolve()).config:
        raise TrainingError(f"{checkpoint}: the denoiser of another network than {weights}")
    path = luma_denoiser_of(weights)
    path.parent.mkdir(exist_ok=True)
    save_denoiser(path, {name: tensor.numpy() for name, tensor in tensors.items()}, force=force)
    return path


def main(arguments: Sequence[str] | None = None) -> None:
    """Write it and say where."""
    parser = argparse.ArgumentParser(prog="python -m jdcodec.training.export_denoiser")
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--force", action="store_true", help="replace the one that is there")
    given = parser.parse_args(arguments)
    print(export_luma_denoiser(given.checkpoint, given.weights, force=given.force))


if __name__ == "__main__":
    try:
        main()
    except JdcError as error:
        sys.exit(f"export_denoiser: {error}")
