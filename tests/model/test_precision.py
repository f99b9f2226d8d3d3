"""Networks multiply in bf16 only where the hardware does: elsewhere it is emulated, ten times as slow."""

from __future__ import annotations

import pytest
import torch

from jdcodec.model.precision import fast_autocast, fast_dtype


@pytest.mark.parametrize(("supported", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_the_processor_decides(supported: bool, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: supported, raising=False)
    cpu = torch.device("cpu")
    assert fast_dtype(cpu) is dtype
    layer, x = torch.nn.Conv2d(3, 4, 1), torch.ones(1, 3, 2, 2)
    with fast_autocast(cpu):
        assert layer(x).dtype is dtype
    assert layer(x).dtype is torch.float32


def test_devices_without_answer_take_float32() -> None:
    assert fast_dtype(torch.device("meta")) is torch.float32
