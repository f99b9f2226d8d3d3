"""Mutated inputs to everything that reads bytes of others: only JdcError, in bounded time and memory.

Each test goes on for a second, or for JDC_FUZZ_SECONDS seconds, as `make fuzz` does. Its n-th input is the
same in every run; JDC_FUZZ_FROM=n starts there.
"""

from __future__ import annotations

import io
import os
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from conftest import PictureMaker
from numpy.typing import NDArray

from jdcodec.codec.decoder import DecodeSettings, decode_bytes
from jdcodec.codec.encoder import EncodeSettings, encode_photo
from jdcodec.codec.grain import add_grain
from jdcodec.codec.region import Region, View, decode_view
from jdcodec.codec.salvage import salvage
from jdcodec.codec.verify import verify
from jdcodec.codec.weights import Weights, build_network, load_weights, save_weights
from jdcodec.container import JdcFile, Limits, Metadata, Reader, parse, scan, serialize
from jdcodec.container.grain import Grain, pack_grain, unpack_grain
from jdcodec.entropy import decode_tile
from jdcodec.errors import JdcError
from jdcodec.inference.on_openvino import Network, OpenVinoInference
from jdcodec.photo import from_array

from .mutation import mutated, repaired

#: Seconds of processor time that one input may take, and bytes of address space that all may take together.
TIME, MEMORY = 5.0, 1 << 30

#: What a caller allows here: the good file has 150 × 100 pixels.
LIMITS = Limits(max_side=1000, max_pixels=100_000, max_metadata_bytes=1 << 16)

DTYPES = (np.uint8, np.uint16, np.float32)

GRAIN = Grain(9, ((60,) * 8, (30,) * 8, (20,) * 8), (5, -6, 7), (50, 255, 200, 80, 20), (10, 255, 0, 8, 2))


@pytest.fixture(autouse=True)
def bounded_memory() -> Iterator[None]:
    """An allocation beyond MEMORY fails with an error that no test expects."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def fuzz(name: str, examine: Callable[[Random], None]) -> None:
    """Call `examine` with one random generator after the other until the time is up."""
    end = time.monotonic() + float(os.environ.get("JDC_FUZZ_SECONDS", "1"))
    first = number = int(os.environ.get("JDC_FUZZ_FROM", "0"))
    while time.monotonic() < end:
        started = time.process_time()
        try:
            examine(Random(f"{name} {number}"))
        except JdcError as error:
            assert "\n" not in str(error) and str(error), f"input {number} of {name}"
        except BaseException as error:
            error.add_note(f"input {number} of {name}: JDC_FUZZ_FROM={number} pytest -k {name}")
            raise
        assert time.process_time() - started < TIME, f"input {number} of {name} took too long"
        number += 1
    print(f"{name}: {number - first:,} inputs")


@pytest.fixture(scope="module")
def good(make_picture: PictureMaker, tiny_model: Path) -> bytes:
    """A file of six tiles with all kinds of metadata."""
    options = EncodeSettings(quality=2, model=str(tiny_model), tile_size=64)
    file = parse(encode_photo(from_array(make_picture(100, 150)), options))
    metadata = Metadata(exif=b"II*\0\x08\0\0\0\0\0", xmp=b"<x/>", icc=bytes(40), grain=pack_grain(GRAIN))
    return serialize(JdcFile(file.header, file.tiles, metadata))


@pytest.fixture(scope="module")
def settings(tiny_model: Path) -> DecodeSettings:
    return DecodeSettings(device="cpu", precision="fp32", models=(str(tiny_model),), limits=LIMITS)


@pytest.fixture(scope="module")
def weights(tiny_model: Path) -> Weights:
    return load_weights(tiny_model)


def some_grain(settings: DecodeSettings, random: Random) -> DecodeSettings:
    """With the grain of the file, or without."""
    return replace(settings, grain=random.choice((0.0, 0.5, 1.0)))


def hostile(good: bytes, random: Random) -> tuple[bytes, bool]:
    """A mutated file, and whether its checksums were set right again."""
    repair = random.random() < 0.6
    data = mutated(good, random)
    return (repaired(data) if repair else data), repair


def test_container(good: bytes) -> None:
    """parse, Reader and scan agree on what is a file and what is in it."""

    def examine(random: Random) -> None:
        data, _ = hostile(good, random)
        try:
            file = parse(data, LIMITS)
        except JdcError:
            with pytest.raises(JdcError):
                reader = Reader(io.BytesIO(data), LIMITS)
                for index in range(reader.header.tile_count):
                    reader.read_tile(index)
            assert not scan(data, LIMITS).intact  # or it raises JdcError
            assert not verify(data, LIMITS).intact
            return
        assert scan(data, LIMITS).intact
        assert serialize(file, LIMITS) is not None

    fuzz("container", examine)


def test_entropy(good: bytes, weights: Weights) -> None:
    """Words of a tile, good ones mutated or random ones, for tiles of any shape and at any quality."""
    file = parse(good)
    channels, hyper_channels = weights.tables.latent_channels, weights.tables.hyper_channels

    def examine(random: Random) -> None:
        words = bytes(random.choice(file.tiles).data)
        data = (
            mutated(words, random) if random.random() < 0.8 else random.randbytes(4 * random.randrange(200))
        )
        step = file.header.quality_code if random.random() < 0.5 else random.randrange(225)
        rows, columns = (1, 1) if random.random() < 0.7 else (random.randint(1, 4), random.randint(1, 4))
        z, y = decode_tile(weights.tables, data, (rows, columns), step)
        assert z.shape == (hyper_channels, rows, columns) and z.min() >= -127
        assert y.shape == (channels, 4 * rows, 4 * columns) and y.min() >= -32767

    fuzz("entropy", examine)


def test_decode(good: bytes, settings: DecodeSettings) -> None:
    """Header, memory, symbols and network: a picture of the header's size, or an error."""

    def examine(random: Random) -> None:
        data, repair = hostile(good, random)
        pixels = decode_bytes(data, some_grain(settings, random))
        header = parse(data, LIMITS).header
        assert pixels.shape == (header.height, header.width, 3)
        assert repair or data == good

    fuzz("decode", examine)


def test_region(good: bytes, settings: DecodeSettings) -> None:
    whole = Region(0, 0, 150, 100)

    def examine(random: Random) -> None:
        data, _ = hostile(good, random)
        region = Region(*(random.choice((0, 1, 10, 64, 100, 2**31)) for _ in range(4)))
        view = View(random.choice((region, whole, None)), random.choice((1, 2, 16)))
        pixels = decode_view(Reader(io.BytesIO(data), LIMITS), view, some_grain(settings, random))
        assert pixels.ndim == 3 and pixels.dtype == np.uint8

    fuzz("region", examine)


def test_grain() -> None:
    """Payloads of the grain section: refused, or told exactly, and added to any pixels at any place."""
    payload = pack_grain(GRAIN)

    def examine(random: Random) -> None:
        data = (
            mutated(payload, random) if random.random() < 0.8 else b"\1" + random.randbytes(len(payload) - 1)
        )
        grain = unpack_grain(data)
        assert pack_grain(grain) == data
        shape, dtype = (random.randint(1, 40), random.randint(1, 40), 3), random.choice(DTYPES)
        largest = 1.0 if dtype is np.float32 else float(np.iinfo(dtype).max)
        pixels = (np.random.default_rng(random.randrange(100)).random(shape) * largest).astype(dtype)
        place = {"left": random.choice((0, 1, 65_535)), "top": random.choice((0, 300, 65_535))}
        amount, scale, gray = random.random(), random.choice((1, 2, 16)), random.random() < 0.2
        grained = add_grain(pixels, grain, amount, **place, scale=scale, gray=gray)
        assert grained.shape == shape and grained.dtype == dtype
        assert np.isfinite(grained).all() and grained.min() >= 0 and grained.max() <= largest

    fuzz("grain", examine)


def test_salvage(good: bytes, settings: DecodeSettings) -> None:
    def examine(random: Random) -> None:
        data, repair = hostile(good, random)
        saved = salvage(data, View(scale=random.choice((1, 16))), some_grain(settings, random))
        assert repair or data == good or saved.damage
        assert verify(data, LIMITS).intact or saved.problems

    fuzz("salvage", examine)


def test_weights(weights: Weights, tmp_path: Path) -> None:
    """A weights file under a right hash, with other sizes and arrays: refused, or a network."""
    path = tmp_path / "hostile.safetensors"
    sizes: tuple[Any, ...] = (
        None,
        "8",
        -1,
        0,
        1,
        7,
        48,
        10**9,
        [],
        [8, 8],
        [[8, 1]],
        [[8, 10**9]],
        [[8, 1]] * 9,
    )

    def examine(random: Random) -> None:
        config = weights.config.to_dict()
        for _ in range(random.randrange(3)):
            config[random.choice([*config, "surprise"])] = random.choice(sizes)
        network, tables = dict(weights.network), weights.tables.to_arrays()
        for arrays in random.choice(((), (network,), (tables,))):
            name = random.choice(list(arrays))
            arrays[name] = other_array(arrays[name], random)
        any_tables = SimpleNamespace(to_arrays=lambda: tables)
        any_config = SimpleNamespace(to_dict=lambda: config)
        save_weights(path, any_config, network, any_tables)  # type: ignore[arg-type]
        read = load_weights(path)
        build_network(read, torch.device("cpu"))
        started = Network(read.config, read.network, bf16=False, units=read.tables.units)
        inference = OpenVinoInference(started, random.random())
        if random.random() < 0.1:  # compiling takes longer than all else
            inference.hyperlatents(np.zeros((read.config.latent_channels, 4, 4), np.float32))

    fuzz("weights", examine)


def other_array(array: NDArray[Any], random: Random) -> NDArray[Any]:
    """An array of another shape, type or content."""
    other = random.randrange(6)
    if other < 2:
        return array.reshape(-1)[: random.randrange(array.size + 1)]
    if other == 2:
        return array.T[None]
    if other == 3:
        return array.astype(random.choice((np.int8, np.int32, np.float32, np.float64)))
    changed = array.copy().reshape(-1)
    changed[random.randrange(changed.size)] = random.choice((-1, 0, 1, 100))
    return changed.reshape(array.shape)
