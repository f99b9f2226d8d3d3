"""Help, information and usage errors answer at once: no torch, no numpy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_CHECK = """
import sys
sys.argv = ["jdc", *{arguments!r}]
from jdcodec.cli import app
try:
    app()
except SystemExit:
    pass
names = ("torch", "numpy", "PIL", "rawpy", "constriction", "pydantic")
heavy = [name for name in names if name in sys.modules]
print("heavy:", heavy, file=sys.stderr)
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["encode", "--help"],
        ["encode"],
        ["view", "--help"],
        ["view", "x", "--no-open"],
        ["desktop"],
        ["train", "--list"],
        ["--version"],
    ],
)
def test_imports_nothing_heavy(arguments: list[str], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _CHECK.format(arguments=arguments)],
        cwd=tmp_path,
        capture_output=True,
        timeout=60,
        text=True,
    )
    assert "heavy: []" in done.stderr, done.stderr
