"""`--workers`: the same files as from one process, whatever happens to a worker or to all of them."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import PictureMaker
from PIL import Image

from jdcodec.cli.jobs import Job
from jdcodec.cli.running import Outcome
from jdcodec.cli.workers import share
from jdcodec.errors import PhotoError

from .command import jdc

JOBS = [Job(name, "-") for name in "abcdef"]


def shout(job: Job) -> str:
    return job.source.upper()


def stumble(job: Job) -> str:
    """Fail in all the ways there are."""
    if job.source == "b":
        raise PhotoError("b: cannot be read")
    if job.source == "c":
        os.kill(os.getpid(), signal.SIGKILL)
    if job.source == "d":
        os._exit(3)
    return job.source.upper()


def sleep(job: Job) -> None:
    if job.source != "a":
        time.sleep(60)


def by_source(outcomes: Iterator[Outcome]) -> dict[str, str]:
    return {outcome.job.source: outcome.result or outcome.failure for outcome in outcomes}


@pytest.mark.parametrize("count", [1, 3])
def test_every_job_is_done_once(count: int) -> None:
    outcomes = list(share(JOBS, shout, count))
    assert sorted(outcome.result for outcome in outcomes) == list("ABCDEF")
    assert not multiprocessing.active_children()


@pytest.mark.parametrize("count", [1, 2])
def test_a_worker_that_dies_fails_its_own_job_alone(count: int) -> None:
    found = by_source(share(JOBS, stumble, count))
    assert found == {
        "a": "A",
        "b": "b: cannot be read",
        "c": "c: its worker was killed, as happens when memory runs out; try fewer --workers",
        "d": "d: its worker ended unexpectedly, with status 3",
        "e": "E",
        "f": "F",
    }


def test_leaving_early_ends_all_workers() -> None:
    outcomes = share(JOBS, sleep, 2)
    assert next(outcomes).job.source == "a"
    started = time.monotonic()
    with contextlib.closing(outcomes):  # type: ignore[type-var]
        assert len(multiprocessing.active_children()) == 2
    assert not multiprocessing.active_children() and time.monotonic() - started < 30


@pytest.fixture
def photos(tmp_path: Path, make_picture: PictureMaker) -> Path:
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    for number, name in enumerate(("a.png", "b.png", "deep/c.png")):
        Image.fromarray(make_picture(48, 80, number)).save(folder / name)
    (folder / "bad.png").write_bytes(b"no picture")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_files_are_those_of_one_process(photos: Path, tiny_model: Path, tmp_path: Path) -> None:
    for workers in (1, 2):
        arguments = ("-r", "--workers", workers, "--model", tiny_model)
        coded = jdc("encode", photos, "-o", tmp_path / f"jdc{workers}", *arguments)
        assert coded.exit_code == 1 and "3 photos, " in coded.stdout
        assert "bad.png: is not an image" in coded.stderr and "1 of 4 files failed" in coded.stderr
        decoded = jdc("decode", tmp_path / "jdc1", "-o", tmp_path / f"png{workers}", *arguments)
        assert decoded.exit_code == 0 and "3 photos, " in decoded.stdout
    for kind in ("jdc", "png"):
        one, two = contents(tmp_path / f"{kind}1"), contents(tmp_path / f"{kind}2")
        assert len(one) == 3 and one == two


def children(pid: int) -> list[int]:
    """The processes that a process has started, but for the one that multiprocessing keeps for itself."""
    names = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [
        int(name) for name in names if b"resource_tracker" not in Path(f"/proc/{name}/cmdline").read_bytes()
    ]


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="looks for processes in /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda n: n.name)
def test_an_interrupt_leaves_no_process_and_no_half_file(
    photos: Path, tiny_model: Path, tmp_path: Path, number: signal.Signals
) -> None:
    """Two photos never come, so that both workers are in the middle of one when the signal does."""
    waiting = [photos / "x.png", photos / "y.png"]
    for path in waiting:
        os.mkfifo(path)
    out = tmp_path / "out"
    words = [
        "encode",
        photos / "a.png",
        photos / "b.png",
        *waiting,
        "-o",
        out,
        "-w",
        "2",
        "--model",
        tiny_model,
    ]
    command = [sys.executable, "-c", "from jdcodec.cli import main; main()", *map(str, words)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    writers = [os.open(path, os.O_WRONLY) for path in waiting]  # returns as each is opened for reading
    workers = children(process.pid)
    assert len(workers) == 2
    wait_until(lambda: len(contents(out)) == 2)
    assert process.stdout is not None
    told = "".join(process.stdout.readline() for _ in range(2))  # the command knows of both, too
    assert "a.jdc: " in told and "b.jdc: " in told
    if number is signal.SIGINT:
        os.killpg(process.pid, number)  # Ctrl-C reaches every process of the terminal
    else:
        process.send_signal(number)
    status = process.wait(90)
    for writer in writers:
        os.close(writer)
    said = process.stdout.read() if process.stdout else ""
    assert status == (-number if number is signal.SIGKILL else 128 + number)
    wait_until(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))
    assert set(contents(out)) == {"a.jdc", "b.jdc"}
    assert "Traceback" not in said
    # A photo is told and then counted, and Ctrl-C may come in between.
    assert number is not signal.SIGINT or re.search("interrupted after [12] of 4 files", said)
