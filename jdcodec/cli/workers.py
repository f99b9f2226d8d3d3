"""Jobs shared among processes: each worker keeps its network warm and takes one job after the other.

The photos themselves never pass between processes: a worker reads its input and writes its output, and only
what there is to say about it comes back. Workers are spawned, not forked: a network's threads do not survive
that.
"""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any

from jdcodec.allocator import keep_freed_memory
from jdcodec.cli import common
from jdcodec.cli.jobs import Job
from jdcodec.cli.running import Outcome, attempt
from jdcodec.threads import usable_cores

# Seconds that a worker gets to clean up before it is ended by force; a network's step is shorter.
_PATIENCE = 10.0


def share(jobs: Sequence[Job], work: Callable[[Job], Any], count: int) -> Iterator[Outcome]:
    """Do jobs in `count` processes; yields each outcome as it comes.

    A worker that dies, as by the hand of a system out of memory, fails its own job, and another one takes its
    place. When the iterator is closed or an exception passes, Ctrl-C included, all workers end before that.
    """
    waiting = iter(jobs)
    team: list[_Worker] = []
    try:
        for job in itertools.islice(waiting, count):
            team.append(_Worker(work, count))
            team[-1].give(job)
        while team:
            ready = wait([worker.connection for worker in team])
            for worker in [worker for worker in team if worker.connection in ready]:
                outcome = worker.take()
                following = next(waiting, None)
                if following is not None:
                    able = worker if worker.alive else _Worker(work, count)
                    team[team.index(worker)] = able
                    able.give(following)
                yield outcome
                if following is None:
                    team.remove(worker)
                    worker.dismiss()
    finally:
        for worker in team:
            worker.terminate()
        for worker in team:
            worker.join()


class _Worker:
    """A process that does jobs. alive: whether it can take another one."""

    def __init__(self, work: Callable[[Job], Any], count: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.alive = True
        self._job: Job | None = None
        self.connection, other = context.Pipe()
        threads = max(1, usable_cores() // count)
        arguments = (other, work, threads, common.debug)
        self._process = context.Process(target=_serve, args=arguments, daemon=True)
        with _without_interrupts():
            self._process.start()
        other.close()

    def give(self, job: Job) -> None:
        """Start a job."""
        self._job = job
        # Where the process has died already, `take` finds that out.
        with contextlib.suppress(OSError):
            self.connection.send(job)

    def take(self) -> Outcome:
        """The outcome of the job; waits for it."""
        assert self._job is not None
        try:
            outcome = self.connection.recv()
            assert isinstance(outcome, Outcome)
            return outcome
        except (EOFError, OSError):
            self.alive = False
            self._process.join()
            return Outcome(self._job, failure=f"{self._job.source}: {self._cause_of_death()}")

    def dismiss(self) -> None:
        """Let it end, as there is nothing more to do."""
        self.connection.close()
        self.join()

    def terminate(self) -> None:
        """Ask it to leave its job; what it has begun to write is removed."""
        self._process.terminate()

    def join(self) -> None:
        """Wait for its end, and in the end force it."""
        self._process.join(_PATIENCE)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join()

    def _cause_of_death(self) -> str:
        if self._process.exitcode == -getattr(signal, "SIGKILL", 9):
            return "its worker was killed, as happens when memory runs out; try fewer --workers"
        return f"its worker ended unexpectedly, with status {self._process.exitcode}"


def _serve(connection: Connection, work: Callable[[Job], Any], threads: int, debug: bool) -> None:
    """The life of a worker: jobs in, outcomes out, until the other end is closed or gone."""
    # Ctrl-C reaches all processes of a terminal; the first one ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    common.end_cleanly_on_sigterm()
    os.environ["OMP_NUM_THREADS"] = str(threads)
    common.debug = debug
    keep_freed_memory()
    with contextlib.suppress(EOFError, OSError):
        while True:
            connection.send(attempt(connection.recv(), work))


@contextlib.contextmanager
def _without_interrupts() -> Iterator[None]:
    """Hold Ctrl-C back, so that a new process does not meet it before it is prepared for it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
