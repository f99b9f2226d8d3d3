"""What the codecs take from compressai, imported such that it works on a torch without CUDA, too.

torchvision's wheel for CUDA does not load its operators beside a CPU build of torch, and then importing
torchvision, and compressai with it, fails for want of `torchvision::nms`. Nothing here runs that operator,
so declaring it is enough.
"""

from __future__ import annotations

import sys
import warnings

import torch

from jdcodec.errors import ModelError

#: Declared operators live as long as the library object does.
_declared: list[torch.library.Library] = []


def _import_torchvision() -> None:
    try:
        import torchvision  # type: ignore[import-not-found, unused-ignore]
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
        for operator in ("nms", "qnms"):
            signature = f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
            library.define(signature)  # type: ignore[no-untyped-call]
        _declared.append(library)
        import torchvision  # noqa: F401


try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # several packages behind compressai warn of what they lack
        _import_torchvision()
        from compressai._CXX import pmf_to_quantized_cdf
        from compressai.ans import RansDecoder, RansEncoder
        from compressai.entropy_models import EntropyBottleneck, EntropyModel, GaussianConditional
        from compressai.layers import GDN, AttentionBlock
        from compressai.models import Cheng2020Anchor, get_scale_table
        from compressai.ops import LowerBound
except ImportError as error:
    raise ModelError(
        f"the papers' codecs need compressai: pip install 'jdcodec[reference]' ({error})"
    ) from error

__all__ = [
    "GDN",
    "AttentionBlock",
    "Cheng2020Anchor",
    "EntropyBottleneck",
    "EntropyModel",
    "GaussianConditional",
    "LowerBound",
    "RansDecoder",
    "RansEncoder",
    "get_scale_table",
    "pmf_to_quantized_cdf",
]
