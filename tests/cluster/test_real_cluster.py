"""A scheduler and two workers as processes: what they make, and what is left when one of them dies."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from jdcodec.cluster.job import Record
from jdcodec.errors import ClusterError
from tests.cluster.conftest import PHOTOS, RunJob
from tests.cluster.processes import DaskCluster, wait_until


def _files(folder: Path) -> dict[str, bytes]:
    """What lies in a folder, but for the temporary file that a killed process cannot take away."""
    paths = (path for path in folder.rglob("*") if path.is_file() and not path.match(".jdc-*.tmp"))
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def _lines(tmp_path: Path, state: str) -> list[Record]:
    lines = (tmp_path / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    return [record for record in map(json.loads, lines) if record["state"] == state]


def test_the_same_bytes_as_one_process_though_a_worker_is_killed(
    cluster: DaskCluster, run: RunJob, photos: Path, expected: dict[str, bytes], tmp_path: Path
) -> None:
    states: Counter[str] = Counter()
    for record in run(photos, to=tmp_path / "out"):
        states[record["state"]] += 1
        if states.total() == PHOTOS // 4:
            cluster.kill_worker("one")
    assert states == {"done": PHOTOS}
    assert _files(tmp_path / "out") == expected
    assert len(_lines(tmp_path, "done")) == PHOTOS
    assert Counter(record["state"] for record in run(photos, to=tmp_path / "out")) == {"skipped": PHOTOS}


def test_a_photo_that_kills_three_workers_is_set_aside(
    run: RunJob, photos: Path, expected: dict[str, bytes], tmp_path: Path
) -> None:
    some = sorted(photos.glob("*.png"))[:8]
    folder = tmp_path / "in"
    folder.mkdir()
    for path in some:
        shutil.copy(path, folder)
    shutil.copy(some[0], folder / "photo-poison.png")
    records = list(run(folder, to=tmp_path / "out"))
    [aside] = [record for record in records if record["state"] != "done"]
    assert (aside["state"], aside["deaths"]) == ("set aside", 3)
    assert aside["error"] == f"{folder / 'photo-poison.png'}: 3 workers died while they had it"
    assert _files(tmp_path / "out") == {p.stem + ".jdc": expected[p.stem + ".jdc"] for p in some}
    # It is named again, and kills no more.
    again = list(run(folder, to=tmp_path / "out"))
    assert Counter(record["state"] for record in again) == {"skipped": 8, "set aside": 1}


def test_a_job_that_was_broken_off_goes_on(
    run: RunJob, photos: Path, expected: dict[str, bytes], tmp_path: Path
) -> None:
    job = run(photos, to=tmp_path / "out")
    begun = Counter(record["state"] for record, _ in zip(job, range(PHOTOS // 3)))
    job.close()  # type: ignore[attr-defined]  # what Ctrl-C comes to; workers go on for a moment
    rest = Counter(record["state"] for record in run(photos, to=tmp_path / "out"))
    assert begun == {"done": PHOTOS // 3}
    assert rest["skipped"] >= begun["done"] and rest["skipped"] + rest["done"] == PHOTOS
    assert _files(tmp_path / "out") == expected
    done = [record["output"] for record in _lines(tmp_path, "done")]
    assert len(done) == len(set(done)) == PHOTOS


def test_buckets_are_folders(run: RunJob, photos: Path, expected: dict[str, bytes], bucket: str) -> None:
    import fsspec

    store = fsspec.filesystem("s3", use_listings_cache=False)
    source, root = photos / "below", f"{bucket.removeprefix('s3://')}/out/"
    wanted = {name: data for name, data in expected.items() if name.startswith("below/")}
    for path in source.iterdir():
        store.put_file(str(path), f"{bucket}/in/below/{path.name}")
    assert Counter(r["state"] for r in run(f"{bucket}/in", to=f"{bucket}/out")) == {"done": len(wanted)}
    assert {name.removeprefix(root): store.cat_file(name) for name in store.find(root)} == wanted
    assert Counter(r["state"] for r in run(f"{bucket}/in", to=f"{bucket}/out")) == {"skipped": len(wanted)}


def test_a_worker_whose_disk_is_full_is_sent_away(
    cluster: DaskCluster, run: RunJob, photos: Path, expected: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    (out / "below").mkdir(parents=True)
    if os.getuid() or subprocess.run(["unshare", "-m", "true"]).returncode:
        pytest.skip("only root can give one process a disk of its own")
    cluster.start_worker("full", full_disk=out)
    job = run(photos, to=out)
    from distributed import Client

    with Client(cluster.address, set_as_default=False) as client:
        client.wait_for_workers(3, timeout=60)
    assert Counter(record["state"] for record in job) == {"done": PHOTOS}
    assert _files(out) == expected
    wait_until(lambda: cluster.workers["full"].poll() is not None, "the end of the worker")


def test_a_scheduler_that_comes_back_loses_nothing(
    cluster: DaskCluster, run: RunJob, photos: Path, expected: dict[str, bytes], tmp_path: Path
) -> None:
    states: Counter[str] = Counter()
    for record in run(photos, to=tmp_path / "out"):
        states[record["state"]] += 1
        if states.total() == PHOTOS // 4:
            cluster.kill_scheduler()
            cluster.start_scheduler()
            # Workers end with their scheduler; whatever watches over them starts them again.
            cluster.start_worker("three")
    assert states == {"done": PHOTOS}
    assert _files(tmp_path / "out") == expected
    done = [record["output"] for record in _lines(tmp_path, "done")]
    assert len(done) == len(set(done)) == PHOTOS


def test_without_a_scheduler_the_job_ends_and_the_next_run_goes_on(
    cluster: DaskCluster, run: RunJob, photos: Path, expected: dict[str, bytes], tmp_path: Path
) -> None:
    states: Counter[str] = Counter()
    with pytest.raises(
        ClusterError, match="the scheduler has gone; start it, and run the same command again"
    ):
        for record in run(photos, to=tmp_path / "out", patience=3.0):
            states[record["state"]] += 1
            if states.total() == PHOTOS // 4:
                cluster.kill_scheduler()
    # One line from us, and none from Dask.
    assert not logging.getLogger("distributed.client").isEnabledFor(logging.ERROR)
    cluster.start_scheduler()
    cluster.start_worker("four")
    states.update(record["state"] for record in run(photos, to=tmp_path / "out") if record["state"] == "done")
    assert states == {"done": PHOTOS}
    assert _files(tmp_path / "out") == expected
