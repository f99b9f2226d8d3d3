"""What the commands share: where inputs and outputs are, messages, and going on after a failure."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import BinaryIO

import typer

from jdcodec.cli.progress import Done, Tally, progress_bar
from jdcodec.errors import JdcError, OutputError, PhotoError

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


def complain(message: str) -> None:
    """One line on standard error."""
    print(f"jdc: {' '.join(message.splitlines())}", file=sys.stderr)


def say(line: str, *, err: bool = False) -> None:
    """A line on standard output, or on standard error; above the progress bar where one is shown.

    Not `typer.echo`, which writes past the stream that the bar puts in the place of standard output.
    """
    print(line, file=sys.stderr if err else sys.stdout, flush=True)


@dataclass(frozen=True)
class Job:
    """One input and where its result goes; `-` is standard input or output."""

    source: str
    target: str


def plan_jobs(
    inputs: Sequence[str], output: str | None, *, suffix: str, endings: frozenset[str], recursive: bool
) -> list[Job]:
    """Pair inputs with outputs.

    One file goes to `output`, or beside itself with `suffix`. Several, or a folder, go into the folder
    `output`, which mirrors the folders below an input folder, or beside themselves. Where two inputs
    would share a name, as a.NEF and a.JPG do, both keep their endings: a.NEF.jdc, a.JPG.jdc.

    An input that is named twice counts once. Hidden files, as the "._a.jpg" of macOS, are left out.

    Raises PhotoError for a folder that cannot be read or has nothing to do, OutputError where inputs cannot
    have outputs of their own.
    """
    sources = list({Path(s[0]).absolute(): s for s in _expand(inputs, endings, recursive)}.values())
    many = len(sources) > 1 or any(entry != STANDARD and Path(entry).is_dir() for entry in inputs)
    if not many:
        return [Job(str(sources[0][0]), _single_target(sources[0][0], output, suffix))]
    if output == STANDARD or any(source == STANDARD for source, _ in sources):
        raise OutputError("standard input and output take one file, not several; name a folder with -o")
    if output is not None and Path(output).exists() and not Path(output).is_dir():
        raise OutputError(f"{output}: is a file; several inputs need a folder to go to")
    return _distinct_jobs(sources, output, suffix)


def _expand(
    inputs: Sequence[str], endings: frozenset[str], recursive: bool
) -> Iterator[tuple[str | Path, Path]]:
    """Each input, and its place below the folder it was found in."""
    for entry in inputs:
        path = Path(entry)
        if entry == STANDARD:
            yield STANDARD, Path(STANDARD)
        elif path.is_dir():
            try:
                found = sorted(path.rglob("*") if recursive else path.iterdir())
            except OSError as error:
                raise PhotoError(f"{entry}: {error.strerror}") from error
            files = [f for f in found if f.suffix.lower() in endings and f.is_file() and not _hidden(f, path)]
            if not files:
                more = "" if recursive else "; folders below it are read with --recursive"
                raise PhotoError(f"{entry}: no file with a known ending in this folder{more}")
            yield from ((file, file.relative_to(path)) for file in files)
        else:
            yield path, Path(path.name)


def _hidden(file: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(folder).parts)


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
        Job(str(source), short if taken[short] == 1 else long)
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


def run_jobs(jobs: Sequence[Job], work: Callable[[Job], Done | None], *, quiet: bool) -> None:
    """Do each job; several go on past failures, which are listed at the end with exit status 1.

    What `work` returns is counted: several photos end with a line that sums them up. After Ctrl-C that line
    says how far it came.
    """
    if len(jobs) == 1:
        work(jobs[0])
        return
    failures: list[str] = []
    tally = Tally()
    try:
        with progress_bar([job.source for job in jobs], tally, quiet=quiet) as advance:
            for job in jobs:
                tally.add(_attempt(job, work, failures))
                advance()
    except KeyboardInterrupt:
        complain(f"interrupted after {tally.finished} of {len(jobs)} files")
        raise
    if tally.photos and not quiet:
        typer.echo(str(tally))
    if failures:
        for failure in failures:
            complain(failure)
        complain(f"{len(failures)} of {len(jobs)} files failed")
        raise typer.Exit(1)


def _attempt(job: Job, work: Callable[[Job], Done | None], failures: list[str]) -> Done | None:
    """Do one job of several; a failure is noted."""
    try:
        if job.target != STANDARD:
            Path(job.target).parent.mkdir(parents=True, exist_ok=True)
        return work(job)
    except JdcError as error:
        if debug:
            raise
        failures.append(str(error))
    except OSError as error:
        failures.append(f"{job.target}: {error.strerror}")
    return None


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


def import_torch_meanwhile() -> None:
    """Import torch, which takes a second, in the background while a photo is read from the disk.

    Nothing is written before that is done, so until then SIGINT and SIGTERM end the process at once. As an
    exception inside an import they can leave this thread with the lock that the other one waits for.
    """
    thread = threading.Thread(target=importlib.import_module, args=("torch",), daemon=True)
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
