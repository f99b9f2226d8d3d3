"""Photographs in memory as uint8, and the random crops that a step trains on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps
from torch import Tensor

from jdcodec.errors import TrainingError
from jdcodec.photo.depth import to_8_bit
from jdcodec.photo.endings import IMAGE_ENDINGS

T = TypeVar("T")

#: What Pillow raises for files that are cut short, hostile or no pictures.
_UNREADABLE = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)


def find_photographs(folder: Path) -> list[Path]:
    """Every picture below a folder, sorted; raises TrainingError where there is none."""
    if not folder.is_dir():
        raise TrainingError(f"{folder}: no such folder of training photographs")
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_ENDINGS)
    if not found:
        raise TrainingError(
            f"{folder}: no photographs with a known ending ({', '.join(sorted(IMAGE_ENDINGS))})"
        )
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


def read_picture(path: Path) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB, upright; of 16 bits rounded. Raises TrainingError."""
    try:
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image)
            if upright.mode.startswith("I;16"):
                gray = to_8_bit(np.asarray(upright).astype(np.uint16))
                return np.repeat(gray[:, :, None], 3, axis=2)
            return np.array(upright.convert("RGB"))
    except _UNREADABLE as error:
        raise _unreadable(path, error) from error


def picture_size(path: Path) -> tuple[int, int]:
    """(height, width) of a picture once upright, from its header alone. Raises TrainingError."""
    try:
        with Image.open(path) as image:
            width, height = image.size
            sideways = image.getexif().get(ExifTags.Base.Orientation, 1) in (5, 6, 7, 8)
    except _UNREADABLE as error:
        raise _unreadable(path, error) from error
    return (width, height) if sideways else (height, width)


def keep_low_iso(paths: Sequence[Path], highest: int, unknown: bool) -> list[Path]:
    """The photographs whose EXIF says at most ISO `highest`; those that say nothing only if `unknown`.

    Raises TrainingError where none is left, and for a file that is no picture.
    """
    isos = [picture_iso(path) for path in paths]
    kept = [path for path, iso in zip(paths, isos) if (unknown if iso is None else iso <= highest)]
    if not kept:
        silent = sum(iso is None for iso in isos)
        raise TrainingError(
            f"none of {len(paths)} photographs is known to be of ISO {highest} or less; {silent} do not say "
            "(--unknown-iso keeps those)"
        )
    return kept


def picture_iso(path: Path) -> int | None:
    """ISO speed in a picture's EXIF, None where it has none. Raises TrainingError for no picture."""
    try:
        with Image.open(path) as image:
            shot = image.getexif().get_ifd(ExifTags.IFD.Exif)
    except _UNREADABLE as error:
        raise _unreadable(path, error) from error
    for tag in (ExifTags.Base.ISOSpeedRatings, ExifTags.Base.RecommendedExposureIndex):
        value = shot.get(tag)
        value = value[0] if isinstance(value, tuple) and value else value
        if isinstance(value, int) and value > 0:
            return value
    return None


def _load(path: Path) -> Tensor:
    return torch.from_numpy(read_picture(path))


def _unreadable(path: Path, error: Exception) -> TrainingError:
    return TrainingError(f"{path}: cannot be read as a picture: {error}")


def mixed_seed(*parts: int | str) -> int:
    """A seed for torch's generators out of several values; all of them count.

    The CPU generator takes the lower 32 bits of a seed alone, so shifted sums would not do.
    """
    text = " ".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=7).digest(), "little")


def hold_out(items: Sequence[T], every: int) -> tuple[list[T], list[T]]:
    """(training, held out): each `every`-th item of a sorted list is held out."""
    held_out = list(items[every - 1 :: every])
    kept = [item for index, item in enumerate(items) if (index + 1) % every]
    return kept, held_out


#: All of a batch, for what takes a share of one.
WHOLE = slice(None)


def random_crops(
    photographs: Sequence[Tensor],
    batch: int,
    size: int,
    generator: torch.Generator,
    device: torch.device,
    share: slice = WHOLE,
) -> Tensor:
    """(batch, 3, size, size) float32 in [0, 1]: random places, flips and quarter turns.

    Photographs are drawn in proportion to their area. `generator` is a CPU generator. Of the batch only
    `share` is made and returned.
    """
    areas = torch.tensor([float(p.shape[0] * p.shape[1]) for p in photographs])
    chosen = torch.multinomial(areas, batch, replacement=True, generator=generator)
    places = torch.rand(batch, 2, generator=generator)
    turns = torch.randint(0, 8, (batch,), generator=generator)
    crops = []
    for number, (down, right), turn in zip(*(drawn[share].tolist() for drawn in (chosen, places, turns))):
        photograph = photographs[number]
        top = int(down * (photograph.shape[0] - size + 1))
        left = int(right * (photograph.shape[1] - size + 1))
        crop = torch.rot90(photograph[top : top + size, left : left + size], turn % 4)
        crops.append(crop.flip(1) if turn >= 4 else crop)
    return torch.stack(crops).to(device).permute(0, 3, 1, 2).float() / 255
