"""Several processes that train one model: which of them writes files."""

import os

RANK_VARIABLES = ("RANK", "SLURM_PROCID", "LOCAL_RANK")


def is_first_process() -> bool:
    """Say whether this process is the only one, or the first of those that train together.

    Launchers tell a process its rank before the processes have met; afterwards torch knows.
    """
    import torch

    group = torch.distributed
    if group.is_available() and group.is_initialized():
        return bool(group.get_rank() == 0)
    ranks = [os.environ[name] for name in RANK_VARIABLES if name in os.environ]
    return not ranks or ranks[0] == "0"
