"""The driver's decisions, with a cluster made here that answers as the test says, in this process."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jdcodec.cluster import driver
from jdcodec.cluster.job import Found, JobSettings, Order, Record, Task
from jdcodec.cluster.scheduler import KilledWorker
from jdcodec.errors import ClusterError, PhotoError

Answer = Callable[[Task, str], str]
_collect = driver._Driver._collect


class _Future:
    def __init__(self, key: str, batch: Sequence[Task]) -> None:
        self.key, self.batch, self.status = key, batch, "pending"
        self.answers: list[Record] = []

    def exception(self) -> BaseException:
        return KilledWorker(self.key, SimpleNamespace(address="w"), 0)

    def add_done_callback(self, call: Callable[[_Future], None]) -> None:
        call(self)


class _Cluster:
    """Workers with one thread each. A batch is done when the driver asks for the next one, not before."""

    def __init__(self, answer: Answer, workers: int = 2) -> None:
        self.answer, self.most, self.retired, self.batches = answer, 0, [], []
        self._threads = {f"worker-{number}": 1 for number in range(workers)}
        self._waiting: deque[tuple[_Future, Callable[[_Future], None]]] = deque()
        self._count = 0

    def __enter__(self) -> _Cluster:
        return self

    def __exit__(self, *_: object) -> None: ...

    def workers(self) -> dict[str, int]:
        return self._threads

    def submit(self, order: Order, batch: Sequence[Task], when_done: Callable[[_Future], None]) -> _Future:
        self._count += 1
        future = _Future(str(self._count), batch)
        self._waiting.append((future, when_done))
        self.batches.append(len(batch))
        self.most = max(self.most, len(self._waiting))
        return future

    def work(self) -> None:
        """Do the oldest batch."""
        future, when_done = self._waiting.popleft()
        avoid = {worker for task in future.batch for worker in task.avoid}
        able = [worker for worker in self._threads if worker not in avoid] or list(self._threads)
        worker = able[self._count % len(able)]
        future.status = "finished"
        for task in future.batch:
            state = self.answer(task, worker)
            if state == "death":
                future.status = "error"
            record: Record = {"input": task.source, "output": task.target, "state": state, "worker": worker}
            future.answers.append({**record, "error": state, "version": task.version, "bytes": 1})
        when_done(future)

    def result(self, future: _Future, timeout: float) -> list[Record]:
        return future.answers

    def retire(self, worker: str) -> None:
        self.retired.append(worker)
        del self._threads[worker]

    def cancel(self, futures: Sequence[_Future]) -> None: ...

    def reconnect(self) -> None: ...


class _Job:
    """A job on a `_Cluster`: run it, and look at what it did."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, order: Order, folder: Path, cluster: _Cluster
    ) -> None:
        self.cluster, self.told, self.read = cluster, [], 0  # type: ignore[var-annotated]
        self._order, self._folder = order, folder
        monkeypatch.setattr(driver, "Cluster", lambda settings, **_: cluster)

        def collect(self: Any, *, wait: bool) -> Iterator[Record]:
            if wait:
                cluster.work()
            yield from _collect(self, wait=wait)

        monkeypatch.setattr(driver._Driver, "_collect", collect)

    def run(self, names: Iterable[str], **settings: Any) -> Iterator[Record]:
        job = JobSettings("tcp://nowhere:1", str(self._folder / "manifest.jsonl"), **{"batch": 4, **settings})
        return driver.run_job(self._found(names), self._order, job, tell=self.told.append)

    def _found(self, names: Iterable[str]) -> Iterator[Found]:
        for name in names:
            self.read += 1
            yield Found(name, f"out/{name}", size=1, version="1")


MakeJob = Callable[..., _Job]


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch, order: Order, tmp_path: Path) -> MakeJob:
    def make(answer: Answer, workers: int = 2) -> _Job:
        return _Job(monkeypatch, order, tmp_path, _Cluster(answer, workers))

    return make


def _states(records: Iterable[Record]) -> Counter[str]:
    return Counter(record["state"] for record in records)


def test_the_listing_is_read_no_further_than_the_workers_are(job: MakeJob) -> None:
    made = job(lambda task, worker: "done")
    settled, ahead = 0, 0
    for _ in made.run(str(number) for number in range(1000)):
        settled += 1
        ahead = max(ahead, made.read - settled)
    assert settled == 1000
    assert made.cluster.most == 4  # batches: two a thread
    assert ahead <= 8 * 4  # photos: those batches, and as many that wait
    assert set(made.cluster.batches[:-16]) == {4}


@pytest.mark.parametrize(
    ("photos", "workers", "batches"),
    [
        (12, 2, [3, 3, 2, 1, 1, 1, 1]),
        (40, 2, [8, 8, 6, 5, 4, 3, 2, 1, 1, 1, 1]),
        (9, 4, [2, 1, 1, 1, 1, 1, 1, 1]),
        (2, 1, [1, 1]),
    ],
)
def test_batches_shrink_towards_the_end(job: MakeJob, photos: int, workers: int, batches: list[int]) -> None:
    made = job(lambda task, worker: "done", workers)
    assert _states(made.run((str(number) for number in range(photos)), batch=8)) == {"done": photos}
    assert made.cluster.batches == batches


def test_a_long_listing_keeps_no_worker_waiting(job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    made = job(lambda task, worker: "done")
    read, submit = [], made.cluster.submit

    def watched(*arguments: Any) -> _Future:
        read.append(made.read)
        return submit(*arguments)

    monkeypatch.setattr(made.cluster, "submit", watched)
    list(made.run((str(number) for number in range(3000)), batch=200))
    assert read[0] <= 257  # a stride of the listing, though it is read 800 photos ahead
    assert made.cluster.batches[:2] == [200, 200]


def test_without_inputs_or_a_scheduler_nothing_is_left(
    job: MakeJob, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def missing() -> Iterator[str]:
        raise PhotoError("nowhere: no such file or folder")
        yield

    def no_scheduler(settings: JobSettings, **_: Any) -> None:
        raise ClusterError("no scheduler answers")

    made = job(lambda task, worker: "done")
    monkeypatch.setattr(driver, "Cluster", no_scheduler)
    with pytest.raises(PhotoError, match="no such file"):  # told of before the cluster is asked for
        list(made.run(missing()))
    assert list(made.run([])) == []
    with pytest.raises(ClusterError, match="no scheduler answers"):
        list(made.run(["0"]))
    assert list(tmp_path.iterdir()) == []


def test_what_a_worker_cannot_do_another_one_does(job: MakeJob) -> None:
    made = job(lambda task, worker: "fault" if worker == "worker-0" and task.source < "2" else "done")
    assert _states(made.run(["0", "1", "2", "3"])) == {"done": 4}
    assert made.cluster.retired == []


def test_a_worker_that_can_do_nothing_is_sent_away(job: MakeJob) -> None:
    made = job(lambda task, worker: "fault" if worker == "worker-0" else "done")
    assert _states(made.run(str(number) for number in range(40))) == {"done": 40}
    assert made.cluster.retired == ["worker-0"]
    assert made.told == ["worker-0: sent away, since others could do what it could not"]


def test_a_photo_that_no_worker_can_do_is_a_failure_and_no_workers_fault(job: MakeJob) -> None:
    made = job(lambda task, worker: "fault" if task.source == "7" else "done")
    records = {record["input"]: record["state"] for record in made.run(str(number) for number in range(20))}
    assert records.pop("7") == "failed"
    assert set(records.values()) == {"done"} and len(records) == 19
    assert made.cluster.retired == []


def test_a_job_that_no_worker_can_do_ends_early(job: MakeJob) -> None:
    made = job(lambda task, worker: "fault")
    with pytest.raises(ClusterError, match="no worker could do the last 20 photos: fault"):
        list(made.run((str(number) for number in range(10_000)), give_up_after=20))
    assert made.read < 100


def test_or_never(job: MakeJob) -> None:
    made = job(lambda task, worker: "fault")
    assert _states(made.run((str(number) for number in range(200)), give_up_after=0)) == {"failed": 200}


def test_only_the_photo_that_kills_is_set_aside(job: MakeJob) -> None:
    made = job(lambda task, worker: "death" if task.source in ("5", "11") else "done")
    names = [str(number) for number in range(16)]
    records = {record["input"]: record for record in made.run(names)}
    aside = {name for name, record in records.items() if record["state"] == "set aside"}
    assert aside == {"5", "11"}
    assert {records[name]["deaths"] for name in aside} == {3}
    assert _states(records.values()) == {"set aside": 2, "done": 14}


def test_deaths_are_counted_across_runs(job: MakeJob) -> None:
    deaths = []

    def answer(task: Task, worker: str) -> str:
        deaths.append(task.deaths)
        if len(deaths) == 3:
            raise KeyboardInterrupt
        return "death"

    with pytest.raises(KeyboardInterrupt):
        list(job(answer).run(["a"]))
    assert _states(job(answer).run(["a"])) == {"set aside": 1}
    assert deaths == [0, 1, 2, 2]
