"""One system on one data set: train it, make held-out measurements fail, and see what it says."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.common.resume import Found, Run
from benchmarks.common.task import Task
from benchmarks.reliability.data import READERS
from benchmarks.reliability.evaluate import Evaluation
from benchmarks.reliability.failures import Failures
from benchmarks.reliability.peers import totalvi_failures, wnn_failures
from hzau_omics import model as models

SYSTEMS: Mapping[str, tuple[str, Mapping[str, Any], Mapping[str, Any]]] = {
    "HZAUVAE": ("HZAUVAE", {}, {}),
    "HZAUVAE, clean": ("HZAUVAE", {}, {"corruption": 0.0}),
    "uniform": ("HZAUVAE", {"pool": "uniform"}, {}),
    "uniform, clean": ("HZAUVAE", {"pool": "uniform"}, {"corruption": 0.0}),
    "global": ("HZAUVAE", {"pool": "global"}, {}),
    "global, clean": ("HZAUVAE", {"pool": "global"}, {"corruption": 0.0}),
    "MVAE": ("MVAE", {}, {"corruption": 0.1, "marginal_targets": "all", "kl_weight": 0.5}),
    "MVAE, clean": ("MVAE", {}, {"marginal_targets": "all", "kl_weight": 0.5}),
    "MMVAE, clean": ("MMVAE", {}, {"kl_weight": 0.5}),
}
"""Class, its options and those of training; "clean" is without failures in training. The products
of experts get HZAU-VAE's targets and KL weight, so that what differs is the pool."""

PEERS = ("WNN", "totalVI")
"""Seurat's modality weights as muon computes them (needs muon), and scvi-tools' model of CITE-seq,
whose latent is compared; for data sets of RNA and protein."""


@dataclass(frozen=True, kw_only=True)
class ReliabilityRun(Run):
    """One system on one data set.

    Attributes
    ----------
    dataset, system, seed
        What is trained.
    epochs, n_cells
        How long (0 for the default), and on how many cells at most.
    failures
        Whether measurements are made to fail; else the model is asked about clean cells only.
    """

    dataset: str
    system: str
    seed: int
    epochs: int
    n_cells: int
    failures: bool = True

    @property
    def name(self) -> str:
        """File name of the result, without suffix."""
        stem = super().name.removesuffix(f"_{self.failures}")
        return stem if self.failures else f"{stem}_clean"


def measure(run: ReliabilityRun) -> Found:
    """Train and evaluate; give figures, and arrays of held-out cells to compare between seeds."""
    task = READERS[run.dataset](run.n_cells)
    if run.system in PEERS:
        return _peer(run, task), {}
    model, seconds = trained(run, task)
    found: dict[str, Any] = {**asdict(run), "train_s": seconds}
    found["epochs"] = len(model.history["train_loss"])
    evaluation = Evaluation(model, Failures(task))
    found["clean"] = evaluation.clean_figures()
    found["rows"] = evaluation.failure_rows() if run.failures else []
    found["agreement"] = evaluation.doublets() if run.failures else {}
    found["calibration"] = evaluation.calibration() if run.failures else []
    return found, {**evaluation.clean.arrays(), "labels": evaluation.labels.astype(str)}


def trained(run: ReliabilityRun, task: Task) -> tuple[Any, float]:
    """Train one of our systems on the training cells; give it and the seconds."""
    name, options, training = SYSTEMS[run.system]
    cls = getattr(models, name)
    cls.setup_mudata(task.train, dict(task.modalities), batch_key=task.batch_key)
    model = cls(task.train, **options)
    start = time.perf_counter()
    model.train(
        run.epochs or None, seed=run.seed, enable_progress_bar=False, plan_kwargs=dict(training)
    )
    return model, time.perf_counter() - start


def _peer(run: ReliabilityRun, task: Task) -> dict[str, Any]:
    start = time.perf_counter()
    if run.system == "WNN":
        clean, rows = wnn_failures(task, run.seed)
    else:
        clean, rows = totalvi_failures(task, run.seed, run.epochs or None)
    seconds = time.perf_counter() - start
    return {**asdict(run), "train_s": seconds, "clean": clean, "rows": rows, "agreement": {}}
