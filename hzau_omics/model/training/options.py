"""What a call of `train` was given, defaults filled in, as plain values to keep and to show."""

import json
from dataclasses import asdict
from typing import Any

import torch

from hzau_omics.model.training.fit import FitOptions

SHARES = ("train_size", "validation_size", "calibration_size")


def arguments_of(options: FitOptions, seed: int, device: torch.device) -> dict[str, Any]:
    """Return the arguments of `train` that repeat a training on the same machine.

    Parameters
    ----------
    options
        Options of the call, checked.
    seed
        Seed of the call, also if it was drawn.
    device
        Where it was trained.

    Returns
    -------
    Plain values, as a file in JSON holds them.
    """
    run, plan = options.run, asdict(options.plan)
    objective = plan.pop("objective")
    found = {
        "max_epochs": run.max_epochs,
        "seed": seed,
        "batch_size": options.batch_size,
        "accelerator": "gpu" if device.type == "cuda" else device.type,
        "devices": run.devices,
        "num_nodes": run.num_nodes,
        "strategy": run.strategy,
        **dict(zip(SHARES, options.shares, strict=True)),
        "early_stopping": run.early_stopping,
        "early_stopping_patience": run.early_stopping_patience,
        "precision": options.precision,
        "device_memory_gb": options.device_memory_gb,
        # One mapping, as users write it.
        "plan_kwargs": {**plan, **objective},
    }
    kept: dict[str, Any] = json.loads(json.dumps(found))
    return kept
