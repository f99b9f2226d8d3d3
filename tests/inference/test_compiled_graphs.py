"""Compiled graphs: kept while they are few and small, shared by threads, run on the processors at hand."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from jdcodec.inference import on_openvino
from jdcodec.inference.on_openvino import Network, OpenVinoInference

from .conftest import Inputs, odd_network

SIZES = [(64, 64), (64, 128), (128, 64), (128, 128)]


def started() -> Network:
    """A network of which nothing has been compiled."""
    network = odd_network()
    arrays = {name: tensor.contiguous().numpy() for name, tensor in network.state_dict().items()}
    return Network(network.config, arrays, bf16=False)


@pytest.fixture
def fresh() -> Network:
    return started()


def everything(network: Network, size: tuple[int, int], seed: int, t: float = 0.5) -> list[NDArray[Any]]:
    """What each method gives for inputs of a size."""
    inference, given = OpenVinoInference(network, t), Inputs(network.config, *size, seed)
    return [
        *some(network, size, seed, t),
        inference.latents(given.denoised),
        inference.anchor_means(given.z),
        inference.other_means(given.symbols, given.z),
        inference.reconstruct_latents(given.symbols, given.z),
        inference.picture(given.y, np.uint8),
    ]


def some(network: Network, size: tuple[int, int], seed: int, t: float = 0.5) -> list[NDArray[Any]]:
    """What two of the methods give, one graph each."""
    inference, given = OpenVinoInference(network, t), Inputs(network.config, *size, seed)
    return [inference.denoise(given.pixels, 1.0), inference.hyperlatents(given.y)]


def assert_all_equal(found: list[NDArray[Any]], expected: list[NDArray[Any]]) -> None:
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_eight_threads_at_once_give_what_one_gives(fresh: Network) -> None:
    tasks = [(SIZES[number % 2], number) for number in range(24)]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda task: everything(fresh, *task), tasks))
    for task, found in zip(tasks, together):
        assert_all_equal(found, everything(fresh, *task))


def test_graphs_are_thrown_out_while_threads_still_run_them(
    fresh: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = [(SIZES[number % 2], number) for number in range(12)]
    expected = [some(fresh, *task) for task in tasks]
    monkeypatch.setattr(on_openvino, "_KEPT", 1)
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda task: some(fresh, *task), tasks))
    for found, wanted in zip(together, expected):
        assert_all_equal(found, wanted)
    assert len(fresh._compiled) == 1


def test_results_outlive_the_next_call(fresh: Network) -> None:
    """An array is the caller's: nothing that runs later writes into it."""
    first = everything(fresh, (64, 128), seed=1)
    copies = [array.copy() for array in first]
    second = everything(fresh, (64, 128), seed=2)
    assert_all_equal(first, copies)
    assert all((one != other).any() for one, other in zip(first, second))


def test_inputs_are_left_as_they_are(fresh: Network) -> None:
    given, untouched = (Inputs(fresh.config, 64, 64, seed=1) for _ in range(2))
    everything(fresh, (64, 64), seed=1)
    inference = OpenVinoInference(fresh, 0.5)
    inference.latents(given.denoised)
    inference.anchor_means(given.z)
    inference.other_means(given.symbols, given.z)
    inference.picture(given.y, np.uint8)
    for name in ("denoised", "y", "z", "symbols"):
        np.testing.assert_array_equal(getattr(given, name), getattr(untouched, name))


def test_few_are_kept(fresh: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = [some(fresh, size, seed=0) for size in SIZES]
    monkeypatch.setattr(on_openvino, "_KEPT", 3)
    for size, arrays in zip(SIZES, expected):
        assert_all_equal(some(fresh, size, seed=0), arrays)
        assert len(fresh._compiled) == 3


@pytest.mark.parametrize("limit", [40_000, 10])
def test_few_pixels_are_kept(limit: int, fresh: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    """Photos of many sizes took 400 MB each; a graph beyond the limit on its own still runs."""
    monkeypatch.setattr(on_openvino, "_KEPT_PIXELS", limit)
    expected = started()
    for size in SIZES:
        assert_all_equal(some(fresh, size, seed=0), some(expected, size, seed=0))
        covered = [graph.pixels for graph in fresh._compiled.values()]
        assert sum(covered) <= limit or len(covered) == 1
        assert covered[-1] == size[0] * size[1]


def test_each_graph_is_taken_for_the_pixels_that_it_covers(fresh: Network) -> None:
    everything(fresh, (64, 128), seed=0)
    assert {graph.pixels for graph in fresh._compiled.values()} == {64 * 128}


def compiling(network: Network, run: Callable[[], object]) -> set[str]:
    """The kinds of graphs that a run had to compile."""
    before = set(network._compiled)
    run()
    return {key[0] for key in set(network._compiled) - before}  # type: ignore[index]


def test_graphs_are_compiled_once(fresh: Network) -> None:
    kinds = compiling(fresh, lambda: everything(fresh, (64, 64), seed=0))
    assert kinds == {
        *("denoiser", "analysis", "linear_analysis", "hyper_analysis"),
        *("anchor_means", "other_means", "decoded_latents", "synthesis", "linear_synthesis"),
    }
    assert compiling(fresh, lambda: everything(fresh, (64, 64), seed=1)) == set()
    of_another_quality = compiling(fresh, lambda: everything(fresh, (64, 64), seed=1, t=0.6))
    assert of_another_quality == {
        *("analysis", "hyper_analysis", "other_means", "decoded_latents", "synthesis")
    }


def test_what_is_shared_between_qualities_does_not_depend_on_them(fresh: Network) -> None:
    everything(fresh, (64, 64), seed=0, t=0.1)
    expected = everything(started(), (64, 64), seed=0, t=0.9)
    assert_all_equal(everything(fresh, (64, 64), seed=0, t=0.9), expected)


@pytest.mark.parametrize("cores", [1, os.cpu_count()])
def test_threads_are_bound_to_cores_only_where_all_are_used(
    cores: int, fresh: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes with a thread each would both be bound to the first core, and take twice as long."""
    monkeypatch.setattr(on_openvino, "usable_cores", lambda: cores)
    some(fresh, (64, 64), seed=0)
    bound = {graph._model.get_property("ENABLE_CPU_PINNING") for graph in fresh._compiled.values()}
    assert bound == {cores == os.cpu_count()}
