"""Memory that is freed is kept for what needs blocks of the same sizes next."""

from __future__ import annotations

import ctypes
import sys

#: Parameters of glibc's mallopt(3), and the size up to which blocks come from a heap that does not shrink.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
_KEPT = 1 << 30


def keep_freed_memory() -> bool:
    """Let the C library use large blocks again instead of returning each to the system.

    Networks allocate and free many megabytes; getting fresh zeroed pages for each took a tenth of the time of
    a 12-megapixel photo, and of a training step on a CPU. All threads share one heap: what one has freed
    another can use, which saves a tenth of the memory. Returns whether the library can: only glibc does.
    """
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    wanted = ((_MMAP_THRESHOLD, _KEPT), (_TRIM_THRESHOLD, _KEPT), (_ARENA_MAX, 1))
    accepted = [mallopt(parameter, value) for parameter, value in wanted]
    return all(accepted)
