"""The fuzzers that are guided by coverage run, if only for a moment; see `guided`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize("target", ["container", "entropy", "grain"])
def test_a_thousand_inputs(target: str, tmp_path: Path) -> None:
    pytest.importorskip("atheris", reason="atheris is not installed")
    command = [sys.executable, "-m", "tests.fuzz.guided", target, "-runs=1000", "-seed=1"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(tmp_path)}
    command.append(f"-artifact_prefix={tmp_path}/")
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
    assert "Done 1000 runs" in run.stderr
    # Inputs it began with and others that it found to reach new code.
    assert re.search(r"#\d+\s+NEW ", run.stderr)
    assert not list(tmp_path.iterdir())
