"""Training with default options, and protein of held-out cells predicted from their RNA."""

from collections.abc import Iterator

import numpy as np

from benchmarks.common.data import Split
from benchmarks.gpu.record import Figure
from benchmarks.gpu.setting import Setting
from benchmarks.gpu.training import forget_peak, peak_gpu_gb, trained
from benchmarks.imputation.scores import Prediction, score
from hzau_omics.metrics import importance_bound
from hzau_omics.model import HZAUVAE

PEARSON, COVERAGE = 0.80, (0.85, 0.95)
"""Limits; trained on a CPU, the correlation is 0.82."""


def measure(setting: Setting) -> Iterator[Figure]:
    """Train on four fifths of PBMC10k as `train()` does by default, and score the other fifth."""
    split = setting.split()
    forget_peak()
    model, seconds = trained(split.train, setting, setting.sizes.default_epochs)
    epochs = len(model.history["train_loss"])
    yield Figure(name="default training", value=seconds, unit="s")
    yield Figure(name="epochs", value=epochs)
    rate = split.train.n_obs * epochs / seconds
    yield Figure(name="default training, cells per second", value=rate, unit="cells/s")
    yield Figure(name="peak GPU memory of training", value=peak_gpu_gb(), unit="GiB")
    yield from _scores(split, model, setting)
    for name, value in model.get_reconstruction_error(split.test, seed=0).items():
        yield Figure(name=f"NLL of {name}, held-out cells", value=value, unit="nats")
    yield Figure(
        name=f"NLL of {split.target} given {split.source}, held-out cells",
        value=_conditional_nll(split, model),
        unit="nats",
    )


def _scores(split: Split, model: HZAUVAE, setting: Setting) -> Iterator[Figure]:
    """Score imputed protein as `benchmarks.imputation` does."""
    rows = list(split.test.obs_names)
    imputed = model.impute(split.target, split.query, given=[split.source], seed=0)
    pit = model.get_pit(split.target, split.test, given=[split.source], seed=0)
    log1p, placed = (
        np.asarray(found.loc[rows, split.features], dtype=np.float64)
        for found in (imputed.to_df(layer="log1p_mean"), pit)
    )
    table = score(Prediction(log1p=log1p, pit=placed), split.test_y, split.features)
    means = table.drop(columns="feature").mean()
    least, most = COVERAGE
    yield Figure(
        name="RNA to protein, Pearson", value=float(means["pearson"]), least=setting.limit(PEARSON)
    )
    yield Figure(
        name="RNA to protein, coverage of 90 % intervals", value=float(means["coverage90"]),
        least=setting.limit(least), most=setting.limit(most),
    )  # fmt: skip


def _conditional_nll(split: Split, model: HZAUVAE) -> float:
    """Return -log p(protein | RNA): the joint bound minus that of RNA, over the same draws."""
    bounds = [
        importance_bound(
            model.get_log_importance_weights(
                split.test, given=split.source, target=target, n_samples=100, seed=0
            )
        ).mean()
        for target in ("marginal", "joint")
    ]
    return float(bounds[0] - bounds[1])
