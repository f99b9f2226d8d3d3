"""Options: the same in every command that has them, and what does not go together."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.main import get_command

from jdcodec.cli import app

from .command import jdc


@pytest.mark.parametrize("option", ["--recursive", "--json"])
def test_an_option_is_declared_once(option: str) -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]
    declared = {
        (tuple(parameter.opts), parameter.help, parameter.rich_help_panel)
        for name in ("encode", "decode", "info", "verify")
        for parameter in commands[name].params
        if option in parameter.opts
    }
    assert len(declared) == 1


@pytest.mark.parametrize(
    ("words", "named", "said"),
    [
        ("--target-size 9kB --target-bpp 1", "--target-size --target-bpp", "choose one of"),
        ("--target-bpp 1 --max-size 9kB", "--target-bpp --max-size", "choose one of"),
        ("--target-size 9kB --quality 5", "--target-size", "leave out --quality"),
        ("--target-bpp 1 -q 5", "--target-bpp", "leave out --quality"),
        ("--target-size 9parsecs", "--target-size", "is no size"),
        ("--max-size 0", "--max-size", "must be above 0"),
        ("--target-bpp -1", "--target-bpp", "must be above 0"),
        ("--target-bpp inf", "--target-bpp", "must be above 0"),
    ],
)
def test_sizes_that_cannot_be_wanted(
    words: str, named: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    result = jdc("encode", tmp_path / "photo.png", *words.split())
    assert result.exit_code == 2 and said in result.output
    hint = " / ".join(f"'{option}'" for option in named.split())
    assert f"Invalid value for {hint}: " in result.output and "_" not in result.output
