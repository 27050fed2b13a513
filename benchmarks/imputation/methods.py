"""The methods by name, each a function of the split and a seed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.common.data import Split
from benchmarks.imputation.scores import Prediction
from hzau_omics.errors import ConfigError
from hzau_omics.metrics import group_mean_imputation, knn_imputation, ridge_imputation

BASELINES = ("group-mean", "ridge", "knn")
RIVALS = ("mlp", "totalvi")
OURS = "hzau-vae"


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What the command line sets for the methods that train."""

    max_epochs: int | None = None
    totalvi_epochs: int | None = 100
    totalvi_adversarial: bool | None = None
    accelerator: str = "auto"
    likelihoods: Mapping[str, str] = field(default_factory=dict)


Runner = Callable[[Split, int, RunOptions], dict[str, Prediction]]


def _group_mean(split: Split, _seed: int, _options: RunOptions) -> dict[str, Prediction]:
    groups = split.groups(split.train), split.groups(split.test)
    if groups[0] is None or groups[1] is None:
        zeros = np.zeros(split.train.n_obs, dtype=int), np.zeros(split.test.n_obs, dtype=int)
        groups, recipe = zeros, "no labels in the file: mean of all training cells"
    else:
        recipe = f"mean per obs.{split.group_key}; the held-out cell's own label is given (oracle)"
    log1p = group_mean_imputation(split.train_y, groups[0], groups[1])
    return {"group-mean": Prediction(log1p=log1p, info={"recipe": recipe})}


def _ridge(split: Split, seed: int, _options: RunOptions) -> dict[str, Prediction]:
    log1p = ridge_imputation(split.train_x, split.train_y, split.test_x, seed=seed)
    return {"ridge": Prediction(log1p=log1p, info={"recipe": "ridge on 50 PCs"})}


def _knn(split: Split, seed: int, _options: RunOptions) -> dict[str, Prediction]:
    log1p = knn_imputation(split.train_x, split.train_y, split.test_x, seed=seed)
    return {
        "knn": Prediction(
            log1p=log1p, info={"recipe": "k nearest training cells on 50 PCs, k cross-validated"}
        )
    }


def _mlp(split: Split, seed: int, options: RunOptions) -> dict[str, Prediction]:
    from benchmarks.imputation.mlp import MLPConfig, mlp_imputation

    config = MLPConfig() if options.max_epochs is None else MLPConfig(max_epochs=options.max_epochs)
    log1p, record = mlp_imputation(
        split.train_x, split.train_y, split.test_x, seed=seed, config=config
    )
    return {
        "mlp": Prediction(
            log1p=log1p, info={"recipe": "supervised for this target, inductive", **record}
        )
    }


def _totalvi(split: Split, seed: int, options: RunOptions) -> dict[str, Prediction]:
    from benchmarks.imputation.totalvi import totalvi_imputation

    return totalvi_imputation(
        split,
        seed=seed,
        max_epochs=options.max_epochs or options.totalvi_epochs,
        accelerator=options.accelerator,
        adversarial_classifier=options.totalvi_adversarial,
    )


def _ours(split: Split, seed: int, options: RunOptions) -> dict[str, Prediction]:
    from benchmarks.imputation.ours import ours_imputation

    train_kwargs: dict[str, Any] = {}
    if options.max_epochs is not None:
        train_kwargs["max_epochs"] = options.max_epochs
    if options.accelerator != "auto":
        train_kwargs["accelerator"] = options.accelerator
    prediction = ours_imputation(
        split, seed=seed, likelihoods=options.likelihoods, train_kwargs=train_kwargs
    )
    return {OURS: prediction}


METHODS: dict[str, Runner] = {
    "group-mean": _group_mean,
    "ridge": _ridge,
    "knn": _knn,
    "mlp": _mlp,
    "totalvi": _totalvi,
    OURS: _ours,
}


def choose_methods(against: list[str], only: list[str]) -> list[str]:
    """Names to run, in a fixed order: the baselines, those in ``against``, ours; or just ``only``.

    Raises
    ------
    ConfigError
        If a name is unknown.
    """
    unknown = [n for n in [*against, *only] if n not in METHODS]
    if unknown:
        message = f"Unknown method {unknown[0]!r}; there are {', '.join(METHODS)}."
        raise ConfigError(message)
    wanted = set(only) or {*BASELINES, *against, OURS}
    return [name for name in METHODS if name in wanted]
