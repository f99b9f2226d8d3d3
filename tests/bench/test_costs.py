"""Seconds and peak memory of programs and of calls in this process."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jdcodec.bench.codec import Cost
from jdcodec.bench.memory import measured, measured_warm
from jdcodec.bench.metrics import Pixels
from jdcodec.bench.ours import ours
from jdcodec.bench.process import run

from .conftest import make_picture

MEGABYTE = 2**20
ALLOCATE = f"x = bytearray({60 * MEGABYTE}); x[::4096] = b'1' * len(x[::4096])"


def test_a_programs_memory_is_its_own_and_not_the_callers(tmp_path: Path) -> None:
    ballast = np.ones(200 * MEGABYTE, np.uint8)  # what a fork would hand down
    cost = run(["true"], tmp_path, 20)
    assert cost.peak_bytes is not None and cost.peak_bytes < 40 * MEGABYTE < ballast.nbytes


def test_a_programs_memory_and_time_are_seen(tmp_path: Path) -> None:
    cost = run([sys.executable, "-I", "-c", f"import time; {ALLOCATE}; time.sleep(0.3)"], tmp_path, 20)
    assert cost.peak_bytes is not None and cost.peak_bytes > 60 * MEGABYTE
    assert cost.seconds > 0.3


def test_a_calls_time_and_result() -> None:
    result, cost = measured(lambda: time.sleep(0.05) or "done")
    assert result == "done" and cost.seconds >= 0.05


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peak memory of a call needs Linux")
def test_a_calls_memory_is_by_how_much_it_grew() -> None:
    kept = np.ones(30 * MEGABYTE, np.uint8)
    _, cost = measured(lambda: np.ones(50 * MEGABYTE, np.uint8).sum())
    assert cost.peak_bytes == pytest.approx(50 * MEGABYTE, rel=0.2), kept.nbytes
    _, small = measured(lambda: None)
    assert small.peak_bytes is not None and small.peak_bytes < 4 * MEGABYTE


def test_measuring_twice_at_a_time_gives_no_memory() -> None:
    (_, inner), outer = measured(lambda: measured(lambda: None))
    assert inner.peak_bytes is None
    assert outer.seconds >= inner.seconds


def test_costs_of_one_call_after_the_other() -> None:
    assert Cost(1.0, 50) + Cost(2.0, 30) == Cost(3.0, 50)
    assert Cost(1.0, None) + Cost(2.0, 30) == Cost(3.0, 30)
    assert Cost(1.0, None) + Cost(2.0, None) == Cost(3.0, None)


def test_a_call_that_had_to_compile_is_made_and_measured_again() -> None:
    compiled, pauses = [0], [0.2, 0.0, 0.0]

    def cold_at_first() -> float:
        compiled[0] = 1
        time.sleep(pause := pauses.pop(0))
        return pause

    result, cost = measured_warm(cold_at_first, lambda: compiled[0])
    assert result == 0 and cost.seconds < 0.1 and len(pauses) == 1
    measured_warm(cold_at_first, lambda: compiled[0])
    assert pauses == []


def test_a_library_that_always_compiles_is_measured_all_the_same() -> None:
    count = iter(range(99))
    calls: list[int] = []
    measured_warm(lambda: calls.append(1), lambda: next(count))
    assert len(calls) == 2


def test_jdc_is_timed_with_its_networks_compiled(tiny_model: Path) -> None:
    pytest.importorskip("openvino")
    from jdcodec.inference.on_openvino import Network

    codec = ours(model=str(tiny_model), device="cpu")
    codec.prepare()
    seen: list[int] = []

    def encode(pixels: Pixels, quality: float) -> bytes:
        data = codec.encode(pixels, quality)
        seen.append(Network.compilations)
        return data

    watched = replace(codec, encode=encode)
    pixels = make_picture(0, 96, 160)
    before = Network.compilations
    watched.code(pixels, 3)
    assert len(seen) == 2 and before < seen[0] == seen[1]
    decoded = Network.compilations
    watched.code(pixels, 3)
    assert len(seen) == 3 and seen[2] == decoded
