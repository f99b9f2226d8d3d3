"""Freed memory is used again without going through the system."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from types import SimpleNamespace

import pytest

from jdcodec import allocator

_COUNT_FAULTS = """
import ctypes, resource, sys
from jdcodec.allocator import keep_freed_memory

assert sys.argv[1] == "default" or keep_freed_memory()
libc = ctypes.CDLL(None)
libc.malloc.argtypes, libc.malloc.restype = [ctypes.c_size_t], ctypes.c_void_p
libc.free.argtypes = [ctypes.c_void_p]
size = 24 << 20  # four of them are beyond what glibc keeps of itself
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    blocks = [libc.malloc(size) for _ in range(4)]
    for block in blocks:
        ctypes.memset(block, 1, size)
    for block in blocks:
        libc.free(block)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has mallopt")
def test_freed_blocks_are_used_again() -> None:
    def faults(how: str) -> int:
        run = [sys.executable, "-c", _COUNT_FAULTS, how]
        # Dask leaves settings of the allocator in the environment.
        plain = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
        return int(subprocess.run(run, check=True, capture_output=True, text=True, env=plain).stdout)

    assert faults("kept") < 0.2 * faults("default")


@pytest.mark.skipif(sys.platform != "linux", reason="not asked for elsewhere")
@pytest.mark.parametrize("accepted", [(), (32 << 20,), (32 << 20, 1 << 30)])
def test_what_the_library_refuses(accepted: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """glibc up to 2.35 takes no block above 32 MiB; where it takes none, nothing else may be set."""
    calls: list[tuple[int, int]] = []

    def mallopt(parameter: int, value: int) -> int:
        calls.append((parameter, value))
        return int(parameter != allocator._MMAP_THRESHOLD or value in accepted)

    monkeypatch.setattr(allocator.ctypes, "CDLL", lambda _: SimpleNamespace(mallopt=mallopt))
    assert allocator.keep_freed_memory() == bool(accepted)
    sizes = [value for parameter, value in calls if parameter == allocator._MMAP_THRESHOLD]
    assert sizes == ([1 << 30] if 1 << 30 in accepted else [1 << 30, 32 << 20])
    assert len(calls) == len(sizes) + (2 if accepted else 0)
