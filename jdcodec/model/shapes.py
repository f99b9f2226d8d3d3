"""Names and shapes of a network's arrays, so that a weights file can be checked without torch."""

from __future__ import annotations

from itertools import pairwise

from .config import LATENT_STRIDE, ModelConfig

Shapes = dict[str, tuple[int, ...]]

_BLOCK_PIXELS = 3 * LATENT_STRIDE**2
_MIXTURE = 3


def network_shapes(config: ModelConfig) -> Shapes:
    """Names and shapes of a network's arrays, those of `jdcodec.model.network.JointCodec.state_dict()`."""
    return denoiser_shapes(config) | _analysis(config) | _synthesis(config) | _entropy(config) | _gain(config)


def _conv(name: str, c_in: int, c_out: int, side: int = 1) -> Shapes:
    return {f"{name}.weight": (c_out, c_in, side, side), f"{name}.bias": (c_out,)}


def _stack(name: str, channels: int, count: int) -> Shapes:
    shapes: Shapes = {}
    for index in range(count):
        block = f"{name}.{index}"
        shapes |= _conv(f"{block}.mix_in", channels, channels)
        shapes |= _conv(f"{block}.spatial", 1, channels, 3)
        shapes |= _conv(f"{block}.mix_out", channels, channels)
        shapes |= _conv(f"{block}.gate_in", channels, 2 * channels)
        shapes |= _conv(f"{block}.gate_out", channels, channels)
    return shapes


def _up(name: str, c_in: int, c_out: int, factor: int) -> Shapes:
    return _conv(f"{name}.mix", c_in, c_out * factor**2)


def denoiser_shapes(config: ModelConfig) -> Shapes:
    """Those of the denoiser alone."""
    (quarter, eighth), (at_quarter, at_eighth) = config.stem_channels, config.stem_blocks
    return (
        _conv("denoiser.to_quarter", 3, quarter, 4)
        | _stack("denoiser.quarter_in", quarter, at_quarter)
        | _conv("denoiser.to_eighth", quarter, eighth, 2)
        | _stack("denoiser.eighth", eighth, at_eighth)
        | _up("denoiser.from_eighth", eighth, quarter, 2)
        | _stack("denoiser.quarter_out", quarter, at_quarter)
        | _up("denoiser.to_noise", quarter, 3, 4)
    )


def _analysis(config: ModelConfig) -> Shapes:
    widths = [channels for channels, _ in config.analysis_stages]
    shapes: Shapes = {"analysis.linear": (config.latent_channels, _BLOCK_PIXELS)}
    shapes |= _conv("analysis.entry", 3, widths[0], config.analysis_patch)
    for index, (channels, blocks) in enumerate(config.analysis_stages):
        shapes |= _stack(f"analysis.stages.{index}", channels, blocks)
        shapes |= {f"analysis.modulations.{index}.weight": (2, 2 * channels)}
    for index, (a, b) in enumerate(pairwise(widths)):
        shapes |= _conv(f"analysis.downs.{index}", a, b, 2)
    remaining = LATENT_STRIDE // (config.analysis_patch * 2 ** (len(widths) - 1))
    return shapes | _conv("analysis.head", widths[-1], config.latent_channels, remaining)


def _synthesis(config: ModelConfig) -> Shapes:
    stages = config.synthesis_stages[::-1]
    widths = [channels for channels, _ in stages]
    remaining = LATENT_STRIDE // (config.synthesis_patch * 2 ** (len(widths) - 1))
    shapes: Shapes = {"synthesis.linear": (_BLOCK_PIXELS, config.latent_channels)}
    shapes |= _up("synthesis.entry", config.latent_channels, widths[0], remaining)
    for index, (channels, blocks) in enumerate(stages):
        shapes |= _stack(f"synthesis.stages.{index}", channels, blocks)
        shapes |= {f"synthesis.modulations.{index}.weight": (2, 2 * channels)}
    for index, (a, b) in enumerate(pairwise(widths)):
        shapes |= _up(f"synthesis.ups.{index}", a, b, 2)
    return shapes | _up("synthesis.head", widths[-1], 3, config.synthesis_patch)


def _entropy(config: ModelConfig) -> Shapes:
    width, latents, hyper = config.hyper_width, config.latent_channels, config.hyper_channels
    shapes = _conv("entropy.hyper_in", latents, width)
    shapes |= {"entropy.hyper_modulation.weight": (2, 2 * width)}
    shapes |= _stack("entropy.hyper_analysis", width, 1) | _conv("entropy.hyper_analysis.1", width, width, 2)
    shapes |= _only("entropy.hyper_analysis", 2, width) | _conv("entropy.hyper_analysis.3", width, hyper, 2)
    shapes |= {f"entropy.prior.{name}": (_MIXTURE, hyper) for name in ("logits", "means", "log_scales")}
    shapes |= {"entropy.prior.quality": (2, hyper), "entropy.scale.quality": (2, latents)}
    shapes |= _conv("entropy.scale.expand", hyper, 16 * latents)
    shapes |= _up("entropy.hyper_synthesis.0", hyper, width, 2) | _only("entropy.hyper_synthesis", 1, width)
    shapes |= _up("entropy.hyper_synthesis.2", width, width, 2) | _only("entropy.hyper_synthesis", 3, width)
    shapes |= _conv("entropy.anchor_mean", width, latents) | _conv("entropy.context_mean", width, latents)
    shapes |= _conv("entropy.context_spread", 1, latents, 5) | _conv("entropy.context_mix", latents, width)
    shapes |= {"entropy.context_modulation.weight": (2, 2 * width)}
    return shapes | _stack("entropy.context_block", width, 1)


def _only(name: str, index: int, channels: int) -> Shapes:
    """The block at one place of a sequence."""
    return {
        key.replace(f"{name}.0.", f"{name}.{index}.", 1): shape
        for key, shape in _stack(name, channels, 1).items()
    }


def _gain(config: ModelConfig) -> Shapes:
    return {f"gain.{name}": (config.latent_channels,) for name in ("offset", "slope", "bend")}
