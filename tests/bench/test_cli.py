"""The options of `jdc bench` arrive where they belong."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

import jdcodec.bench.command
from jdcodec.bench.command import BenchSettings, Outcome
from jdcodec.bench.registry import Choice
from jdcodec.cli.bench import bench


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[BenchSettings]:
    """Settings that the command was called with."""
    calls: list[BenchSettings] = []

    def record(settings: BenchSettings, console: Console) -> Outcome:
        calls.append(settings)
        return Outcome(Path("folder/report.html"), 1, 0)

    monkeypatch.setattr(jdcodec.bench.command, "bench", record)
    return calls


def invoke(*words: str) -> Any:
    app = typer.Typer()
    app.command()(bench)
    return CliRunner().invoke(app, words)


def test_defaults_are_those_of_the_settings(asked: list[BenchSettings]) -> None:
    result = invoke("set")
    assert result.exit_code == 0, result.output
    assert result.stdout == "folder/report.html\n"
    assert asked == [BenchSettings(folder=Path("set"))]


def test_every_option(asked: list[BenchSettings]) -> None:
    words = (
        "set --vs nlm+jxl,bpg -o out --max-images 3 --resume --force --model best --denoise 0.5 --device cpu "
        "--noise cheng:1 --seed 7 --qualities 1,2 --qualities bpg=30 --jobs 2 --time-limit 9 --ssimulacra2 "
        "--strict --name kodak --anchors a.json --show one --show two"
    )
    result = invoke(*words.split())
    assert result.exit_code == 0, result.output
    assert asked == [
        BenchSettings(
            folder=Path("set"),
            out=Path("out"),
            rivals=("nlm+jxl", "bpg"),
            choice=Choice("best", 0.5, "cpu", 9.0),
            qualities=("1,2", "bpg=30"),
            noise="cheng:1",
            seed=7,
            name="kodak",
            max_images=3,
            jobs=2,
            resume=True,
            force=True,
            strict=True,
            anchors=Path("a.json"),
            show=("one", "two"),
            ssimulacra2=True,
        )
    ]


@pytest.mark.parametrize(
    "words", ["", "set --jobs 0", "set --max-images 0", "set --denoise 2", "set --time-limit 0"]
)
def test_bad_usage_is_exit_status_2(asked: list[BenchSettings], words: str) -> None:
    assert invoke(*words.split()).exit_code == 2
    assert asked == []


def test_help_names_checkpoints_and_says_what_each_denoiser_is(asked: list[BenchSettings]) -> None:
    said = " ".join(re.sub(r"[│\n]", " ", invoke("--help").output).split())
    for words in ("ref:CHECKPOINT", "denoiser:CHECKPOINT+jxl", "stem+bpg (the denoiser of jdc's encoder)"):
        assert words in said, said
    assert "unet+" not in said
