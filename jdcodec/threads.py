"""How many processors to use, and tasks shared among that many threads."""

from __future__ import annotations

import contextlib
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")

#: Results that may wait for the one before them, for each thread.
_AHEAD = 2


#: More than what the kernel writes into any file that is read here.
_ENOUGH = 1 << 16


def available_cores() -> int:
    """Processors this process may run on, at most as many as its container has time on."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cpu_quota()
    return cores if quota is None else min(cores, quota)


def cpu_quota(root: str = "") -> int | None:
    """Processors whose time the control groups of this process allow it, rounded up; None: no bound.

    Containers and services are bounded so (`docker run --cpus 2`, CPUQuota= of systemd): they see all
    processors of the machine, and threads above the quota only wait. The tightest of a group and those above
    it counts, in version 1 and 2. What is missing or makes no sense is no bound.
    root: where /proc and /sys lie, which only Linux has.
    """
    if not sys.platform.startswith("linux"):
        return None
    quotas: list[int] = []
    for line in _text(f"{root}/proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        # Version 2 has one tree without a name of controllers, version 1 one for each set of them.
        kinds = controllers.split(",")
        if not controllers:
            quotas += _quotas(f"{root}/sys/fs/cgroup", path, "cpu.max")
        elif "cpu" in kinds:
            for folder in {controllers, "cpu"}:
                quotas += _quotas(
                    f"{root}/sys/fs/cgroup/{folder}", path, "cpu.cfs_quota_us", "cpu.cfs_period_us"
                )
    return min(quotas, default=None)


def _quotas(mount: str, path: str, *names: str) -> Iterator[int]:
    """Processors by the files `names` (quota and period) of a control group and of those above it."""
    group = PurePosixPath("/", path)
    # Seen from within a container the path may lead out of what is mounted; what is not there is no bound.
    for place in (group, *group.parents) if ".." not in group.parts else (PurePosixPath("/"),):
        words = " ".join(_text(f"{mount}{place}/{name}") for name in names).split()
        if len(words) == 2 and all(word.isdecimal() and len(word) < 20 for word in words):
            quota, period = map(int, words)
            if quota and period:
                yield -(-quota // period)


def _text(path: str) -> str:
    """The beginning of a file of the kernel, "" where it cannot be read."""
    try:
        with Path(path).open("rb") as file:
            return file.read(_ENOUGH).decode("ascii", "replace")
    except (OSError, ValueError):
        return ""


def usable_cores() -> int:
    """`available_cores`, or OMP_NUM_THREADS where that is fewer."""
    available = available_cores()
    with contextlib.suppress(ValueError):
        available = min(available, max(1, int(os.environ.get("OMP_NUM_THREADS", available))))
    return available


def in_order(run: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
    """What `run` gives for each task, in their order, computed on all processors.

    Worth it where `run` spends its time in numpy, which lets other threads go on. Few results are held at a
    time. An exception, of `run` or of `tasks` themselves, comes where its result would have, and tasks not
    yet begun are dropped.
    """
    threads = usable_cores()
    if threads == 1:
        yield from map(run, tasks)
        return
    waiting: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="jdc")
    try:
        for result in _submitted(pool, run, tasks):
            waiting.append(result)
            if len(waiting) > _AHEAD * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _submitted(
    pool: ThreadPoolExecutor, run: Callable[[Task], Result], tasks: Iterable[Task]
) -> Iterator[Future[Result]]:
    """The result of each task, and in the place of one that cannot be had a failed one."""
    try:
        for task in tasks:
            yield pool.submit(run, task)
    except Exception as error:
        failed: Future[Result] = Future()
        failed.set_exception(error)
        yield failed


@contextlib.contextmanager
def background() -> Iterator[Callable[..., Future[Any]]]:
    """A function that has others run in a thread of its own, one after the other: `run(function, *args)`.

    At the end of the block, if not before, all are waited for and the first exception among them is raised;
    where the block itself raises one, those not yet begun are dropped. Worth it beside networks, which need
    no interpreter.
    """
    pool = ThreadPoolExecutor(1, thread_name_prefix="jdc-background")
    waiting: deque[Future[Any]] = deque()

    def run(function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        while waiting and waiting[0].done():
            waiting.popleft().result()
        waiting.append(pool.submit(function, *arguments))
        return waiting[-1]

    try:
        yield run
        while waiting:
            waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
