"""The papers' systems as tasks: what `jdcodec.reference` builds, with the losses it was published with.

Everything runs in float32, as there. compressai trains the quantiles of its factorised priors by an auxiliary
loss with an optimiser of its own; these systems compute them when entropy tables are made, so nothing here
has to (docs/papers.md). Dead priors of ManyPriors are revived by the module itself while it trains.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from jdcodec.errors import ModelError, TrainingError, first_line
from jdcodec.reference import build
from jdcodec.reference.base import Denoiser, ReferenceModel
from jdcodec.reference.losses import bits_per_pixel, contrastive_loss, guidance_loss
from jdcodec.reference.stored import KEY, describe, stored_name

from .checkpoint import Checkpoint, open_checkpoint, section
from .distributed import gathered
from .loss import MS_SSIM_SCALE, Loss, stem_loss
from .recipe import Recipe
from .similarity import ms_ssim
from .task import Compiler, Task

#: ITU-R BT.601, for systems of one channel.
_LUMA = (0.299, 0.587, 0.114)


class ReferenceTask(Task):
    """A system of `jdcodec.reference`: a codec at one rate, or a denoiser.

    A codec descends bpp + lambda·255²·MSE, or lambda·1280·(1 − MS-SSIM), with what guides it; a denoiser the
    log MSE, as this project's own stem does, or 1 − MS-SSIM. Strengths and quality positions are not used:
    the target is always the clean picture.
    """

    network: ReferenceModel

    def __init__(self, recipe: Recipe, device: torch.device, compiler: Compiler) -> None:
        super().__init__()
        self.recipe = recipe
        try:
            self.network = build(recipe.arch, **recipe.sizes).to(device)
        except ModelError as error:
            raise TrainingError(str(error)) from error
        except (TypeError, ValueError, RuntimeError) as error:
            sizes = f"{recipe.arch} with sizes {recipe.sizes}"
            raise TrainingError(f"{sizes}: cannot be built: {first_line(error)}") from error
        self.architecture = {KEY: describe(recipe.arch, recipe.sizes)}
        self.denoises = isinstance(self.network, Denoiser)
        self.weight = recipe.lambda_ or 0.0
        self.rates = () if self.denoises else ((f"{self.weight:g}", 0.0, self.weight),)
        projection = getattr(self.network, "projection", None)
        if isinstance(projection, nn.Module) and not recipe.contrastive_weight:
            projection.requires_grad_(False)  # without its loss it gets no gradient
        network = self.network
        self._run = compiler(lambda noisy, clean: network(noisy, clean))

    def forward(self, noisy: Tensor, target: Tensor, strength: Tensor, t: Tensor) -> Loss:
        recipe = self.recipe
        noisy, target = self._channels(noisy), self._channels(target)
        guided = bool(recipe.guidance_weight or recipe.contrastive_weight)
        output = self._run(noisy, target if guided else None)
        picture, nothing = output.reconstruction, torch.empty(0, device=noisy.device)
        if self.denoises:
            total, mse = stem_loss(picture, target)
            if recipe.loss == "ms-ssim":
                total = (1 - ms_ssim(picture, target)).mean()
            return Loss(total, nothing, nothing, mse)
        bpp, mse = bits_per_pixel(output), (picture - target).square().mean((1, 2, 3))
        distortion = 255**2 * mse if recipe.loss == "mse" else MS_SSIM_SCALE * (1 - ms_ssim(picture, target))
        total = (bpp + self.weight * distortion).mean()
        terms: dict[str, Tensor] = {}
        if recipe.guidance_weight:
            terms["guidance"] = guidance_loss(output)
            total = total + recipe.guidance_weight * terms["guidance"]
        if recipe.contrastive_weight:
            assert output.projections is not None
            noisy_rows, clean_rows = map(gathered, output.projections)  # negatives of the whole batch
            terms["contrast"] = contrastive_loss(replace(output, projections=(noisy_rows, clean_rows)))
            total = total + recipe.contrastive_weight * terms["contrast"]
        details = {name: term.detach() for name, term in terms.items()}
        return Loss(total, bpp.detach(), mse.detach(), nothing, details)

    def check(self, checkpoint: Checkpoint, path: Path) -> None:
        if checkpoint.metadata.get(KEY) != self.architecture[KEY]:
            raise TrainingError(f"{path}: holds another network than {self._described()}")

    def start_from(self, path: Path) -> None:
        """From averaged weights of the same system, or of the denoiser or the codec that it is made of."""
        try:
            name, _ = stored_name(path)
        except ModelError as error:
            raise TrainingError(str(error)) from error
        averaged = section(open_checkpoint(path).tensors, "average")
        shapes = {key: value.shape for key, value in averaged.items()}
        for module in (self.network, *self.network.children()):
            if shapes == {key: value.shape for key, value in module.state_dict().items()}:
                module.load_state_dict(averaged)
                return
        raise TrainingError(f"{path}: {name} there has other tensors than {self._described()} here")

    def decode(self, x: Tensor, t: float) -> tuple[Tensor, Tensor]:
        self.network.eval()
        output = self.network(x)
        return output.reconstruction, bits_per_pixel(output) * x.shape[2] * x.shape[3]

    def denoise(self, x: Tensor) -> Tensor | None:
        if not isinstance(self.network, Denoiser):
            return None
        self.network.eval()
        return self.network.colour(x)

    def _channels(self, x: Tensor) -> Tensor:
        """Pictures as the network takes them, of three channels or their luma, channel by channel."""
        x = x.contiguous()
        if self.network.channels == 3:
            return x
        return F.conv2d(x, x.new_tensor(_LUMA).reshape(1, 3, 1, 1))

    def _described(self) -> str:
        sizes = ", ".join(f"{name} {size}" for name, size in self.recipe.sizes.items())
        return f"{self.recipe.arch} ({sizes})" if sizes else self.recipe.arch
