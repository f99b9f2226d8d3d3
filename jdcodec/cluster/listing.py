"""Finding photos in folders and buckets, one folder at a time, and naming their outputs.

Folders are listed when their turn comes, so memory holds the names of one folder however many there are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any

from jdcodec.cluster import storage
from jdcodec.cluster.job import Found
from jdcodec.errors import PhotoError

_SUFFIX = ".jdc"


def find_photos(
    inputs: Sequence[str], output: str | None, *, endings: frozenset[str], recursive: bool
) -> Iterator[Found]:
    """Photos of files, folders and buckets in the order of their names, with where each goes.

    output: a folder or bucket that mirrors the folders below the inputs; None: beside the photos. Names are
    chosen as `jdc encode` does: where two photos in a folder would share one, both keep their endings.
    Hidden files are left out. A folder that cannot be listed is a `Found` with a problem; others go on.
    Raises PhotoError for an input that is not there, ClusterError for a store that is not known.
    """
    to = storage.canonical(output) if output is not None else None
    for name in map(storage.canonical, inputs):
        try:
            entry = storage.describe(name)
        except OSError as error:
            raise PhotoError(f"{name}: cannot be listed: {error.strerror}") from error
        if entry is None:
            raise PhotoError(f"{name}: no such file or folder")
        if entry["type"] == "directory":
            yield from _folder(name, to, endings, recursive)
        else:
            yield _single(name, entry, to)


def _single(name: str, entry: dict[str, Any], output: str | None) -> Found:
    folder, _, last = name.rpartition("/")
    target = storage.join(folder if output is None else output, PurePosixPath(last).stem + _SUFFIX)
    try:
        there = storage.describe(target)
    except OSError as error:
        return Found(name, target, problem=f"{target}: cannot be looked up: {error.strerror}")
    return _found(name, entry, target, there)


def _folder(name: str, output: str | None, endings: frozenset[str], recursive: bool) -> Iterator[Found]:
    waiting = [(name, output)]
    while waiting:
        folder, to = waiting.pop()
        try:
            entries = storage.list_folder(folder)
            there = entries if to is None else storage.list_folder(to)
        except OSError as error:
            yield Found(folder, problem=f"{error.filename}: cannot be listed: {error.strerror}")
            continue
        yield from _photos(folder, entries, folder if to is None else to, there, endings)
        if recursive:
            below = (last for last, entry in entries.items() if entry["type"] == "directory")
            # From the end, since the last one comes off the stack first.
            for last in sorted((last for last in below if not last.startswith(".")), reverse=True):
                waiting.append((storage.join(folder, last), None if to is None else storage.join(to, last)))


def _photos(
    folder: str,
    entries: dict[str, dict[str, Any]],
    to: str,
    there: dict[str, dict[str, Any]],
    endings: frozenset[str],
) -> Iterator[Found]:
    names = sorted(
        last
        for last, entry in entries.items()
        if PurePosixPath(last).suffix.lower() in endings and last[0] != "." and storage.is_file(entry)
    )
    short = {last: PurePosixPath(last).stem + _SUFFIX for last in names}
    taken = Counter(short.values()) + Counter(last + _SUFFIX for last in names)
    for last in names:
        chosen = short[last] if taken[short[last]] == 1 else last + _SUFFIX
        source = storage.join(folder, last)
        yield _found(source, entries[last], storage.join(to, chosen), there.get(chosen))


def _found(source: str, entry: dict[str, Any], target: str, there: dict[str, Any] | None) -> Found:
    if there is not None and there["type"] == "directory":
        return Found(source, target, problem=f"{target}: is a folder")
    return Found(
        source,
        target,
        size=entry.get("size"),
        version=storage.version_of(entry),
        target_size=None if there is None else int(there.get("size") or 0),
    )
