"""`jdc encode --scheduler` as a user meets it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.cli.conftest import Run, jdc
from tests.cluster.processes import free_port, wait_until
from tests.golden.make import WEIGHTS

__all__ = ["jdc"]

SETTINGS = ("--model", WEIGHTS, "--device", "cpu", "--precision", "fp32")


@pytest.fixture
def folder(tmp_path: Path, make_photos: Callable[[Path, int], None]) -> Path:
    make_photos(tmp_path / "in", 6)
    (tmp_path / "in" / "broken.png").write_bytes(b"nonsense")
    (tmp_path / "in" / "other.jp2").write_bytes(b"nonsense")
    return tmp_path / "in"


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.jdc")}


@pytest.fixture
def dasks_port_is_taken() -> Iterator[None]:
    """As by another job; Dask has a warning for that."""
    with socket.socket() as other, contextlib.suppress(OSError):
        other.bind(("0.0.0.0", 8787))
        other.listen()
        yield
        return
    yield


@pytest.mark.usefixtures("dasks_port_is_taken")
def test_local_workers_make_what_one_process_makes(jdc: Run, folder: Path, tmp_path: Path) -> None:
    local = ("encode", "in", "-o", "out", "-r", "--scheduler", "local", "--workers", "2", *SETTINGS)
    first = jdc(*local)
    assert first.returncode == 1
    assert first.stderr.decode() == (
        f"jdc: {folder}/broken.png: is not an image that jdc reads (RAW, PNG, JPEG, TIFF, WebP, AVIF, …)\n"
        "jdc: 1 of 7 files failed\n"
        "jdc: passed over: 1 .jp2, which jdc does not read\n"
    )
    assert first.stdout.decode().startswith("6 photos, ")
    jdc("encode", "in", "-o", "plain", "-r", *SETTINGS)
    assert len(_files(tmp_path / "plain")) == 6
    assert _files(tmp_path / "out") == _files(tmp_path / "plain")
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"in", "out", "plain", "jdc-manifest.jsonl"}
    records = list(map(json.loads, (tmp_path / "jdc-manifest.jsonl").read_text().splitlines()))
    done = [record for record in records if record["state"] == "done"]
    assert len({record["worker"] for record in done}) == 2  # though all would fit into one batch
    [run] = [record for record in records if record["state"] == "run"]
    assert all(run["at"] < record["at"] for record in done)

    (folder / "broken.png").unlink()
    again = jdc(*local, "--json")
    assert again.returncode == 0
    assert again.stderr == b"jdc: passed over: 1 .jp2, which jdc does not read\n"
    states = [json.loads(line)["state"] for line in again.stdout.splitlines()]
    assert states == ["skipped"] * 6


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--scheduler", "here:8786"], "'here:8786' is no address such as tcp://host:8786, nor local"),
        (["--scheduler", "local", "--update"], "the manifest skips what is done; leave it out"),
        (["--scheduler", "local", "-o", "-"], "with --scheduler the output is a folder or a bucket"),
        (["--scheduler", "local", "-o", "a.jdc"], "with --scheduler the output is a folder or a bucket"),
        (["--scheduler", "local", "--manifest", "s3://b/m"], "is a file on this machine, not a URL"),
        (["--manifest", "m.jsonl"], "belongs to --scheduler"),
        (["--batch", "3"], "belongs to --scheduler"),
        (["--give-up-after", "0"], "belongs to --scheduler"),
    ],
)
def test_usage(options: list[str], reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from typer.testing import CliRunner

    from jdcodec.cli import app

    done = CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1"}).invoke(app, ["encode", "in", *options])
    assert done.exit_code == 2
    assert reason in done.output


def test_without_the_extra_it_says_how_to_get_it(folder: Path, tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['distributed'] = None; from jdcodec.cli import main; "
        f"sys.argv = ['jdc', 'encode', 'in', '--scheduler', 'local', '--model', {str(WEIGHTS)!r}]; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == (
        "jdc: a cluster needs Dask and fsspec: pip install 'jdcodec[cluster]' (distributed is missing)\n"
    )
    assert {path.name for path in tmp_path.iterdir()} == {"in"}


def test_dask_is_imported_for_a_scheduler_only(folder: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from jdcodec.cli import app\n"
        f"sys.argv = ['jdc', 'encode', 'in/photo-001.png', '--model', {str(WEIGHTS)!r}]\n"
        "try: app()\nexcept SystemExit: pass\n"
        "print([name for name in ('dask', 'distributed', 's3fs') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.endswith("[]\n") and (folder / "photo-001.jdc").exists()


def test_no_scheduler_answers(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from jdcodec.cluster import scheduler
    from jdcodec.cluster.job import JobSettings
    from jdcodec.cluster.scheduler import Cluster
    from jdcodec.errors import ClusterError

    monkeypatch.setattr(scheduler, "_SILENCE", 0.1)
    told: list[str] = []
    address = f"tcp://127.0.0.1:{free_port()}"
    with pytest.raises(ClusterError) as caught:
        Cluster(JobSettings(address, patience=0.5), tell=told.append)
    assert str(caught.value).startswith(f"{address}: no scheduler answers: ")
    assert "\n" not in str(caught.value)
    assert told == [f"waiting for {address} (at most 0.5 s)"]


def _facts() -> list[object]:
    from dask import config

    names = ("distributed.worker.profile.enabled", "distributed.admin.tick.interval")
    return [*map(config.get, names), os.environ["OMP_NUM_THREADS"], os.environ["MALLOC_MMAP_THRESHOLD_"]]


def test_a_local_cluster_leaves_the_cores_to_the_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)  # or workers would have what the user wants
    from dask import config

    from jdcodec.cluster.job import JobSettings
    from jdcodec.cluster.scheduler import Cluster

    before = config.get("distributed.worker.profile.enabled")
    with Cluster(JobSettings("local")) as cluster:
        assert cluster._client.submit(_facts).result(timeout=60) == [False, "1s", "1", str(1 << 30)]
        assert config.get("distributed.worker.profile.enabled") is before


def test_ctrl_c_leaves_one_line_and_no_process(folder: Path, tmp_path: Path) -> None:
    """As a terminal does, SIGINT goes to all processes, workers included."""
    for number in range(400):
        shutil.copy(folder / "photo-001.png", folder / f"more-{number}.png")
    code = "from jdcodec.cli import main; main()"
    command = [sys.executable, "-c", code, "encode", "in", "-o", "out", "--scheduler", "local", "--quiet"]
    process = subprocess.Popen(
        [*command, *map(str, SETTINGS)], cwd=tmp_path, stderr=subprocess.PIPE, start_new_session=True
    )
    wait_until(lambda: list(tmp_path.glob("out/*.jdc")), "a first file")
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert re.fullmatch(
        r"jdc: interrupted after \d+ files; the same command goes on from there\n", said.decode()
    )
    wait_until(lambda: not _in_session(process.pid), "the end of the workers")
    assert not [path for path in (tmp_path / "out").iterdir() if path.suffix != ".jdc"]


def _in_session(session: int) -> list[int]:
    found = []
    for pid in psutil.pids():
        with contextlib.suppress(ProcessLookupError):
            found += [pid] if os.getsid(pid) == session else []
    return found
