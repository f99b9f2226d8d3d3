"""Checkpoints of `jdc train` as the benchmark names them: files, run folders and wildcards.

What is in them is the business of `reference` (codecs) and `trained` (denoisers).
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from glob import glob
from pathlib import Path

from jdcodec.errors import JdcError, first_line

CHECKPOINT_NAME = "checkpoint.safetensors"
RECIPE_NAME = "recipe.json"
"""What `jdc train` calls the two files of a run's folder."""

_WILDCARDS = re.compile(r"[*?\[]")
_NUMBER = re.compile(r"(\d+(?:\.\d+)?)")


def find_checkpoints(name: str, where: str) -> tuple[Path, ...]:
    """The files that `where` names: one, that of a run's folder, or all that match it as a wildcard.

    Sorted by name, numbers in it by value. Raises JdcError, in the words of `name`, where there is none.
    """
    if file := checkpoint_at(where):
        return (file,)
    path = _expanded(where)
    # Path.glob would not take absolute ones.
    matching = glob(str(path)) if _WILDCARDS.search(where) else []  # noqa: PTH207
    files = {file for file in map(checkpoint_at, matching) if file}
    if not files:
        raise JdcError(f"{name}: no checkpoint there; name a file, a run's folder, or a wildcard of either")
    return tuple(sorted(files, key=_by_number))


def checkpoint_at(where: str) -> Path | None:
    """The file of that name, or the one in the run's folder of that name; None where neither is there."""
    path = _expanded(where)
    try:
        return next((f for f in (path, path / CHECKPOINT_NAME) if where and f.is_file()), None)
    except OSError:
        return None


def label(where: str) -> str:
    """What to call checkpoints for people: the run's folder, or the file; "" where that says nothing."""
    path = Path(where)
    said = path.parent.name if path.name == CHECKPOINT_NAME else path.name.removesuffix(".safetensors")
    return said if re.search(r"\w", said) else ""


def short_hash(path: Path) -> str:
    """The first 12 hexadecimal digits of a file's SHA-256. Raises JdcError where it cannot be read."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()[:12]
    except OSError as error:
        raise JdcError(f"{path}: cannot be read ({error.strerror})") from error


def weight_of(path: Path) -> float | None:
    """The rate–distortion weight λ in the recipe beside a checkpoint; None where nothing says it."""
    try:
        weight = json.loads(path.with_name(RECIPE_NAME).read_text("utf-8"))["lambda"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    known = isinstance(weight, float | int) and math.isfinite(weight) and weight > 0
    return float(weight) if known else None


def torch_device(name: str) -> str:
    """`--device` as torch calls it, "auto" being a GPU where torch finds one. Raises JdcError."""
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    place = "cpu" if name == "torch-cpu" else name
    try:
        torch.empty(0, device=place)
    except (RuntimeError, AssertionError) as error:
        reason = first_line(error)
        raise JdcError(f"device {name!r} cannot be used: {reason}; try --device cpu") from error
    return place


def _expanded(where: str) -> Path:
    """The path with `~` replaced, which the shell does at the start of a word only."""
    try:
        return Path(where).expanduser()
    except RuntimeError:  # no such user
        return Path(where)


def _by_number(path: Path) -> list[tuple[float, str]]:
    """A key that sorts "run-0.0067" before "run-0.013", and "run-9" before "run-10"."""
    parts = _NUMBER.split(str(path))
    return [(float(part), "") if index % 2 else (-1.0, part) for index, part in enumerate(parts)]
