"""The command line as a user meets it: a process of its own, in an empty folder."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import PictureMaker

Run = Callable[..., "subprocess.CompletedProcess[bytes]"]


@pytest.fixture
def jdc(tmp_path: Path) -> Run:
    """Run `jdc` with arguments in `tmp_path`; `stdin` may be bytes."""

    def run(*arguments: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-c", "from jdcodec.cli import main; main()", *map(str, arguments)],
            cwd=tmp_path,
            input=stdin,
            capture_output=True,
            timeout=120,
            env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200", "NO_COLOR": "1"},
        )

    return run


@pytest.fixture
def photo(tmp_path: Path, make_picture: PictureMaker) -> Path:
    """A small PNG in `tmp_path`."""
    path = tmp_path / "photo.png"
    Image.fromarray(make_picture(70, 100)).save(path)
    return path
