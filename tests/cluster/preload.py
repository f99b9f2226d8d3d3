"""Loaded into each worker of the tests: a photo with "poison" in its name kills the process that codes it.

It stands for whatever does that in life: a fault in a C library, or a system out of memory.
"""

from __future__ import annotations

import os
import signal
from typing import Any

from jdcodec.cluster import worker


def dask_setup(_: object) -> None:
    """Called by Dask when the worker starts."""
    encode = worker._encode

    def encode_or_die(photo: Any, order: Any, name: str) -> Any:
        if "poison" in name:
            os.kill(os.getpid(), signal.SIGKILL)
        return encode(photo, order, name)

    worker._encode = encode_or_die
