"""However many photos: scheduler, workers and driver hold no more than for a few."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from jdcodec.cluster.driver import run_job
from jdcodec.cluster.job import Found, JobSettings, Order
from tests.cluster.conftest import PHOTOS
from tests.cluster.processes import DaskCluster

_COUNT = 10 * PHOTOS
_QUARTERS = 4


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[DaskCluster]:
    running = DaskCluster(tmp_path, {})
    try:
        running.start_worker("one")
        yield running
    finally:
        running.close()


def test_memory_does_not_grow_with_the_number_of_photos(
    alone: DaskCluster, order: Order, tmp_path: Path
) -> None:
    """Photos that fail at once, each in a batch of its own: as much bookkeeping as work can be."""
    (tmp_path / "bad.png").write_bytes(b"nonsense")
    found = (Found(str(tmp_path / "bad.png"), str(tmp_path / f"out/{n}.jdc"), 8, "1") for n in range(_COUNT))
    settings = JobSettings(alone.address, str(tmp_path / "manifest.jsonl"), batch=1)
    held: list[tuple[float, ...]] = []
    for number, record in enumerate(run_job(found, order, settings, tell=print), 1):
        assert record["state"] == "failed"
        if number % (_COUNT // _QUARTERS) == 0:
            processes = (alone.scheduler, alone.worker_process("one"), psutil.Process(os.getpid()))
            held.append(tuple(process.memory_info().rss / 2**20 for process in processes))
    print(f"\n{_COUNT} batches; MiB of scheduler, worker, driver after each quarter: {held}")
    for first, *_, last in zip(*held):
        assert last < first + 16
