"""One system on one data set: train it, make held-out measurements fail, and see what it says."""

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from mudata import MuData
from sklearn.neighbors import KNeighborsClassifier

from benchmarks.common.scores import auroc
from benchmarks.reliability.calibration import (
    brier_score,
    calibration_error,
    coverages,
    depth_correlation,
    imputed_coverage,
    latent_coverage,
)
from benchmarks.reliability.corruptions import KINDS, Values, kinds_for
from benchmarks.reliability.data import Task, dense, read_task, with_values
from benchmarks.reliability.peers import totalvi_failures, wnn_failures
from hzau_omics import model as models
from hzau_omics.data import MosaicStore
from hzau_omics.errors import ConfigError
from hzau_omics.metrics import mean_feature_pearson

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

FAILED = (("ambient", 0.5), ("ambient", 0.7), ("ambient", 1.0), ("thinned", 0.9), ("thinned", 0.97))
"""Failures of the kinds and strengths that a reliability is the probability of."""

CALIBRATED = (("ambient", 0.5), ("thinned", 0.9), ("swapped", 1.0))

HELD_OUT = 0.2
"""Share of counts that are held out to see whether another modality helps to tell them."""

P_VALUES = (0.05, 0.01)
NEIGHBOURS = 15
N_SAMPLES = 5


@dataclass(frozen=True, kw_only=True)
class Part:
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
        *values, failures = asdict(self).values()
        name = "_".join(str(value).replace(", ", "-") for value in values)
        return name if failures else f"{name}_clean"


def run(part: Part) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Train and evaluate; give figures, and arrays of held-out cells to compare between seeds."""
    task = read_task(part.dataset, part.n_cells)
    if part.system in PEERS:
        return _peer(part, task), {}
    name, options, training = SYSTEMS[part.system]
    cls = getattr(models, name)
    cls.setup_mudata(task.train, dict(task.modalities), batch_key=task.batch_key)
    model = cls(task.train, **options)
    start = time.perf_counter()
    model.train(
        part.epochs or None, seed=part.seed, enable_progress_bar=False, plan_kwargs=dict(training)
    )
    found: dict[str, Any] = {**asdict(part), "train_s": time.perf_counter() - start}
    found["epochs"] = len(model.history["train_loss"])
    judge = _Judge(model, task)
    found["clean"] = judge.clean_figures()
    found["rows"] = judge.failures() if part.failures else []
    found["agreement"] = judge.agreements() if part.failures else {}
    found["calibration"] = judge.calibration() if part.failures else []
    return found, {**judge.good.arrays(), "labels": judge.labels.astype(str)}


def _peer(part: Part, task: Task) -> dict[str, Any]:
    start = time.perf_counter()
    if part.system == "WNN":
        clean, rows = wnn_failures(task, part.seed)
    else:
        clean, rows = totalvi_failures(task, part.seed, part.epochs or None)
    seconds = time.perf_counter() - start
    return {**asdict(part), "train_s": seconds, "clean": clean, "rows": rows, "agreement": {}}


@dataclass(frozen=True)
class _Scores:
    """What a model says of some cells; frames (cell, modality), higher = more to be trusted."""

    latent: np.ndarray
    nll: np.ndarray
    by_kind: Mapping[str, pd.DataFrame]
    agreement: np.ndarray | None
    p_value: np.ndarray | None

    def arrays(self) -> dict[str, np.ndarray]:
        return {kind: frame.to_numpy() for kind, frame in self.by_kind.items()}


class _Judge:
    """A trained model, and the held-out cells as they are."""

    def __init__(self, model: Any, task: Task) -> None:
        self.model, self.task = model, task
        self.names = list(task.modalities)
        self.clean = MosaicStore(task.test, model.layout)
        self.values = {name: dense(task.test, name) for name in self.names}
        self.donors = {name: task.donors(name) for name in self.names}
        labels = task.labels(task.train)
        embedded = model.get_latent_representation()
        self.neighbours = KNeighborsClassifier(NEIGHBOURS).fit(
            embedded[labels != ""], labels[labels != ""]
        )
        self.labels = task.labels(task.test)
        self.good = self.scores(task.test)

    def scores(self, mdata: MuData) -> _Scores:
        """Ask the model about cells, the clean counts of which are known."""
        model = self.model
        by_kind = {}
        if isinstance(model, models.HZAUVAE):
            with suppress(ConfigError):
                by_kind["reliability"] = model.get_reliability(mdata)
            by_kind["gate"] = model.get_gate_weights(mdata)
            by_kind["precision"] = model.get_gate_weights(mdata, kind="precision")
        x = {name: dense(mdata, name) for name in self.names}
        by_kind["total counts"] = pd.DataFrame({n: np.log1p(x[n].sum(1)) for n in self.names})
        by_kind["distance to mean profile"] = pd.DataFrame(
            {n: _distance(x[n], self.donors[n].profile) for n in self.names}
        )
        agreement = p_value = None
        with suppress(ConfigError):
            agreement = -model.get_agreement(mdata).to_numpy()[:, 0]
            p_value = model.get_agreement(mdata, kind="pvalue").to_numpy()[:, 0]
        latent = model.get_latent_representation(mdata)
        return _Scores(latent, self._nll(mdata), by_kind, agreement, p_value)

    def _nll(
        self, mdata: MuData, given: int | None = None, wanted_of: MuData | None = None
    ) -> np.ndarray:
        """Negative log likelihood of the clean values (modality,), in nats per cell.

        Inferred from all modalities, or from one; NaN where a system does not infer from it. Other
        values than the clean ones are in `wanted_of`.
        """
        network = self.model.module
        seen = MosaicStore(mdata, self.model.layout)
        clean = self.clean
        if wanted_of is not None:
            clean = MosaicStore(wanted_of, self.model.layout)
        cells = np.arange(seen.n_cells)
        total = np.zeros(len(self.names))
        torch.manual_seed(0)
        device = next(network.parameters()).device
        pairs = zip(*(s.minibatches(cells, 256) for s in (seen, clean)), strict=True)
        with torch.inference_mode():
            for batch, wanted in pairs:
                here, there = batch.to(device), wanted.to(device)
                present = here.present
                if given is not None:
                    present = present & (torch.arange(len(self.names), device=device) == given)
                found = network.infer(network.encode(here), present)
                if not found.available.any(-1).all():
                    return np.full(len(self.names), np.nan)
                q = found.q
                for _ in range(N_SAMPLES):
                    total -= network.log_likelihoods(q.sample(), there).sum(0).cpu().numpy()
        return total / N_SAMPLES / len(cells)

    def clean_figures(self) -> dict[str, float]:
        """Say how good the model is on held-out cells as they are."""
        found = {"accuracy": self._accuracy(self.good)}
        found |= {f"nll_{n}": float(v) for n, v in zip(self.names, self.good.nll, strict=True)}
        for i, name in enumerate(self.names):
            alone = self._nll(self.task.test, given=i)[i]
            found[f"nll_{name}_alone"] = float(alone)
            found |= self._held_out_counts(i, name)
        found |= self._depth()
        if self.good.p_value is not None:
            # Of good cells as many as the limit says should be below it.
            found |= {f"p<{p}": float((self.good.p_value < p).mean()) for p in P_VALUES}
        for name, other in zip(self.names, self.names[::-1], strict=True):
            if self.task.modalities[name] != "nb":
                continue
            imputed = self.model.impute(name, self.task.test, given=other, n_samples=50, seed=0)
            log1p = np.asarray(imputed.layers["log1p_mean"])
            found[f"pearson_{name}"] = mean_feature_pearson(log1p, np.log1p(self.values[name]))
            pit = self.model.get_pit(name, self.task.test, given=other, n_samples=50, seed=0)
            found |= {f"{level}_{name}": value for level, value in coverages(pit).items()}
        return found

    def _held_out_counts(self, modality: int, name: str) -> dict[str, float]:
        """Say how well most of a modality's counts tell the others, alone and with the rest.

        What is inferred from the very counts that it is judged by looks best where a posterior is
        too sharp. A fifth of the counts, drawn binomially, are as held out as counts can be. Means
        have to follow the total for that: panels of few features have none.
        """
        decoder = self.model.module.decoder(modality)
        if self.task.modalities[name] != "nb" or not decoder.library_is_observed:
            return {}
        x = self.values[name]
        some = np.random.default_rng(3).binomial(x.astype(int), 1 - HELD_OUT).astype(np.float32)
        seen = with_values(self.task.test, name, some)
        wanted = with_values(self.task.test, name, x - some)
        alone, together = (
            float(self._nll(seen, given, wanted)[modality]) for given in (modality, None)
        )
        return {f"nll_new_{name}_alone": alone, f"nll_new_{name}": together}

    def _depth(self) -> dict[str, float]:
        """Say whether a modality weighs more in cells of which it has more counts."""
        found = {}
        if "gate" in self.good.by_kind:
            for name in self.names:
                weight, total = (self.good.by_kind[k][name] for k in ("gate", "total counts"))
                both = depth_correlation(weight.to_numpy(), total.to_numpy(), self.labels)
                found[f"depth_{name}"], found[f"depth_{name}_in_type"] = both
        return found

    def calibration(self) -> list[dict[str, Any]]:
        """Say what intervals cover, and how well calibrated reliabilities are."""
        spoilt = {
            (name, kind): self._spoilt(name, kind, strength)
            for name in self.names
            for kind, strength in CALIBRATED
            if kind in kinds_for(self.values[name], self.donors[name])
        }
        rows = imputed_coverage(self.model, self.task, spoilt)
        return [*rows, *latent_coverage(self.model, self.task)]

    def failures(self) -> list[dict[str, Any]]:
        """Let one modality of all held-out cells fail, in each way and at each strength."""
        rows = []
        for name in self.names:
            failed = []
            for kind in kinds_for(self.values[name], self.donors[name]):
                for strength in KINDS[kind][1]:
                    spoilt = self._spoilt(name, kind, strength)
                    row = {"modality": name, "kind": kind, "strength": strength}
                    scores = self.scores(spoilt)
                    rows.append(row | self._compared(scores, name))
                    if (kind, strength) in FAILED and "reliability" in scores.by_kind:
                        failed.append(scores.by_kind["reliability"][name].to_numpy())
            if failed:
                good = self.good.by_kind["reliability"][name].to_numpy()
                of_all = {"calibration error": calibration_error, "Brier score": brier_score}
                base = {"modality": name, "strength": 0.0}
                rows += [
                    {**base, "kind": kind, "reliability": measure(good, failed)}
                    for kind, measure in of_all.items()
                ]
        return rows

    def _spoilt(self, name: str, kind: str, strength: float) -> MuData:
        rng = np.random.default_rng(2)
        x = KINDS[kind][0](self.values[name], strength, self.donors[name], rng)
        return with_values(self.task.test, name, x)

    def _compared(self, bad: _Scores, name: str) -> dict[str, Any]:
        found: dict[str, Any] = {
            f"auroc {kind}": auroc(self.good.by_kind[kind][name], frame[name])
            for kind, frame in bad.by_kind.items()
        }
        across = self._across(name)
        if "reliability" in bad.by_kind:
            frame = bad.by_kind["reliability"]
            found["auroc across types"] = auroc(
                self.good.by_kind["reliability"][name], frame[name][across]
            )
            found["reliability"] = float(frame[name].mean())
        if bad.agreement is not None:
            found["auroc agreement"] = auroc(self.good.agreement, bad.agreement)
            found["auroc agreement across types"] = auroc(
                self.good.agreement, bad.agreement[across]
            )
        if bad.p_value is not None:
            found |= {f"p<{p}": float((bad.p_value < p).mean()) for p in P_VALUES}
        found["accuracy"] = self._accuracy(bad)
        found |= {f"nll_{n}": float(v) for n, v in zip(self.names, bad.nll, strict=True)}
        return found

    def agreements(self) -> dict[str, float]:
        """Find doublets, both modalities of which are mixed with the same other cell's."""
        if self.good.agreement is None:
            return {}
        spoilt = self.task.test
        for name in self.names:
            if kinds_for(self.values[name], self.donors[name]) == ["another_category"]:
                return {}
            rng = np.random.default_rng(2)
            x = KINDS["mixed"][0](self.values[name], 0.5, self.donors[name], rng)
            spoilt = with_values(spoilt, name, x)
        bad = -self.model.get_agreement(spoilt).to_numpy()[:, 0]
        return {
            "doublets": auroc(self.good.agreement, bad),
            "doublets across types": auroc(self.good.agreement, bad[self._across(self.names[0])]),
        }

    def _across(self, name: str) -> np.ndarray:
        """Return the cells whose partner is of another type."""
        partner = self.labels[self.donors[name].partner]
        return (self.labels != partner) & (self.labels != "") & (partner != "")

    def _accuracy(self, scores: _Scores) -> float:
        known = self.labels != ""
        return float((self.neighbours.predict(scores.latent[known]) == self.labels[known]).mean())


def _distance(x: Values, profile: Values) -> np.ndarray:
    """Return 1 - the cosine of each cell with a profile."""
    norm = np.linalg.norm(x, axis=1) * np.linalg.norm(profile)
    return 1 - x @ profile / np.maximum(norm, 1e-12)
