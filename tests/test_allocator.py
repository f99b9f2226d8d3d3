"""Freed memory is used again without going through the system."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

_COUNT_FAULTS = """
import ctypes, resource, sys
from jdcodec.allocator import keep_freed_memory

assert sys.argv[1] == "default" or keep_freed_memory()
libc = ctypes.CDLL(None)
libc.malloc.argtypes, libc.malloc.restype = [ctypes.c_size_t], ctypes.c_void_p
libc.free.argtypes = [ctypes.c_void_p]
size = 40 << 20  # beyond what glibc keeps of itself
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    block = libc.malloc(size)
    ctypes.memset(block, 1, size)
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
