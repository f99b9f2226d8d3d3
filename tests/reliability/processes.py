"""The `jdc` command in processes of its own, to be killed, starved and raced.

Each is forked from a server that has imported OpenVINO already, so that it starts in milliseconds. All else
is as in a process started from the shell: its own standard streams, signals, limits and exit status.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

#: Seconds until a process counts as hung; a soak has long-running ones.
PATIENCE = 3600 if "JDC_SOAK" in os.environ else 90

Prepare = Callable[[], None]

_server = multiprocessing.get_context("forkserver")
_server.set_forkserver_preload(["jdcodec.inference.on_openvino", "jdcodec.cli", "pytest", "PIL.Image"])


class Jdc:
    """A running `jdc`; `prepare` runs in its process before the command does. Output goes into `log`."""

    def __init__(self, log: Path, *arguments: str | Path, prepare: Prepare | None = None) -> None:
        self._log = log
        words = [str(argument) for argument in arguments]
        self._process: Any = _server.Process(target=_run, args=(words, str(log), prepare), daemon=True)
        self._process.start()

    @property
    def pid(self) -> int:
        return int(self._process.pid)

    def send(self, number: signal.Signals) -> None:
        """Send a signal, unless the command has ended already, as it may have when the moment is random."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def wait(self) -> int:
        """The exit status, negative where a signal ended it; fails the test where it does not end."""
        self._process.join(PATIENCE)
        if self._process.exitcode is None:
            self._process.kill()
            raise AssertionError(f"still running after {PATIENCE} s: {self.said}")
        return int(self._process.exitcode)

    @property
    def running(self) -> bool:
        return bool(self._process.is_alive())

    @property
    def said(self) -> str:
        """What it wrote on standard output and standard error so far."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""


def _run(arguments: list[str], log: str, prepare: Prepare | None) -> None:
    from jdcodec.cli import main

    os.environ["OMP_NUM_THREADS"] = "1"
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(file, 1)
    os.dup2(file, 2)
    sys.argv = ["jdc", *arguments]
    if prepare is not None:
        prepare()
    main()


def wait_for(condition: Callable[[], bool]) -> None:
    """Return once `condition` holds; fails the test where it never does."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


def pause_in(call: str, reached: str) -> None:
    """Let the first `os.<call>` of this process create the file `reached`, and never return."""

    def pause(*arguments: object, **options: object) -> None:
        Path(reached).touch()
        time.sleep(2 * PATIENCE)

    setattr(os, call, pause)


def signal_in(call: str, number: signal.Signals) -> None:
    """Let the first `os.<call>` of this process meet a signal."""
    usual = getattr(os, call)

    def interrupted(*arguments: object, **options: object) -> object:
        setattr(os, call, usual)
        signal.raise_signal(number)
        return usual(*arguments, **options)

    setattr(os, call, interrupted)


def note_memory(notes: str) -> None:
    """Append the memory that this process holds, in bytes, to a file with each file that gets its name."""
    usual = os.link

    def link(*arguments: Any, **options: Any) -> None:
        pages = Path("/proc/self/statm").read_text().split()[1]
        with Path(notes).open("a") as file:
            file.write(f"{int(pages) * os.sysconf('SC_PAGESIZE')}\n")
        usual(*arguments, **options)

    os.link = link


def limit_file_size(size: int) -> None:
    """No file may grow beyond `size` bytes."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def standard_output_is_full() -> None:
    """Standard output takes nothing more."""
    os.dup2(os.open("/dev/full", os.O_WRONLY), 1)


def soak_count(usual: int) -> int:
    """How often to do a thing: JDC_SOAK times, which `make soak` sets, or a few times in the usual tests."""
    return int(os.environ.get("JDC_SOAK", usual))


def names(folder: Path) -> set[str]:
    """The files below a folder."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


def is_temporary(name: str) -> bool:
    """Whether a name is that of a temporary file, as the documentation promises it."""
    return name.startswith(".jdc-") and name.endswith(".tmp")
