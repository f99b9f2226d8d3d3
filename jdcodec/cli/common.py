"""What the commands share: where inputs and outputs are, messages, and a quick start."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import stat
import sys
import threading
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any

import typer

from jdcodec.cli.streams import STANDARD, output_name, standard_output
from jdcodec.errors import JdcError, OutputError, PhotoError

#: Which extra of the package brings a library that commands import when they need it.
EXTRAS = {"torch": "train", "tensorboard": "train", "matplotlib": "bench", "distributed": "cluster"}

#: Set by --debug: tracebacks instead of one line.
debug = False

#: Endings that a folder is searched for; a file named outright may have any.
PHOTO_ENDINGS = frozenset(
    {
        *(".avif", ".bmp", ".gif", ".jpeg", ".jpg", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp"),
        *(".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dng", ".erf", ".fff", ".iiq", ".kdc", ".mef", ".mos"),
        *(".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf", ".srw"),
        ".x3f",
    }
)

#: Endings of images that a .jdc file must not bear: also those that jdc writes, or that others read.
IMAGE_ENDINGS = PHOTO_ENDINGS | {".heic", ".heif", ".jp2", ".jxl", ".pgm"}

#: Characters of a library's error that are told; some of them run to pages.
_ENOUGH = 300

#: Invisible characters that some scripts need within words; they do nothing to a terminal.
_JOINERS = "\u200c\u200d"


def printable(text: str) -> str:
    """Text with backslash escapes for what a terminal would obey rather than show.

    Names of files and what photos say of themselves may hold escape sequences, line ends, or characters that
    turn the direction of the text around. Bytes of a name that are no text stay as they are.
    """
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    acts = unicodedata.category(char) in ("Cc", "Cf", "Zl", "Zp") and char not in _JOINERS
    return char.encode("unicode_escape").decode("ascii") if acts else char


def complain(message: str) -> None:
    """One line on standard error, if anybody can read it."""
    with contextlib.suppress(OSError):
        print(f"jdc: {printable(' '.join(message.splitlines()))}", file=sys.stderr, flush=True)


def in_words(error: Exception) -> str:
    """One line on any error: our own say it themselves, of others the kind is told, too."""
    if isinstance(error, JdcError):
        return str(error)
    # OpenVINO reports what C++ throws for want of memory as a RuntimeError.
    if isinstance(error, MemoryError) or "bad_alloc" in str(error):
        return "not enough memory; end other programs, or use fewer --workers"
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror or error}"
    if isinstance(error, ModuleNotFoundError) and error.name:
        extra = EXTRAS.get(error.name.partition(".")[0])
        if extra is not None:
            return f"this needs {error.name}, which is not installed: pip install 'jdcodec[{extra}]'"
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return text if len(text) <= _ENOUGH else f"{text[:_ENOUGH]}…"


def say(line: str, *, err: bool = False) -> None:
    """A line on standard output, or on standard error; above the progress bar where one is shown.

    Not `typer.echo`, which writes past the stream that the bar puts in the place of standard output.
    """
    if err:
        print(printable(line), file=sys.stderr, flush=True)
        return
    with standard_output():
        print(printable(line), flush=True)


def say_json(facts: Mapping[str, Any]) -> None:
    """A line for programs, on standard output: JSON in ASCII, whose escapes hold any name in any encoding."""
    with standard_output():
        print(json.dumps(facts), flush=True)


@dataclass(frozen=True)
class Job:
    """One input and where its result goes; `-` is standard input or output.

    mirrors: the target's folder is made where it is missing, as it mirrors one that is there or was named
    as a folder, with a slash at its end.
    problem: why it cannot be done, "" where nothing is known against it. A folder below a folder that cannot
    be read becomes such a job, so that it is reported with the others that failed.
    """

    source: str
    target: str
    mirrors: bool = False
    problem: str = ""

    def prepare(self) -> None:
        """Make the folder that is needed; raises PhotoError where there is a problem, and OutputError."""
        if self.problem:
            raise PhotoError(self.problem)
        refuse_own_input(self.source, self.target)
        if not self.mirrors:
            return
        folder = Path(self.target).parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{folder}: cannot be made: {error.strerror}") from error


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


def plan_reading(inputs: Sequence[str], *, endings: frozenset[str], recursive: bool) -> list[Job]:
    """A job for each input, and for each file of an input folder, that writes no file.

    An input that is named twice counts once. Raises PhotoError as `plan_jobs` does.
    """
    unreadable: list[Job] = []
    sources = _sources(inputs, endings, recursive, unreadable)
    return [Job(str(source), STANDARD) for source, _ in sources] + [
        replace(job, target=STANDARD) for job in unreadable
    ]


def plan_jobs(
    inputs: Sequence[str], output: str | None, *, suffix: str, endings: frozenset[str], recursive: bool
) -> list[Job]:
    """Pair inputs with outputs.

    One file goes to `output`, or beside itself with `suffix`. Several, or a folder, go into the folder
    `output`, which is made where it is missing and mirrors the folders below an input folder, or beside
    themselves. One file goes into it, too, where `output` is a folder or ends in a slash. Where two inputs
    would share a name, as a.NEF and a.JPG do, both keep their endings: a.NEF.jdc, a.JPG.jdc.

    An input that is named twice counts once. Hidden files, as the "._a.jpg" of macOS, are left out, and links
    to folders are not followed, so that no loop can arise.

    Raises PhotoError for a folder that cannot be read or has nothing to do, OutputError where inputs cannot
    have outputs of their own.
    """
    unreadable: list[Job] = []
    output = output_name(output)
    sources = _sources(inputs, endings, recursive, unreadable)
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
    known = named.suffix.lower() in PHOTO_ENDINGS | {".jdc"}
    return known and not output.endswith(("/", os.sep)) and not named.is_dir()


def _sources(
    inputs: Sequence[str], endings: frozenset[str], recursive: bool, unreadable: list[Job]
) -> list[tuple[str | Path, Path]]:
    """As `_expand`, but each file once."""
    found = _expand(inputs, endings, recursive, unreadable)
    once = {
        STANDARD if source == STANDARD else Path(source).absolute(): (source, place)
        for source, place in found
    }
    return list(once.values())


def _expand(
    inputs: Sequence[str], endings: frozenset[str], recursive: bool, unreadable: list[Job]
) -> Iterator[tuple[str | Path, Path]]:
    """Each input, and its place below the folder it was found in."""
    for entry in inputs:
        path = Path(entry)
        if entry == STANDARD:
            yield STANDARD, Path(STANDARD)
        elif path.is_dir():
            files = [file for file in _files(path, recursive, unreadable) if file.suffix.lower() in endings]
            if not files and not unreadable:
                more = "" if recursive else "; folders below it are read with --recursive"
                raise PhotoError(f"{entry}: no file with a known ending in this folder{more}")
            yield from ((file, file.relative_to(path)) for file in files)
        else:
            # As given: "./-" is the file of that name, which the path "-" would no longer say.
            yield entry, Path(path.name)


def _files(folder: Path, recursive: bool, unreadable: list[Job]) -> list[Path]:
    """The files of a folder in the order of their names, hidden ones left out.

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
    return sorted(file for file in found if file.is_file())


def _single_job(source: str | Path, output: str | None, suffix: str) -> Job:
    if output is None:
        return Job(str(source), STANDARD if source == STANDARD else str(Path(source).with_suffix(suffix)))
    if output == STANDARD or not (Path(output).is_dir() or output.endswith(("/", os.sep))):
        return Job(str(source), output)
    if source == STANDARD:
        raise OutputError(f"{output}: is a folder; standard input needs the name of a file")
    return Job(str(source), str(Path(output) / Path(source).with_suffix(suffix).name), mirrors=True)


def _distinct_jobs(sources: list[tuple[str | Path, Path]], output: str | None, suffix: str) -> list[Job]:
    def target(source: str | Path, place: Path, name: str) -> str:
        folder = Path(source).parent if output is None else Path(output) / place.parent
        return str(folder / name)

    plain = [target(source, place, place.with_suffix(suffix).name) for source, place in sources]
    full = [target(source, place, place.name + suffix) for source, place in sources]
    taken = Counter(plain) + Counter(full)
    jobs = [
        Job(str(source), short if taken[short] == 1 else long, mirrors=output is not None)
        for (source, _), short, long in zip(sources, plain, full)
    ]
    by_target: dict[str, Job] = {}
    for job in jobs:
        other = by_target.setdefault(job.target, job)
        if other is not job:
            raise OutputError(
                f"{other.source} and {job.source} would both become {job.target}; do them one by one"
            )
    return jobs


def kinds_to_strip(text: str | None) -> frozenset[str]:
    """The value of --strip; raises BadParameter."""
    from jdcodec.photo.metadata import parse_kinds

    try:
        return parse_kinds(text) if text is not None else frozenset()
    except PhotoError as error:
        raise typer.BadParameter(str(error), param_hint="--strip") from error


def end_cleanly_on_sigterm() -> None:
    """Let SIGTERM end this process through the usual clean-up, so that no temporary file stays."""

    def end(number: int, frame: FrameType | None) -> None:
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, end)


def start_runtime_meanwhile(device: str) -> None:
    """Load what runs the networks on a processor in the background, while a photo is read from the disk.

    device: value of --device; for one that is no processor nothing is loaded.

    Nothing is written before that is done, so until then SIGINT and SIGTERM end the process at once. As an
    exception inside an import they can leave this thread with the lock that the other one waits for.
    """

    if device not in ("auto", "cpu"):
        return

    def load() -> None:
        # What cannot be loaded, for whatever reason, is told of when it is needed.
        with contextlib.suppress(Exception):
            importlib.import_module("jdcodec.inference.on_openvino").core()

    thread = threading.Thread(target=load, daemon=True)
    thread.start()
    for number in (signal.SIGINT, signal.SIGTERM):
        _leave_at_once_during(thread, number)


def _leave_at_once_during(thread: threading.Thread, number: signal.Signals) -> None:
    usual = signal.getsignal(number)
    if not callable(usual):  # ignored, as under nohup
        return

    def leave(number: int, frame: FrameType | None) -> None:
        if thread.is_alive():
            os._exit(128 + number)
        usual(number, frame)

    signal.signal(number, leave)
