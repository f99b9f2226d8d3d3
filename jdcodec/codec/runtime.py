"""Choosing device and precision, and keeping networks warm between photos."""

from __future__ import annotations

import threading
from functools import lru_cache
from typing import TYPE_CHECKING

from jdcodec.codec.weights import Weights, build_network
from jdcodec.errors import ModelError
from jdcodec.model.config import quality_to_t

if TYPE_CHECKING:
    import torch

    from jdcodec.model.inference import Inference
    from jdcodec.model.network import JointCodec

PRECISIONS = ("auto", "fp32", "bf16")

_networks: dict[tuple[bytes, str], JointCodec] = {}
_lock = threading.Lock()


def start_inference(
    weights: Weights, quality: float, *, device: str = "auto", precision: str = "auto"
) -> Inference:
    """The network of `weights` at a quality (1 to 8), on a device, warm if it was used before.

    device: "auto" (CUDA where there is one, else the CPU) or a name torch knows, such as "cpu" or "cuda:1".
    precision: "fp32", "bf16", or "auto", which takes bf16 where the hardware multiplies it fast.
    """
    from jdcodec.model.inference import Inference

    place = _device(device)
    with _lock:
        key = (weights.model_id, str(place))
        if key not in _networks:
            _networks[key] = build_network(weights, place)
        network = _networks[key]
    return Inference(network, quality_to_t(quality), _dtype(place, precision))


@lru_cache(maxsize=8)
def _device(name: str) -> torch.device:
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        place = torch.device(name)
        torch.empty(0, device=place)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(f"device {name!r} cannot be used: {reason}; try --device cpu") from error
    return place


def _dtype(place: torch.device, precision: str) -> torch.dtype:
    import torch

    if precision not in PRECISIONS:
        raise ModelError(f"precision must be one of {', '.join(PRECISIONS)}, not {precision!r}")
    if precision == "auto":
        return torch.bfloat16 if _has_fast_bf16(place) else torch.float32
    return torch.bfloat16 if precision == "bf16" else torch.float32


def _has_fast_bf16(place: torch.device) -> bool:
    """Whether bf16 multiplies at more than fp32's speed: AVX-512 BF16, AMX, or a recent GPU."""
    import torch

    if place.type == "cuda":
        return torch.cuda.get_device_capability(place) >= (8, 0)
    if place.type != "cpu":
        return False
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(supported and supported())
