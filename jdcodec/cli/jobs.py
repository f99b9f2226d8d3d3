"""Inputs and outputs: which files a command works on, what each becomes, and which are passed over."""

from __future__ import annotations

import errno
import os
import stat
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import typer

from jdcodec.cli.common import complain
from jdcodec.cli.streams import STANDARD, output_name
from jdcodec.errors import JdcError, OutputError, PhotoError
from jdcodec.naming import no_file, output_names
from jdcodec.photo.endings import PICTURE_ENDINGS, REMEDIES, UNREAD_ENDINGS


@dataclass(frozen=True)
class Job:
    """One input and where its result goes; `-` is standard input or output.

    mirrors: the target's folder is made where it is missing, as it mirrors one that is there or was named
    as a folder, with a slash at its end.
    problem: why it cannot be done, "" where nothing is known against it. A folder below a folder that cannot
    be read becomes such a job, and so do links to nothing and pipes, to be told with the others that fail.
    """

    source: str
    target: str
    mirrors: bool = False
    problem: str = ""

    def check(self) -> None:
        """Raise PhotoError where there is a problem, OutputError where the output would replace the input."""
        if self.problem:
            raise PhotoError(self.problem)
        refuse_own_input(self.source, self.target)

    def check_output(self, *, force: bool) -> None:
        """Raise OutputError, before any work, where the target cannot be written, as far as can be seen."""
        from jdcodec.atomic import check_output

        if self.target == STANDARD:
            return
        folder = Path(self.target).parent
        if self.mirrors and not os.path.lexists(folder):
            _check_can_be_made(folder)
        else:
            check_output(self.target, force=force)

    @contextmanager
    def output(self, *, force: bool) -> Iterator[BinaryIO]:
        """`atomic_output` of the target; its folder is made only now, so that none is left without a file."""
        from jdcodec.atomic import atomic_output

        folder = Path(self.target).parent
        if self.mirrors:
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise OutputError(f"{folder}: cannot be made: {error.strerror}") from error
        with atomic_output(self.target, force=force) as file:
            yield file


def _check_can_be_made(folder: Path) -> None:
    """Raise OutputError where a folder that is not there cannot be made, as far as can be seen."""
    above = next(place for place in folder.parents if os.path.lexists(place))
    if not above.is_dir():
        raise OutputError(f"{folder}: cannot be made: {os.strerror(errno.ENOTDIR)}")
    if not os.access(above, os.W_OK | os.X_OK):
        raise OutputError(f"{folder}: cannot be made: {os.strerror(errno.EACCES)}")


def refuse_own_input(source: str, target: str) -> None:
    """Raise OutputError where a command would replace the file that it reads, by whatever name."""
    if target == STANDARD:
        return
    try:
        before = os.fstat(0) if source == STANDARD else Path(source).stat()
        same = stat.S_ISREG(before.st_mode) and os.path.samestat(before, Path(target).stat())
    except OSError:
        return  # one of the two is not there
    if same:
        raise OutputError(f"{target}: is the input itself; name another file with -o")


@contextmanager
def passing_over(*, quiet: bool) -> Iterator[Counter[str]]:
    """Counts, by ending, to fill with pictures that jdc does not read; a line at the end tells them.

    Also after failures that are reported, but not where the command is broken off.
    """
    counts: Counter[str] = Counter()

    def tell() -> None:
        if counts and not quiet:
            ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
            told = ", ".join(
                f"{count:,} {ending}" + (f" ({REMEDIES[ending]})" if ending in REMEDIES else "")
                for ending, count in ordered
            )
            complain(f"passed over: {told}, which jdc does not read")

    try:
        yield counts
    except (JdcError, typer.Exit):
        tell()
        raise
    tell()


def plan_reading(inputs: Sequence[str], *, endings: frozenset[str], recursive: bool) -> list[Job]:
    """A job for each input, and for each file of an input folder, that writes no file.

    An input that is named twice counts once. Raises PhotoError as `plan_jobs` does.
    """
    unreadable: list[Job] = []
    sources = _sources(inputs, endings, recursive, unreadable, Counter())
    return [Job(str(source), STANDARD) for source, _ in sources] + [
        replace(job, target=STANDARD) for job in unreadable
    ]


def plan_jobs(
    inputs: Sequence[str],
    output: str | None,
    *,
    suffix: str,
    endings: frozenset[str],
    recursive: bool,
    passed_over: Counter[str] | None = None,
) -> list[Job]:
    """Pair inputs with outputs.

    One file goes to `output`, or beside itself with `suffix`. Several, or a folder, go into the folder
    `output`, which is made where it is missing and mirrors the folders below an input folder, or beside
    themselves. One file goes into it, too, where `output` is a folder or ends in a slash. Outputs have the
    names that `naming.output_names` gives the files of a folder.

    An input that is named twice counts once. Hidden files, as the "._a.jpg" of macOS, are left out, and links
    to folders are not followed, so that no loop can arise. passed_over: counts pictures of the folders that
    jdc does not read, by ending.

    Raises PhotoError for a folder that cannot be read or has nothing to do, OutputError where inputs cannot
    have outputs of their own.
    """
    unreadable: list[Job] = []
    output = output_name(output)
    passed_over = Counter() if passed_over is None else passed_over
    sources = _sources(inputs, endings, recursive, unreadable, passed_over)
    many = len(sources) > 1 or any(entry != STANDARD and Path(entry).is_dir() for entry in inputs)
    if not many:
        return [_single_job(sources[0][0], output, suffix)]
    if output == STANDARD or any(source == STANDARD for source, _ in sources):
        raise OutputError("standard input and output take one file, not several; name a folder with -o")
    if output is not None and Path(output).exists() and not Path(output).is_dir():
        raise OutputError(f"{output}: is a file; several inputs need a folder to go to")
    if output is not None and _is_name_of_file(output):
        raise OutputError(f"{output}: several inputs need a folder to go to; end its name in / if it is one")
    return _distinct_jobs(sources, output, suffix) + unreadable


def _is_name_of_file(output: str) -> bool:
    """Whether it ends as a photo or a .jdc file does, and is no folder yet."""
    named = Path(output)
    known = named.suffix.lower() in PICTURE_ENDINGS | {".jdc"}
    return known and not output.endswith(("/", os.sep)) and not named.is_dir()


def _sources(
    inputs: Sequence[str],
    endings: frozenset[str],
    recursive: bool,
    unreadable: list[Job],
    passed_over: Counter[str],
) -> list[tuple[str | Path, Path]]:
    """As `_expand`, but each file once."""
    found = _expand(inputs, endings, recursive, unreadable, passed_over)
    once = {
        STANDARD if source == STANDARD else Path(source).absolute(): (source, place)
        for source, place in found
    }
    return list(once.values())


def _expand(
    inputs: Sequence[str],
    endings: frozenset[str],
    recursive: bool,
    unreadable: list[Job],
    passed_over: Counter[str],
) -> Iterator[tuple[str | Path, Path]]:
    """Each input, and its place below the folder it was found in."""
    # Folders may be named twice, or one within another.
    told: set[Path] = set()
    for entry in inputs:
        path = Path(entry)
        if entry == STANDARD:
            yield STANDARD, Path(STANDARD)
        elif path.is_dir():
            files: list[Path] = []
            failing = len(unreadable)
            for file in _files(path, recursive, unreadable):
                ending = file.suffix.lower()
                if ending in endings and file.is_file():
                    files.append(file)
                elif ending in endings | UNREAD_ENDINGS and file.absolute() not in told:
                    told.add(file.absolute())
                    if ending in endings:
                        unreadable.append(Job(str(file), str(file), problem=no_file(file)))
                    else:
                        passed_over[ending] += 1
            if not files and len(unreadable) == failing:
                more = "" if recursive else "; folders below it are read with --recursive"
                raise PhotoError(f"{entry}: no file with a known ending in this folder{more}")
            yield from ((file, file.relative_to(path)) for file in files)
        else:
            # As given: "./-" is the file of that name, which the path "-" would no longer say.
            yield entry, Path(path.name)


def _files(folder: Path, recursive: bool, unreadable: list[Job]) -> list[Path]:
    """What is in a folder beside folders, in the order of the names, hidden files left out.

    Raises PhotoError where the folder cannot be read; of those below it, that is noted in `unreadable`.
    """

    def note(error: OSError) -> None:
        place = str(error.filename)
        if Path(place) == folder:
            raise PhotoError(f"{folder}: {error.strerror}") from error
        unreadable.append(Job(place, place, problem=f"{place}: {error.strerror}"))

    found: list[Path] = []
    for place, folders, names in os.walk(folder, onerror=note):
        folders[:] = [name for name in folders if recursive and not name.startswith(".")]
        found += [Path(place, name) for name in names if not name.startswith(".")]
    return sorted(found)


def _single_job(source: str | Path, output: str | None, suffix: str) -> Job:
    path = Path(source)
    if source == STANDARD:
        if output is not None and _is_folder(output):
            raise OutputError(f"{output}: is a folder; standard input needs the name of a file")
        return Job(STANDARD, STANDARD if output is None else output)
    if output is not None and not _is_folder(output):
        return Job(str(source), output)
    name = output_names([path.name], suffix)[path.name]
    folder = path.parent if output is None else Path(output)
    return Job(str(source), str(folder / name), mirrors=output is not None)


def _is_folder(output: str) -> bool:
    """Whether an output is a folder, or said to be one."""
    return output != STANDARD and (Path(output).is_dir() or output.endswith(("/", os.sep)))


def _distinct_jobs(sources: list[tuple[str | Path, Path]], output: str | None, suffix: str) -> list[Job]:
    folders = [
        Path(source).parent if output is None else Path(output) / place.parent for source, place in sources
    ]
    together: dict[Path, list[str]] = defaultdict(list)
    for folder, (_, place) in zip(folders, sources):
        together[folder].append(place.name)
    names = {folder: output_names(inputs, suffix) for folder, inputs in together.items()}
    by_target: dict[str, Job] = {}
    for folder, (source, place) in zip(folders, sources):
        job = Job(str(source), str(folder / names[folder][place.name]), mirrors=output is not None)
        other = by_target.setdefault(job.target, job)
        if other is not job:
            raise OutputError(
                f"{other.source} and {job.source} would both become {job.target}; do them one by one"
            )
    return list(by_target.values())
