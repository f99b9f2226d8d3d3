"""The connection to a Dask cluster: tasks in, futures out, and who the workers are."""

from __future__ import annotations

import contextlib
import logging
import secrets
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING, Any

from jdcodec.cluster.job import JobSettings, Order, Record, Task
from jdcodec.cluster.worker import work_on
from jdcodec.errors import ClusterError

try:
    import dask
    from distributed import Client, KilledWorker, LocalCluster, span
    from distributed.diagnostics.plugin import SchedulerPlugin
except ImportError as error:
    raise ClusterError(
        f"a cluster needs Dask and fsspec: pip install 'jdcodec[cluster]' ({error.name or error} is missing)"
    ) from error

if TYPE_CHECKING:
    from distributed import Future

#: All keys begin with it. Dask groups keys by it too: one group, however many batches there are.
PREFIX = "jdc-batch"

_KEEP_WORKERS = 5.0  # seconds before the list of workers is asked for again
_SILENCE = 3.0  # seconds without an answer before the user is told what is waited for

# Of a local cluster, where all that Dask does is taken from the cores that code.
_LOCAL = {
    # The C library of workers reuses large blocks instead of returning each to the system, as networks ask
    # for the same ones again and again. Dask's own setting does the opposite.
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": 1 << 30,
    "distributed.nanny.pre-spawn-environ.MALLOC_MMAP_THRESHOLD_": 1 << 30,
    # Nobody looks at these: where workers spend their time, a hundred times a second, and how late each
    # event loop is, fifty times.
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "1s",
}

__all__ = ["Cluster", "KilledWorker"]


class FirstDeath(SchedulerPlugin):  # type: ignore[misc]  # distributed has no types where mypy looks
    """Runs on the scheduler: our tasks come back at the first death of a worker, not at the fourth.

    Dask by itself starts a task elsewhere three times, all of its photos with it, and then only says which
    task it was. The driver does better, as it can take a batch apart. Other people's tasks on the same
    scheduler keep Dask's way.
    """

    name = "jdcodec-first-death"
    idempotent = True

    def update_graph(self, scheduler: Any, *, tasks: Sequence[Any], **_: Any) -> None:
        """Count our new tasks as if their workers had died as often as Dask allows."""
        for key in tasks:
            task = scheduler.tasks.get(key)
            if task is not None and isinstance(key, str) and key.startswith(PREFIX):
                task.suspicious = max(task.suspicious, scheduler.allowed_failures)


class Cluster:
    """A scheduler and its workers; use it in a `with`.

    tell: takes a line about a scheduler that lets one wait. Raises ClusterError where none answers in time.
    """

    def __init__(
        self, settings: JobSettings, *, tell: Callable[[str], None] | None = None, verbose: bool = False
    ) -> None:
        self._settings, self._tell = settings, tell
        self._local: Any = None
        self._threads: dict[str, int] = {}
        self._asked = float("-inf")
        self._run = secrets.token_hex(4)
        self._count = 0
        if not verbose:
            # The driver says in one line what Dask would say in a page. The client has a level of its own.
            for name in ("distributed", "distributed.client"):
                logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        # All batches belong to one span of Dask's, which otherwise begins a new one, and keeps it for ever,
        # whenever there is nothing to do for a moment.
        with span("jdcodec"):
            self._annotations = dict(dask.get_annotations())
        self._client = self._connect()
        self._begin()

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()
        if self._local is not None:
            self._local.close()

    def submit(self, order: Order, batch: Sequence[Task], when_done: Callable[[Future], None]) -> Future:
        """Hand out a batch; `when_done` is called with the future, in another thread, whatever comes of it.

        Workers that could not do one of its photos are avoided where there are others.
        """
        if self._client.status != "running":
            self.reconnect()
        self._count += 1
        avoid = {worker for task in batch for worker in task.avoid}
        others = [worker for worker in self.workers() if worker not in avoid] if avoid else []
        with dask.annotate(**self._annotations):
            future = self._client.submit(
                work_on,
                order,
                tuple(batch),
                key=f"{PREFIX}-{self._run}-{self._count}",
                pure=False,
                workers=others or None,
                allow_other_workers=bool(others),
            )
        future.add_done_callback(when_done)
        return future

    def result(self, future: Future, timeout: float) -> list[Record]:
        """What a finished batch answered; raises TimeoutError where its worker died before it could."""
        answer: list[Record] = future.result(timeout=timeout)
        return answer

    def workers(self) -> dict[str, int]:
        """Threads of each worker by its address, as of a few seconds ago."""
        if time.monotonic() - self._asked > _KEEP_WORKERS and self._client.status == "running":
            # Where the connection breaks just now, the next batch notices.
            with contextlib.suppress(OSError):
                self._threads = dict(self._client.nthreads())
            self._asked = time.monotonic()
        return self._threads

    def retire(self, worker: str) -> None:
        """Let a worker finish what it has, and go."""
        # It may have gone by itself.
        with contextlib.suppress(OSError, ValueError):
            self._client.retire_workers([worker], close_workers=True)
        self._threads.pop(worker, None)

    def cancel(self, futures: Sequence[Future]) -> None:
        """Forget batches; one that runs already comes to its end unheard."""
        if self._client.status == "running":
            with contextlib.suppress(OSError):
                self._client.cancel(list(futures))

    def reconnect(self) -> None:
        """Wait for a scheduler that went away; raises ClusterError where it does not come back in time."""
        while self._client.status == "connecting":
            time.sleep(0.1)
        if self._client.status != "running":
            raise ClusterError(
                f"{self._settings.scheduler}: the scheduler has gone; "
                "start it, and run the same command again to go on"
            )
        self._asked = float("-inf")
        self._begin()

    def _connect(self) -> Any:
        settings = self._settings
        try:
            if settings.scheduler == "local":
                # No limit on memory: Dask would pause a worker for what a network holds, and wait for ever.
                with _interrupts_held_back(), dask.config.set(_LOCAL):
                    self._local = LocalCluster(
                        n_workers=settings.workers,
                        threads_per_worker=1,
                        processes=True,
                        memory_limit=0,
                        # Any free port, on this machine alone; without one Dask takes 8787, and complains.
                        dashboard_address="127.0.0.1:0",
                        scheduler_kwargs={"dashboard": False},
                        silence_logs=logging.CRITICAL,
                    )
            address = settings.scheduler if self._local is None else self._local.scheduler_address
            with self._told_of_silence():
                return Client(address, timeout=settings.patience, set_as_default=False)
        except (OSError, ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split())
            raise ClusterError(f"{settings.scheduler}: no scheduler answers: {reason}") from error

    @contextlib.contextmanager
    def _told_of_silence(self) -> Iterator[None]:
        """Say what is waited for, when it has not answered for some seconds."""
        if self._tell is None:
            yield
            return
        line = f"waiting for {self._settings.scheduler} (at most {self._settings.patience:g} s)"
        timer = threading.Timer(_SILENCE, self._tell, [line])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _begin(self) -> None:
        """What a scheduler needs before batches: the plugin, and a task that keeps their group alive."""
        try:
            self._client.register_plugin(FirstDeath())
        except Exception as error:
            # What the scheduler raised, whatever that was: it has no jdcodec, another one, or no pickles.
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise ClusterError(
                f"{self._settings.scheduler}: the scheduler must run where jdcodec is installed too: {reason}"
            ) from error
        with dask.annotate(**self._annotations):
            self._anchor = self._client.submit(int, key=f"{PREFIX}-{self._run}-{secrets.token_hex(4)}")


@contextlib.contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Let Ctrl-C wait, for good in the processes that are started meanwhile.

    A terminal sends it to all of them; workers would print tracebacks, though the driver is about to end
    them.
    Threads and processes inherit the mask, so it holds for workers that are started later too.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    # Its start would let SIGINT through again in the thread that happens to need it first.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
