"""Tasks shared among threads, and how many threads that is."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from jdcodec import threads
from jdcodec.threads import background, in_order, usable_cores


@pytest.fixture(params=[1, 2, 5])
def cores(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(threads, "usable_cores", lambda: request.param)
    return int(request.param)


def test_results_come_in_order(cores: int) -> None:
    def late(number: int) -> int:
        time.sleep(0.002 * (number % 3 == 0))
        return -number

    assert list(in_order(late, range(40))) == [-number for number in range(40)]
    assert list(in_order(late, [])) == []


def test_all_threads_work_at_once(cores: int) -> None:
    """Each task waits until as many are at it as there are threads."""
    together = threading.Barrier(cores, timeout=20)
    assert len(list(in_order(lambda number: together.wait(), range(2 * cores)))) == 2 * cores


def test_few_tasks_are_begun_ahead(cores: int) -> None:
    begun = []
    results = in_order(lambda number: number, (begun.append(number) or number for number in range(1000)))
    assert next(iter(results)) == 0
    assert len(begun) <= 3 * cores + 1


def test_an_error_comes_in_its_place_and_ends_the_rest(cores: int) -> None:
    done = []

    def work(number: int) -> int:
        if number == 3:
            raise ValueError("the third")
        done.append(number)
        return number

    results = in_order(work, range(1000))
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="the third"):
        next(results)
    assert len(done) < 50
    assert_no_thread_is_left()


def test_an_error_of_what_gives_tasks_comes_in_its_place(cores: int) -> None:
    def tasks() -> Iterator[int]:
        yield from range(3)
        raise ValueError("no fourth")

    def slowly(number: int) -> int:
        time.sleep(0.05)
        return number

    results = in_order(slowly, tasks())
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="no fourth"):
        next(results)


def test_the_background_takes_one_after_the_other() -> None:
    done: list[int] = []

    def work(number: int) -> int:
        time.sleep(0.002 * (number % 3 == 0))
        done.append(number)
        return -number

    with background() as run:
        futures = [run(work, number) for number in range(20)]
        assert futures[7].result() == -7
    assert done == list(range(20)) and all(future.done() for future in futures)
    assert_no_thread_is_left()


def test_an_error_in_the_background_is_raised() -> None:
    """At the end, if nobody asked before; what came after it is dropped or done, and no thread stays."""
    with pytest.raises(ZeroDivisionError), background() as run:
        run(divmod, 1, 0)
        time.sleep(0.05)
        run(divmod, 1, 1)  # finds that the first has failed
        pytest.fail("went on after an error")
    with pytest.raises(ZeroDivisionError), background() as run:
        run(divmod, 1, 0)
    assert_no_thread_is_left()


def test_what_has_not_begun_in_the_background_is_dropped_after_an_error() -> None:
    begun: list[int] = []

    def work(number: int) -> None:
        time.sleep(0.02)
        begun.append(number)

    with pytest.raises(ValueError, match="of the block"), background() as run:
        for number in range(50):
            run(work, number)
        raise ValueError("of the block")
    assert len(begun) < 10
    assert_no_thread_is_left()


def assert_no_thread_is_left() -> None:
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("jdc")]


def cores_with(setting: str | None, affinity: int | None = None) -> int:
    """`usable_cores` in a process with this OMP_NUM_THREADS, on so many processors."""
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    if setting is not None:
        environment["OMP_NUM_THREADS"] = setting
    script = f"""
import os
if {affinity} is not None:
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:{affinity}])
from jdcodec.threads import usable_cores
print(usable_cores())
"""
    command = [sys.executable, "-c", script]
    return int(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system has no processor affinity")
def test_processors_in_use() -> None:
    available = len(os.sched_getaffinity(0))
    assert cores_with(None) == available
    assert cores_with(None, affinity=1) == 1


def test_fewer_threads_are_taken_where_the_user_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)), raising=False)
    for setting, expected in (("3", 3), ("8", 8), ("100", 8), ("0", 1), ("-2", 1), ("many", 8), ("", 8)):
        monkeypatch.setenv("OMP_NUM_THREADS", setting)
        assert usable_cores() == expected, setting
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert usable_cores() == 8
