"""Memory that is freed is kept for what needs blocks of the same sizes next."""

from __future__ import annotations

import ctypes
import sys

#: Parameters of glibc's mallopt(3).
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8

#: Up to this much free memory is kept, and blocks up to the first of these sizes that is accepted come from
#: it: older versions take 32 MiB at most.
_KEPT = 1 << 30
_BLOCKS = (_KEPT, 32 << 20)


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
    # Where no size is accepted the others are left alone, too: setting any ends glibc's own adapting of it.
    if not any(mallopt(_MMAP_THRESHOLD, size) for size in _BLOCKS):
        return False
    return bool(mallopt(_TRIM_THRESHOLD, _KEPT) and mallopt(_ARENA_MAX, 1))
