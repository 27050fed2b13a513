"""Several processes that train one model: which of them writes files."""

import logging
import os
from collections.abc import Mapping

logger = logging.getLogger(__name__)

_trained_alone: bool | None = None
"""Whether the last training of this process was its own; None before the first."""


def note_training(world_size: int) -> None:
    """Remember how many processes a training had: launchers announce more than may come."""
    global _trained_alone  # noqa: PLW0603 - a fact about the process
    _trained_alone = world_size == 1


def is_first_process() -> bool:
    """Say whether this process is the only one, or the first of those that train together.

    Before the processes have met, the environment tells, if a launcher of joint training wrote it:
    that launcher also says where they meet. A rank alone says nothing. Independent tasks of a
    cluster have one too, each writes its own files, and all of them have to be written.
    """
    import torch

    group = torch.distributed
    if group.is_available() and group.is_initialized():
        return bool(group.get_rank() == 0)
    return bool(_trained_alone) or _announced_rank(os.environ) == 0


def writes_files(what: str) -> bool:
    """Say whether this process writes files, and tell the user if it leaves them to another one."""
    first = is_first_process()
    if not first:
        logger.warning("%s is left to the first of the processes that train together.", what)
    return first


def _announced_rank(environment: Mapping[str, str]) -> int:
    """Return the rank that a launcher of joint training gave, 0 without one.

    Examples
    --------
    >>> _announced_rank({"RANK": "1"})
    0
    >>> _announced_rank({"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"})
    1
    """
    given = {name: int(value) for name, value in environment.items() if value.isdecimal()}
    if "MASTER_ADDR" not in environment or given.get("WORLD_SIZE", 1) < 2:
        return 0
    # Lightning's own launcher gives the rank on a machine, and the machine's.
    return given.get("RANK", given.get("LOCAL_RANK", 0) + given.get("NODE_RANK", 0))
