"""Shell completion through the command as it is installed, which imports little and leaves in a hurry."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def complete(words: str, tmp_path: Path) -> list[str]:
    """What bash is offered after `words`, the last of which is begun."""
    environment = {
        **os.environ,
        "_JDC_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
    }
    command = [sys.executable, "-c", "import sys; sys.argv[0] = 'jdc'; from jdcodec.cli import main; main()"]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    "words, offered",
    [("jdc enc", ["encode"]), ("jdc encode --rec", ["--recursive"]), ("jdc encode --wb day", ["daylight"])],
)
def test_commands_options_and_values_are_completed(words: str, offered: list[str], tmp_path: Path) -> None:
    assert complete(words, tmp_path) == offered


@pytest.mark.skipif(not shutil.which("bash"), reason="bash is not installed")
def test_the_script_for_bash_is_bash(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "_JDC_COMPLETE": "source_bash",
        "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1",
    }
    command = [sys.executable, "-c", "import sys; sys.argv[0] = 'jdc'; from jdcodec.cli import main; main()"]
    script = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60).stdout
    assert "complete" in script and "_JDC_COMPLETE" in script
    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
