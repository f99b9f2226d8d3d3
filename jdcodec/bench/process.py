"""Run an external program under a time limit and measure the whole process; see `launcher` for how."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from .codec import CodecFailure, Cost

_LAUNCHER = Path(__file__).with_name("launcher.py")
_LOG = "log.txt"


def run(command: list[str], folder: Path, limit: float) -> Cost:
    """Run `command` in `folder`; returns its wall-clock seconds and its peak resident memory.

    Raises CodecFailure where it takes longer than `limit` seconds, is ended by a signal, or exits with
    another status than 0. A program that is gone or not executable counts as failed, too.
    """
    with (folder / _LOG).open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_LAUNCHER), str(limit), *command],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
        )
        try:
            report, _ = process.communicate()
        except BaseException:
            process.terminate()  # the launcher passes it on to the program and all that it started
            process.wait()
            raise
    program = command[0]
    if process.returncode != 0:
        raise CodecFailure(f"{program} could not be started{_last_line(folder)}")
    status, seconds, peak, timed_out = report.split()
    if int(timed_out):
        raise CodecFailure(f"{program} took longer than {limit:g} s")
    if int(status) < 0:
        raise CodecFailure(f"{program} was ended by {signal.Signals(-int(status)).name}{_last_line(folder)}")
    if int(status) > 0:
        raise CodecFailure(f"{program} ended with exit status {int(status)}{_last_line(folder)}")
    return Cost(float(seconds), int(peak))


def _last_line(folder: Path) -> str:
    """The last line that the program printed, which tends to be the complaint, as ": complaint"."""
    lines = (folder / _LOG).read_text(errors="replace").split("\n")
    said = [line.strip() for line in lines if line.strip()]
    return f": {said[-1][:200]}" if said else ""
