"""jdc among the codecs under test: what its points say that they are of, and what is said without weights."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import jdcodec
from jdcodec.bench import ours
from jdcodec.bench.codec import Unavailable


def test_the_version_tells_other_code_and_other_weights(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Points of an earlier run are taken over only where all of it is the same."""

    def version(model: Path) -> str:
        ours._code.cache_clear()
        return ours._version(str(model), "jdc")

    before = version(tiny_model)
    assert version(tiny_model) == before and f"jdcodec {jdcodec.__version__}" in before
    copy = tmp_path / "jdcodec"
    for package in ("codec", "container", "entropy", "inference", "model"):
        shutil.copytree(Path(jdcodec.__file__).with_name(package), copy / package)
    monkeypatch.setattr(jdcodec, "__file__", str(copy / "__init__.py"))
    assert version(tiny_model) == before
    with (copy / "codec" / "noise_policy.py").open("a") as file:
        file.write("# another encoder\n")
    assert version(tiny_model) != before
    ours._code.cache_clear()


def test_a_codec_without_weights_is_named() -> None:
    with pytest.raises(Unavailable, match=r"^jdc:nope\.safetensors: no model 'nope\.safetensors'"):
        ours.ours("jdc:nope.safetensors").prepare()


def test_the_table_of_strengths_says_what_cannot_be_read() -> None:
    run = [sys.executable, "-m", "jdcodec.bench.strength", "missing.png"]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stderr == "strength: missing.png: no such file\n"
