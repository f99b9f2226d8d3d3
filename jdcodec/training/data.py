"""Clean photographs in memory as uint8, and the random crops that a step trains on."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from jdcodec.errors import TrainingError

SUFFIXES = {".avif", ".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".ppm", ".bmp"}


def find_photographs(folder: Path) -> list[Path]:
    """Every picture below a folder, sorted; raises TrainingError where there is none."""
    if not folder.is_dir():
        raise TrainingError(f"{folder}: no such folder of training photographs")
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not found:
        raise TrainingError(f"{folder}: no photographs with a known ending ({', '.join(sorted(SUFFIXES))})")
    return found


def load_photographs(paths: Sequence[Path], smallest: int, workers: int = 2) -> list[Tensor]:
    """Decode pictures to uint8 tensors (H, W, 3); those with a side under `smallest` are left out.

    Raises TrainingError naming the first picture that cannot be decoded, or where none is large enough.
    """
    with ThreadPoolExecutor(workers) as pool:
        photographs = list(pool.map(_load, paths))
    large = [photograph for photograph in photographs if min(photograph.shape[:2]) >= smallest]
    if not large:
        raise TrainingError(f"no photograph has {smallest} pixels a side; take a smaller crop")
    return large


def _load(path: Path) -> Tensor:
    try:
        with Image.open(path) as image:
            return torch.from_numpy(np.array(image.convert("RGB")))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise TrainingError(f"{path}: cannot be read as a picture: {error}") from error


def hold_out(paths: Sequence[Path], every: int) -> tuple[list[Path], list[Path]]:
    """(training, held out): each `every`-th picture of the sorted list is held out."""
    held_out = list(paths[every - 1 :: every])
    kept = [path for index, path in enumerate(paths) if (index + 1) % every]
    return kept, held_out


def random_crops(
    photographs: Sequence[Tensor], batch: int, size: int, generator: torch.Generator, device: torch.device
) -> Tensor:
    """(batch, 3, size, size) float32 in [0, 1]: random places, flips and quarter turns.

    Photographs are drawn in proportion to their area. `generator` is a CPU generator.
    """
    areas = torch.tensor([float(p.shape[0] * p.shape[1]) for p in photographs])
    chosen = torch.multinomial(areas, batch, replacement=True, generator=generator)
    places = torch.rand(batch, 2, generator=generator)
    turns = torch.randint(0, 8, (batch,), generator=generator)
    crops = []
    for number, (down, right), turn in zip(chosen.tolist(), places.tolist(), turns.tolist()):
        photograph = photographs[number]
        top = int(down * (photograph.shape[0] - size + 1))
        left = int(right * (photograph.shape[1] - size + 1))
        crop = torch.rot90(photograph[top : top + size, left : left + size], turn % 4)
        crops.append(crop.flip(1) if turn >= 4 else crop)
    return torch.stack(crops).to(device).permute(0, 3, 1, 2).float() / 255
