"""What makes a CPU wait for a GPU: it is read from the operation, never from values."""

from collections.abc import Callable, Iterator
from typing import Any

import torch

INDEXING = {"index", "index_put", "index_put_"}
SIZE_DEPENDS_ON_VALUES = {
    "_unique2", "bincount", "masked_select", "nonzero", "unique_consecutive", "unique_dim",
}  # fmt: skip
ANSWERS = {"_local_scalar_dense", "equal", "is_nonzero", "_linalg_check_errors", "multinomial"}
"""Operations that return a Python value, or that look at values before they compute."""


def waits_of(name: str, args: Any, kwargs: Any, is_near: Callable[[Any], bool]) -> Iterator[str]:
    """Yield what an operation waits for; `is_near` says which tensors are on the GPU.

    A copy to the GPU waits unless it is told not to (``non_blocking``), as does every copy back. An
    index on the CPU is copied, and a mask is turned into indices, whose number has to be known.
    """
    if name in SIZE_DEPENDS_ON_VALUES | ANSWERS:
        yield name
    elif name == "repeat_interleave" and kwargs.get("output_size") is None:
        yield f"{name} without output_size"
    elif name in INDEXING and is_near(args[0]):
        yield from _waits_of_indices(name, is_near, *args[1:])
    elif name == "_to_copy":
        target = args[0] if kwargs.get("device") is None else kwargs["device"]
        blocks = not kwargs.get("non_blocking")
        yield from _waits_of_copy(is_near(args[0]), is_near(target), blocks=blocks)
    elif name == "copy_":
        blocks = not (len(args) > 2 and args[2])
        yield from _waits_of_copy(is_near(args[1]), is_near(args[0]), blocks=blocks)


def _waits_of_copy(source_is_near: bool, target_is_near: bool, *, blocks: bool) -> Iterator[str]:
    if source_is_near and not target_is_near:
        yield "copy to the CPU"
    elif target_is_near and not source_is_near and blocks:
        yield "copy to the device without non_blocking"


def _waits_of_indices(
    name: str, is_near: Callable[[Any], bool], indices: Any, value: Any = None, *_: Any
) -> Iterator[str]:
    for index in indices:
        if index is None:
            continue
        # Setting a single value needs no indices.
        if index.dtype in {torch.bool, torch.uint8} and (value is None or value.numel() > 1):
            yield f"{name} with a mask"
        elif not is_near(index):
            yield f"{name} with indices on the CPU"
