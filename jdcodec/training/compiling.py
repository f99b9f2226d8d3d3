"""torch.compile for what is trained, and which errors are its own."""

from __future__ import annotations

import torch

from jdcodec.errors import TrainingError

from .task import Compiler


def compiler_of(backend: str | None) -> Compiler:
    """Compiles by a backend of torch.compile, "inductor" usually; without one, leaves functions as they are.

    Compiling itself happens at the first call. Raises TrainingError where torch knows no such backend or
    cannot compile at all.
    """
    if backend is None:
        return lambda function: function
    try:
        torch.compile(lambda: None, backend=backend)
    except (RuntimeError, ImportError) as error:
        raise TrainingError(_refusal(error)) from error
    return lambda function: torch.compile(function, backend=backend)


def compiler_failure(error: BaseException) -> str | None:
    """One line where it is compiling that has failed; None of any other error."""
    from torch._dynamo.exc import TorchDynamoException  # takes a second, which only --compile should

    return _refusal(error) if isinstance(error, TorchDynamoException) else None


def _refusal(error: BaseException) -> str:
    """With the first paragraph of what torch says; advice on its debugging comes after it."""
    reason = " ".join(str(error).strip().partition("\n\n")[0].split()) or type(error).__name__
    return f"--compile does not work here, leave it out: {reason}"
