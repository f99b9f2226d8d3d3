"""Fuzzing that is guided by coverage, with atheris: `python -m tests.fuzz.guided container|entropy|grain`.

Atheris is libFuzzer for Python. It keeps inputs that reach new code, and so gets deeper than the mutations of
`test_fuzz`, into what is written in Python. Further arguments are libFuzzer's, as -max_total_time=60 or a
folder to keep inputs in. An input that ends in anything but a JdcError is left in a file crash-….
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from random import Random

import atheris

with atheris.instrument_imports(include=["jdcodec.container", "jdcodec.entropy"]):
    from jdcodec.container import Limits, Reader, parse, scan, serialize
    from jdcodec.container.grain import pack_grain, unpack_grain
    from jdcodec.entropy import decode_tile

from jdcodec.codec.weights import load_weights
from jdcodec.errors import JdcError

from .mutation import mutated, repaired

GOLDEN = Path(__file__).parent.parent / "golden"

#: What a caller allows: golden files have fewer pixels.
LIMITS = Limits(max_side=1000, max_pixels=100_000, max_metadata_bytes=1 << 16)


def container(data: bytes) -> None:
    """parse, Reader and scan agree on what is a file and what is in it."""
    try:
        file = parse(data, LIMITS)
    except JdcError:
        try:
            reader = Reader(io.BytesIO(data), LIMITS)
            for index in range(reader.header.tile_count):
                reader.read_tile(index)
        except JdcError:
            assert not scan(data, LIMITS).intact  # or it raises JdcError
            return
        raise AssertionError("Reader takes what parse refuses") from None
    assert scan(data, LIMITS).intact
    assert parse(serialize(file, LIMITS), LIMITS) == file
    if file.metadata.grain is not None:
        grain(bytes(file.metadata.grain))


def entropy(data: bytes) -> None:
    """The first two bytes are the tile's shape and quality, the others its words."""
    if len(data) < 2:
        return
    shape = (1 + data[0] % 4, 1 + data[0] // 4 % 4)
    z, y = decode_tile(TABLES, data[2:], shape, data[1] % 225)
    assert z.shape[1:] == shape and y.shape[1:] == (4 * shape[0], 4 * shape[1])


def grain(data: bytes) -> None:
    assert pack_grain(unpack_grain(data)) == data


def change_file(data: bytes, most: int, seed: int) -> bytes:
    """A mutation for files: three in four with right checksums, as no guess of libFuzzer's would be."""
    random = Random(seed)
    changed = mutated(data, random) if random.random() < 0.5 else atheris.Mutate(data, most)
    return (repaired(changed) if random.random() < 0.75 else changed)[:most]


def first_inputs(target: str, folder: Path) -> None:
    """Good inputs to begin with, from the golden files."""
    for path in GOLDEN.glob("*.jdc"):
        data = path.read_bytes()
        if target == "container":
            (folder / path.stem).write_bytes(data)
        elif target == "entropy":
            file = parse(data)
            for tile in file.tiles:
                name = folder / f"{path.stem}-{tile.index}"
                name.write_bytes(bytes((0, file.header.quality_code)) + bytes(tile.data))
    if target == "grain":
        (folder / "grain").write_bytes(b"\1" + bytes(range(1, 42)))


TARGETS: dict[str, Callable[[bytes], None]] = {"container": container, "entropy": entropy, "grain": grain}
TABLES = load_weights(GOLDEN / "tiny.safetensors").tables


def main() -> None:
    if len(sys.argv) < 2 or sys.argv[1] not in TARGETS:
        sys.exit(f"usage: python -m tests.fuzz.guided {'|'.join(TARGETS)} [libFuzzer's arguments]")
    name = sys.argv.pop(1)
    examine = TARGETS[name]

    def one_input(data: bytes) -> None:
        try:
            examine(data)
        except JdcError as error:
            assert str(error) and "\n" not in str(error)

    # libFuzzer ends its process without a word, so that one is another than that which tidies up.
    with tempfile.TemporaryDirectory() as folder:
        first_inputs(name, Path(folder))
        child = os.fork()
        if child:
            sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        mutator = {"custom_mutator": change_file} if name == "container" else {}
        # It adds what it finds to the first folder: one of the user's, if given.
        atheris.Setup([*sys.argv, folder], one_input, **mutator)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
