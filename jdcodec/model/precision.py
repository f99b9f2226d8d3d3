"""Which floating-point type a device multiplies fastest in: bfloat16, or float32 where that is emulated."""

from __future__ import annotations

import torch


def has_fast_bf16(device: torch.device) -> bool:
    """Whether bf16 multiplies at more than fp32's speed: AVX-512 BF16, AMX, or a recent GPU."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type != "cpu":
        return False
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(supported and supported())


def fast_dtype(device: torch.device) -> torch.dtype:
    """The type to multiply in on a device; a processor without bf16 takes ten times as long for it."""
    return torch.bfloat16 if has_fast_bf16(device) else torch.float32


def fast_autocast(device: torch.device) -> torch.autocast:
    """A context in which convolutions run in `fast_dtype`."""
    dtype = fast_dtype(device)
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=dtype is torch.bfloat16)
