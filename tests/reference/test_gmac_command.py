"""`jdc gmac` as a user meets it: table, JSON, files, timing, and what cannot be counted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import typer
from rich.console import Console
from safetensors.torch import save_file
from typer.testing import CliRunner

from jdcodec.cli.gmac import gmac
from jdcodec.codec.weights import shipped_models
from jdcodec.errors import ModelError, OptionError
from jdcodec.gmac import command
from jdcodec.gmac.command import measure_models
from jdcodec.gmac.subjects import Subject, subject
from jdcodec.gmac.timing import Place, time_parts
from jdcodec.model.config import FAST
from jdcodec.reference.parts import Part
from jdcodec.training.checkpoint import save_checkpoint

from .systems import needs_compressai

app = typer.Typer()
app.command()(gmac)


def _json(*arguments: str) -> dict[str, object]:
    done = CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    found: dict[str, object] = json.loads(done.stdout)
    return found


def _names_refused(*names: str, side: int = 256) -> str:
    with pytest.raises((ModelError, OptionError)) as error:
        measure_models(names, time_on=None, bf16=False, side=side, notes=Console(quiet=True))
    message = str(error.value)
    assert "\n" not in message
    return message


@needs_compressai
def test_json_says_what_was_counted_and_how() -> None:
    found = _json("hyperprior", "--count-only")
    assert found["timed_on"] is None
    assert "flop_counter" in str(found["convention"])
    (model,) = found["models"]  # type: ignore[misc]
    assert model["name"] == "hyperprior"
    analysis = model["parts"][0]
    assert (analysis["name"], analysis["role"], analysis["in_decoder"]) == ("analysis", "encoder", False)
    assert analysis["macs_per_pixel"] == pytest.approx(
        analysis["convolutions_per_pixel"]
        + analysis["other_products_per_pixel"]
        + analysis["element_wise_per_pixel"]
    )
    assert analysis["gmac_per_megapixel"] == analysis["macs_per_pixel"] / 1000
    assert analysis["seconds_per_megapixel"] is None
    assert analysis["activation_bytes_per_pixel"] > 0
    assert model["parameters"] == sum(part["parameters"] for part in model["parts"])
    assert [row["name"] for row in model["sums"]] == ["all to encode", "all to decode"]


@needs_compressai
def test_the_table_shows_the_published_number() -> None:
    done = CliRunner(env={"COLUMNS": "80"}).invoke(
        app, ["manypriors", "--count-only"], catch_exceptions=False
    )
    assert done.exit_code == 0
    row = next(line for line in done.stdout.splitlines() if "analysis" in line)
    assert "92,812" in row and "80,400" in row and "12,096" in row and "316" in row and "92.8" in row
    assert "GDN's 1×1" in done.stdout


def test_seconds_are_measured_for_every_part() -> None:
    found = _json("autoencoder-gray", "--side", "64", "--device", "cpu")
    assert "cpu" in str(found["timed_on"]) and "float32" in str(found["timed_on"])
    (model,) = found["models"]  # type: ignore[misc]
    assert all(0 < part["seconds_per_megapixel"] < 1000 for part in model["parts"])
    assert model["sums"] == []


def test_what_coding_does_one_by_one_is_timed_so() -> None:
    calls: list[str] = []

    def note(name: str) -> None:
        calls.append(name)

    part = Part("context", "entropy", (), run=lambda x: note("at once"), coding=lambda x: note("walked"))
    (seconds,) = time_parts([part], 3, 64, Place.choose("cpu"))
    assert seconds > 0 and set(calls) == {"walked"}


def test_a_training_checkpoint_can_be_named(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    model = torch.nn.Linear(1, 1)
    save_checkpoint(path, model, {}, [], {"step": 1}, {"config": json.dumps(FAST.to_dict())})
    assert subject(str(path)).title == "jdc, fast"


@pytest.mark.skipif(
    "fast" not in shipped_models(), reason="the fast model's weights are not in this checkout"
)
def test_a_weights_file_can_be_named() -> None:
    path = shipped_models()["fast"]
    assert subject(str(path)).title == "jdc, fast"


def test_unknown_names_are_answered_with_what_there_is() -> None:
    assert "did you mean manypriors" in _names_refused("manyprior")
    assert "ours are fast, best" in _names_refused("nothing-like-it")


def test_files_that_hold_no_model_are_refused(tmp_path: Path) -> None:
    missing, text, other = (tmp_path / f"{name}.safetensors" for name in ("missing", "text", "other"))
    text.write_bytes(b"no model at all")
    save_file({"x": torch.zeros(1)}, other)
    for path in (missing, text, other):
        assert str(path) in _names_refused(str(path))


def test_sides_and_devices_that_cannot_be() -> None:
    assert "multiple of 64" in _names_refused("fast", side=100)
    with pytest.raises(ModelError, match="device 'nowhere' cannot be used"):
        Place.choose("nowhere")
    with pytest.raises(ModelError, match="device 'meta' cannot be used"):
        Place.choose("meta")


def test_of_all_models_those_that_cannot_be_built_are_left_out_with_a_note(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse() -> torch.nn.Module:
        raise ModelError("the papers' codecs need compressai")

    one = subject("autoencoder")
    monkeypatch.setattr(
        command, "all_subjects", lambda: [Subject("codec", "a codec", refuse, one.parts), one]
    )
    survey = measure_models([], time_on=None, bf16=False, side=64, notes=Console(stderr=True))
    assert [report.name for report in survey.reports] == ["autoencoder"]
    assert "codec left out: the papers' codecs need compressai" in capsys.readouterr().err
