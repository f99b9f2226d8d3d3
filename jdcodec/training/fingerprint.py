"""What a run is trained on, in short, so that a resume notices other photographs or pairs."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jdcodec.errors import TrainingError

from .index import PairIndex


@dataclass(frozen=True)
class Fingerprint:
    """photographs: bytes of each that is used, by its place below their folder; empty without any.

    crops: number, side in pixels and a checksum of the crops of an index that are used; zeros without any.
    """

    photographs: dict[str, int]
    crops: tuple[int, int, int]

    @classmethod
    def of(cls, folder: Path | None, photographs: Sequence[Path], pairs: PairIndex | None) -> Fingerprint:
        """Of photographs below a folder and an index, decoding nothing. Raises TrainingError."""
        sizes = {}
        if folder is not None:
            sizes = {path.relative_to(folder).as_posix(): _size(path) for path in photographs}
        crops = (0, 0, 0)
        if pairs is not None:
            checksums = " ".join(str(pairs.rows[place].crc32) for place in pairs.places)
            crops = (len(pairs), pairs.crop, zlib.crc32(checksums.encode()))
        return cls(sizes, crops)

    @classmethod
    def from_dict(cls, values: Any) -> Fingerprint:
        """From what `to_dict` gave JSON; raises ValueError where it is anything else."""
        if not isinstance(values, dict) or values.keys() != {"photographs", "crops"}:
            raise ValueError("not what a run keeps of its data")
        photographs, crops = values["photographs"], values["crops"]
        if not isinstance(photographs, dict) or not all(type(size) is int for size in photographs.values()):
            raise ValueError("photographs without sizes")
        if not isinstance(crops, list) or len(crops) != 3 or not all(type(value) is int for value in crops):
            raise ValueError("crops without number, side and checksum")
        return cls(photographs, (crops[0], crops[1], crops[2]))

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def change_from(self, before: Fingerprint) -> str | None:
        """What differs, in the words that follow "was started with"; None where nothing does."""
        changes = []
        if self.photographs != before.photographs:
            changes.append(f"other photographs ({_told(before.photographs, self.photographs)})")
        if self.crops != before.crops:
            was, now = (f"{count} crops of {side} pixels" for count, side, _ in (before.crops, self.crops))
            changes.append(f"other pairs ({was}, now {'as many others' if was == now else now})")
        return " and ".join(changes) or None


def _told(before: dict[str, int], now: dict[str, int]) -> str:
    kinds = {
        "new": sorted(now.keys() - before.keys()),
        "gone": sorted(before.keys() - now.keys()),
        "of another size": sorted(name for name in now.keys() & before.keys() if now[name] != before[name]),
    }
    return ", ".join(f"{len(names)} {kind}, as {names[0]}" for kind, names in kinds.items() if names)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise TrainingError(f"{path}: cannot be read: {error.strerror}") from error
