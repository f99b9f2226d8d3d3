"""Ended by force or by Ctrl-C, at every step of writing: the old state or the complete new one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import jdcodec

from .conftest import Place, Task, make_fifo
from .processes import PATIENCE, is_temporary, pause_in, signal_in, soak_count, wait_for

#: The steps of writing in their order, and whether the output has its name before each of them.
STEPS = {"fsync": False, "link": False, "unlink": True}


@pytest.mark.parametrize("step", STEPS)
def test_kill_leaves_none_or_all_of_the_output(place: Place, task: Task, step: str) -> None:
    target, reached = place.out / f"result{task.ending}", place.root / "reached"
    command = place.jdc(
        *task.command, task.source, "-o", target, prepare=partial(pause_in, step, str(reached))
    )
    wait_for(reached.exists)
    command.send(signal.SIGKILL)
    assert command.wait() == -signal.SIGKILL
    assert target.exists() == STEPS[step]
    assert not target.exists() or task.is_complete(target)
    others = place.left() - {target.name}
    assert len(others) == 1 and all(map(is_temporary, others))


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_kill_leaves_the_old_file(place: Place, task: Task, step: str) -> None:
    target, reached = place.out / f"result{task.ending}", place.root / "reached"
    target.write_bytes(b"precious")
    arguments = (*task.command, task.source, "-o", target, "--force")
    command = place.jdc(*arguments, prepare=partial(pause_in, step, str(reached)))
    wait_for(reached.exists)
    command.send(signal.SIGKILL)
    command.wait()
    assert target.read_bytes() == b"precious"
    assert all(is_temporary(name) for name in place.left() - {target.name})


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
@pytest.mark.parametrize("step", STEPS)
def test_interrupt_leaves_nothing_else(place: Place, task: Task, step: str, number: signal.Signals) -> None:
    target = place.out / f"result{task.ending}"
    command = place.jdc(*task.command, task.source, "-o", target, prepare=partial(signal_in, step, number))
    assert command.wait() == 128 + number
    assert place.left() == ({target.name} if STEPS[step] else set())
    assert not target.exists() or task.is_complete(target)
    assert "Traceback" not in command.said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda n: n.name)
def test_a_folder_run_keeps_what_was_complete(place: Place, photo: Path, number: signal.Signals) -> None:
    """The second photo never comes, so that the run is between two photos when the signal does."""
    waiting = make_fifo(place.root / "waiting.png")
    command = place.jdc("encode", photo, waiting, "-o", place.out)
    writer = os.open(waiting, os.O_WRONLY)  # returns when the command has opened the other end
    command.send(number)
    status = command.wait()
    os.close(writer)
    assert status == (-number if number is signal.SIGKILL else 128 + number)
    assert place.left() == {"photo.jdc"}


def test_kill_at_any_moment(place: Place, photo: Path, tiny_model: Path) -> None:
    """Again and again onto the same file: it is never anything but one of the complete ones."""
    target = place.out / "result.jdc"
    qualities = (2, 7)
    complete = [jdcodec.encode(photo, quality=quality, model=str(tiny_model)) for quality in qualities]
    target.write_bytes(complete[0])
    random = np.random.default_rng(0)
    for number in range(soak_count(40) // 5):
        quality = str(qualities[number % 2])
        command = place.jdc("encode", photo, "-o", target, "--force", "-q", quality)
        time.sleep(random.uniform(0, 0.4))
        command.send(signal.SIGKILL)
        command.wait()
        assert target.read_bytes() in complete
        assert all(is_temporary(name) for name in place.left() - {target.name})


def test_interrupts_during_the_start_end_it(place: Place, photo: Path) -> None:
    """A process from the shell, as it imports OpenVINO beside the reading of the photo."""
    script = "from jdcodec.cli import main; main()"
    for seconds in (0.15, 0.3, 0.45, 0.6, 0.8):
        words = ["encode", photo, "-o", place.out / "a.jdc", "--model", place.model]
        line = [sys.executable, "-c", script, *map(str, words)]
        process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(seconds)
        process.send_signal(signal.SIGINT)
        try:
            process.wait(PATIENCE)
        finally:
            process.kill()
        assert not any(is_temporary(name) for name in place.left())
        (place.out / "a.jdc").unlink(missing_ok=True)
