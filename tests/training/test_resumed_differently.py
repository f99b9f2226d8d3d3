"""A run that goes on with other photographs, other pairs or another budget says so, or is refused."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from jdcodec.errors import TrainingError
from jdcodec.training.batches import DataOptions
from jdcodec.training.checkpoint import open_checkpoint
from jdcodec.training.index import write_index
from jdcodec.training.loop import RunOptions, train
from jdcodec.training.pairs import find_pairs
from jdcodec.training.recipe import Phase, Recipe
from jdcodec.training.schedule import Schedule

from .conftest import OptionsMaker, short_recipe
from .samples import write_pairs


def lines_of(recipe: Recipe, options: RunOptions) -> list[str]:
    """What a run says beside its figures, but for what is held out."""
    lines: list[str] = []
    train(recipe, options, lambda figures: None, lines.append)
    return [line for line in lines if "held out" not in line]


@pytest.fixture
def folder(pictures: Path, tmp_path: Path) -> Path:
    """Photographs that a test may change."""
    return Path(shutil.copytree(pictures, tmp_path / "photographs"))


@pytest.fixture
def begun(folder: Path, make_options: OptionsMaker) -> RunOptions:
    """Options that resume a run of two of four steps."""
    options = make_options(data=DataOptions(folder), steps=2)
    checkpoint = train(short_recipe(), options, lambda figures: None)
    return dataclasses.replace(options, resume=checkpoint)


def refusal(recipe: Recipe, options: RunOptions) -> str:
    with pytest.raises(TrainingError) as caught:
        train(recipe, options, lambda figures: None)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_same_photographs_elsewhere(begun: RunOptions, folder: Path) -> None:
    moved = folder.rename(folder.with_name("moved"))
    for path in moved.rglob("*.png"):
        os.utime(path, (1, 1))
    assert lines_of(short_recipe(), dataclasses.replace(begun, data=DataOptions(moved))) == []


def test_photographs_that_are_others(begun: RunOptions, folder: Path) -> None:
    (folder / "1.png").unlink()
    shutil.copy(folder / "2.png", folder / "new.png")
    Image.new("RGB", (100, 100)).save(folder / "3.png")
    told = "other photographs (1 new, as new.png, 1 gone, as 1.png, 1 of another size, as 3.png)"
    assert f"run: was started with {told}; --force goes on with these" in refusal(short_recipe(), begun)
    forced = dataclasses.replace(begun, force=True)
    (line,) = lines_of(short_recipe(), forced)
    assert line.endswith(f"run: was started with {told}; it goes on with these")
    assert lines_of(short_recipe(), begun) == []  # from now on they are the run's


def test_other_photographs_are_refused_before_one_is_decoded(begun: RunOptions, folder: Path) -> None:
    (folder / "1.png").write_bytes(b"no picture")
    assert "1 of another size, as 1.png" in refusal(short_recipe(), begun)


def test_pairs_that_are_others(make_options: OptionsMaker, tmp_path: Path) -> None:
    recipe = short_recipe(part="stem", source="pairs", clean_share=0.0, phases=(Phase(0.0, 64, 2),))
    index = tmp_path / "index"
    pairs = find_pairs(write_pairs(tmp_path / "pairs", light=4, heavy=0))
    write_index(*pairs, index, crop=192)
    options = make_options(data=DataOptions(pairs=index), steps=1)
    options = dataclasses.replace(options, resume=train(recipe, options, lambda figures: None))
    write_index(*pairs, index, crop=192, force=True)
    assert lines_of(recipe, options) == []
    write_index(*pairs, index, crop=192, per_pair=1, force=True)
    told = "was started with other pairs (8 crops of 192 pixels, now 4 crops of 192 pixels)"
    assert told in refusal(recipe, options)
    write_pairs(tmp_path / "pairs", light=3, heavy=1)
    write_index(*pairs, index, crop=192, force=True)
    assert "(8 crops of 192 pixels, now as many others)" in refusal(recipe, options)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[]", b"3", b"\xff", b"[" * 100_000, b'{"photographs": {}}',
        b'{"photographs": {"a": "b"}, "crops": [0, 0, 0]}', b'{"photographs": [], "crops": [0, 0, 0]}',
        b'{"photographs": {}, "crops": [0, 0]}', b'{"photographs": {}, "crops": null}',
    ],
    ids=lambda content: repr(content[:24]),
)  # fmt: skip
def test_what_is_kept_of_the_data_is_damaged(content: bytes, begun: RunOptions) -> None:
    (begun.run / "data.json").write_bytes(content)
    assert "data.json: cannot be read" in refusal(short_recipe(), begun)


def test_a_run_from_before_data_were_kept(begun: RunOptions) -> None:
    (begun.run / "data.json").unlink()
    assert lines_of(short_recipe(), begun) == []
    assert len(json.loads((begun.run / "data.json").read_text())["photographs"]) == 4


def test_another_budget_is_told_and_taken(begun: RunOptions) -> None:
    (line,) = lines_of(short_recipe(), dataclasses.replace(begun, steps=4))
    told = "the schedule was 2 steps and is now 4 steps: 50 % of it is done instead of 100 %, and the"
    assert line == f"{told} learning rate goes on at 0.51 of the recipe's instead of 0.02"
    assert begun.resume is not None and open_checkpoint(begun.resume).progress["step"] == 4
    (line,) = lines_of(short_recipe(), dataclasses.replace(begun, steps=3))
    assert line == "the schedule was 4 steps and is now 3 steps, which are over: no step is taken"
    (line,) = lines_of(short_recipe(), dataclasses.replace(begun, steps=None, minutes=0.01))
    assert line.startswith("the schedule was 3 steps and is now 0.01 minutes")


def test_a_budget_that_is_not_given_is_that_of_the_run(begun: RunOptions) -> None:
    assert lines_of(short_recipe(), dataclasses.replace(begun, steps=None)) == []
    assert begun.resume is not None and open_checkpoint(begun.resume).progress["steps"] == 2
    assert Schedule.choose(None, None, None) == Schedule(60.0)
    assert Schedule.choose(None, None, Schedule(7.0)) == Schedule(7.0)
    assert Schedule.choose(5.0, 9, Schedule(7.0)) == Schedule(steps=9)


@pytest.mark.parametrize("schedule", [{"steps": 0}, {"steps": "4"}, {"steps": True}, {"minutes": -1},
    {"minutes": float("nan")}, {"minutes": []}])  # fmt: skip
def test_a_checkpoint_with_a_schedule_that_is_none(schedule: dict[str, Any], begun: RunOptions) -> None:
    assert begun.resume is not None
    with safe_open(begun.resume, framework="pt") as file:
        metadata = file.metadata()
    progress = {name: value for name, value in json.loads(metadata["progress"]).items() if name != "steps"}
    save_file(load_file(begun.resume), begun.resume, metadata | {"progress": json.dumps(progress | schedule)})
    options = dataclasses.replace(begun, steps=None)
    assert "checkpoint.safetensors: a checkpoint with a schedule of" in refusal(short_recipe(), options)
