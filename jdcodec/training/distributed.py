"""Several processes training as one, as `torchrun` starts them. Alone, everything here does nothing.

    torchrun --nproc-per-node 2 --no-python -- jdc train jdc --data photos/ …

Gradients are averaged by torch's DistributedDataParallel. What decides the run's course, the time spent and
whether to stop, is agreed on before every step, so that no process waits for one that has gone on or left.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from jdcodec.errors import TrainingError

#: Seconds that a process waits for the others before it takes them for lost: longer than rank 0 needs to
#: validate and save. A process that has died is noticed at once where its connections close.
TIMEOUT = 600.0

#: Seconds in which gloo's threads may have the interpreter before the connections are closed. One that has
#: just finished an all-reduce takes it to let go of the tensors; the group's destructor waits for that thread
#: and keeps the interpreter meanwhile, so without this pause both waited for ever now and then.
_GIVING_WAY = 0.1


@dataclass(frozen=True)
class Team:
    """This process among those of a run. `local_rank` counts the `local_size` ones on this machine."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes the run's folder and speaks for all."""
        return self.rank == 0

    @property
    def share(self) -> slice:
        """This process's pictures of a batch: every `size`-th."""
        return slice(self.rank, None, self.size)

    @property
    def own(self) -> tuple[int, ...]:
        """What a seed is mixed with for numbers that each process draws for itself."""
        return (self.rank,) if self.rank else ()

    def check_divides(self, batch: int) -> None:
        """Raise TrainingError unless a batch can be shared out evenly."""
        if batch % self.size:
            raise TrainingError(f"batches of {batch} pictures cannot be shared among {self.size} processes")

    def device(self, name: str) -> str:
        """The device of this process: "cuda" is one of the machine's for each of its processes."""
        return f"cuda:{self.local_rank}" if name == "cuda" and self.size > 1 else name

    def most(self, *values: float) -> list[float]:
        """The largest of each number over all processes."""
        if self.size == 1:
            return list(values)
        numbers = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(numbers, dist.ReduceOp.MAX)
        return numbers.tolist()

    def mean(self, value: Tensor) -> Tensor:
        """The mean of a tensor over all processes, without gradient."""
        value = value.detach()
        if self.size == 1:
            return value
        total = value.clone()
        dist.all_reduce(total)
        return total / self.size

    def wrapped(self, module: nn.Module, device: torch.device) -> nn.Module:
        """The module with its gradients averaged over all processes; batch norm over all GPUs."""
        if self.size == 1:
            return module
        if device.type == "cuda":
            module = nn.SyncBatchNorm.convert_sync_batchnorm(module)  # type: ignore[no-untyped-call]
            return DistributedDataParallel(module, device_ids=[device])
        return DistributedDataParallel(module)


ALONE = Team()


def team_from_environment() -> Team:
    """What torchrun's variables say of this process; ALONE without them. Raises TrainingError."""
    if "WORLD_SIZE" not in os.environ:
        return ALONE
    try:
        rank, size, local_rank = (int(os.environ[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"))
        team = Team(rank, size, local_rank, int(os.environ.get("LOCAL_WORLD_SIZE", size)))
    except KeyError as error:
        raise TrainingError(
            f"WORLD_SIZE is set, but not {error.args[0]}, which torchrun sets too; unset it to train alone"
        ) from error
    except ValueError as error:
        raise TrainingError(f"WORLD_SIZE is set, but not as torchrun sets it: {error}") from error
    if not 0 <= team.rank < team.size or not 0 <= team.local_rank < team.local_size:
        raise TrainingError(
            f"RANK {team.rank} of WORLD_SIZE {team.size}, LOCAL_RANK {team.local_rank} of LOCAL_WORLD_SIZE "
            f"{team.local_size} are not as torchrun sets them"
        )
    return team


@contextmanager
def joined(team: Team, device: torch.device, timeout: float = TIMEOUT) -> Iterator[None]:
    """Within it, the processes of the run are connected: by NCCL for CUDA tensors, by gloo for others.

    Raises TrainingError where another process is lost, also out of what is done within.
    """
    if team.size == 1:
        yield
        return
    on_gpu = device.type == "cuda"
    try:
        if on_gpu:
            torch.cuda.set_device(device)
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if on_gpu else "gloo", timeout=timedelta(seconds=timeout)
        )
        try:
            yield
        finally:
            time.sleep(_GIVING_WAY)
            dist.destroy_process_group()
    except RuntimeError as error:
        if not is_lost_peer(error):
            raise
        raise TrainingError(
            f"process {team.rank} of {team.size}: another one has ended or is stuck"
        ) from error


def is_lost_peer(error: BaseException) -> bool:
    """Whether an error out of a collective operation says that another process is gone."""
    if isinstance(error, dist.DistError):
        return True
    text = str(error).lower()
    return any(
        sign in text for sign in ("gloo", "nccl", "connection closed", "connection reset", "broken pipe")
    )


def gathered(features: Tensor) -> Tensor:
    """(B, D) rows of all processes, with gradients; as they are where there is one process."""
    if not dist.is_available() or not dist.is_initialized() or dist.get_world_size() == 1:
        return features
    from torch.distributed.nn.functional import all_gather

    return torch.cat(all_gather(features))  # type: ignore[no-untyped-call]
