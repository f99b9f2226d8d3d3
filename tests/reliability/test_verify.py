"""`jdc verify`: what is intact, what is not, and how fast that is known."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jdcodec.codec.verify import describe_damage, verify, verify_symbols
from jdcodec.container import Header, Tile, parse, serialize
from jdcodec.container.contents import JdcFile
from jdcodec.errors import ModelError

from .conftest import Place


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def other_words(data: bytes) -> bytes:
    """The file with a wrong word in its first tile, under a right checksum of the section."""
    file = parse(data)
    words = bytearray(file.tiles[0].data)
    words[6] ^= 1
    tiles = (Tile(0, file.tiles[0].symbols_crc, bytes(words)), *file.tiles[1:])
    return serialize(JdcFile(file.header, tiles, file.metadata))


def test_one_line_for_a_bad_file(place: Place, coded: Path) -> None:
    good, bad = place.root / "good.jdc", place.root / "bad.jdc"
    good.write_bytes(coded.read_bytes())
    bad.write_bytes(flipped(coded.read_bytes(), -100 % coded.stat().st_size))
    command = place.jdc("verify", good)
    assert (command.wait(), command.said) == (0, f"{good}: intact, 1 tile\n")
    command = place.jdc("verify", bad)
    assert command.wait() == 1
    assert command.said.startswith(f"jdc: {bad}: damaged: 1 of 1 tiles lost, 0; Tile section at offset ")
    assert command.said.count("\n") == 1


def test_several_files_and_folders(place: Place, coded: Path) -> None:
    folder = place.root / "photos"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.jdc").write_bytes(coded.read_bytes())
    (folder / "deep" / "b.jdc").write_bytes(flipped(coded.read_bytes(), 100))
    (folder / "c.jdc").write_bytes(b"no such thing")
    (folder / "d.txt").write_bytes(b"not looked at")
    command = place.jdc("verify", folder, "--recursive")
    assert command.wait() == 1
    lines = command.said.splitlines()
    assert lines[0] == f"{folder}/a.jdc: intact, 1 tile"
    assert lines[1].startswith(f"jdc: {folder}/c.jdc: not a .jdc file")
    assert lines[2].startswith(f"jdc: {folder}/deep/b.jdc: damaged")
    assert lines[3] == "jdc: 2 of 3 files failed"
    command = place.jdc("verify", folder / "a.jdc", place.root / "missing.jdc", "--quiet")
    assert command.wait() == 1
    assert "missing.jdc: No such file" in command.said and "intact" not in command.said


def test_json(place: Place, coded: Path) -> None:
    bad = place.root / "bad.jdc"
    bad.write_bytes(coded.read_bytes()[:-30])
    command = place.jdc("verify", bad, "--json")
    assert command.wait() == 1
    facts = json.loads(command.said.splitlines()[0])
    assert facts["lost"] == [0] and not facts["intact"] and facts["tiles"] == 1
    assert any("cut" in problem or "past the end" in problem for problem in facts["problems"])


def test_symbols(place: Place, coded: Path, tiny_model: Path) -> None:
    """A tile whose sections' checksums hold and whose symbols' does not."""
    data, models = other_words(coded.read_bytes()), (str(tiny_model),)
    assert verify(data).intact
    verdict = verify_symbols(data, models=models)
    assert verdict.lost == (0,) and not verdict.intact
    assert verify_symbols(coded.read_bytes(), models=models).intact
    with pytest.raises(ModelError, match="needs the model"):
        verify_symbols(coded.read_bytes())
    path = place.root / "other.jdc"
    path.write_bytes(data)
    assert place.jdc("verify", path).wait() == 0
    command = place.jdc("verify", path, "--symbols", "--model", tiny_model)
    assert command.wait() == 1
    assert "damaged: 1 of 1 tiles lost, 0" in command.said


@pytest.mark.parametrize("symbols", [False, True])
def test_no_torch(coded: Path, tiny_model: Path, symbols: bool) -> None:
    words = ["verify", str(coded), *(["--symbols", "--model", str(tiny_model)] if symbols else [])]
    script = (
        f"import sys; sys.argv = ['jdc', *{words!r}]\n"
        "from jdcodec.cli import app\n"
        "try: app()\n"
        "except SystemExit as end: print(end.code, 'torch' in sys.modules, 'numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == f"0 False {symbols}"


def test_a_large_file_takes_little_time() -> None:
    """Checksums run at some hundred megabytes a second at least: 32 MiB here, twice over in `scan`."""
    header = Header(
        model_id=bytes(16),
        quality_code=0,
        denoise_percent=0,
        gray=False,
        bit_depth=8,
        width=8192,
        height=4096,
    )
    tiles = tuple(Tile(index, 0, bytes(1 << 20)) for index in range(header.tile_count))
    data = serialize(JdcFile(header, tiles))
    start = time.process_time()
    assert verify(data).intact
    assert time.process_time() - start < 1


def test_numbers_of_tiles_are_ranges() -> None:
    assert describe_damage(9, (), ()) == ""
    assert describe_damage(9, (), ("x",)) == "damaged: no tile lost; x"
    assert describe_damage(9, (0, 1, 2, 5, 7, 8), ("x", "y")) == "damaged: 6 of 9 tiles lost, 0–2, 5, 7–8; x"
