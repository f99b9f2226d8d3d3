"""Memory that a step frees is kept for the next one, which wants blocks of the same sizes."""

from __future__ import annotations

import ctypes
import sys

#: Parameters of glibc's mallopt, mallopt(3), and what they are set to: blocks up to its limit for this come
#: from the heap, and the heap never shrinks.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_HEAP_BLOCKS = 32 << 20
_NEVER = 2**31 - 1


def keep_freed_memory() -> bool:
    """Have glibc keep freed memory; returns whether it does, which elsewhere is not.

    By default it gives large blocks back to the system, which has to clear them page by page when they are
    asked for again: about a tenth of a step's time on a CPU.
    """
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(_MMAP_THRESHOLD, _HEAP_BLOCKS) and mallopt(_TRIM_THRESHOLD, _NEVER))
