"""The driver of a job: it plans, hands out batches, and writes down what becomes of each photo.

Only so many batches are out at a time, and the listing is read as many photos ahead, so neither the driver's
memory nor the scheduler's grows with the number of photos. Batches shrink towards the end of the listing, so
that workers finish together. Nothing is lost when anything dies: a photo is done when its line is in the
manifest, and until then the next run does it again.

A worker that dies takes its batch with it. Each photo of the batch then goes out alone, as a suspect, a few
at a time; one that was on workers that died three times is set aside.
"""

from __future__ import annotations

import itertools
import queue
import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from jdcodec.cluster.job import Found, JobSettings, Order, Record, Task
from jdcodec.cluster.manifest import Manifest
from jdcodec.cluster.planning import Planner
from jdcodec.cluster.scheduler import Cluster, KilledWorker
from jdcodec.errors import ClusterError

if TYPE_CHECKING:
    from distributed import Future

# How much of the listing is read between two looks at what has come back.
_STRIDE = 256
# Seconds: how long to wait for results before looking whether there are workers at all, and how long for the
# answer of a batch that is done.
_WAIT = 5.0
# Photos that a worker could not do and another one could, before the worker is sent away.
_PROOFS = 3
# One suspect in so many workers: two on one machine could not be told apart.
_WORKERS_PER_SUSPECT = 8
# So many suspects may wait before the listing is read on.
_MAX_SUSPECTS = 10_000


def run_job(
    found: Iterable[Found],
    order: Order,
    settings: JobSettings,
    *,
    tell: Callable[[str], None],
    verbose: bool = False,
) -> Generator[Record, None, None]:
    """Do a job; yields a record for each photo as it is dealt with, as the manifest has it.

    Those that the manifest knows as done come as "skipped". tell: takes a line about the cluster itself.
    Raises ClusterError where there is no scheduler (any more), where no worker can do its work, or where the
    manifest cannot be used. Where there is nothing to do, or the first input cannot be listed, neither the
    cluster nor the manifest is touched; where there is no scheduler, no manifest is left. Closing the
    iterator, as Ctrl-C does, takes back what is out.
    """
    found = iter(found)
    first = next(found, None)
    if first is None:
        return
    run: Record = {"state": "run", "key": order.key, "jdc": order.version, "model": order.model_id}
    run["at"] = round(time.time(), 3)
    with Manifest(settings.manifest) as manifest, Cluster(settings, tell=tell, verbose=verbose) as cluster:
        manifest.append([run])
        driver = _Driver(cluster, manifest, order, settings, tell)
        yield from driver.run(Planner(itertools.chain([first], found), manifest, order, force=settings.force))


class _Driver:
    def __init__(
        self,
        cluster: Cluster,
        manifest: Manifest,
        order: Order,
        settings: JobSettings,
        tell: Callable[[str], None],
    ) -> None:
        self._cluster, self._manifest, self._order = cluster, manifest, order
        self._settings, self._tell = settings, tell
        self._out: dict[str, tuple[Future, tuple[Task, ...]]] = {}
        self._back: queue.SimpleQueue[Future] = queue.SimpleQueue()
        self._fresh: list[Task] = []
        self._again: deque[Task] = deque()
        self._suspects: deque[Task] = deque()
        self._suspects_out: set[str] = set()
        self._proofs: Counter[str] = Counter()
        self._failed_in_a_row = 0
        self._lonely = False

    def run(self, planner: Planner) -> Iterator[Record]:
        try:
            while True:
                if self._wants_more(planner):
                    yield from self._plan(planner)
                self._hand_out(last=planner.exhausted)
                if planner.exhausted and not self._out:
                    return
                yield from self._collect(wait=not self._wants_more(planner))
        finally:
            self._cluster.cancel([future for future, _ in self._out.values()])

    def _wants_more(self, planner: Planner) -> bool:
        enough = len(self._suspects) >= _MAX_SUSPECTS or len(self._fresh) >= self._ahead()
        return not planner.exhausted and not enough

    def _room(self) -> int:
        """Batches that may be out, two a thread: one in work, one that is waiting for it."""
        return max(4, 2 * sum(self._cluster.workers().values()))

    def _has_room(self) -> bool:
        return len(self._out) < self._room()

    def _ahead(self) -> int:
        """Photos to read ahead, so that the end of the listing is seen while batches can still shrink."""
        return self._room() * self._settings.batch

    def _plan(self, planner: Planner) -> Iterator[Record]:
        """Read on in the listing until enough is known, or for a stride."""
        settled, ahead = [], self._ahead()
        for decision in itertools.islice(planner, _STRIDE):
            if not isinstance(decision, Task):
                settled.append(decision)
            elif decision.deaths:
                self._suspects.append(decision)
            else:
                self._fresh.append(decision)
                if len(self._fresh) >= ahead:
                    break
        self._manifest.append(record for record in settled if record["state"] in ("failed", "refused"))
        yield from settled

    def _hand_out(self, *, last: bool) -> None:
        lanes = max(1, len(self._cluster.workers()) // _WORKERS_PER_SUSPECT)
        while self._suspects and len(self._suspects_out) < lanes:
            self._suspects_out.add(self._submit([self._suspects.popleft()]))
        while self._again and self._has_room():
            self._submit([self._again.popleft()])
        while self._has_room() and (share := self._share(last=last)):
            batch, self._fresh = self._fresh[:share], self._fresh[share:]
            self._submit(batch)

    def _share(self, *, last: bool) -> int:
        """Photos of the next batch; 0 where the listing is to be read on first.

        Near the end a batch is one part in `_room()` of what is left. Where the listing lets itself be waited
        for, whole batches go to threads that would have nothing to do.
        """
        known, whole = len(self._fresh), self._settings.batch
        if last or known >= self._ahead():
            return min(whole, -(-known // self._room()))
        return whole if known >= whole and len(self._out) < self._room() // 2 else 0

    def _submit(self, batch: Sequence[Task]) -> str:
        # Before any worker can write an output, so that the next run knows whose it is.
        self._manifest.append([{"state": "started", "outputs": [task.target for task in batch]}])
        future = self._cluster.submit(self._order, batch, self._back.put)
        self._out[future.key] = future, tuple(batch)
        return str(future.key)

    def _collect(self, *, wait: bool) -> Iterator[Record]:
        """Take in what has come back; where `wait`, wait for it."""
        try:
            future = self._back.get(timeout=_WAIT if wait else 0.001)
        except queue.Empty:
            self._look_for_workers()
            return
        while True:
            yield from self._take(future)
            try:
                future = self._back.get_nowait()
            except queue.Empty:
                return

    def _look_for_workers(self) -> None:
        lonely = bool(self._out) and not self._cluster.workers()
        if lonely and not self._lonely:
            self._tell(f"no workers at {self._settings.scheduler}; waiting for some")
        self._lonely = lonely

    def _take(self, future: Future) -> Iterator[Record]:
        """One batch that has come back, or will not."""
        if future.key not in self._out:
            return
        status = future.status
        if status == "finished":
            try:
                answers = self._cluster.result(future, _WAIT)
            except TimeoutError:
                # The worker died with the answer; Dask does the batch again.
                future.add_done_callback(self._back.put)
                return
            except Exception:
                # The connection broke, or the batch died again, between the look and the answer.
                status = "error" if future.status == "error" else "lost"
        _, batch = self._out.pop(future.key)
        self._suspects_out.discard(future.key)
        if status == "finished":
            settled = [record for task, answer in zip(batch, answers) for record in self._judge(task, answer)]
        elif status == "error":
            settled = self._after_error(batch, future.exception())
        else:
            settled = []
            self._after_loss(batch)
        self._manifest.append(settled)
        yield from (record for record in settled if record["state"] != "died")

    def _judge(self, task: Task, answer: Record) -> list[Record]:
        """What one answer means: a record where the photo is settled, none where it is tried again."""
        worker = answer["worker"]
        if answer["state"] == "fault":
            task = task.after_fault(worker)
            if task.tries < self._settings.max_tries:
                self._again.append(task)
                return []
            self._failed_in_a_row += 1
            if self._failed_in_a_row == self._settings.give_up_after:
                count = self._failed_in_a_row
                raise ClusterError(f"no worker could do the last {count} photos: {answer['error']}")
            return [{**answer, "state": "failed"}]
        self._failed_in_a_row = 0
        if answer["state"] == "failed":
            return [answer]
        self._proofs[worker] = 0
        for other in set(task.avoid) - {worker}:
            self._prove(other)
        return [{**answer, "key": self._order.key}]

    def _prove(self, worker: str) -> None:
        """A photo that `worker` could not do was done by another one."""
        self._proofs[worker] += 1
        if self._proofs[worker] >= _PROOFS and worker in self._cluster.workers():
            self._cluster.retire(worker)
            self._tell(f"{worker}: sent away, since others could do what it could not")

    def _after_error(self, batch: Sequence[Task], error: BaseException | None) -> list[Record]:
        if isinstance(error, KilledWorker):
            return [record for task in batch for record in self._suspect(task.after_death(), error)]
        # The task itself could not run, as where a worker has no jdcodec.
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        fault = {"state": "fault", "worker": "", "error": f"the worker could not start: {reason}"}
        return [
            record
            for task in batch
            for record in self._judge(task, {"input": task.source, "output": task.target, **fault})
        ]

    def _suspect(self, task: Task, error: KilledWorker) -> list[Record]:
        record: Record = {
            "input": task.source,
            "output": task.target,
            "deaths": task.deaths,
            "worker": error.last_worker.address,
        }
        if task.deaths < self._settings.max_deaths:
            self._suspects.append(task)
            return [{**record, "state": "died"}]
        reason = f"{task.source}: {task.deaths} workers died while they had it"
        known = {"version": task.version, "key": self._order.program_key}
        return [{**record, **known, "state": "set aside", "error": reason}]

    def _after_loss(self, batch: Sequence[Task]) -> None:
        """The scheduler went away, or somebody cancelled the batch: hand it out again."""
        self._cluster.reconnect()
        for task in batch:
            (self._suspects if task.deaths else self._fresh).append(task)
