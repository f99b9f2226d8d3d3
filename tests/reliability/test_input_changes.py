"""The input is removed, cut short or replaced while a run goes on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jdcodec.codec.decoder import DecodeSettings
from jdcodec.codec.region import Region, View, decode_view
from jdcodec.container import Reader
from jdcodec.errors import DamagedError

from .conftest import Place, make_fifo


def test_an_input_removed_midway(place: Place, photo: Path) -> None:
    """The run has listed its inputs and waits for the first one when the second one goes."""
    waiting, going, staying = make_fifo(place.root / "a.png"), place.root / "b.png", place.root / "c.png"
    going.write_bytes(photo.read_bytes())
    staying.write_bytes(photo.read_bytes())
    command = place.jdc("encode", waiting, going, staying, "-o", place.out)
    with waiting.open("wb") as writer:
        going.unlink()
        writer.write(photo.read_bytes())
    assert command.wait() == 1
    assert place.left() == {"a.jdc", "c.jdc"}
    assert f"{going}: No such file" in command.said
    assert "1 of 3 files failed" in command.said


def test_a_photo_cut_short_midway(place: Place, photo: Path) -> None:
    waiting = make_fifo(place.root / "a.png")
    command = place.jdc("encode", waiting, "-o", place.out / "a.jdc")
    with waiting.open("wb") as writer:
        writer.write(photo.read_bytes()[:-2000])
    assert command.wait() == 1
    assert place.left() == set()
    assert command.said.startswith(f"jdc: {waiting}: ") and command.said.count("\n") == 1


def test_a_file_cut_short_midway(place: Place, coded: Path) -> None:
    waiting = make_fifo(place.root / "a.jdc")
    command = place.jdc("decode", waiting, "-o", place.out / "a.png")
    with waiting.open("wb") as writer:
        writer.write(coded.read_bytes()[:-200])
    assert command.wait() == 1
    assert place.left() == set()
    assert command.said.startswith(f"jdc: {waiting}: ") and command.said.count("\n") == 1


@pytest.mark.parametrize("change", ["cut", "other"])
def test_a_file_that_changes_between_its_index_and_its_tiles(
    place: Place, coded: Path, tiny_model: Path, change: str
) -> None:
    """Regions are read lazily: the tiles are looked at when the index has long been read."""
    path = place.root / "a.jdc"
    path.write_bytes(coded.read_bytes())
    with path.open("rb") as file:
        reader = Reader(file)
        if change == "cut":
            os.truncate(path, path.stat().st_size - 200)
        else:
            with path.open("r+b") as writer:
                writer.seek(reader.sections[-2].payload_offset)
                writer.write(bytes(100))
        with pytest.raises(DamagedError, match="became shorter" if change == "cut" else "is damaged"):
            decode_view(reader, View(Region(0, 0, 9, 9)), DecodeSettings(models=(str(tiny_model),)))


def test_a_region_of_a_file_from_a_pipe(place: Place, coded: Path) -> None:
    """What cannot be read lazily is read as a whole."""
    waiting = make_fifo(place.root / "a.jdc")
    target = place.out / "a.ppm"
    command = place.jdc("decode", waiting, "-o", target, "--region", "10,20,30,40", "--precision", "fp32")
    waiting.write_bytes(coded.read_bytes())
    assert command.wait() == 0, command.said
    assert target.read_bytes().startswith(b"P6\n30 40\n")
