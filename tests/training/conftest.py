"""A small network to train, pictures to train on, and recipes of a few steps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import NetworkMaker, PictureMaker
from PIL import Image

from jdcodec.model.config import CONFIGS
from jdcodec.training.batches import DataOptions
from jdcodec.training.loop import RunOptions
from jdcodec.training.recipe import Phase, Recipe

#: Makes `RunOptions` for the folder `run` with the keyword arguments given.
OptionsMaker = Callable[..., RunOptions]


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch, make_network: NetworkMaker) -> str:
    """The name of a small architecture that recipes can ask for."""
    torch.set_num_threads(1)
    monkeypatch.setitem(CONFIGS, "tiny", make_network("fast").config)
    return "tiny"


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory, make_picture: PictureMaker) -> Path:
    """A folder of four photographs, one of them in a folder below."""
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "below").mkdir()
    for number in range(4):
        name = f"{number}.png" if number else "below/0.png"
        Image.fromarray(make_picture(90 + number, 110, number)).save(folder / name)
    return folder


@pytest.fixture
def make_options(pictures: Path, tmp_path: Path) -> OptionsMaker:
    def make(run: str = "run", **options: Any) -> RunOptions:
        return RunOptions(**{"data": DataOptions(pictures), "run": tmp_path / run, "steps": 4, **options})

    return make


def short_recipe(**changes: Any) -> Recipe:
    values: dict[str, Any] = {"name": "short", "arch": "tiny", "warmup_steps": 2}
    values["phases"] = (Phase(0.0, 64, 2), Phase(0.7, 64, 1))
    return Recipe(**values | changes)
