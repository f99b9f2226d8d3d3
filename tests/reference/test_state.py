"""State dicts save and load, before and after entropy tables were made."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from jdcodec.reference import build

from .systems import NARROW, SYSTEMS, narrow, pictures


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_loaded_system_writes_the_same_bytes(name: str, tmp_path: Path) -> None:
    model = narrow(name).eval()
    x = pictures(1, model.channels, 48, 64)
    data = model.compress(x)
    save_file({n: t.contiguous() for n, t in model.state_dict().items()}, tmp_path / "state.safetensors")

    torch.manual_seed(99)
    fresh = build(name, **NARROW[name]).eval()
    if not name.startswith("autoencoder"):
        assert fresh.compress(x) != data
    fresh.load_state_dict(load_file(tmp_path / "state.safetensors"))
    assert fresh.compress(x) == data
    torch.testing.assert_close(fresh.decompress(data), model.decompress(data), atol=0, rtol=0)
