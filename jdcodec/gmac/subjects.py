"""What can be counted: our models by name or by file, and the papers' by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from jdcodec.errors import JdcError, ModelError
from jdcodec.model.config import CONFIGS, ModelConfig
from jdcodec.model.entropy_model import checkerboard
from jdcodec.model.network import JointCodec
from jdcodec.reference import Architecture, architectures, build, load
from jdcodec.reference import find as find_architecture
from jdcodec.reference.parts import Part
from jdcodec.reference.stored import is_stored, stored_name


@dataclass(frozen=True)
class Subject:
    """A model to count. `make` builds it; `parts` cuts it, once it lies on a device, into its chain."""

    name: str
    title: str
    make: Callable[[], nn.Module]
    parts: Callable[[nn.Module], tuple[Part, ...]]
    channels: int = 3


def all_subjects() -> list[Subject]:
    """Ours, then the papers'."""
    return [subject(name) for name in (*CONFIGS, *architectures())]


def subject(name: str) -> Subject:
    """One of our models ("fast"), a weights file or a training checkpoint by path, or a paper's system.

    Raises ModelError where there is none of that name or a file does not hold one.
    """
    if name in CONFIGS:
        return _ours(name, CONFIGS[name])
    if Path(name).suffix == ".safetensors" or Path(name).is_file():
        if is_stored(Path(name)):
            return _stored(Path(name))
        return _ours(name, _stored_config(Path(name)))
    try:
        return _papers(find_architecture(name))
    except ModelError as error:
        raise ModelError(f"{error}; ours are {', '.join(CONFIGS)}, and files end in .safetensors") from error


def _ours(name: str, config: ModelConfig) -> Subject:
    return Subject(name, f"jdc, {config.name}", lambda: JointCodec(config).eval(), _our_parts)


def _papers(architecture: Architecture) -> Subject:
    return Subject(
        architecture.name,
        f"{architecture.title} ({architecture.paper})",
        lambda: build(architecture.name).eval(),
        lambda model: model.parts(),  # type: ignore[operator]
        architecture.arguments.get("channels", 3),
    )


def _stored(path: Path) -> Subject:
    """The reference system of a training checkpoint."""
    name, _ = stored_name(path)
    return replace(_papers(find_architecture(name)), name=str(path), make=lambda: load(path))


def _stored_config(path: Path) -> ModelConfig:
    """The configuration in a weights file or a training checkpoint; raises ModelError."""
    from jdcodec.codec.weights import load_weights
    from jdcodec.training.checkpoint import read_checkpoint

    try:
        return read_checkpoint(path)[0]
    except JdcError:
        return load_weights(path.resolve()).config


def _our_parts(model: nn.Module) -> tuple[Part, ...]:
    """Our network at the middle of the quality scale and full denoise strength."""
    assert isinstance(model, JointCodec)
    entropy = model.entropy
    t = torch.full((1,), 0.5, device=next(model.parameters()).device)

    def denoise(x: Tensor) -> Tensor:
        noise: Tensor = model.denoiser(x)
        return x - noise

    def hyperlatents(y: Tensor) -> tuple[Tensor, Tensor]:
        return y, entropy.hyperlatents(y, t).round()

    def scales_and_means(latents: tuple[Tensor, Tensor]) -> Tensor:
        y, z_hat = latents
        log_gain = model.gain(t)
        entropy.scale(z_hat, log_gain, t)
        gain, features = log_gain.exp(), entropy.features(z_hat)
        anchors = checkerboard(y.shape[2], y.shape[3], y.device)
        mean = entropy.mean_of_anchors(features)
        y_hat = (mean + ((y - mean) * gain).round() / gain) * anchors
        mean = entropy.mean_of_others(features, y_hat, t)
        return torch.where(anchors, y_hat, mean + ((y - mean) * gain).round() / gain)

    hyper_analysis = (entropy.hyper_in, entropy.hyper_modulation, entropy.hyper_analysis, entropy.prior)
    rest = (model.gain, *(module for module in entropy.children() if module not in hyper_analysis))
    return (
        Part("denoiser", "encoder", (model.denoiser,), denoise),
        Part("analysis", "encoder", (model.analysis,), lambda x: model.analysis(x, t)),
        Part("hyper analysis", "entropy", hyper_analysis, hyperlatents, encoder_only=True),
        Part("scales and means", "entropy", rest, scales_and_means),
        Part("synthesis", "decoder", (model.synthesis,), lambda y: model.synthesis(y, t)),
    )
