"""Choosing runtime, device and precision, and keeping networks warm between photos.

On processors OpenVINO runs the networks, elsewhere torch, which is imported only then.
"""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jdcodec.codec.weights import Weights, build_network, check_network
from jdcodec.errors import ModelError, first_line
from jdcodec.model.config import quality_to_t

if TYPE_CHECKING:
    import torch

    from jdcodec.inference.interface import Inference

PRECISIONS = ("auto", "fp32", "bf16")

#: Networks that are kept warm; a process that goes through more models lets the longest unused go.
_MAX_NETWORKS = 8

_networks: dict[tuple[object, ...], Any] = {}
_lock = threading.Lock()

#: What torch may be asked for: other kinds of device it knows compute nothing, or are none.
_DEVICE_KINDS = ("cpu", "cuda", "mps", "xpu")


def start_inference(
    weights: Weights, quality: float, *, device: str = "auto", precision: str = "auto"
) -> Inference:
    """The network of `weights` at a quality (1 to 8), on a device, warm if it was used before.

    device: "auto" (CUDA where torch finds it, else the CPU), "cpu", or a name torch knows, such as "cuda:1";
    "torch-cpu" is torch on the CPU, to compare with. precision: "fp32", "bf16", or "auto", which takes bf16
    where the hardware multiplies it fast. Raises ModelError.
    """
    if precision not in PRECISIONS:
        raise ModelError(f"precision must be one of {', '.join(PRECISIONS)}, not {precision!r}")
    if device == "auto":
        device = "cuda" if _has_cuda() else "cpu"
    t = quality_to_t(quality)
    if device == "cpu" and _is_installed("openvino"):
        return _on_openvino(weights, t, precision)
    if not _is_installed("torch"):
        if device == "cpu":
            raise ModelError("coding on the CPU needs openvino: pip install openvino")
        raise ModelError(f"device {device!r} needs torch: pip install 'jdcodec[torch]', or take --device cpu")
    return _on_torch(weights, t, "cpu" if device == "torch-cpu" else device, precision)


def _on_openvino(weights: Weights, t: float, precision: str) -> Inference:
    from jdcodec.inference.on_openvino import Network, OpenVinoInference, has_fast_bf16
    from jdcodec.threads import usable_cores

    bf16 = has_fast_bf16() if precision == "auto" else precision == "bf16"

    def build() -> Network:
        check_network(weights)
        return Network(weights.config, weights.network, bf16=bf16, units=weights.tables.units)

    key = (weights.model_id, weights.denoiser, "openvino", bf16, usable_cores())
    return OpenVinoInference(_warm(key, build), t)


def _on_torch(weights: Weights, t: float, device: str, precision: str) -> Inference:
    from jdcodec.inference.on_torch import TorchInference

    place = _torch_device(device)
    key = (weights.model_id, weights.denoiser, str(place))
    network = _warm(key, lambda: build_network(weights, place))
    return TorchInference(network, t, _torch_dtype(place, precision), weights.tables.units)


def _warm(key: tuple[object, ...], build: Callable[[], Any]) -> Any:
    """The network of a key, built if it is not there."""
    with _lock:
        if key in _networks:
            _networks[key] = _networks.pop(key)  # to the end of those that are let go
        else:
            _networks[key] = build()
            if len(_networks) > _MAX_NETWORKS:
                del _networks[next(iter(_networks))]
        return _networks[key]


def _is_installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


@lru_cache(maxsize=1)
def _has_cuda() -> bool:
    """Whether torch can use a GPU; torch is imported only where the system shows signs of one."""
    signs = (Path("/dev/nvidiactl"), Path("/dev/dxg"), Path("/proc/driver/nvidia"), Path("C:/Windows"))
    if not any(sign.exists() for sign in signs) or not _is_installed("torch"):
        return False
    import torch

    return torch.cuda.is_available()


@lru_cache(maxsize=8)
def _torch_device(name: str) -> torch.device:
    import torch

    if name.partition(":")[0] not in _DEVICE_KINDS:
        known = ", ".join(_DEVICE_KINDS)
        raise ModelError(f"device {name!r} cannot be used: it is none of {known}; try --device cpu")
    try:
        place = torch.device(name)
        torch.empty(0, device=place)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        # Torch goes on, for pages, with all the kinds of device that it could have been built for.
        reason = first_line(error).partition(". ")[0]
        raise ModelError(f"device {name!r} cannot be used: {reason}; try --device cpu") from error
    return place


def _torch_dtype(place: torch.device, precision: str) -> torch.dtype:
    import torch

    from jdcodec.model.precision import fast_dtype

    if precision == "auto":
        return fast_dtype(place)
    return torch.bfloat16 if precision == "bf16" else torch.float32
