"""Run one command and report its exit status, seconds and peak memory. Started as a script, by `process`.

    python -I -S launcher.py LIMIT_SECONDS COMMAND [ARGUMENT ...]

A process of its own, because Linux counts the memory of the parent that forks into the child's peak: a
benchmark holding half a gigabyte would read half a gigabyte for `cjpeg`. From here the floor is the 10 MB of
a bare Python. It imports nothing but the standard library's smallest parts, to keep it so.

Prints one line on standard output: exit status (negative: the signal that ended it), seconds, peak bytes,
and 1 if the time limit ended it. The command's own output goes to standard error.
"""

import os
import signal
import sys
import time
from types import FrameType


def main(limit: float, command: list[str]) -> int:
    """Run `command`; after `limit` seconds, or when told to stop, kill it with all that it started."""
    child = 0
    stopped_by = 0

    def stop(signal_number: int, _frame: FrameType | None) -> None:
        nonlocal stopped_by
        stopped_by = signal_number
        if child:
            os.killpg(child, signal.SIGKILL)

    for number in (signal.SIGALRM, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    start = time.perf_counter()
    output_to_error = (os.POSIX_SPAWN_DUP2, 2, 1)
    child = os.posix_spawnp(command[0], command, os.environ, file_actions=[output_to_error], setsid=True)
    signal.setitimer(signal.ITIMER_REAL, limit)
    _, status, usage = os.wait4(child, 0)
    seconds = time.perf_counter() - start
    signal.setitimer(signal.ITIMER_REAL, 0)
    unit = 1 if sys.platform == "darwin" else 1024
    timed_out = int(stopped_by == signal.SIGALRM)
    print(os.waitstatus_to_exitcode(status), f"{seconds:.6f}", usage.ru_maxrss * unit, timed_out)
    return 0


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), sys.argv[2:]))
