"""Which of several processes that train one model writes files."""

import logging
import os
from collections.abc import Mapping

logger = logging.getLogger(__name__)

_trained_alone: bool | None = None
"""Whether this process trained alone the last time; None before the first training."""


def note_training(world_size: int) -> None:
    """Record how many processes a training had; launchers may announce more."""
    global _trained_alone  # noqa: PLW0603 - a fact about the process
    _trained_alone = world_size == 1


def is_first_process() -> bool:
    """Return whether this process is the only one, or the first of those that train together.

    Before the process group exists, the environment of a launcher of distributed training tells. It
    also has the address where the processes meet. A rank alone says nothing: independent tasks of a
    cluster have one too, and each of them must write its own files.
    """
    import torch

    group = torch.distributed
    if group.is_available() and group.is_initialized():
        return bool(group.get_rank() == 0)
    return bool(_trained_alone) or _announced_rank(os.environ) == 0


def writes_files(what: str) -> bool:
    """Return whether this process writes files; log a warning if it leaves them to another one."""
    first = is_first_process()
    if not first:
        logger.warning("%s is left to the first of the processes that train together.", what)
    return first


def _announced_rank(environment: Mapping[str, str]) -> int:
    """Return the rank that a launcher of distributed training gave, 0 without one.

    Examples
    --------
    >>> _announced_rank({"RANK": "1"})
    0
    >>> _announced_rank({"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"})
    1
    """
    numbers = {name: int(value) for name, value in environment.items() if value.isdecimal()}
    if "MASTER_ADDR" not in environment or numbers.get("WORLD_SIZE", 1) < 2:
        return 0
    # Lightning's own launcher gives the rank within a node, and the rank of the node.
    return numbers.get("RANK", numbers.get("LOCAL_RANK", 0) + numbers.get("NODE_RANK", 0))
