"""Indexed pairs: crops of noisy pictures and their targets, with the MS-SSIM between the two of each.

An index is a folder of two files. `crops.u8` holds the crops as raw uint8, (count, 2, crop, crop, 3), noisy
before target, so that training maps it into memory and never decodes a picture. `index.jsonl` holds a header
line and a line for each crop: where it is from, its MS-SSIM, and the CRC-32 of its bytes, which tells an
index that belongs to other crops. The header has size, time and CRC-32 of each picture that was cropped,
which tell an index of pictures that have changed since, and the time of `crops.u8`.
"""

from __future__ import annotations

import json
import shutil
import stat
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from jdcodec.atomic import atomic_output
from jdcodec.errors import TrainingError

from .data import WHOLE, hold_out, picture_size, read_picture
from .pairs import Pair
from .similarity import ms_ssim

INDEX_NAME = "index.jsonl"
CROPS_NAME = "crops.u8"
_FORMAT = "jdc pairs 1"

#: Of crops whose file has not been touched since, this many, spread evenly, are compared with their CRC-32.
_CHECKED = 16

#: Bytes that are read at once of a picture whose CRC-32 is wanted.
_CHUNK = 1 << 20

#: The largest crop that an index may have.
_LARGEST_CROP = 4096


@dataclass(frozen=True)
class Crop:
    """A line of an index: files and scene it is from, corner in pixels, likeness to its target."""

    noisy: str
    clean: str
    scene: str
    iso: int | None
    top: int
    left: int
    ms_ssim: float
    crc32: int


def write_index(
    layout: str,
    pairs: Sequence[Pair],
    folder: Path,
    *,
    crop: int = 256,
    per_pair: int = 60,
    force: bool = False,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Crop pairs into an index folder; returns the number of crops. `report` gets pairs done and in all.

    crop: side in pixels, a multiple of 64 and at least 192. per_pair: at most this many crops of each pair,
    spread evenly. Before anything is written, TrainingError is raised for pictures that cannot be read or
    are of different sizes, where none is large enough, and where the disk has no room; OutputError where
    the folder holds an index and `force` is not set.
    """
    if crop % 64 or not 192 <= crop <= _LARGEST_CROP:
        raise TrainingError(f"crop {crop}: must be a multiple of 64, 192 to {_LARGEST_CROP}")
    places = [_places(pair, crop, per_pair) for pair in pairs]
    count = sum(map(len, places))
    if not count:
        raise TrainingError(f"no pair has {crop} pixels a side; take a smaller crop")
    _make_room(folder, count * 6 * crop**2)
    rows: list[Crop] = []
    with atomic_output(folder / INDEX_NAME, force=force) as index:
        pictures: dict[str, tuple[int, int, int]] = {}
        with atomic_output(folder / CROPS_NAME, force=force) as crops:
            for number, (pair, corners) in enumerate(zip(pairs, places)):
                for path in (pair.noisy, pair.clean):
                    if str(path.absolute()) not in pictures:
                        pictures[str(path.absolute())] = _state(path)
                rows += _write_crops(pair, corners, crop, crops)
                report(number + 1, len(pairs))
        targets = "denoised" if layout == "denoised" else "clean"
        header = {"format": _FORMAT, "layout": layout, "targets": targets, "crop": crop, "count": count}
        header |= {"crops_time": (folder / CROPS_NAME).stat().st_mtime_ns, "pictures": pictures}
        lines = [json.dumps(header), *(json.dumps(asdict(row)) for row in rows)]
        index.write(("\n".join(lines) + "\n").encode())
    return count


def _places(pair: Pair, crop: int, most: int) -> list[tuple[int, int]]:
    """Corners of the crops of a pair, on a grid; none where it is too small."""
    height, width = picture_size(pair.clean)
    other = picture_size(pair.noisy)
    if other != (height, width):
        sizes = f"{other[1]} × {other[0]} and {width} × {height}"
        raise TrainingError(f"{pair.noisy} and {pair.clean.name} are of different sizes, {sizes}")
    corners = [
        (top, left) for top in range(0, height - crop + 1, crop) for left in range(0, width - crop + 1, crop)
    ]
    chosen = min(most, len(corners))
    return [corners[(2 * number + 1) * len(corners) // (2 * chosen)] for number in range(chosen)]


def _make_room(folder: Path, needed: int) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise TrainingError(f"{folder}: cannot be made: {error.strerror}") from error
    if free < needed:
        raise TrainingError(
            f"{folder}: the index needs {needed / 1e9:.1f} GB and the disk has {free / 1e9:.1f}; "
            "take fewer crops a pair"
        )


def _write_crops(pair: Pair, corners: Sequence[tuple[int, int]], crop: int, out: BinaryIO) -> Iterator[Crop]:
    if not corners:
        return
    noisy, clean = read_picture(pair.noisy), read_picture(pair.clean)
    for top, left in corners:
        both = np.stack([picture[top : top + crop, left : left + crop] for picture in (noisy, clean)])
        data = both.tobytes()
        out.write(data)
        pictures = torch.from_numpy(both).permute(0, 3, 1, 2).float() / 255
        likeness = round(float(ms_ssim(pictures[:1], pictures[1:])), 6)
        place = (pair.scene, pair.iso, top, left)
        yield Crop(str(pair.noisy), str(pair.clean), *place, likeness, zlib.crc32(data))


class PairIndex:
    """The crops of an index, or some of them, as training draws them."""

    def __init__(
        self, targets: str, crop: int, pixels: NDArray[np.uint8], rows: Sequence[Crop], places: Sequence[int]
    ) -> None:
        self.targets, self.crop, self.pixels = targets, crop, pixels
        self.rows, self.places = rows, places

    def __len__(self) -> int:
        return len(self.places)

    @classmethod
    def open(cls, folder: Path) -> PairIndex:
        """Read an index folder. Raises TrainingError where it is missing, damaged or made for other data.

        Pictures that were cropped may be gone, but not have changed: those of the size and time they had are
        taken for the same, those of another time are read for their CRC-32. All crops are compared with
        theirs where the time of their file is another, as after copying; else some.
        """
        header, rows = _read_lines(folder / INDEX_NAME)
        crop, path = header["crop"], folder / CROPS_NAME
        shape = (len(rows), 2, crop, crop, 3)
        try:
            found = path.stat()
            if found.st_size != int(np.prod(shape, dtype=np.int64)):
                problem = f"{found.st_size} bytes do not hold {len(rows)} crops of {crop} pixels"
                raise _foreign(folder, problem)
            pixels: NDArray[np.uint8] = np.memmap(path, np.uint8, "r", shape=shape)
        except OSError as error:
            raise TrainingError(f"{path}: cannot be read: {error.strerror}") from error
        for name, state in header.get("pictures", {}).items():
            if _has_changed(Path(name), *state):
                raise _foreign(folder, f"{name} has changed since")
        touched = header.get("crops_time", found.st_mtime_ns) != found.st_mtime_ns
        for number in range(0, len(rows), 1 if touched else -(-len(rows) // _CHECKED)):
            if zlib.crc32(pixels[number]) != rows[number].crc32:
                raise _foreign(folder, f"crop {number} is not the one that was indexed")
        return cls(header["targets"], crop, pixels, rows, range(len(rows)))

    def select(self, threshold: float) -> PairIndex:
        """Those crops whose MS-SSIM is at least `threshold`; TrainingError where there is none."""
        kept = [place for place in self.places if self.rows[place].ms_ssim >= threshold]
        if not kept:
            best = max(self.rows[place].ms_ssim for place in self.places)
            raise TrainingError(f"no pair has an MS-SSIM of {threshold:g} or more; the best has {best:.3f}")
        return PairIndex(self.targets, self.crop, self.pixels, self.rows, kept)

    def hold_out(self, every: int) -> tuple[PairIndex, PairIndex]:
        """(training, held out): all crops of each `every`-th scene are held out."""
        scenes = sorted({self.rows[place].scene for place in self.places})
        apart = set(hold_out(scenes, every)[1])
        parts: tuple[list[int], list[int]] = ([], [])
        for place in self.places:
            parts[self.rows[place].scene in apart].append(place)
        kept, held_out = (PairIndex(self.targets, self.crop, self.pixels, self.rows, p) for p in parts)
        return kept, held_out

    def pair(self, number: int) -> tuple[Tensor, Tensor]:
        """(noisy, target) of one crop, each (crop, crop, 3) uint8."""
        both = torch.from_numpy(np.array(self.pixels[self.places[number]]))
        return both[0], both[1]

    def draw(
        self,
        batch: int,
        size: int,
        generator: torch.Generator,
        device: torch.device,
        share: slice = WHOLE,
    ) -> tuple[Tensor, Tensor]:
        """(noisy, target), each (batch, 3, size, size) float32 in [0, 1], placed and turned alike.

        size: at most `crop`. `generator` is a CPU generator. Of the batch only `share` is read and returned.
        """
        chosen = torch.randint(0, len(self), (batch,), generator=generator)
        corners = torch.randint(0, self.crop - size + 1, (batch, 2), generator=generator)
        turns = torch.randint(0, 8, (batch,), generator=generator)
        crops = []
        for number, (top, left), turn in zip(*(drawn[share].tolist() for drawn in (chosen, corners, turns))):
            both = self.pixels[self.places[number], :, top : top + size, left : left + size]
            turned = torch.rot90(torch.from_numpy(np.array(both)), turn % 4, (1, 2))
            crops.append(turned.flip(2) if turn >= 4 else turned)
        stacked = torch.stack(crops).to(device).permute(1, 0, 4, 2, 3).float() / 255
        return stacked[0], stacked[1]


def _read_lines(path: Path) -> tuple[dict[str, Any], list[Crop]]:
    try:
        first, *lines = path.read_text(encoding="utf-8").splitlines()
        header = json.loads(first)
        if header["format"] != _FORMAT or header["targets"] not in ("clean", "denoised"):
            raise ValueError("of another version")
        if type(header["crop"]) is not int or not 1 <= header["crop"] <= _LARGEST_CROP:
            raise ValueError(f"crop {header['crop']!r}")
        if not all(map(_is_state, header.get("pictures", {}).values())):
            raise ValueError("a picture without size, time and checksum")
        rows = [Crop(**json.loads(line)) for line in lines]
        if len(rows) != header["count"] or not rows:
            raise ValueError(f"{len(rows)} lines for {header['count']} crops")
        if not all(isinstance(row.ms_ssim, float) and isinstance(row.scene, str) for row in rows):
            raise ValueError("a line without MS-SSIM or scene")
    except OSError as error:
        hint = "make one with: jdc data index"
        raise TrainingError(f"{path.parent}: holds no index of pairs ({error.strerror}); {hint}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise TrainingError(f"{path}: not an index of pairs, or a damaged one: {error}") from error
    return header, rows


def _state(path: Path) -> tuple[int, int, int]:
    """(bytes, time of the last change in nanoseconds, CRC-32) of a file."""
    try:
        found = path.stat()
        return found.st_size, found.st_mtime_ns, _checksum(path)
    except OSError as error:
        raise TrainingError(f"{path}: cannot be read: {error.strerror}") from error


def _is_state(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 3 and all(type(number) is int for number in value)


def _has_changed(path: Path, size: int, time: int, crc32: int) -> bool:
    """Whether a file is another than it was; one that is gone or cannot be read is not known to be."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            return False
        return found.st_size != size or (found.st_mtime_ns != time and _checksum(path) != crc32)
    except (OSError, ValueError):
        return False


def _checksum(path: Path) -> int:
    checksum = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            checksum = zlib.crc32(chunk, checksum)
    return checksum


def _foreign(folder: Path, reason: str) -> TrainingError:
    return TrainingError(
        f"{folder}: the index was made for other data ({reason}); make it anew with: jdc data index --force"
    )
