"""Torch takes over a second to import, so nothing imports it before a network runs."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "modules", ["jdcodec", "jdcodec.container, jdcodec.entropy, jdcodec.codec.weights, jdcodec.codec.api"]
)
def test_no_torch(modules: str) -> None:
    script = f"import sys, {modules}; print(sorted(m for m in sys.modules if m.split('.')[0] == 'torch'))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_attributes() -> None:
    import jdcodec

    assert {"encode", "decode", "__version__"} <= set(jdcodec.__all__)
    with pytest.raises(AttributeError, match="no attribute 'surprise'"):
        jdcodec.surprise  # noqa: B018
