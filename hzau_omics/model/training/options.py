"""What a call of `train` was given, defaults filled in, as plain values to keep and to show."""

import json
from dataclasses import asdict
from typing import Any

import torch

from hzau_omics.model.training.fit import FitOptions

SHARES = ("train_size", "validation_size", "calibration_size")


def arguments_of(options: FitOptions, seed: int) -> dict[str, Any]:
    """Return the arguments of `train` that repeat a training, as far as they are plain values.

    Parameters
    ----------
    options
        Options of the call, checked.
    seed
        Seed of the call, also if it was drawn.

    Returns
    -------
    Plain values, as a file in JSON holds them. An object, such as a strategy of Lightning, is named
    by its class.
    """
    run, plan = options.run, asdict(options.plan)
    objective = plan.pop("objective")
    found = {
        "max_epochs": run.max_epochs,
        "seed": seed,
        "batch_size": options.batch_size,
        "accelerator": run.accelerator,
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
    kept: dict[str, Any] = json.loads(json.dumps(found, default=lambda one: type(one).__name__))
    return kept


def accelerator_of(device: torch.device) -> str:
    """Return the accelerator that a training ran on, as `train` takes it.

    Examples
    --------
    >>> accelerator_of(torch.device("cuda", 0)), accelerator_of(torch.device("cpu"))
    ('gpu', 'cpu')
    """
    return "gpu" if device.type == "cuda" else device.type
