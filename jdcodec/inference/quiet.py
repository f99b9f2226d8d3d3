"""OpenVINO, imported without its model converter.

The converter takes half of the time that the import does, and the import of it counts uses in a file in the
user's home folder and reports them over the network. Nothing of that is wanted of a codec.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

_CONVERTER = "openvino.tools.ovc"


def _import_openvino() -> Any:
    if "openvino" in sys.modules:
        return import_module("openvino")
    sys.modules[_CONVERTER] = None  # type: ignore[assignment]  # to be missing is allowed
    try:
        package: Any = import_module("openvino")
    finally:
        del sys.modules[_CONVERTER]
    package.__getattr__ = _converter
    return package


def _converter(name: str) -> Any:
    """Attributes left out: a program that wants the converter for itself still finds it."""
    if name == "convert_model":
        return import_module(_CONVERTER).convert_model
    raise AttributeError(f"module 'openvino' has no attribute {name!r}")


if TYPE_CHECKING:
    import openvino as ov
    from openvino import opset13 as ops
else:
    ov = _import_openvino()
    ops = import_module("openvino.opset13")

__all__ = ["ops", "ov"]
