"""Two processes, one output: it becomes one of the two complete files."""

from __future__ import annotations

from pathlib import Path

import jdcodec

from .conftest import Place, make_fifo
from .processes import Jdc


def race(place: Place, photo: Path, target: Path, *options: str) -> list[Jdc]:
    """Two encoders, of quality 2 and 7, that have found the output's name free when they get the photo."""
    inputs = [make_fifo(place.root / f"{name}.png") for name in "ab"]
    commands = [
        place.jdc("encode", source, "-o", target, "-q", quality, *options)
        for source, quality in zip(inputs, ("2", "7"))
    ]
    writers = [source.open("wb") for source in inputs]  # returns when both wait for their input
    for writer in writers:
        writer.write(photo.read_bytes())
        writer.flush()
    for writer in writers:
        writer.close()
    return commands


def test_without_force_the_second_one_fails(place: Place, photo: Path, tiny_model: Path) -> None:
    target = place.out / "a.jdc"
    commands = race(place, photo, target)
    statuses = [command.wait() for command in commands]
    assert sorted(statuses) == [0, 1]
    loser = commands[statuses.index(1)]
    assert loser.said == f"jdc: {target}: exists already; --force replaces it\n"
    quality = (2, 7)[statuses.index(0)]
    assert target.read_bytes() == jdcodec.encode(photo, quality=quality, model=str(tiny_model))
    assert place.left() == {"a.jdc"}


def test_with_force_the_last_one_wins(place: Place, photo: Path, tiny_model: Path) -> None:
    target = place.out / "a.jdc"
    target.write_bytes(b"old")
    for command in race(place, photo, target, "--force"):
        assert command.wait() == 0, command.said
    complete = [jdcodec.encode(photo, quality=quality, model=str(tiny_model)) for quality in (2, 7)]
    assert target.read_bytes() in complete
    assert place.left() == {"a.jdc"}
