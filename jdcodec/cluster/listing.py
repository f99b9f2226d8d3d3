"""Finding photos in folders and buckets, one folder at a time, and naming their outputs.

Folders are listed when their turn comes, so memory holds the names of one folder however many there are.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from jdcodec.cluster import storage
from jdcodec.cluster.job import Found
from jdcodec.errors import PhotoError
from jdcodec.naming import no_file, output_names
from jdcodec.photo.endings import UNREAD_ENDINGS

_SUFFIX = ".jdc"


def find_photos(
    inputs: Sequence[str],
    output: str | None,
    *,
    endings: frozenset[str],
    recursive: bool,
    passed_over: Counter[str] | None = None,
) -> Iterator[Found]:
    """Photos of files, folders and buckets in the order of their names, with where each goes.

    output: a folder or bucket that mirrors the folders below the inputs; None: beside the photos. Names are
    those that `naming.output_names` gives the photos of a folder, or the files that are named outright.
    Hidden files are left out. A folder that cannot be listed is a `Found` with a problem; others go on.
    passed_over: counts pictures of the folders that jdc does not read, by ending, as they are listed.
    Raises PhotoError for an input that is not there, ClusterError for a store that is not known.
    """
    to = storage.canonical(output) if output is not None else None
    passed_over = Counter() if passed_over is None else passed_over
    described = {name: _describe(name) for name in map(storage.canonical, inputs)}
    targets = _targets([name for name, entry in described.items() if entry["type"] != "directory"], to)
    for name, entry in described.items():
        if name in targets:
            yield _single(name, entry, targets[name])
        else:
            yield from _folder(name, to, endings, recursive, passed_over)


def _describe(name: str) -> dict[str, Any]:
    try:
        entry = storage.describe(name)
    except OSError as error:
        raise PhotoError(f"{name}: cannot be listed: {error.strerror}") from error
    if entry is None:
        raise PhotoError(f"{name}: no such file or folder")
    return entry


def _targets(files: Sequence[str], output: str | None) -> dict[str, str]:
    """Where each of the files goes that are named outright."""
    together: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for name in files:
        folder, _, last = name.rpartition("/")
        together[folder if output is None else output].append((name, last))
    targets: dict[str, str] = {}
    for folder, members in together.items():
        chosen = output_names((last for _, last in members), _SUFFIX)
        targets |= {name: storage.join(folder, chosen[last]) for name, last in members}
    return targets


def _single(name: str, entry: dict[str, Any], target: str) -> Found:
    try:
        there = storage.describe(target)
    except OSError as error:
        return Found(name, target, problem=f"{target}: cannot be looked up: {error.strerror}")
    return _found(name, entry, target, there)


def _folder(
    name: str, output: str | None, endings: frozenset[str], recursive: bool, passed_over: Counter[str]
) -> Iterator[Found]:
    waiting = [(name, output)]
    while waiting:
        folder, to = waiting.pop()
        try:
            entries = storage.list_folder(folder)
            there = entries if to is None else storage.list_folder(to)
        except OSError as error:
            yield Found(folder, problem=f"{error.filename}: cannot be listed: {error.strerror}")
            continue
        files = {last: entry for last, entry in entries.items() if last[0] != "." and storage.is_file(entry)}
        passed_over.update(ending for last in files if (ending := _ending(last)) in UNREAD_ENDINGS)
        photos = {last: entry for last, entry in files.items() if _ending(last) in endings}
        for last in sorted(entries.keys() - files.keys()):
            # Of buckets there is nothing of the kind.
            if last[0] != "." and entries[last]["type"] != "directory" and _ending(last) in endings:
                place = storage.join(folder, last)
                yield Found(place, problem=no_file(Path(place)))
        yield from _photos(folder, photos, folder if to is None else to, there)
        if recursive:
            below = (last for last, entry in entries.items() if entry["type"] == "directory")
            # From the end, since the last one comes off the stack first.
            for last in sorted((last for last in below if not last.startswith(".")), reverse=True):
                waiting.append((storage.join(folder, last), None if to is None else storage.join(to, last)))


def _photos(
    folder: str, photos: dict[str, dict[str, Any]], to: str, there: dict[str, dict[str, Any]]
) -> Iterator[Found]:
    for last, chosen in output_names(photos, _SUFFIX).items():
        source = storage.join(folder, last)
        yield _found(source, photos[last], storage.join(to, chosen), there.get(chosen))


def _ending(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


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
