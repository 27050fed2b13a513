"""Several processes that train one model: which of them writes files."""

import torch


def is_first_process() -> bool:
    """Say whether this process is the only one, or the first of those that train together."""
    group = torch.distributed
    return not (group.is_available() and group.is_initialized()) or group.get_rank() == 0
