"""Photos and coded files in a folder, and `jdc` to run on them."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import PictureMaker
from PIL import Image

import jdcodec

from .processes import Jdc, Prepare, names

_numbers = itertools.count()


@dataclass(frozen=True)
class Place:
    """An empty folder `out` to write into, inputs and logs outside of it."""

    root: Path
    out: Path
    model: Path

    def jdc(self, *arguments: str | Path, prepare: Prepare | None = None) -> Jdc:
        """Start a command; `encode` and `decode` get the test's model."""
        log = self.root / f"log-{next(_numbers)}"
        model = ["--model", self.model] if arguments[0] in ("encode", "decode") else []
        return Jdc(log, *arguments, *model, prepare=prepare)

    def left(self) -> set[str]:
        """The files in `out`."""
        return names(self.out)


@pytest.fixture
def place(tmp_path: Path, tiny_model: Path) -> Place:
    out = tmp_path / "out"
    out.mkdir()
    return Place(tmp_path, out, tiny_model)


@dataclass(frozen=True)
class Task:
    """A command on one input, what it writes, and how to tell that it is complete."""

    command: tuple[str, ...]
    source: Path
    ending: str
    is_complete: Callable[[Path], bool]


@pytest.fixture(scope="session")
def photo(tmp_path_factory: pytest.TempPathFactory, make_picture: PictureMaker) -> Path:
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    Image.fromarray(make_picture(240, 300)).save(path)
    return path


@pytest.fixture(scope="session")
def coded(tmp_path_factory: pytest.TempPathFactory, photo: Path, tiny_model: Path) -> Path:
    path = tmp_path_factory.mktemp("coded") / "photo.jdc"
    path.write_bytes(jdcodec.encode(photo, model=str(tiny_model)))
    return path


@pytest.fixture(params=["encode", "decode"])
def task(request: pytest.FixtureRequest, photo: Path, coded: Path, tiny_model: Path) -> Task:
    def decodes(path: Path) -> bool:
        return jdcodec.decode(path.read_bytes(), model=str(tiny_model)).shape == (240, 300, 3)

    def opens(path: Path) -> bool:
        with Image.open(path) as image:
            image.load()
            return image.size == (300, 240)

    if request.param == "encode":
        return Task(("encode", "-q", "8"), photo, ".jdc", decodes)
    return Task(("decode",), coded, ".png", opens)


def make_fifo(path: Path) -> Path:
    """An input that blocks its reader until the test writes."""
    os.mkfifo(path)
    return path
