"""Run compiled loops over tensors with as many threads as torch has."""

from collections.abc import Iterator
from contextlib import contextmanager

import numba
import torch
from torch import Tensor

from hzau_omics.nn.kernels.compiled import Loop

MAX_THREADS: int = numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]


def compute(loop: Loop, *tensors: Tensor) -> None:
    """Run a loop over tensors; the loop says which of them it writes."""
    arrays = [t.detach().contiguous().numpy() for t in tensors]
    if torch.get_num_threads() == 1:
        # Idle workers of a parallel loop would keep processors from whoever else computes.
        loop.serial(*arrays)
        return
    with _threads_of_torch():
        loop.parallel(*arrays)


@contextmanager
def _threads_of_torch() -> Iterator[None]:
    """Let numba use as many threads as torch, and leave both with what they had.

    They may share an OpenMP pool, and numba sets its size when first called: torch would go on with
    every processor whatever the user asked for.
    """
    of_torch, of_numba = torch.get_num_threads(), numba.get_num_threads()
    numba.set_num_threads(min(of_torch, MAX_THREADS))
    try:
        yield
    finally:
        numba.set_num_threads(of_numba)
        if torch.get_num_threads() != of_torch:
            torch.set_num_threads(of_torch)
