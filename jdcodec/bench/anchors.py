"""Published curves, drawn in grey behind the measured ones: reading the file that `--anchors` names.

The file is JSON: either a list of curves, or an object that sorts them by set, `{"published_SET": [curve,
…], "measured": {"SET": {"curves": {"codec": curve, …}}}}`. A curve is `{"codec": …, "source": …, "bpp": […],
"psnr": […], "ms_ssim": […]}`, a mean over the set at each setting; a measure that is unknown is null.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jdcodec.errors import JdcError

from .metrics import ms_ssim_db

LARGEST_FILE = 16 * 2**20


@dataclass(frozen=True)
class Anchor:
    """A published curve; `measures` holds lists as long as `bpp` by measure ("psnr", "ms_ssim_db")."""

    codec: str
    source: str
    bpp: tuple[float, ...]
    measures: dict[str, tuple[float, ...]]


def read_anchors(path: Path, set_name: str) -> tuple[Anchor, ...]:
    """The curves that a file holds for a set. Raises JdcError for a file that is none, or has none for it."""
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise JdcError(f"{path} is too large for a file of curves")
        document = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise JdcError(f"{path}: curves cannot be read from it ({error})") from error
    try:
        anchors = tuple(_anchor(curve) for curve in _curves(document, set_name))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise JdcError(
            f"{path}: a curve in it is not of the form that docs/benchmarks.md describes"
        ) from error
    if not anchors:
        raise JdcError(f"{path} has no curves for the set {set_name!r}: --name says which set this is")
    return anchors


def _curves(document: Any, set_name: str) -> list[dict[str, Any]]:
    if isinstance(document, list):
        return document
    measured = document.get("measured", {}).get(set_name, {}).get("curves", {})
    named = [{"codec": codec, "source": "measured", **curve} for codec, curve in measured.items()]
    return [*document.get(f"published_{set_name}", []), *named]


def _anchor(curve: dict[str, Any]) -> Anchor:
    bpp = _numbers(curve["bpp"])
    measures = {}
    if curve.get("psnr"):
        measures["psnr"] = _numbers(curve["psnr"])
    if curve.get("ms_ssim"):
        measures["ms_ssim_db"] = tuple(ms_ssim_db(value) for value in _numbers(curve["ms_ssim"]))
    if not bpp or min(bpp) <= 0 or any(len(values) != len(bpp) for values in measures.values()):
        raise ValueError("lists of different lengths")
    return Anchor(str(curve["codec"]), str(curve.get("source", "")), bpp, measures)


def _numbers(values: Any) -> tuple[float, ...]:
    if not isinstance(values, list):
        raise TypeError("not a list")
    numbers = tuple(float(value) for value in values)
    if not all(map(math.isfinite, numbers)):
        raise ValueError("a number is not finite")
    return numbers
