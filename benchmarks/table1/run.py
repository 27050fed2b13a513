"""One system on one data set: train it, and measure what Table 1 and its neighbours need."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from mudata import MuData

from benchmarks.common.resume import Found, Run
from benchmarks.table1.data import PAPER_OPTIMISER, READERS, Table1Task
from hzau_omics import model as models
from hzau_omics.errors import ConfigError
from hzau_omics.metrics import coherence, importance_bound, mean_feature_pearson, weight_variance
from hzau_omics.metrics.arrays import as_matrix

_logger = logging.getLogger("benchmarks")

OPTIMISERS = ("ours", "paper")
SYSTEMS = (
    "VAE", "CVAE", "BiVCCA", "JMVAE", "MVAEQ", "MVAEQ-all", "MVAE", "MVAE-all",
    "HZAUVAE", "HZAUVAE-uniform", "HZAUVAE-global",
)  # fmt: skip
"""A system, and how it differs from its default: what a term of one modality reconstructs
(``all`` modalities instead of its own), or the pool."""

TARGETS = ("marginal", "joint", "conditional")
N_SHOWN = 64
MOST_REAL = 5_000
"""Real observations that the classifier of generated ones is trained on."""


@dataclass(frozen=True, kw_only=True)
class Table1Run(Run):
    """One system on one data set.

    Attributes
    ----------
    dataset, system, seed
        What is trained.
    epochs, n_train
        How long (0 for the default), and on how many observations at most.
    n_test, n_samples
        Test observations at most, and draws for each.
    optimiser
        ``"ours"``, or the ``"paper"``'s: constant rate, all observations, the last epoch.
    """

    dataset: str
    system: str
    seed: int
    epochs: int
    n_train: int
    n_test: int
    n_samples: int
    optimiser: str = "ours"

    @property
    def name(self) -> str:
        """File name of the result, without suffix."""
        return super().name.removesuffix("_ours")


def measure(run: Table1Run) -> Found:
    """Train and evaluate; give figures, and images to look at."""
    task = READERS[run.dataset](run.n_train, run.n_test)
    model, training = build(run.system, task)
    as_paper = run.optimiser == "paper"
    start = time.perf_counter()
    model.train(
        run.epochs or None, batch_size=100 if task.is_image else 128, seed=run.seed,
        enable_progress_bar=False, early_stopping=False, train_size=1.0 if as_paper else 0.9,
        plan_kwargs={
            "kl_weight": 1.0, "corruption": 0.0, **task.training, **training,
            **(PAPER_OPTIMISER if as_paper else {}),
        },
    )  # fmt: skip
    found: dict[str, Any] = {**asdict(run), "train_s": time.perf_counter() - start}
    found["epochs"] = len(model.history["train_loss"])
    found |= _weights(model, task, run)
    found |= _quality(model, task)
    images = _images(model, task) if task.is_image else {}
    return found, images


def build(system: str, task: Table1Task) -> tuple[Any, dict[str, Any]]:
    """Build a system; give it and its options of training."""
    name, _, variant = system.partition("-")
    modalities = dict(task.modalities)
    options = dict(task.model)
    if name == "VAE":
        first = next(iter(modalities))
        modalities = {first: modalities[first]}
        options.pop("modality_weights", None)
    training = {}
    if variant == "all":
        training["marginal_targets"] = "all"
    elif variant:
        options["pool"] = variant
    cls = getattr(models, name)
    cls.setup_mudata(task.train, modalities)
    return cls(task.train, **options), training


def _weights(model: Any, task: Table1Task, run: Table1Run) -> dict[str, float]:
    """Variance of log weights and their bound, for draws from q(z|x1) and from q(z|x1,x2)."""
    first = next(iter(task.modalities))
    found = {}
    for target in TARGETS:
        for proposal in ("given", "all") if target != "marginal" else ("given",):
            key = target if proposal == "given" else f"{target}_all"
            with _tolerated(key):
                weights = model.get_log_importance_weights(
                    task.test, given=first, target=target, proposal=proposal,
                    n_samples=run.n_samples, seed=0,
                )  # fmt: skip
                found[f"{key}_variance"] = weight_variance(weights)
                found[f"{key}_bound"] = float(importance_bound(weights).mean())
    return found


def _quality(model: Any, task: Table1Task) -> dict[str, float]:
    """Whether generated x1 shows its label, whether x2 follows from x1, what the gate listens to.

    Labels are right where the imputed mean is largest for them, as are the places of MultiMNIST's
    text; words where it is on their side of a half (mean of the shares right of those that occur
    and those that do not); protein is correlated per feature on the scale of log1p.
    """
    first, *_ = task.modalities
    found: dict[str, float] = {}
    second = list(task.modalities)[1]
    if second not in model.layout.names:
        return {}
    with _tolerated("x2 from x1"):
        imputed = model.impute(second, task.test, given=first, n_samples=25, seed=0)
        found["x2_from_x1"] = _agreement(
            imputed, as_matrix(task.test[second].X, name="x2"), task.n_places
        )
    if task.label_key is not None:
        with _tolerated("x1 from x2"):
            drawn = model.generate(first, task.test, n_samples=1, seed=0)
            real = task.train[np.arange(min(task.train.n_obs, MOST_REAL))]
            scale = (lambda x: x) if task.is_image else np.log1p
            wanted, labels = (
                part.obs[task.label_key].astype(str).to_numpy() for part in (task.test, real)
            )
            new, known = (scale(as_matrix(part.X, name="x1")) for part in (drawn, real[first]))
            score = coherence(new, wanted, known, labels)
            found |= {"coherence": score.generated, "coherence_of_real": score.real}
    with _tolerated("gate"):
        found["gate_weight_x1"] = float(model.get_gate_weights(task.test)[first].mean())
    return found


def _agreement(imputed: Any, observed: np.ndarray, n_places: int) -> float:
    predicted = np.asarray(imputed.X)
    if "log1p_mean" in imputed.layers:
        return mean_feature_pearson(imputed.layers["log1p_mean"], np.log1p(observed))
    if n_places or np.allclose(observed.sum(1), 1):
        shape = (len(observed), max(n_places, 1), -1)
        hits = predicted.reshape(shape).argmax(-1) == observed.reshape(shape).argmax(-1)
        return float(hits.mean())
    right = (predicted > 0.5) == (observed > 0.5)
    return float(np.mean([right[observed > 0.5].mean(), right[observed <= 0.5].mean()]))


def _images(model: Any, task: Table1Task) -> dict[str, np.ndarray]:
    """Means of 64 new images: from the prior, and from the second modality of one test image."""
    first = next(iter(task.modalities))
    found = {}
    with _tolerated("prior samples"):
        found["prior"] = np.asarray(model.sample(N_SHOWN, first, give_mean=True, seed=0).X)
    if len(model.layout.names) == 1:
        return found
    row = 0
    if task.shown is not None:
        row = int((task.test.obs["class"] == task.shown).to_numpy().argmax())
    with _tolerated("conditional samples"):
        second = list(task.modalities)[1]
        given = MuData({second: task.test[second][[row]].copy()})
        drawn = model.generate(first, given, n_samples=N_SHOWN, give_mean=True, seed=0)
        found["conditional"] = np.asarray(drawn.X)
    return {name: values.astype(np.float16) for name, values in found.items()}


@contextmanager
def _tolerated(what: str) -> Iterator[None]:
    """Go on where a system does not do what is asked."""
    try:
        yield
    except ConfigError as error:
        _logger.debug("%s: %s", what, error)
