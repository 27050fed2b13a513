"""Finding the entries of dense rows in one pass, by compiled loops for the CPU."""

from typing import Any, no_type_check

import torch
from jaxtyping import Float
from numba import njit, prange
from torch import Tensor

from hzau_omics.minibatch import SparseEntries
from hzau_omics.nn.kernels.compiled import Floats, Integers, Loop
from hzau_omics.nn.kernels.threads import compute

_OPTIONS: dict[str, Any] = {"cache": True, "nogil": True}


def entries_of(x: Float[Tensor, "row feature"]) -> SparseEntries:
    """Return what :meth:`SparseEntries.of` does, of values in CPU memory.

    Examples
    --------
    >>> entries_of(torch.tensor([[0.0, 3.0], [2.0, 1.0]])).feature
    tensor([1, 0, 1])
    """
    start = torch.zeros(len(x) + 1, dtype=torch.long)
    compute(COUNT, x, start[1:])
    torch.cumsum(start[1:], 0, out=start[1:])
    n_entries = int(start[-1])
    row, feature = torch.empty(2, n_entries, dtype=torch.long)
    value = x.new_empty(n_entries)
    compute(FILL, x, start, row, feature, value)
    return SparseEntries(start, row, feature, value, x.shape[1])


@njit(**_OPTIONS, forceinline=True)
@no_type_check
def _count_row(r: int, x: Floats, count: Integers) -> None:
    """Count the entries of one row."""
    n = 0
    for g in range(x.shape[1]):
        n += x[r, g] != 0
    count[r] = n


@njit(**_OPTIONS, forceinline=True)
@no_type_check
def _fill_row(  # noqa: PLR0917
    r: int, x: Floats, start: Integers, row: Integers, feature: Integers, value: Floats
) -> None:
    """Write the entries of one row to its place in the last three arguments."""
    e = start[r]
    for g in range(x.shape[1]):
        if x[r, g] != 0:
            row[e], feature[e], value[e] = r, g, x[r, g]
            e += 1


# Each loop in a serial and a parallel form. numba caches by name: two under one name would be one.
@njit(**_OPTIONS)
@no_type_check
def _count_serial(*arrays):  # noqa: ANN002, ANN202
    for r in range(len(arrays[0])):
        _count_row(r, *arrays)


@njit(**_OPTIONS, parallel=True)
@no_type_check
def _count_parallel(*arrays):  # noqa: ANN002, ANN202
    for r in prange(len(arrays[0])):
        _count_row(r, *arrays)


@njit(**_OPTIONS)
@no_type_check
def _fill_serial(*arrays):  # noqa: ANN002, ANN202
    for r in range(len(arrays[0])):
        _fill_row(r, *arrays)


@njit(**_OPTIONS, parallel=True)
@no_type_check
def _fill_parallel(*arrays):  # noqa: ANN002, ANN202
    for r in prange(len(arrays[0])):
        _fill_row(r, *arrays)


COUNT, FILL = Loop(_count_serial, _count_parallel), Loop(_fill_serial, _fill_parallel)
