"""Run compiled loops over tensors with as many threads as torch uses."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numba
import torch
from torch import Tensor

from hzau_omics.nn.kernels.compiled import Loop

MAX_THREADS: int = numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]


def compute(loop: Loop, *tensors: Tensor) -> None:
    """Run a loop over tensors; some of them are its outputs."""
    arrays = [_array(tensor) for tensor in tensors]
    if torch.get_num_threads() == 1:
        # Idle workers of a parallel loop would take CPU time from other processes.
        loop.serial(*arrays)
        return
    with _threads_of_torch():
        loop.parallel(*arrays)


def _array(tensor: Tensor) -> Any:
    """Return a tensor's values as a contiguous array; each call saved counts in a small loop."""
    if tensor.requires_grad:
        tensor = tensor.detach()
    return (tensor if tensor.is_contiguous() else tensor.contiguous()).numpy()


@contextmanager
def _threads_of_torch() -> Iterator[None]:
    """Let numba use as many threads as torch, and restore both numbers afterwards.

    They may share an OpenMP pool, whose size numba sets when it is first called: torch would then
    use every core, whatever number the user has set.
    """
    of_torch, of_numba = torch.get_num_threads(), numba.get_num_threads()
    numba.set_num_threads(min(of_torch, MAX_THREADS))
    try:
        yield
    finally:
        numba.set_num_threads(of_numba)
        if torch.get_num_threads() != of_torch:
            torch.set_num_threads(of_torch)
