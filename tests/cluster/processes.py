"""A real Dask cluster on this machine: a scheduler and workers, each a process that can be killed."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil

PRELOAD = Path(__file__).with_name("preload.py")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(true: Callable[[], object], what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"waited for {what} in vain"
        time.sleep(0.05)


class DaskCluster:
    """`dask scheduler` and `dask worker` as subprocesses; workers come back when they die, as Dask's do."""

    def __init__(self, root: Path, environment: Mapping[str, str]) -> None:
        self.address = f"tcp://127.0.0.1:{free_port()}"
        self._root = root
        self._environment = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
        self._processes: list[subprocess.Popen[bytes]] = []
        self.workers: dict[str, subprocess.Popen[bytes]] = {}
        self.start_scheduler()

    def start_scheduler(self) -> None:
        port = self.address.rpartition(":")[2]
        self._scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", port)

    def kill_scheduler(self) -> None:
        self._scheduler.kill()
        self._scheduler.wait()

    def start_worker(self, name: str, *, threads: int = 1, full_disk: Path | None = None) -> None:
        """full_disk: a folder that is a disk without room for this worker alone (needs root)."""
        scratch = str(self._root / f"scratch-{name}")
        options = ["worker", self.address, "--name", name, "--nthreads", str(threads)]
        options += ["--local-directory", scratch, "--memory-limit", "0", "--preload", str(PRELOAD)]
        self.workers[name] = self._start(*options, full_disk=full_disk)

    def _start(self, *arguments: str, full_disk: Path | None = None) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "dask", *arguments, "--no-dashboard"]
        if full_disk is not None:
            folder, whole = shlex.quote(str(full_disk)), shlex.join(command)
            fill = f"mount -t tmpfs -o size=4k tmpfs {folder} && head -c 4096 /dev/zero > {folder}/fill"
            command = ["unshare", "-m", "sh", "-c", f"{fill} && exec {whole}"]
        with (self._root / f"{len(self._processes)}.log").open("wb") as log:
            process = subprocess.Popen(
                command, env=self._environment, cwd=self._root, stdout=log, stderr=log, start_new_session=True
            )
        self._processes.append(process)
        return process

    def worker_process(self, name: str) -> psutil.Process:
        """The process that works; its parent watches it and starts another one when it dies."""
        import psutil

        children = psutil.Process(self.workers[name].pid).children(recursive=True)
        return next(child for child in children if "spawn_main" in " ".join(child.cmdline()))

    @property
    def scheduler(self) -> psutil.Process:
        import psutil

        return psutil.Process(self._scheduler.pid)

    def kill_worker(self, name: str) -> None:
        self.worker_process(name).kill()

    def close(self) -> None:
        for process in self._processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
