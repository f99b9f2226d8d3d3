"""Tasks shared among threads, and how many threads that is."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jdcodec import threads
from jdcodec.threads import available_cores, background, cpu_quota, in_order, usable_cores


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
    assert cores_with(None) == min(len(os.sched_getaffinity(0)), cpu_quota() or 1 << 20)
    assert cores_with(None, affinity=1) == 1


def test_fewer_threads_are_taken_where_the_user_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)), raising=False)
    monkeypatch.setattr(threads, "cpu_quota", lambda: None)
    for setting, expected in (("3", 3), ("8", 8), ("100", 8), ("0", 1), ("-2", 1), ("many", 8), ("", 8)):
        monkeypatch.setenv("OMP_NUM_THREADS", setting)
        assert usable_cores() == expected, setting
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert usable_cores() == 8


def machine(root: Path, files: dict[str, str]) -> str:
    """A folder with /proc/self/cgroup and files below /sys/fs/cgroup."""
    for name, text in files.items():
        path = root / ("proc/self/cgroup" if name == "own" else f"sys/fs/cgroup/{name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
    return str(root)


def version_1(quota: str, period: str = "100000", folder: str = "cpu,cpuacct") -> dict[str, str]:
    return {f"{folder}/cpu.cfs_quota_us": quota + "\n", f"{folder}/cpu.cfs_period_us": period + "\n"}


V1 = "12:pids:/docker/ab\n4:cpu,cpuacct:/docker/ab\n0::/\n"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"own": "0::/\n", "cpu.max": "200000 100000\n"}, 2),
        ({"own": "0::/\n", "cpu.max": "150000 100000\n"}, 2),
        ({"own": "0::/\n", "cpu.max": "5000 100000\n"}, 1),
        ({"own": "0::/\n", "cpu.max": "max 100000\n"}, None),
        # The group's own bound, and one above it, of which the tighter counts.
        ({"own": "0::/a.slice/b.service\n", "a.slice/b.service/cpu.max": "300000 100000"}, 3),
        ({"own": "0::/a/b\n", "a/b/cpu.max": "800000 100000", "a/cpu.max": "400000 100000"}, 4),
        ({"own": "0::/a/b\n", "a/b/cpu.max": "max 100000", "a/cpu.max": "100000 50000"}, 2),
        ({"own": "0::/a\n", "other/cpu.max": "100000 100000"}, None),
        # Within a container the path is that of the outside, and only the container's group is there.
        ({"own": V1, **version_1("250000")}, 3),
        ({"own": V1, **version_1("50000", folder="cpu")}, 1),
        ({"own": V1, **version_1("200000", folder="cpu,cpuacct/docker/ab")}, 2),
        ({"own": "3:cpu:/\n", **version_1("600000", "200000", folder="cpu")}, 3),
        ({"own": V1, **version_1("-1")}, None),
        ({"own": "3:cpuacct:/\n2:cpuset:/\n", **version_1("100000", folder="cpu")}, None),
    ],
)
def test_a_container_has_as_many_processors_as_its_quota(
    tmp_path: Path, files: dict[str, str], expected: int | None
) -> None:
    assert cpu_quota(machine(tmp_path, files)) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", "\n", "max", "100000", "0 100000", "100000 0", "-1 100000", "-100000 -100000", "1.5 1", "² 1"),
        *("1 2 3", "two one", "100000\0 1", "\udcff\udcfe 1", "1" * 30 + " 1", "9" * 100_000, " " * 100_000),
    ],
    ids=lambda text: repr(text[:20]),
)
def test_a_quota_that_makes_no_sense_is_none(tmp_path: Path, text: str) -> None:
    assert cpu_quota(machine(tmp_path / "2", {"own": "0::/\n", "cpu.max": text})) is None
    assert cpu_quota(machine(tmp_path / "1", {"own": V1, **version_1(text, "100000")})) in (None, 1)


@pytest.mark.parametrize(
    "own",
    [
        "",
        "nonsense",
        "::",
        ":::::",
        "0:",
        "0::",
        "0::/../..",
        "1:cpu:../../etc\n",
        "0::/a\0b",
        "\udcff::/\udcff",
    ],
    ids=repr,
)
def test_a_control_group_that_makes_no_sense_is_none(tmp_path: Path, own: str) -> None:
    assert cpu_quota(machine(tmp_path, {"own": own, "a": "no folder"})) is None
    assert cpu_quota(str(tmp_path / "nothing")) is None


def test_no_more_threads_are_taken_than_the_quota_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)), raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    for quota, expected in ((2, 2), (8, 8), (64, 8), (None, 8)):
        monkeypatch.setattr(threads, "cpu_quota", lambda quota=quota: quota)
        assert available_cores() == usable_cores() == expected
    monkeypatch.setattr(threads, "cpu_quota", lambda: 4)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert usable_cores() == 3 and available_cores() == 4
