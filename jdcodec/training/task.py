"""What a run trains: a network and its loss on a batch, behind the one interface that the loop knows.

`build_task` gives this project's network as `JointTask` and the papers' systems as
`reference_task.ReferenceTask`. A task is itself a module, so that it can be compiled or distributed whole.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from jdcodec.errors import TrainingError
from jdcodec.model.config import CONFIGS, ModelConfig, t_to_lambda
from jdcodec.model.network import JointCodec
from jdcodec.model.precision import fast_autocast

from .batches import Batches
from .checkpoint import Checkpoint, read_averaged
from .dependent import DependentRounding
from .loss import Loss, joint_loss, rate_distortion_loss, stem_loss
from .recipe import Recipe


class Task(nn.Module):
    """A network in training. Pictures are (B, 3, H, W) in [0, 1]; sides are multiples of 64."""

    network: nn.Module
    #: What checkpoints say of the network, as metadata.
    architecture: dict[str, str]
    #: Rates to measure at: label, quality position t, lambda. None where no codec is trained.
    rates: tuple[tuple[str, float, float], ...] = ()

    def forward(self, noisy: Tensor, target: Tensor, strength: Tensor, t: Tensor) -> Loss:
        """The loss of a batch; strength and t, (B,), as in `Batch`."""
        raise NotImplementedError

    def prepare(self, data: Batches) -> None:
        """Fit to the data what is not learned, before the first step of a new run."""

    def begin(self, data: Batches) -> None:
        """Fit to the data what follows from the weights, before the first step of a new or resumed run."""

    def take_fitted(self, other: Task) -> None:
        """Take what `begin` fitted in another task of the same recipe."""

    def check(self, checkpoint: Checkpoint, path: Path) -> None:
        """Raise TrainingError unless a checkpoint is one of this network."""
        raise NotImplementedError

    def start_from(self, path: Path) -> None:
        """Take what another run has trained of this network. Raises TrainingError where that is nothing."""
        raise NotImplementedError

    def decode(self, x: Tensor, t: float) -> tuple[Tensor, Tensor]:
        """(decoded pictures, bits of each (B,)) at one of `rates`."""
        raise NotImplementedError

    def denoise(self, x: Tensor) -> Tensor | None:
        """Denoised pictures; None of a network whose denoiser is not trained, or not apart from coding."""
        raise NotImplementedError


#: Makes a function out of a function, as torch.compile does.
Compiler = Callable[[Any], Any]


def build_task(recipe: Recipe, device: torch.device, compiler: Compiler = lambda function: function) -> Task:
    """The task of a recipe, its network freshly initialised by torch's generator, on a device.

    What is trained of the network runs as the compiler makes it. Raises TrainingError where the network
    cannot be built.
    """
    if recipe.part == "entropy":
        from .entropy_task import EntropyTask

        return EntropyTask(recipe, device, compiler)
    if recipe.reference is None:
        return JointTask(recipe, device, compiler)
    from .reference_task import ReferenceTask

    return ReferenceTask(recipe, device, compiler)


class JointTask(Task):
    """This project's network, or one part of it."""

    network: JointCodec

    def __init__(self, recipe: Recipe, device: torch.device, compiler: Compiler) -> None:
        super().__init__()
        self.recipe = recipe
        config = CONFIGS[recipe.arch]
        self.network = JointCodec(config).channels_last(device)
        if recipe.trellis:
            self.network.dependent_rounding = DependentRounding()
        self.architecture = {"config": json.dumps(config.to_dict())}
        if recipe.part != "stem":
            self.rates = tuple((f"{t:g}", t, t_to_lambda(t)) for t in (0.0, 0.5, 1.0))
        if recipe.part != "all":
            for name, parameter in self.network.named_parameters():
                parameter.requires_grad_(name.startswith("denoiser.") == (recipe.part == "stem"))
        network = self.network
        if recipe.guidance_weight:  # the outputs of the analysis, which `_guided` looks at, stay outside
            for module in (network.denoiser, network.analysis, network.synthesis):
                module.forward = compiler(module.forward)  # type: ignore[method-assign]
        # Functions and not modules, which would be registered as parts of this one.
        self._denoise = compiler(lambda x: network.denoiser(x))
        self._code = compiler(network.code)
        self._run = compiler(lambda x, strength, t: network(x, strength, t))

    def forward(self, noisy: Tensor, target: Tensor, strength: Tensor, t: Tensor) -> Loss:
        recipe = self.recipe
        nothing = torch.empty(0, device=noisy.device)
        with fast_autocast(noisy.device):
            if recipe.part == "stem":
                denoised = noisy - self._denoise(noisy).float()
                total, stem_mse = stem_loss(denoised, target)
                return Loss(total, nothing, nothing, stem_mse)
            if recipe.part == "codec":
                decoded, latent_bits, hyper_bits = self._code(noisy, t)
                bits = latent_bits + hyper_bits
                total, bpp, mse = rate_distortion_loss(decoded, bits, noisy, t, recipe.loss)
                return Loss(total, bpp, mse, nothing)
            if recipe.guidance_weight:
                return self._guided(noisy, target, strength, t)
            out = self._run(noisy, strength, t)
        return joint_loss(out, noisy, target, strength, t, recipe.stem_weight, recipe.loss)

    def _guided(self, noisy: Tensor, clean: Tensor, strength: Tensor, t: Tensor) -> Loss:
        """With the L1 distance between the latents of the denoised picture and of what it should be.

        After Cheng, Xie & Chen, ECCV 2022, whose denoisers lie inside the analysis transform; ours comes
        before it, so that there is one place to compare.
        """
        with _outputs_of(self.network.analysis) as latents:
            out = self.network(noisy, strength, t)
            scene = clean + (1 - strength)[:, None, None, None] * (noisy - clean)
            self.network.analysis(scene, t)
        guidance = F.l1_loss(latents[0].float(), latents[1].float())
        loss = joint_loss(out, noisy, clean, strength, t, self.recipe.stem_weight, self.recipe.loss)
        total = loss.total + self.recipe.guidance_weight * guidance
        return Loss(total, loss.bpp, loss.mse, loss.stem_mse, {"guidance": guidance.detach()})

    @torch.no_grad()
    def prepare(self, data: Batches) -> None:
        clean = data.clean(32, min(128, *(phase.crop for phase in self.recipe.phases)))
        y = self.network.analysis(clean, torch.zeros(32, device=clean.device))
        self.network.entropy.scale.start_from(y)

    def check(self, checkpoint: Checkpoint, path: Path) -> None:
        try:
            config = ModelConfig.from_dict(json.loads(checkpoint.metadata["config"]))
        except (KeyError, ValueError, TypeError, RecursionError) as error:
            raise TrainingError(f"{path}: not a checkpoint of one of this project's networks") from error
        if config != self.network.config:
            raise TrainingError(
                f"{path}: holds a {config.name} network of other sizes than {self.recipe.arch}"
            )

    def start_from(self, path: Path) -> None:
        """From averaged or exported weights, the part that was trained."""
        config, part, averaged = read_averaged(path)
        if config != self.network.config:
            raise TrainingError(f"{path}: holds a network of other sizes than {self.recipe.arch}")
        if part in ("stem", "codec"):  # else the denoiser is what the codec was trained behind
            wants_stem = part == "stem"
            averaged = {n: v for n, v in averaged.items() if n.startswith("denoiser.") == wants_stem}
        self.network.load_state_dict(averaged, strict=False)

    def decode(self, x: Tensor, t: float) -> tuple[Tensor, Tensor]:
        ones = torch.ones(len(x), device=x.device)
        with fast_autocast(x.device):
            if self.recipe.part == "codec":
                decoded, latent_bits, hyper_bits = self.network.code(x, t * ones)
            else:
                out = self.network(x, ones, t * ones)
                decoded, latent_bits, hyper_bits = out.decoded, out.latent_bits, out.hyper_bits
        return decoded.float(), latent_bits + hyper_bits

    def denoise(self, x: Tensor) -> Tensor | None:
        if self.recipe.part == "codec":
            return None
        with fast_autocast(x.device):
            noise: Tensor = self.network.denoiser(x).float()
        return x - noise


@contextmanager
def _outputs_of(module: nn.Module) -> Iterator[list[Tensor]]:
    """What a module returns within, call after call."""
    outputs: list[Tensor] = []
    handle = module.register_forward_hook(lambda module, arguments, output: outputs.append(output))
    try:
        yield outputs
    finally:
        handle.remove()
