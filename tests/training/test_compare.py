"""The comparison of strategies: data set apart, a run for each, one table, and going on after a stop."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import typer
from PIL import Image
from typer.testing import CliRunner

from jdcodec.errors import TrainingError
from jdcodec.training import compare
from jdcodec.training.batches import DataOptions
from jdcodec.training.index import PairIndex
from jdcodec.training.loop import RunOptions, Trainer

from .samples import picture

app = typer.Typer()
app.command()(compare.compare)


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    folder = tmp_path / "photographs"
    folder.mkdir()
    for number in range(10):
        Image.fromarray(picture(192, 192, number)).save(folder / f"{number}.png")
    return folder


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch, tiny: str) -> None:
    """Recipes as shipped but for smaller crops."""
    import dataclasses

    from jdcodec.training.recipe import Phase, Recipe, load_recipe

    def load(name: str, **chosen: object) -> Recipe:
        recipe = load_recipe(name)
        return dataclasses.replace(recipe, arch=tiny, phases=(Phase(0.0, 64, 5),))

    monkeypatch.setattr(compare, "load_recipe", load)


def test_one_table_of_all_strategies(photographs: Path, tmp_path: Path, tiny_model: Path) -> None:
    words = [photographs, "--work", tmp_path / "work", "--minutes", "0.01", "--crop", "192"]
    words += ["--denoiser", tiny_model, "-o", tmp_path / "table.md"]
    done = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    lines = (tmp_path / "table.md").read_text().splitlines()
    assert [line.split(" | ")[0] for line in lines[2:]] == [f"| {name}" for name in compare.STRATEGIES]
    assert lines[0].startswith("| strategy | steps | noisy input, 0 |") and lines[0].endswith(
        "clean input, 1 |"
    )
    assert len({line.count("|") for line in lines}) == 1
    train, test = (PairIndex.open(tmp_path / "work" / f"{part}-index") for part in ("train", "test"))
    assert (len(train), len(test)) == (9, 1)
    assert {Path(row.clean).name for row in test.rows} == {"9_clean.png"}

    steps = [line.split(" | ")[1] for line in lines[2:]]
    done = CliRunner().invoke(app, [str(word) for word in words[:-2]], catch_exceptions=False)
    assert [line.split(" | ")[1] for line in done.stdout.splitlines() if line.startswith("| ")][1:] == steps


def test_all_start_alike(photographs: Path, tmp_path: Path) -> None:
    """But for the scales, which are fitted to the pictures of each."""
    work = tmp_path / "work"
    compare.prepare(photographs, work, None, 192, "cpu")
    data = DataOptions(work / "train", work / "train-index")
    recipes = [compare.load_recipe(name) for name in ("standard", "jdc-n", "jdc")]
    first, *others = (
        Trainer(recipe, RunOptions(tmp_path / recipe.name, data), lambda figures: None).model.state_dict()
        for recipe in recipes
    )
    for other in others:
        different = [name for name, tensor in other.items() if not torch.equal(tensor, first[name])]
        assert all(name.startswith("entropy.scale.") for name in different)


def test_too_few_photographs(photographs: Path, tmp_path: Path) -> None:
    (photographs / "9.png").unlink()
    with pytest.raises(TrainingError, match="10 photographs are needed"):
        compare.prepare(photographs, tmp_path / "work", None, 192, "cpu")
    assert not (tmp_path / "work").exists()
