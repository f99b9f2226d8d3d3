"""Muon for the 1×1 convolutions, Adam for the rest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from jdcodec.model.precision import fast_dtype

#: Learning rate of the linear block transforms relative to the rest: they start as a DCT whose entries
#: are small, and full steps would shake it apart.
LINEAR_RATE = 0.03


class Muon(torch.optim.Optimizer):
    """Momentum orthogonalised by Newton–Schulz iterations, for matrices and 1×1 convolutions.

    Keller Jordan, "Muon: an optimizer for hidden layers in neural networks", 2024 (the quintic
    coefficients); updates are scaled by 0.2·sqrt(max(rows, columns)) so that one learning rate serves
    Adam and Muon: Liu et al., "Muon is scalable for LLM training", 2025.
    """

    def __init__(self, params: Iterable[nn.Parameter], lr: float = 2e-3, momentum: float = 0.95) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        loss = closure() if closure is not None else None
        for group in self.param_groups:
            same_shape: dict[tuple[int, int], list[tuple[nn.Parameter, Tensor]]] = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if "momentum" not in state:
                    state["momentum"] = torch.zeros_like(parameter)
                average = state["momentum"].lerp_(parameter.grad, 1 - group["momentum"])
                update = parameter.grad.lerp(average, group["momentum"]).flatten(1)
                same_shape[(update.shape[0], update.shape[1])].append((parameter, update))
            for shape, pairs in same_shape.items():
                updates = _orthogonalise(torch.stack([update for _, update in pairs]))
                scale = 0.2 * max(shape) ** 0.5 * group["lr"]
                for (parameter, _), update in zip(pairs, updates):
                    parameter.add_(update.view(parameter.shape).to(parameter.dtype), alpha=-scale)
        return loss


def _orthogonalise(matrices: Tensor, iterations: int = 5) -> Tensor:
    """(N, rows, columns) to about U Vᵀ of each matrix's singular value decomposition."""
    x = matrices.to(fast_dtype(matrices.device))
    wide = x.shape[1] <= x.shape[2]
    x = (x if wide else x.mT).contiguous()
    x /= x.norm(dim=(1, 2), keepdim=True) + 1e-7
    for _ in range(iterations):  # x becomes 3.4445 x − 4.7750 x xᵀ x + 2.0315 (x xᵀ)² x
        gram = torch.bmm(x, x.mT)
        gram = torch.baddbmm(gram, gram, gram, beta=-4.7750, alpha=2.0315)
        x = torch.baddbmm(x, gram, x, beta=3.4445)
    orthogonal: Tensor = x if wide else x.mT
    return orthogonal


def _is_hidden_matrix(parameter: nn.Parameter) -> bool:
    """1×1 convolutions, but for those to pixels and the wide one to scales, slow to orthogonalise."""
    return parameter.ndim == 4 and parameter.shape[1] > 1 and 12 < parameter.shape[0] <= 1024


def fill_state(optimizers: Iterable[torch.optim.Optimizer]) -> None:
    """Make the state that the first step would, so that the first checkpoint is as large as all others."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                if parameter.requires_grad:
                    names = ("momentum",) if isinstance(optimizer, Muon) else ("exp_avg", "exp_avg_sq")
                    state = optimizer.state[parameter]
                    state |= {name: torch.zeros_like(parameter) for name in names}
                    if not isinstance(optimizer, Muon):
                        state["step"] = torch.zeros((), device=parameter.device)


def build_optimizers(model: nn.Module, name: str, lr: float) -> list[torch.optim.Optimizer]:
    """`name`: "adam", or "muon" with Adam for what is not a 1×1 convolution."""
    matrices, linear, rest = [], [], []
    for path, parameter in model.named_parameters():
        if path.endswith(".linear"):
            linear.append(parameter)
        elif name == "muon" and _is_hidden_matrix(parameter):
            matrices.append(parameter)
        else:
            rest.append(parameter)
    groups: list[dict[str, Any]] = [{"params": rest, "lr": lr}, {"params": linear, "lr": lr * LINEAR_RATE}]
    optimizers: list[torch.optim.Optimizer] = [
        torch.optim.Adam([group for group in groups if group["params"]], lr=lr, betas=(0.9, 0.98), fused=True)
    ]
    if matrices:
        optimizers.append(Muon(matrices, lr=lr))
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["initial_lr"] = group["lr"]
    return optimizers
