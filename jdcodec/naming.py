"""What files are called that are made of others, so that no two of a folder share a name on any disk."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable
from pathlib import Path, PurePath


def same_on_some_disk(name: str) -> str:
    """Equal for names that are one name to macOS or Windows: for them case, or Unicode form, do not count."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def output_names(names: Iterable[str], suffix: str) -> dict[str, str]:
    """The name of the output for each name of an input, in order; all outputs go to one folder.

    a.NEF becomes a.jdc (with the suffix .jdc). Where that name would belong to two inputs, as with a.NEF
    beside a.JPG, both keep their endings: a.NEF.jdc, a.JPG.jdc. Where these are the same but for case or
    Unicode form (`same_on_some_disk`), the first in order keeps it, and others get a number: a.jpg-2.jdc.
    In which order the inputs come makes no difference.
    """
    inputs = sorted(set(names))
    short = {name: PurePath(name).stem + suffix for name in inputs}
    wanted = Counter(same_on_some_disk(name) for name in short.values())
    wanted.update(same_on_some_disk(name + suffix) for name in inputs)
    taken = set(wanted)
    chosen: dict[str, str] = {}
    given: set[str] = set()
    for name in inputs:
        full = name + suffix
        if wanted[same_on_some_disk(short[name])] == 1:
            full = short[name]
        elif same_on_some_disk(full) in given:
            full = _numbered(name, suffix, taken)
        taken.add(same_on_some_disk(full))
        given.add(same_on_some_disk(full))
        chosen[name] = full
    return chosen


def _numbered(name: str, suffix: str, taken: set[str]) -> str:
    number = 2
    while same_on_some_disk(f"{name}-{number}{suffix}") in taken:
        number += 1
    return f"{name}-{number}{suffix}"


def no_file(place: Path) -> str:
    """Why what lies there is neither file nor folder; where a link ends a photo may have been lost."""
    if place.exists():
        return f"{place}: is no file, but a pipe or a device"
    return f"{place}: {'is a link to nothing' if place.is_symlink() else 'no such file any more'}"
