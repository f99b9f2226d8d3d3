"""Time and peak memory of one call in this process."""

from __future__ import annotations

import ctypes
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from .codec import Cost

Result = TypeVar("Result")

_STATUS = Path("/proc/self/status")
_CLEAR_REFS = Path("/proc/self/clear_refs")
_RESET_PEAK = "5"  # proc(5): "reset the peak resident set size to the process's current value"

_in_use = threading.Lock()


def measured(function: Callable[[], Result]) -> tuple[Result, Cost]:
    """`function()` and what it cost.

    Peak memory is by how many bytes the process's peak resident memory exceeds what it held before, once
    what earlier calls had freed is given back. It is known on Linux only, and only while no other call is
    measured at the same time.
    """
    alone = _in_use.acquire(blocking=False)
    try:
        before = _resident_after_reset() if alone else None
        start = time.perf_counter()
        result = function()
        seconds = time.perf_counter() - start
        grown = None if before is None else max(0, _status_bytes("VmHWM") - before)
        return result, Cost(seconds, grown)
    finally:
        if alone:
            _in_use.release()


def measured_warm(function: Callable[[], Result], compiled: Callable[[], int]) -> tuple[Result, Cost]:
    """As `measured`, and once more if `compiled()`, a count of things compiled, rose during the call.

    Networks may be compiled anew for each size of picture, which can take longer than running them.
    """
    before = compiled()
    first = measured(function)
    return first if compiled() == before else measured(function)


def _resident_after_reset() -> int | None:
    if not _CLEAR_REFS.exists():
        return None
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc keeps freed memory, which would hide use
    if trim:
        trim(0)
    try:
        _CLEAR_REFS.write_text(_RESET_PEAK)
    except OSError:
        return None
    return _status_bytes("VmRSS")


def _status_bytes(field: str) -> int:
    found = re.search(rf"^{field}:\s*(\d+) kB", _STATUS.read_text(), re.MULTILINE)
    return int(found[1]) * 1024 if found else 0
