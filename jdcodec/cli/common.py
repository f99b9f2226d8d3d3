"""What the commands share: where inputs and outputs are, messages, and going on after a failure."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import sys
import threading
import unicodedata
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, BinaryIO

import typer

from jdcodec.cli.progress import Done, Tally, progress_bar
from jdcodec.errors import JdcError, OutputError, PhotoError

#: Which extra of the package brings a library that commands import when they need it.
EXTRAS = {"torch": "train", "tensorboard": "train", "matplotlib": "bench", "distributed": "cluster"}

#: Set by --debug: tracebacks instead of one line.
debug = False

STANDARD = "-"

#: Endings that a folder is searched for; a file named outright may have any.
PHOTO_ENDINGS = frozenset(
    {
        *(".avif", ".bmp", ".gif", ".jpeg", ".jpg", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp"),
        *(".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dng", ".erf", ".fff", ".iiq", ".kdc", ".mef", ".mos"),
        *(".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf", ".srw"),
        ".x3f",
    }
)


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
    """One line on standard error."""
    print(f"jdc: {printable(' '.join(message.splitlines()))}", file=sys.stderr)


def say(line: str, *, err: bool = False) -> None:
    """A line on standard output, or on standard error; above the progress bar where one is shown.

    Not `typer.echo`, which writes past the stream that the bar puts in the place of standard output.
    """
    print(printable(line), file=sys.stderr if err else sys.stdout, flush=True)


def say_json(facts: Mapping[str, Any]) -> None:
    """A line for programs, on standard output: JSON, which has escapes of its own."""
    print(json.dumps(facts, ensure_ascii=False), flush=True)


@dataclass(frozen=True)
class Job:
    """One input and where its result goes; `-` is standard input or output.

    mirrors: the target's folder is made where it is missing, as it mirrors one that is there.
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
        if not self.mirrors:
            return
        folder = Path(self.target).parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{folder}: cannot be made: {error.strerror}") from error


@dataclass(frozen=True)
class Outcome:
    """What became of a job: a result, or one line that says why there is none."""

    job: Job
    result: Any = None
    failure: str = ""


def plan_jobs(
    inputs: Sequence[str], output: str | None, *, suffix: str, endings: frozenset[str], recursive: bool
) -> list[Job]:
    """Pair inputs with outputs.

    One file goes to `output`, or beside itself with `suffix`. Several, or a folder, go into the folder
    `output`, which mirrors the folders below an input folder, or beside themselves. Where two inputs
    would share a name, as a.NEF and a.JPG do, both keep their endings: a.NEF.jdc, a.JPG.jdc.

    An input that is named twice counts once. Hidden files, as the "._a.jpg" of macOS, are left out, and links
    to folders are not followed, so that no loop can arise.

    Raises PhotoError for a folder that cannot be read or has nothing to do, OutputError where inputs cannot
    have outputs of their own.
    """
    unreadable: list[Job] = []
    found = _expand(inputs, endings, recursive, unreadable)
    sources = list({Path(s[0]).absolute(): s for s in found}.values())
    many = len(sources) > 1 or any(entry != STANDARD and Path(entry).is_dir() for entry in inputs)
    if not many:
        return [Job(str(sources[0][0]), _single_target(sources[0][0], output, suffix))]
    if output == STANDARD or any(source == STANDARD for source, _ in sources):
        raise OutputError("standard input and output take one file, not several; name a folder with -o")
    if output is not None and Path(output).exists() and not Path(output).is_dir():
        raise OutputError(f"{output}: is a file; several inputs need a folder to go to")
    return _distinct_jobs(sources, output, suffix) + unreadable


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
            yield path, Path(path.name)


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


def _single_target(source: str | Path, output: str | None, suffix: str) -> str:
    if output is None:
        return STANDARD if source == STANDARD else str(Path(source).with_suffix(suffix))
    if output != STANDARD and (Path(output).is_dir() or output.endswith("/")):
        if source == STANDARD:
            raise OutputError(f"{output}: is a folder; standard input needs the name of a file")
        return str(Path(output) / Path(source).with_suffix(suffix).name)
    return output


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


def run_jobs(
    jobs: Sequence[Job],
    work: Callable[[Job], Any],
    *,
    quiet: bool,
    finish: Callable[[Job, Any], Done | None] | None = None,
    workers: int = 1,
    update: bool = False,
) -> None:
    """Do each job; several go on past failures, which are listed at the end with exit status 1.

    `finish` tells the user what `work` returned, and counts it: several photos end with a line that sums them
    up. After Ctrl-C that line says how far it came. update: jobs whose output is newer are left out.

    workers: how many processes share the jobs, each with a network that stays warm. `work` then runs in one
    of them, so it has to be picklable, and prints nothing; `finish` always runs here, as each job is done.
    """
    tally = Tally()
    todo = [job for job in jobs if not (update and is_up_to_date(job))]
    if len(jobs) == 1:
        for job in todo:
            _counted(_prepared(job, work), job, finish)
        return
    tally.skip(len(jobs) - len(todo))
    failures: dict[Job, str] = {}
    try:
        with (
            progress_bar([job.source for job in todo], tally, quiet=quiet) as advance,
            closing(_outcomes(todo, work, workers)) as outcomes,
        ):
            for outcome in outcomes:
                tally.add(_settle(outcome, finish, failures))
                advance(outcome.job.source)
    except KeyboardInterrupt:
        complain(f"interrupted after {tally.finished} of {len(jobs)} files")
        raise
    if (tally.photos or tally.skipped) and not quiet:
        typer.echo(str(tally))
    if failures:
        for job in jobs:
            if job in failures:
                complain(failures[job])
        complain(f"{len(failures)} of {len(jobs)} files failed")
        raise typer.Exit(1)


def _outcomes(
    jobs: Sequence[Job], work: Callable[[Job], Any], workers: int
) -> Generator[Outcome, None, None]:
    """Each job's outcome, as it is done."""
    if min(workers, len(jobs)) > 1:
        from jdcodec.cli.workers import share

        yield from share(jobs, work, min(workers, len(jobs)))
        return
    for job in jobs:
        yield attempt(job, work)


def attempt(job: Job, work: Callable[[Job], Any]) -> Outcome:
    """Do one job of several; a failure is an outcome, too."""
    try:
        return Outcome(job, _prepared(job, work))
    except JdcError as error:
        if debug:
            raise
        return Outcome(job, failure=str(error))
    except OSError as error:
        return Outcome(job, failure=f"{job.target}: {error.strerror}")


def _prepared(job: Job, work: Callable[[Job], Any]) -> Any:
    job.prepare()
    return work(job)


def _settle(
    outcome: Outcome, finish: Callable[[Job, Any], Done | None] | None, failures: dict[Job, str]
) -> Done | None:
    """Tell of an outcome; a failure is noted."""
    try:
        if not outcome.failure:
            return _counted(outcome.result, outcome.job, finish)
        failures[outcome.job] = outcome.failure
    except JdcError as error:
        if debug:
            raise
        failures[outcome.job] = str(error)
    return None


def _counted(result: Any, job: Job, finish: Callable[[Job, Any], Done | None] | None) -> Done | None:
    if finish is not None:
        return finish(job, result)
    return result if isinstance(result, Done) else None


def is_up_to_date(job: Job) -> bool:
    """Whether the output is there and not older than its input."""
    try:
        return Path(job.target).stat().st_mtime_ns >= Path(job.source).stat().st_mtime_ns
    except OSError:
        return False


def kinds_to_strip(text: str | None) -> frozenset[str]:
    """The value of --strip; raises BadParameter."""
    from jdcodec.photo.metadata import parse_kinds

    try:
        return parse_kinds(text) if text is not None else frozenset()
    except PhotoError as error:
        raise typer.BadParameter(str(error), param_hint="--strip") from error


def keep_freed_memory() -> None:
    """Let the C library reuse large blocks instead of returning each to the system.

    Networks allocate and free blocks of many megabytes; getting fresh zeroed pages for each took a
    tenth of the time of a 12-megapixel photo. Only glibc has this setting; elsewhere nothing happens.
    """
    import ctypes

    m_trim_threshold, m_mmap_threshold = -1, -3
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return
    mallopt(m_mmap_threshold, 1 << 30)
    mallopt(m_trim_threshold, 1 << 30)


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


def read_input(source: str) -> bytes:
    """All bytes of a file or of standard input; raises PhotoError."""
    try:
        if source == STANDARD:
            return sys.stdin.buffer.read()
        return Path(source).read_bytes()
    except OSError as error:
        raise PhotoError(f"{source}: {error.strerror}") from error


def source_name(source: str) -> str:
    return "standard input" if source == STANDARD else source


def write_standard_output(data: bytes) -> None:
    """Raises OutputError where standard output is a terminal or cannot be written."""
    if sys.stdout.isatty():
        raise OutputError("standard output is a terminal; name a file with -o, or use a pipe")
    stream: BinaryIO = sys.stdout.buffer
    try:
        stream.write(data)
        stream.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"standard output: {error.strerror}") from error
