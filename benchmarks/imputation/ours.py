"""HZAU-VAE: one ``train()`` with default arguments on the training cells, then held-out imputation.

The model never sees the held-out cells in training (inductive). For the imputation it is given a
MuData that lacks the target modality altogether; for the PIT it gets the target's values, to place
them, but conditions on the source alone.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.common.data import Split
from benchmarks.common.model import model_class
from benchmarks.imputation.scores import Prediction


def ours_imputation(
    split: Split,
    *,
    seed: int = 0,
    likelihoods: Mapping[str, str] | None = None,
    train_kwargs: Mapping[str, Any] | None = None,
    n_samples: int = 100,
    cls: Any = None,
) -> Prediction:
    """Train on the training cells and impute the target of the held-out ones from the source.

    Parameters
    ----------
    split
        The cells.
    seed
        Seed of the training and of the draws.
    likelihoods
        Likelihood per modality; ``nb`` where not given.
    train_kwargs
        Arguments of ``train`` besides the seed; empty for a figure that is quoted as "default".
    n_samples
        Posterior predictive draws per cell.
    cls
        The model class; ``HZAUVAE`` if None.
    """
    cls = cls or model_class()
    likelihoods = {m: (likelihoods or {}).get(m, "nb") for m in (split.source, split.target)}
    train = split.train.copy()
    cls.setup_mudata(train, modalities=likelihoods)
    model = cls(train)
    model.train(seed=seed, **(train_kwargs or {}))
    imputed = model.impute(
        split.target, given=[split.source], mdata=split.query, n_samples=n_samples, seed=seed
    )
    order = list(split.test.obs_names)
    log1p = _in_order(imputed.to_df(layer="log1p_mean"), order, split.features)
    pit = model.get_pit(split.target, given=[split.source], mdata=split.test.copy(), seed=seed)
    return Prediction(
        log1p=log1p,
        pit=_in_order(pit, order, split.features),
        info={
            "epochs": _epochs(model),
            "likelihoods": dict(likelihoods),
            "train_kwargs": dict(train_kwargs or {}),
            "recipe": "training cells only (inductive)",
        },
    )


def _in_order(table: Any, rows: list[str], columns: list[str]) -> np.ndarray:
    return np.asarray(table.loc[rows, columns], dtype=np.float64)


def _epochs(model: Any) -> int | None:
    history = getattr(model, "history", None) or {}
    return len(history["elbo_train"]) if "elbo_train" in history else None
