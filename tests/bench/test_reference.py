"""Checkpoints of the papers' systems as codecs under test."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from reference.systems import needs_compressai
from rich.console import Console
from safetensors.torch import save_file
from typer.testing import CliRunner

from jdcodec.bench.codec import Codec, Unavailable
from jdcodec.bench.command import BenchSettings, Outcome, bench
from jdcodec.bench.metrics import Pixels
from jdcodec.bench.registry import Choice, choose
from jdcodec.cli import app
from jdcodec.errors import JdcError
from jdcodec.reference import load
from jdcodec.reference.payload import unpack
from jdcodec.reference.stored import KEY, describe

from .conftest import make_picture, quantiser
from .stored import store


def codec(name: str) -> Codec:
    (only,) = choose((name,), Choice(device="cpu"))
    return only


def run(folder: Path, console: Console, name: str, **settings: Any) -> Outcome:
    chosen = BenchSettings(folder=folder, out=folder.parent / "report", **settings)
    return bench(chosen, console, codecs=(quantiser(), codec(name)))


def points(folder: Path) -> list[dict[str, Any]]:
    document = json.loads((folder.parent / "report" / "results.json").read_text("utf-8"))
    return [point for point in document["points"] if point["codec"].startswith("ref:")]


@needs_compressai
@pytest.mark.parametrize("name", ["manypriors", "hyperprior", "unet-manypriors", "guided-128"])
def test_the_file_is_what_the_system_writes_at_any_size(name: str, tmp_path: Path) -> None:
    path = store(tmp_path / "run", name)
    under_test = codec(f"ref:{path}")
    assert under_test.prepare().startswith(f"{name} ")
    pixels = make_picture(height=50, width=70)
    coded = under_test.code(pixels, 1)
    assert unpack(coded.data, 2)[:2] == (50, 70)
    decoded = load(path).decompress(coded.data)[0].permute(1, 2, 0).clamp(0, 1)
    assert coded.pixels.dtype == np.uint8
    np.testing.assert_array_equal(coded.pixels, (decoded * 255).round().to(torch.uint8).numpy())
    assert coded.encode.seconds > 0 and coded.decode.seconds > 0


@needs_compressai
def test_a_picture_that_is_not_to_be_written_to_and_not_in_order(tmp_path: Path) -> None:
    under_test = codec(f"ref:{store(tmp_path / 'run', 'hyperprior')}")
    under_test.prepare()
    pixels: Pixels = make_picture().transpose(1, 0, 2)
    pixels.flags.writeable = False
    np.testing.assert_array_equal(under_test.code(pixels, 1).pixels, under_test.code(pixels.copy(), 1).pixels)


@needs_compressai
def test_the_version_is_the_systems_name_and_the_files_hash(tmp_path: Path) -> None:
    first, second = store(tmp_path / "a", "manypriors"), store(tmp_path / "b", "manypriors", scale=1.1)
    versions = [codec(f"ref:{path}").prepare() for path in (first, second, first.parent)]
    assert versions[0].startswith("manypriors ") and "compressai" in versions[0]
    assert versions[0] == versions[2] != versions[1]
    digest = versions[0].split()[1].rstrip(",")
    assert len(digest) == 12 and digest in codec(f"ref:{first}").command(1)


@needs_compressai
def test_checkpoints_of_a_wildcard_are_a_curve_by_lambda(tmp_path: Path) -> None:
    for name, weight in (("high", 0.0483), ("low", 0.0018), ("middle", 0.0067)):
        store(tmp_path / f"mine-{name}", "hyperprior", scale=1 + weight, weight=weight)
    curve = codec(f"ref:{tmp_path}/mine-*")
    assert curve.scale.grid == (1, 2, 3)
    assert [weight in curve.command(i) for i, weight in enumerate(("0.0018", "0.0067", "0.0483"), 1)] == [
        True
    ] * 3
    assert "mine-low" in curve.command(1)
    assert curve.title == "hyperprior (mine-*)"
    curve.prepare()
    coded = [curve.code(make_picture(), quality).pixels for quality in (1, 2, 3)]
    assert not np.array_equal(coded[0], coded[1]) and not np.array_equal(coded[1], coded[2])


@needs_compressai
def test_without_recipes_checkpoints_go_by_the_numbers_in_their_names(tmp_path: Path) -> None:
    names = ["run-0.0018", "run-0.0067", "run-0.013", "run-0.1"]
    for name in reversed(names):
        store(tmp_path / name, "hyperprior", weight=0.01 if name == "run-0.1" else None)
    curve = codec(f"ref:{tmp_path}/run-*/checkpoint.safetensors")
    assert [name in curve.command(quality) for quality, name in enumerate(names, 1)] == [True] * 4


@needs_compressai
def test_two_widths_of_one_system_share_a_curve(tmp_path: Path) -> None:
    store(tmp_path / "1", "guided-128")
    store(tmp_path / "2", "guided-192")
    assert codec(f"ref:{tmp_path}/*").prepare().startswith("guided-128, guided-192, compressai")


@needs_compressai
def test_different_systems_do_not_share_a_curve(tmp_path: Path) -> None:
    store(tmp_path / "1", "hyperprior")
    store(tmp_path / "2", "manypriors")
    with pytest.raises(JdcError, match=r"one system, but .*1.* holds hyperprior, .*2.* manypriors"):
        codec(f"ref:{tmp_path}/*")


@needs_compressai
def test_resuming_keeps_the_points_of_checkpoints_that_are_the_same(
    clean_set: Path, tmp_path: Path, quiet: Console
) -> None:
    for number in (1, 2):
        store(tmp_path / "runs" / str(number), "hyperprior", scale=1 + number / 10)
    name = f"ref:{tmp_path}/runs/*"
    assert run(clean_set, quiet, name, max_images=1).failed == 0
    before = points(clean_set)
    assert [(p["quality"], p["error"]) for p in before] == [(1, None), (2, None)]

    (tmp_path / "runs" / "2" / "checkpoint.safetensors").unlink()
    (tmp_path / "runs" / "2").rmdir()
    store(tmp_path / "runs" / "2", "hyperprior", scale=1.5)
    store(tmp_path / "runs" / "3", "hyperprior", scale=1.6)
    run(clean_set, quiet, name, max_images=1, resume=True)
    kept, changed, new = points(clean_set)
    assert kept == before[0]  # its seconds, too, so it was not coded again
    assert changed["quality"] == 2 and changed["command"] != before[1]["command"]
    assert new["quality"] == 3 and new["error"] is None


@needs_compressai
def test_a_single_point_is_reported_without_a_bd_rate(
    clean_set: Path, tmp_path: Path, quiet: Console
) -> None:
    path = store(tmp_path / "run", "manypriors")
    outcome = run(clean_set, quiet, f"ref:{path}")
    assert (outcome.failed, len(points(clean_set))) == (0, 3)
    document = json.loads((outcome.report.parent / "results.json").read_text("utf-8"))
    rate = document["groups"][0]["bd_rate"]["psnr"]["fake"][f"ref:{path}"]
    assert rate["value"] is None and rate["why"] in ("too few points", "no overlap")
    assert document["codecs"][1]["title"] == "manypriors (run)"


def hostile(tmp_path: Path) -> dict[str, Path]:
    """Files that are no codec's checkpoint, by what is wrong with them."""
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors", {"format": "pt"})
    (tmp_path / "text.safetensors").write_text("not a checkpoint")
    (tmp_path / "empty.safetensors").write_bytes(b"")
    (tmp_path / "huge.safetensors").write_bytes((1 << 62).to_bytes(8, "little") + b"{}")
    whole = store(tmp_path / "whole", "dncnn-small").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(whole[: len(whole) // 2])
    names = ("other", "text", "empty", "huge", "cut")
    return {name: tmp_path / f"{name}.safetensors" for name in names}


@pytest.mark.parametrize("kind", ["other", "text", "empty", "huge", "cut"])
def test_other_files_are_one_clear_line(kind: str, tmp_path: Path) -> None:
    path = hostile(tmp_path)[kind]
    with pytest.raises(JdcError, match="not a checkpoint of `jdc train --arch`") as caught:
        codec(f"ref:{path}")
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "where", ["", "missing", "missing-*", ".", "run", "~no-such-user/x", "x" * 300, "a\0b", "[", "**"]
)
def test_nothing_there(where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "run").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(JdcError, match="no checkpoint there; name a file"):
        codec(f"ref:{where}")


def test_a_denoiser_is_no_codec(tmp_path: Path) -> None:
    with pytest.raises(
        JdcError, match=r"dncnn-small is a denoiser; .* denoiser:.*checkpoint.safetensors\+jxl"
    ):
        codec(f"ref:{store(tmp_path / 'run', 'dncnn-small')}")


@pytest.mark.parametrize("description", ['{"name": "nothing", "sizes": {}}', "[]", '{"name": 3}'])
def test_forged_descriptions(description: str, tmp_path: Path) -> None:
    save_file({"average/a": torch.zeros(1)}, tmp_path / "forged.safetensors", {KEY: description})
    with pytest.raises(JdcError) as caught:
        codec(f"ref:{tmp_path / 'forged.safetensors'}")
    assert "\n" not in str(caught.value)


@needs_compressai
def test_tensors_that_do_not_fit_end_the_run_before_anything_is_written(
    clean_set: Path, tmp_path: Path, quiet: Console
) -> None:
    path = tmp_path / "forged.safetensors"
    save_file({"average/a": torch.zeros(1)}, path, {KEY: describe("manypriors", {"n": 8})})
    with pytest.raises(JdcError, match=r"forged\.safetensors: its tensors are not those of manypriors"):
        run(clean_set, quiet, f"ref:{path}")
    assert not (clean_set.parent / "report").exists()


@needs_compressai
def test_weights_that_cannot_be_coded_with(tmp_path: Path) -> None:
    path = store(tmp_path / "run", "hyperprior", scale=float("nan"))
    with pytest.raises(JdcError, match=r"checkpoint.safetensors: cannot be coded with: encoding failed"):
        codec(f"ref:{path}").prepare()


def test_damaged_recipes_beside_a_checkpoint_are_not_minded(tmp_path: Path) -> None:
    from jdcodec.bench.checkpoints import weight_of

    recipe = tmp_path / "recipe.json"
    for text in ("", "{", "[]", "{}", '{"lambda": "a"}', '{"lambda": null}', '{"lambda": NaN}', "[" * 9999):
        recipe.write_text(text)
        assert weight_of(tmp_path / "checkpoint.safetensors") is None, text
    recipe.write_bytes(b"\xff\xfe")
    assert weight_of(tmp_path / "checkpoint.safetensors") is None
    recipe.write_text('{"lambda": 0.0067}')
    assert weight_of(tmp_path / "checkpoint.safetensors") == 0.0067


def test_without_compressai_it_is_left_out_in_a_line(
    clean_set: Path, tmp_path: Path, quiet: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "some.safetensors"
    save_file({"average/a": torch.zeros(1)}, path, {KEY: describe("manypriors", {})})
    for module in {"compressai", *(m for m in sys.modules if m.partition(".")[0] == "compressai")}:
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(sys.modules, "jdcodec.reference.backend", raising=False)
    assert run(clean_set, quiet, f"ref:{path}").failed == 0
    said: str = quiet.file.getvalue()  # type: ignore[attr-defined]
    assert (
        f"left out: ref:{path}: the papers' codecs need compressai: pip install 'jdcodec[reference]'" in said
    )
    with pytest.raises(Unavailable, match="need compressai"):
        run(clean_set, quiet, f"ref:{path}", strict=True, force=True)


def test_a_device_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "some.safetensors"
    save_file({"average/a": torch.zeros(1)}, path, {KEY: describe("manypriors", {})})
    with pytest.raises(JdcError, match=r"device 'abacus' cannot be used: .*try --device cpu") as caught:
        choose((f"ref:{path}",), Choice(device="abacus"))
    assert "\n" not in str(caught.value)


@needs_compressai
def test_the_command_compares_with_a_checkpoint(clean_set: Path, tmp_path: Path, tiny_model: Path) -> None:
    path = store(tmp_path / "run+1", "hyperprior")
    out = tmp_path / "out"
    words = ["bench", clean_set, "--vs", f"jpeg,ref:{path}", "--model", tiny_model, "--qualities", "2"]
    done = CliRunner().invoke(app, [*map(str, words), "--max-images", "1", "--out", str(out), "--strict"])
    assert done.exit_code == 0, done.output
    document = json.loads((out / "results.json").read_text("utf-8"))
    assert [c["name"] for c in document["codecs"]] == ["jdc", "jpeg", f"ref:{path}"]
    assert document["codecs"][2]["expense"]["encode_seconds"] > 0


def test_the_home_folder_and_dots_in_a_runs_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from jdcodec.bench.checkpoints import find_checkpoints, label

    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "run-0.0067").mkdir()
    path = tmp_path / "run-0.0067" / "checkpoint.safetensors"
    path.touch()
    assert find_checkpoints("ref", "~/run-0.0067") == find_checkpoints("ref", "~/run-*") == (path,)
    assert label("~/run-0.0067") == label(str(path)) == "run-0.0067"
    assert label("runs/*/checkpoint.safetensors") == ""
    assert label("weights/mine.safetensors") == "mine"


def test_the_names_are_those_that_training_gives(tmp_path: Path) -> None:
    """The benchmark spells them out itself, as importing the training imports torch."""
    from jdcodec.bench import checkpoints
    from jdcodec.training import run_folder
    from jdcodec.training.recipe import load_recipe

    assert checkpoints.CHECKPOINT_NAME == run_folder.CHECKPOINT_NAME
    assert checkpoints.RECIPE_NAME == run_folder.RECIPE_NAME
    recipe = load_recipe("standard", arch="manypriors", weight=0.0067)
    folder = run_folder.RunFolder(tmp_path / "run", recipe, resume=False, force=False, tensorboard=False)
    folder.start(0)
    assert checkpoints.weight_of(folder.checkpoint) == 0.0067
