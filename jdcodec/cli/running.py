"""Doing jobs: one, or several that go on past failures, here or in processes of their own."""

from __future__ import annotations

import stat
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from jdcodec.cli import common
from jdcodec.cli.jobs import Job
from jdcodec.cli.progress import Done, Tally, progress_bar
from jdcodec.cli.streams import STANDARD, source_name
from jdcodec.errors import JdcError

Finish = Callable[[Job, Any], Done | None]
Fail = Callable[[Job, str], None]


@dataclass(frozen=True)
class Outcome:
    """What became of a job: a result, or one line that says why there is none."""

    job: Job
    result: Any = None
    failure: str = ""


def run_jobs(
    jobs: Sequence[Job],
    work: Callable[[Job], Any],
    *,
    quiet: bool,
    finish: Finish | None = None,
    fail: Fail | None = None,
    workers: int = 1,
    update: bool = False,
) -> None:
    """Do each job; several go on past failures, which are listed at the end with exit status 1.

    `finish` tells the user what `work` returned, and counts it: several photos end with a line that sums them
    up. After Ctrl-C that line says how far it came. `fail` tells programs why `work` returned nothing. Only
    these two may write on standard output: where that cannot be written, its OSError ends the run.
    update: jobs whose output is newer are left out.

    workers: how many processes share the jobs, each with a network that stays warm. `work` then runs in one
    of them, so it has to be picklable; `finish` always runs here, as each job is done.
    """
    tally = Tally()
    todo = [job for job in jobs if not (update and is_up_to_date(job))]
    if len(jobs) == 1:
        for job in todo:
            _counted(_alone(job, work, fail), job, finish)
        return
    tally.skip(len(jobs) - len(todo))
    failures: dict[Job, str] = {}
    try:
        with (
            progress_bar([job.source for job in todo], tally, quiet=quiet) as advance,
            closing(_outcomes(todo, work, workers)) as outcomes,
        ):
            for outcome in outcomes:
                tally.add(_settle(outcome, finish, fail, failures))
                advance(outcome.job.source)
    except KeyboardInterrupt:
        common.complain(f"interrupted after {tally.finished} of {len(jobs)} files")
        raise
    if (tally.photos or tally.skipped) and not quiet:
        common.say(str(tally))
    if failures:
        for job in jobs:
            if job in failures:
                common.complain(failures[job])
        common.complain(f"{len(failures)} of {len(jobs)} files failed")
        raise typer.Exit(1)


def json_failure(job: Job, failure: str) -> None:
    """The line of --json for a photo that has no output; none where standard output is the output."""
    if job.target != STANDARD:
        common.say_json({"input": job.source, "output": job.target, "error": failure})


def json_failure_of_file(job: Job, failure: str) -> None:
    """The line of --json for a file that there is nothing to say about."""
    common.say_json({"file": job.source, "error": failure})


def _alone(job: Job, work: Callable[[Job], Any], fail: Fail | None) -> Any:
    """The result of the only job; raises what `work` does, a library's own errors as one line."""
    try:
        return _checked(job, work)
    except BrokenPipeError:
        raise
    except Exception as error:
        if common.debug:
            raise
        if fail is not None:
            fail(job, _failure(job, error))
        if isinstance(error, JdcError):
            raise
        raise JdcError(_failure(job, error)) from error


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
        return Outcome(job, _checked(job, work))
    except Exception as error:
        # A library's own error, as for want of memory: it must not take the other photos along.
        if common.debug:
            raise
        return Outcome(job, failure=_failure(job, error))


def _failure(job: Job, error: Exception) -> str:
    """One line, with the name of a file."""
    words = common.in_words(error)
    if isinstance(error, JdcError) or getattr(error, "filename", None):
        return words
    return f"{source_name(job.source)}: {words}"


def _checked(job: Job, work: Callable[[Job], Any]) -> Any:
    job.check()
    return work(job)


def _settle(
    outcome: Outcome, finish: Finish | None, fail: Fail | None, failures: dict[Job, str]
) -> Done | None:
    """Tell of an outcome; a failure is noted."""
    if outcome.failure:
        failures[outcome.job] = outcome.failure
        if fail is not None:
            fail(outcome.job, outcome.failure)
        return None
    try:
        return _counted(outcome.result, outcome.job, finish)
    except JdcError as error:
        if common.debug:
            raise
        failures[outcome.job] = str(error)
    return None


def _counted(result: Any, job: Job, finish: Finish | None) -> Done | None:
    if finish is not None:
        return finish(job, result)
    return result if isinstance(result, Done) else None


def is_up_to_date(job: Job) -> bool:
    """Whether the output is a file that is there and not older than its input."""
    if STANDARD in (job.source, job.target):
        return False
    try:
        output = Path(job.target).stat()
        return stat.S_ISREG(output.st_mode) and output.st_mtime_ns >= Path(job.source).stat().st_mtime_ns
    except OSError:
        return False
