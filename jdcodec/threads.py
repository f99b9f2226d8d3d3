"""How many processors to use, and tasks shared among that many threads."""

from __future__ import annotations

import contextlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")

#: Results that may wait for the one before them, for each thread.
_AHEAD = 2


def usable_cores() -> int:
    """Processors this process may run on, or OMP_NUM_THREADS where that is fewer."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
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
