"""What several test folders share: pictures and small networks made here, and real photographs."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pytest
from numpy.typing import NDArray

if TYPE_CHECKING:
    from jdcodec.codec.rounding import Rounding
    from jdcodec.inference.interface import Floats, Inference
    from jdcodec.inference.on_openvino import OpenVinoInference
    from jdcodec.inference.on_torch import TorchInference
    from jdcodec.model.config import ModelConfig
    from jdcodec.model.network import JointCodec

PictureMaker = Callable[..., NDArray[np.uint8]]
NetworkMaker = Callable[[str], "JointCodec"]


class Starter(Protocol):
    def __call__(self, network: JointCodec, t: float, *, units: int = 1) -> Inference: ...


def _make_picture(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """(H, W, 3) uint8: smooth colour gradients, hard-edged rectangles, fine texture and some noise."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:height, 0:width] / 64.0
    phases = rng.uniform(0, 6, 3)
    picture = np.stack([0.5 + 0.3 * np.sin(rows + p) * np.cos(0.7 * columns - p) for p in phases], axis=2)
    for _ in range(12):
        top, left = rng.integers(0, height), rng.integers(0, width)
        picture[top : top + rng.integers(4, 40), left : left + rng.integers(4, 40)] = rng.uniform(0, 1, 3)
    picture[: height // 2] += 0.08 * np.sin(40 * columns[: height // 2, :, None])
    picture += rng.normal(0, 0.02, picture.shape)
    return np.rint(255 * picture.clip(0, 1)).astype(np.uint8)


def pytest_configure() -> None:
    """A run in the background ignores Ctrl-C and hands that on; the commands under test must not."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def make_picture() -> PictureMaker:
    """A function of (height, width, seed=0) that makes a picture, (height, width, 3) uint8."""
    return _make_picture


def _narrow(config: ModelConfig) -> ModelConfig:
    """The network with its depths, and so its halos, but few channels."""
    from jdcodec.model.config import ModelConfig

    sizes = config.to_dict()
    for name, value in sizes.items():
        if name.endswith("_stages"):
            sizes[name] = [(8, blocks) for _, blocks in value]
    sizes |= {"name": f"tiny {config.name}", "stem_channels": [8] * len(config.stem_channels)}
    sizes |= {"latent_channels": 48, "hyper_channels": 8, "hyper_width": 8}
    return ModelConfig.from_dict(sizes)


@pytest.fixture(scope="session")
def make_network() -> NetworkMaker:
    """A function of the name of a configuration that gives its network, narrow and with random parameters.

    A fresh network is a plain DCT codec, since its branches end in zeros: here every layer counts.
    """
    import torch

    from jdcodec.model.config import CONFIGS
    from jdcodec.model.network import JointCodec

    torch.set_num_threads(1)

    @lru_cache
    def make(name: str) -> JointCodec:
        torch.manual_seed(1)
        network = JointCodec(_narrow(CONFIGS[name]))
        picture = torch.from_numpy(_make_picture(256, 256)).permute(2, 0, 1)[None] / 255
        with torch.no_grad():
            network.entropy.scale.start_from(network.analysis(picture, torch.zeros(1)))
            for path, parameter in network.named_parameters():
                if not path.endswith(".linear"):
                    parameter += 0.05 * torch.randn_like(parameter)
            network.entropy.scale.expand.weight *= 2
            network.entropy.hyper_analysis[-1].weight *= 4
        return network.requires_grad_(False).eval().channels_last()

    return make


@lru_cache
def _openvino_network(network: JointCodec, bf16: bool, units: int) -> Any:
    from jdcodec.inference.on_openvino import Network

    arrays = {name: tensor.contiguous().numpy() for name, tensor in network.state_dict().items()}
    return Network(network.config, arrays, bf16=bf16, units=units)


def start_on_openvino(
    network: JointCodec, t: float, *, bf16: bool = False, units: int = 1
) -> OpenVinoInference:
    """A network at position t of the quality scale; its compiled graphs stay warm between tests.

    units: into how many its symbols divide a quantisation step, 3 for tables with dependent quantisation.
    """
    from jdcodec.inference.on_openvino import OpenVinoInference

    return OpenVinoInference(_openvino_network(network, bf16, units), t)


def start_on_torch(network: JointCodec, t: float, *, bf16: bool = False, units: int = 1) -> TorchInference:
    """The same with torch on the CPU."""
    import torch

    from jdcodec.inference.on_torch import TorchInference

    return TorchInference(network, t, torch.bfloat16 if bf16 else torch.float32, units)


@pytest.fixture(scope="session", params=["openvino", "torch"])
def start(request: pytest.FixtureRequest) -> Starter:
    """A function of (network, t, units=1) that starts it on the CPU in float32: OpenVINO, and torch."""
    return start_on_openvino if request.param == "openvino" else start_on_torch


def both_passes(
    inference: Inference, y: Floats, z: NDArray[np.int8], levels: NDArray[np.uint8], rounding: Rounding
) -> NDArray[np.int16]:
    """Symbols (M, H, W) of all sites, each latent rounded alone: the anchors, then those beside them."""
    anchor = np.add.outer(np.arange(y.shape[1]), np.arange(y.shape[2])) % 2 == 0
    channels = np.broadcast_to(np.arange(len(y))[:, None, None], y.shape)
    symbols = np.zeros(y.shape, np.int16)
    for sites in (anchor, ~anchor):
        means = inference.anchor_means(z) if sites is anchor else inference.other_means(symbols, z)
        assert means.shape == y.shape and means.dtype == np.float32
        values = (y - means) * inference.gain[:, None, None]
        whole = rounding(values, levels, channels) * (sites & (levels > 0))
        symbols += (inference.units * whole).astype(np.int16)
    return symbols


@pytest.fixture(scope="session")
def tiny_network(make_network: NetworkMaker) -> JointCodec:
    """`make_network` of `fast`."""
    return make_network("fast")


def _export(network: JointCodec, path: Path) -> Path:
    """A weights file of a network, its tables fitted to a few pictures."""
    import torch

    from jdcodec.training.export import export_weights

    batches = [
        torch.from_numpy(np.stack([_make_picture(128, 192, seed) for seed in (2 * number, 2 * number + 1)]))
        for number in range(4)
    ]
    scaled = (batch.permute(0, 3, 1, 2).float() / 255 for batch in batches)
    export_weights(network.state_dict(), network.config, scaled, path)
    return path


@pytest.fixture(scope="session")
def tiny_model(tiny_network: JointCodec, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights file of `tiny_network`."""
    return _export(tiny_network, tmp_path_factory.mktemp("weights") / "tiny.safetensors")


@pytest.fixture(scope="session")
def scalar_model(tiny_network: JointCodec, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same without dependent quantisation, as weights files were before there was any."""
    from jdcodec.entropy.tables import LEVELS
    from jdcodec.training import export

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, "TRELLIS_LEVEL", LEVELS)
        return _export(tiny_network, tmp_path_factory.mktemp("weights") / "scalar.safetensors")


@pytest.fixture(scope="session")
def photographs() -> Path:
    """The folder of real photographs; the test is skipped where JDC_DATA does not name one."""
    folder = os.environ.get("JDC_DATA")
    if not folder:
        pytest.skip("JDC_DATA does not name a folder of photographs")
    return Path(folder)
