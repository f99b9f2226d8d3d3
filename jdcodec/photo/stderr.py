"""What C libraries print on stderr while they decode: LibRaw and libtiff tell of damage nowhere else."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import threading
from collections.abc import Iterator

_lock = threading.Lock()


@contextlib.contextmanager
def stderr_without(pattern: re.Pattern[bytes]) -> Iterator[list[bytes]]:
    """Keep lines that match `pattern` from stderr while the block runs; afterwards the list holds them.

    The process's stderr goes to a temporary file meanwhile. What else was written there, by any thread, is
    passed on at the end. One thread at a time, since the redirection is the process's.
    """
    found: list[bytes] = []
    with _lock, tempfile.TemporaryFile() as capture:
        try:
            saved = os.dup(2)
        except OSError:
            # A process without stderr, such as a service: nothing to redirect.
            yield found
            return
        try:
            os.dup2(capture.fileno(), 2)
            yield found
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            capture.seek(0)
            printed = capture.read()
            found += pattern.findall(printed)
            if rest := pattern.sub(b"", printed):
                os.write(2, rest)
