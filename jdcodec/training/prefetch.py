"""Batches made ahead, by threads, while the step before them is at work.

Threads and not processes: nearly all of the work is inside torch, which lets other threads run meanwhile, so
photographs and GPU are shared as they are, an error reaches the step as itself, and no process can be left.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import torch

from jdcodec.errors import TrainingError, first_line
from jdcodec.threads import available_cores

from .batches import Batch, Order

#: Batches made or being made, for each maker.
_AHEAD = 2


class Prefetch:
    """Makes batches by `draw` in `workers` threads, or within `take` where there are none.

    On CUDA the makers launch their work on a stream of their own, so that it is done beside the step's.
    """

    def __init__(self, draw: Callable[[Order], Batch], workers: int, device: torch.device) -> None:
        self.draw, self.device = draw, device
        self.ahead = _AHEAD * workers
        self._pool = ThreadPoolExecutor(workers, "batches") if workers else None
        self._begun: dict[Order, Future[Batch]] = {}
        self._stream: torch.cuda.Stream | None = None
        if workers and device.type == "cuda":
            self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
            torch.linalg.inv(torch.eye(3, device=device))  # first calls at once fail: pytorch issue 90613

    def take(self, orders: Sequence[Order]) -> Batch:
        """The batch of the first order; the others, expected next, are begun, and what else was is dropped.

        Raises TrainingError where the batch cannot be made.
        """
        try:
            if self._pool is None:
                return self.draw(orders[0])
            for order in self._begun.keys() - set(orders):
                self._begun.pop(order).cancel()
            for order in orders:
                if order not in self._begun:
                    self._begun[order] = self._pool.submit(self._make, order)
            batch = self._begun.pop(orders[0]).result()
        except (OSError, RuntimeError, MemoryError) as error:
            reason = f"step {orders[0].step}: its batch could not be made: {_reason(error)}"
            raise TrainingError(reason) from error
        if self._stream is not None:
            for tensor in vars(batch).values():  # or its memory could be given away while the step reads it
                tensor.record_stream(torch.cuda.current_stream(self.device))
        return batch

    def close(self) -> None:
        """End the threads; waits for the batches that are being made."""
        self._begun.clear()
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def _make(self, order: Order) -> Batch:
        if self._stream is None:
            return self.draw(order)
        with torch.cuda.stream(self._stream):
            batch = self.draw(order)
        self._stream.synchronize()
        return batch


def share_cores(
    threads: int | None, workers: int | None, device: torch.device, processes: int
) -> tuple[int, int]:
    """(threads of the step, makers of batches); None is chosen by the cores, which `processes` have to share.

    On a CPU the step leaves a quarter of the cores to the makers, unless threads are asked for; makers are as
    many as it leaves, at most 4. On CUDA there is one, which only launches work, while the batches it is
    ahead by take memory. Elsewhere, and where no core is left, the step makes its own batches.
    """
    # Not `usable_cores`: OMP_NUM_THREADS, which torchrun sets to 1, limits the step of one process, no maker.
    cores = max(1, available_cores() // processes)
    if device.type != "cpu":
        spare = int(device.type == "cuda" and cores > 1)
        return threads or torch.get_num_threads(), spare if workers is None else workers
    left = cores // 4 if workers is None else workers
    threads = threads or max(1, min(torch.get_num_threads(), cores - left))
    return threads, min(4, max(0, cores - threads)) if workers is None else workers


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error, of Python or of torch on a CPU or a GPU, says that memory is short."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in str(error)


def _reason(error: Exception) -> str:
    if is_out_of_memory(error):
        return "out of memory; take fewer --data-workers, or smaller batches or crops"
    return first_line(error)
