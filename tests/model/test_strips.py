"""Inference runs a block on a few rows at a time; training runs it whole. Both are the same function."""

from __future__ import annotations

import pytest
import torch

from jdcodec.model import blocks
from jdcodec.model.blocks import ResidualBlock


@pytest.mark.parametrize("elements", [1, 8 * 20 * 5, 1 << 20])
def test_same_with_and_without_gradients(elements: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "_STRIP_ELEMENTS", elements)
    torch.manual_seed(0)
    block = ResidualBlock(8)
    for parameter in block.parameters():
        parameter.data = torch.randn_like(parameter) / 3
    x = torch.randn(1, 8, 13, 20)
    with torch.inference_mode():
        in_strips = block(x)
    torch.testing.assert_close(in_strips, block(x).detach(), atol=1e-5, rtol=1e-5)
