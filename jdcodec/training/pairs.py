"""Noisy pictures and their clean partners, in the layouts that public data sets come in.

    nind      SCENE_ISO200.jpg, SCENE_ISO6400-1.png …: within a scene the lowest ISO is the clean picture
    sidd      …NOISY_SRGB….PNG and …GT_SRGB….PNG in a folder a scene (SIDD-Medium and -Small, sRGB)
    renoir    …Noisy.bmp, two a folder, and one …Reference.bmp
    polyu     NAME_Real.JPG and NAME_mean.JPG
    pairs     NAME_noisy.png and NAME_clean.png, as `jdc data noise` and the benchmark have them
    denoised  NAME_noisy.png and NAME_denoised.png, as `jdc data denoise` writes them

What else lies in the folders is left alone.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from jdcodec.errors import TrainingError

from .data import find_photographs


@dataclass(frozen=True)
class Pair:
    """One noisy picture and its clean one. Pairs of one `scene` are never split between training and test.

    `iso` is known where the layout's names say it; 0 stands for NIND's unnumbered "H" settings.
    """

    noisy: Path
    clean: Path
    scene: str
    iso: int | None = None


def find_pairs(folder: Path, layout: str = "auto") -> tuple[str, list[Pair]]:
    """(layout, pairs) below a folder, sorted by the noisy picture's path.

    "auto" takes the layout whose names are the most frequent. Raises TrainingError where no name fits, for
    a picture without its partner and for an unknown layout.
    """
    files = find_photographs(folder)
    if layout == "auto":
        counts = {name: sum(fits(path) for path in files) for name, (fits, _) in _LAYOUTS.items()}
        layout = max(counts, key=lambda name: counts[name])
        if not counts[layout]:
            raise TrainingError(f"{folder}: no pairs: names fit none of the layouts {', '.join(_LAYOUTS)}")
    if layout not in _LAYOUTS:
        raise TrainingError(f"unknown layout {layout!r}: choose from auto, {', '.join(_LAYOUTS)}")
    fits, read = _LAYOUTS[layout]
    pairs = read([path for path in files if fits(path)])
    if not pairs:
        raise TrainingError(f"{folder}: no pairs in the layout {layout}")
    return layout, sorted(pairs, key=lambda pair: pair.noisy)


_NIND = re.compile(r"(?P<scene>.+)_ISO(?P<high>H?)(?P<iso>\d+)(?P<shot>-\d+)?", re.IGNORECASE)


def _nind(files: Sequence[Path]) -> list[Pair]:
    """Brummer & De Vleeschouwer, "Natural image noise dataset", CVPR workshops 2019.

    Further shots at the lowest ISO are pairs as well: their noise is the little that photographs have.
    """
    scenes: dict[tuple[Path, str], list[tuple[bool, int, str, Path]]] = defaultdict(list)
    for path in files:
        match = _NIND.fullmatch(path.stem)
        assert match is not None
        entry = (bool(match["high"]), int(match["iso"]), match["shot"] or "", path)
        scenes[(path.parent, match["scene"])].append(entry)
    pairs = []
    for (_, scene), shots in scenes.items():
        (_, _, _, clean), *others = sorted(shots)
        if not others:
            raise TrainingError(f"{clean}: the only ISO of its scene, so there is nothing to pair it with")
        pairs += [Pair(path, clean, scene, 0 if high else iso) for high, iso, _, path in others]
    return pairs


_RENOIR = re.compile(r".*(?<!_)(noisy|reference)", re.IGNORECASE)


def _renoir(files: Sequence[Path]) -> list[Pair]:
    """Anaya & Barbu, "RENOIR – a dataset for real low-light image noise reduction", JVCIR 2018."""
    folders: dict[Path, list[Path]] = defaultdict(list)
    for path in files:
        folders[path.parent].append(path)
    pairs = []
    for folder, members in folders.items():
        references = [path for path in members if path.stem.lower().endswith("reference")]
        noisy = [path for path in members if path not in references]
        if len(references) != 1 or not noisy:
            found = f"{len(references)} and {len(noisy)}"
            raise TrainingError(f"{folder}: expected one …Reference and some …Noisy pictures, not {found}")
        pairs += [Pair(path, references[0], str(folder)) for path in noisy]
    return pairs


def _by_name(noisy: str, clean: str, folder_is_scene: bool = False) -> Callable[[Sequence[Path]], list[Pair]]:
    """A reader of pairs whose names differ in one word, whatever its case and the file's ending."""

    def read(files: Sequence[Path]) -> list[Pair]:
        halves: dict[tuple[Path, str], dict[str, Path]] = defaultdict(dict)
        for path in files:
            match = _last(noisy, path.stem) or _last(clean, path.stem)
            assert match is not None
            half = "noisy" if match[0].lower() == noisy else "clean"
            key = (path.parent, path.stem[: match.start()] + "*" + path.stem[match.end() :])
            other = halves[key].setdefault(half, path)
            if other != path:
                raise TrainingError(f"{path}: the same half of a pair as {other.name}")
        pairs = []
        for (folder, name), found in halves.items():
            if len(found) < 2:
                alone, missing = next(iter(found.values())), clean if "noisy" in found else noisy
                raise TrainingError(f"{alone}: has no partner {name.replace('*', missing)} beside it")
            scene = str(folder) if folder_is_scene else f"{folder}/{name}"
            pairs.append(Pair(found["noisy"], found["clean"], scene))
        return pairs

    return read


def _last(word: str, stem: str) -> re.Match[str] | None:
    """Where `word` last stands in a name, between its ends or underscores."""
    found = list(re.finditer(rf"(?<![^_]){word}(?![^_])", stem, re.IGNORECASE))
    return found[-1] if found else None


def _has(*words: str) -> Callable[[Path], bool]:
    return lambda path: any(_last(word, path.stem) for word in words)


_LAYOUTS: dict[str, tuple[Callable[[Path], bool], Callable[[Sequence[Path]], list[Pair]]]] = {
    # (whether a file's name belongs to the layout, the reader of those that do)
    "nind": (lambda path: bool(_NIND.fullmatch(path.stem)), _nind),
    "sidd": (_has("noisy_srgb", "gt_srgb"), _by_name("noisy_srgb", "gt_srgb", folder_is_scene=True)),
    "renoir": (lambda path: bool(_RENOIR.fullmatch(path.stem)), _renoir),
    "polyu": (_has("real", "mean"), _by_name("real", "mean")),
    "pairs": (_has("noisy", "clean"), _by_name("noisy", "clean")),
    "denoised": (_has("noisy", "denoised"), _by_name("noisy", "denoised")),
}

#: Names that `find_pairs` takes besides "auto".
LAYOUTS = tuple(_LAYOUTS)
