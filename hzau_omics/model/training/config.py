"""Options of the optimisation, in one value that refuses unknown ones."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from hzau_omics.checks import (
    NOT_NEGATIVE,
    POSITIVE,
    PROPER_SHARE,
    Interval,
    check_choice,
    check_integer,
    check_number,
)
from hzau_omics.errors import ConfigError
from hzau_omics.messages import did_you_mean
from hzau_omics.nn.objective.config import ObjectiveConfig

TARGET_STEPS, QUERY_STEPS, MAX_STEPS = 1500, 600, 50_000
MOSAIC_ALIGNMENT = 5.0
CPU_BATCH_SIZE, MAX_BATCH_SIZE, LEAST_STEPS_PER_EPOCH = 128, 4096, 64
MIN_EPOCHS, FEWEST_EPOCHS, MAX_EPOCHS = 25, 8, 400
ON_QUERY = {"corruption": 0.0, "lr": 1e-2}
"""Defaults of training options where only what belongs to added batches is trained."""

RANGES: dict[str, Interval] = {
    "lr": POSITIVE,
    "gradient_clip": POSITIVE,
    "kl_weight": NOT_NEGATIVE,
    "weight_decay": NOT_NEGATIVE,
    "kl_warmup": PROPER_SHARE,
    "ema_decay": PROPER_SHARE,
    "corruption": PROPER_SHARE,
}
"""Allowed values of numerical options."""


@dataclass(frozen=True, kw_only=True)
class TrainingPlanConfig:
    """Options of optimiser, schedules and objective.

    Attributes
    ----------
    lr
        Peak learning rate of AdamW, reached after `warmup_steps`.
    lr_schedule
        Whether the learning rate then falls to 0 as a cosine (``"cosine"``) or stays
        (``"constant"``).
    weight_decay
        Decoupled weight decay.
    warmup_steps
        Steps over which the learning rate rises.
    gradient_clip
        Largest norm of the gradient; larger ones are scaled down.
    kl_weight
        Final weight beta of the KL term.
    kl_warmup
        Share of all steps over which the KL weight rises from 0.
    ema_decay
        Decay of the running average of the weights, which is what is validated and kept.
    corruption
        Share of the cells that are encoded with one corrupted modality, in training; their targets
        stay clean (0.1 for HZAU-VAE).
    objective
        Choice of modality subsets.
    """

    lr: float = 3e-3
    lr_schedule: str = "cosine"
    weight_decay: float = 1e-6
    warmup_steps: int = 100
    gradient_clip: float = 10.0
    kl_weight: float = 0.5
    kl_warmup: float = 0.25
    ema_decay: float = 0.99
    corruption: float = 0.0
    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)

    def __post_init__(self) -> None:
        """Check ranges."""
        check_choice("lr_schedule", self.lr_schedule, ("cosine", "constant"))
        for name, within in RANGES.items():
            object.__setattr__(self, name, check_number(name, getattr(self, name), within))
        steps = check_integer("warmup_steps", self.warmup_steps, least=0)
        object.__setattr__(self, "warmup_steps", steps)
        if self.corruption and self.objective.is_mean:
            msg = (
                "corruption needs the joint posterior of a cell, which terms="
                f"{self.objective.terms!r} does not infer. Received corruption={self.corruption}. "
                "Set it to 0."
            )
            raise ConfigError(msg)

    @classmethod
    def of(cls, options: Mapping[str, Any] | None, *, mosaic: bool = False) -> "TrainingPlanConfig":
        """Build the options from a flat mapping, which may include those of the objective.

        Where cells lack modalities (`mosaic`), posteriors of subsets are aligned unless `alignment`
        is given: this mixes cells with different modalities. Paired data would lose a little
        accuracy by it.

        Raises
        ------
        ConfigError
            An option is unknown or out of range.

        Examples
        --------
        >>> TrainingPlanConfig.of({"lr": 1e-3, "modality_dropout": 0.2}).objective.modality_dropout
        0.2
        """
        own = {f.name for f in fields(cls)} - {"objective"}
        of_objective = {f.name for f in fields(ObjectiveConfig)}
        given = {"alignment": MOSAIC_ALIGNMENT if mosaic else 0.0, **(options or {})}
        for name in given:
            if name not in own | of_objective:
                known = sorted(own | of_objective)
                msg = (
                    f"Unknown training option {name!r}.{did_you_mean(name, known)} "
                    f"Options: {', '.join(known)}."
                )
                raise ConfigError(msg)
        objective = ObjectiveConfig(**{k: v for k, v in given.items() if k in of_objective})
        return cls(objective=objective, **{k: v for k, v in given.items() if k in own})


def default_batch_size(n_cells: int, *, on_gpu: bool) -> int:
    """Return how many cells a step takes by default.

    128 on a CPU. A GPU computes a step of many cells in hardly more time than one of few: there it
    is the power of two that gives 64 to 128 steps per epoch, from 128 to 4,096.

    Examples
    --------
    >>> [default_batch_size(n, on_gpu=True) for n in (5_000, 50_000, 2_000_000)]
    [128, 512, 4096]
    """
    if not on_gpu:
        return CPU_BATCH_SIZE
    size = 2 ** int(math.log2(max(n_cells, 1) / LEAST_STEPS_PER_EPOCH)) if n_cells else 0
    return min(max(size, CPU_BATCH_SIZE), MAX_BATCH_SIZE)


def default_length(
    n_cells: int,
    max_epochs: int | None,
    batch_size: int | None,
    *,
    on_gpu: bool,
    on_query: bool = False,
) -> tuple[int, int]:
    """Return epochs and cells per step; None takes the default of either.

    With a default batch size, a GPU takes as many steps as a CPU would, and so more epochs.
    `on_query` says whether only what belongs to added batches is trained, which needs fewer steps.

    Examples
    --------
    >>> default_length(50_000, None, None, on_gpu=False)
    (25, 128)
    >>> default_length(50_000, None, None, on_gpu=True)
    (100, 512)
    """
    if batch_size is not None:
        if max_epochs is None:
            max_epochs = default_max_epochs(n_cells, batch_size, on_query=on_query)
        return max_epochs, batch_size
    batch_size = default_batch_size(n_cells, on_gpu=on_gpu)
    if max_epochs is None:
        epochs = default_max_epochs(n_cells, CPU_BATCH_SIZE, on_query=on_query)
        steps = epochs * -(-n_cells // CPU_BATCH_SIZE)
        max_epochs = -(-steps // -(-n_cells // batch_size))
    return max_epochs, batch_size


def default_max_epochs(n_cells: int, batch_size: int, *, on_query: bool = False) -> int:
    """Return how many epochs to train by default.

    About 1,500 optimiser steps, in 25 to 400 epochs; fewer epochs above 256,000 cells, so that
    there are at most 50,000 steps, but at least 8, which are more steps above 800,000 cells. On a
    query about 600 steps, in 8 to 400 epochs.

    Examples
    --------
    >>> [default_max_epochs(n, 128) for n in (1_500, 5_000, 50_000, 2_000_000)]
    [125, 38, 25, 8]
    """
    steps_per_epoch = -(-n_cells // batch_size)
    target, fewest = (QUERY_STEPS, FEWEST_EPOCHS) if on_query else (TARGET_STEPS, MIN_EPOCHS)
    epochs = min(max(-(-target // steps_per_epoch), fewest), MAX_EPOCHS)
    return max(min(epochs, MAX_STEPS // steps_per_epoch), FEWEST_EPOCHS)
