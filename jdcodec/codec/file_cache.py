"""What was read from files, kept for as long as they stay as they are."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")

# Nanoseconds; of file systems in use FAT has the coarsest clock.
_RECENT = 2_000_000_000


class FileCache(Generic[T]):
    """Calls `read` with a path, and again only when another file lies there: by its inode, size and time.

    A file that was written within the last two seconds is not kept: its next change may bear the same time.
    keep: how many files' contents are held, the longest unused let go first. Errors are those of `read`, and
    are not kept.
    """

    def __init__(self, read: Callable[[Path], T], keep: int) -> None:
        self._read, self._keep = read, keep
        self._held: OrderedDict[Path, tuple[object, T]] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, path: Path) -> T:
        state = _state(path)
        with self._lock:
            if path in self._held and self._held[path][0] == state:
                self._held.move_to_end(path)
                return self._held[path][1]
        content = self._read(path)
        if state is None or time.time_ns() - state[2] < _RECENT:
            return content
        with self._lock:
            self._held[path] = state, content
            self._held.move_to_end(path)
            while len(self._held) > self._keep:
                self._held.popitem(last=False)
        return content


def _state(path: Path) -> tuple[int, int, int] | None:
    """What changes with the file; None where it cannot be asked, which is for `read` to tell."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
