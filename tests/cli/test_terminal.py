"""What reaches a terminal, or a program: no escape sequence of a file's name, and JSON as it is."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from jdcodec.cli import common
from jdcodec.errors import first_line
from tests.cli.command import jdc as jdc_here
from tests.cli.conftest import Run

EVIL = "a\x1b]0;owned\x07\u202egnp\u2066.jdc"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", "\\x1b[2J"),
        ("two\nlines\r", "two\\nlines\\r"),
        ("\x9b31m\x7f", "\\x9b31m\\x7f"),
        ("\u202egnp.exe\u2066", "\\u202egnp.exe\\u2066"),
        ("line\u2028end", "line\\u2028end"),
    ],
)
def test_what_a_terminal_would_obey_is_escaped(text: str, shown: str) -> None:
    assert common.printable(text) == shown


@pytest.mark.parametrize(
    "text", ["Größe × 2 – σ", "写真　一枚.jdc", "👩\u200d👧.png", "می\u200cروم", "\udcff.png"]
)
def test_other_characters_stay(text: str) -> None:
    assert common.printable(text) == text


def test_a_name_does_nothing_to_the_terminal(jdc: Run, tmp_path: Path) -> None:
    (tmp_path / EVIL).write_bytes(b"no file of ours")
    done = jdc("info", EVIL)
    assert done.returncode == 1
    said = done.stderr.decode()
    assert said.startswith("jdc: a\\x1b]0;owned\\x07\\u202egnp\\u2066.jdc: ") and said.count("\n") == 1
    assert said[:-1].isprintable()


def test_json_keeps_a_name_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    common.say_json({"input": EVIL})
    assert json.loads(capsys.readouterr().out) == {"input": EVIL}


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[str]]:
    """A function that starts loading for a device with a runtime that fails; returns what went wrong."""
    unheard: list[str] = []
    monkeypatch.setattr(threading, "excepthook", lambda failure: unheard.append(repr(failure.exc_value)))
    monkeypatch.setattr(common, "_leave_at_once_during", lambda thread, number: thread.join(10))

    def start(device: str) -> list[str]:
        common.start_runtime_meanwhile(device)
        return unheard

    return start


def test_a_runtime_that_cannot_start_is_not_told_of_early(
    monkeypatch: pytest.MonkeyPatch, load: Callable[[str], list[str]]
) -> None:
    asked = []

    def fail(name: str) -> None:
        asked.append(name)
        raise RuntimeError("no such plugin")

    monkeypatch.setattr(common.importlib, "import_module", fail)
    assert load("auto") == [] and load("cpu") == []
    assert len(asked) == 2
    assert load("cuda:1") == []
    assert len(asked) == 2  # nothing is loaded for another device


@pytest.mark.parametrize(
    ("error", "line"),
    [(ValueError("one\ntwo"), "one"), (ValueError(), "ValueError"), (RuntimeError("\n"), "RuntimeError")],
)
def test_the_first_line_of_any_error(error: Exception, line: str) -> None:
    assert first_line(error) == line


@pytest.mark.parametrize("device", ["mps", "nonsense", "cuda:99"])
def test_a_device_that_is_none_is_one_short_line(device: str, tmp_path: Path) -> None:
    photo, model = tmp_path / "photo.ppm", Path(__file__).parents[1] / "golden" / "tiny.safetensors"
    photo.write_bytes(b"P6 16 16 255 " + bytes(768))
    result = jdc_here("encode", photo, "--device", device, "--model", model)
    said = str(result.exception)
    assert said.startswith(f"{photo}: device '{device}' cannot be used: ")
    assert said.endswith("; try --device cpu") and len(said) - len(str(photo)) < 350


def test_the_package_runs_as_a_module(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "jdcodec", "--version"],
        cwd=tmp_path,
        capture_output=True,
        timeout=60,
        text=True,
    )
    assert done.returncode == 0 and done.stdout.startswith("jdc ")


@pytest.mark.parametrize("command", [["bench"], ["data", "index"], ["data", "noise"], ["data", "denoise"]])
@pytest.mark.parametrize("option", ["--output", "--out", "-o"])
def test_every_spelling_of_the_output(command: list[str], option: str, tmp_path: Path) -> None:
    """A folder that is not there is an error of the data, not of usage."""
    result = jdc_here(*command, tmp_path / "nowhere", option, tmp_path / "out", "-f")
    assert result.exit_code == 1, result.output
