"""`jdc encode --scheduler`: what it says while a cluster works, and at the end."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from jdcodec.cli import common
from jdcodec.cli.jobs import passing_over
from jdcodec.cli.progress import Done, Tally
from jdcodec.cli.streams import STANDARD
from jdcodec.errors import PhotoError
from jdcodec.photo.endings import PHOTO_ENDINGS

if TYPE_CHECKING:
    from jdcodec.cluster.job import JobSettings
    from jdcodec.codec.encoder import EncodeSettings
    from jdcodec.photo import ReadOptions

# Failures that are listed; the manifest has them all.
_LISTED = 20
_SKIPPED = ("skipped", "unchanged")
_BAD = ("failed", "refused", "set aside")


@dataclass(frozen=True)
class Choice:
    """What the command line says about the cluster; None: the job's own default."""

    scheduler: str
    manifest: str | None
    batch: int | None
    give_up_after: int | None
    workers: int
    force: bool

    def job(self) -> JobSettings:
        """Raises ClusterError for an address that is none."""
        from jdcodec.cluster.job import JobSettings

        given = {"manifest": self.manifest, "batch": self.batch, "give_up_after": self.give_up_after}
        chosen: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        return JobSettings(self.scheduler, workers=self.workers, force=self.force, **chosen)


def check_options(
    scheduler: str | None,
    output: str | None,
    *,
    update: bool,
    manifest: str | None,
    batch: int | None,
    give_up_after: int | None,
) -> None:
    """Raises BadParameter for what does not go with --scheduler, or not without."""
    if scheduler is None:
        own = {"--manifest": manifest, "--batch": batch, "--give-up-after": give_up_after}
        for option, value in own.items():
            if value is not None:
                raise typer.BadParameter("belongs to --scheduler", param_hint=option)
        return
    if scheduler != "local" and "://" not in scheduler:
        raise typer.BadParameter(
            f"{scheduler!r} is no address such as tcp://host:8786, nor local", param_hint="--scheduler"
        )
    if update:
        raise typer.BadParameter("the manifest skips what is done; leave it out", param_hint="--update")
    if output is not None and (output == STANDARD or output.endswith(".jdc")):
        raise typer.BadParameter("with --scheduler the output is a folder or a bucket", param_hint="--output")
    if manifest is not None and "://" in manifest:
        raise typer.BadParameter("is a file on this machine, not a URL", param_hint="--manifest")


def encode_scheduled(
    photos: Sequence[str],
    output: str | None,
    settings: EncodeSettings,
    reading: ReadOptions,
    stripped: frozenset[str],
    choice: Choice,
    *,
    recursive: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Do the job; failures are listed at the end with exit status 1."""
    if STANDARD in photos:
        raise PhotoError("standard input takes no scheduler; name files, folders or buckets")
    from jdcodec.cluster.driver import run_job
    from jdcodec.cluster.job import make_order
    from jdcodec.cluster.listing import find_photos

    job, order = choice.job(), make_order(settings, reading, stripped)
    with passing_over(quiet=quiet) as passed_over:
        found = find_photos(
            photos, output, endings=PHOTO_ENDINGS, recursive=recursive, passed_over=passed_over
        )
        records = run_job(found, order, job, tell=common.complain, verbose=common.debug)
        tally = _follow(records, job.manifest, as_json=as_json, quiet=quiet)
        if tally.finished == 0:
            more = "" if recursive else "; folders below it are read with --recursive"
            raise PhotoError(f"{', '.join(photos)}: no file with a known ending{more}")


def _follow(
    records: Generator[dict[str, Any], None, None], manifest: str, *, as_json: bool, quiet: bool
) -> Tally:
    """Tell what becomes of each photo, and in the end of all; raises typer.Exit where some failed."""
    tally = Tally()
    failures: list[str] = []
    failed = 0
    try:
        with closing(records), _progress(tally, quiet=quiet or as_json) as advance:
            for record in records:
                if record["state"] in _SKIPPED:
                    tally.skip(1)
                else:
                    tally.add(_done(record))
                if record["state"] in _BAD:
                    failed += 1
                    failures += [record["error"]] if failed <= _LISTED else []
                if as_json:
                    common.say_json(record)
                advance()
    except KeyboardInterrupt:
        common.complain(f"interrupted after {tally.finished} files; the same command goes on from there")
        raise
    if str(tally) and not quiet and not as_json:
        common.say(str(tally))
    _report(failures, failed, tally.finished, manifest)
    return tally


def _done(record: dict[str, Any]) -> Done | None:
    if record["state"] in _BAD:
        return None
    return Done(record["width"] * record["height"], record["input_bytes"], record["bytes"])


def _report(failures: list[str], failed: int, finished: int, manifest: str) -> None:
    if not failed:
        return
    for failure in failures:
        common.complain(failure)
    if failed > len(failures):
        common.complain(f"and {failed - len(failures):,} more; {manifest} has them all")
    common.complain(f"{failed:,} of {finished:,} files failed")
    raise typer.Exit(1)


@contextmanager
def _progress(tally: Tally, *, quiet: bool) -> Iterator[Callable[[], None]]:
    """A line on standard error where that is a terminal; how many photos there are nobody knows yet."""
    if quiet or not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("0 photos", total=None)
        yield lambda: bar.update(task, description=f"{tally.finished:,} photos  {tally.speed}")
