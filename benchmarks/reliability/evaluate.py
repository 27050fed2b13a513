"""What a trained model says of held-out cells as they are, and after one measurement has failed."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from mudata import MuData
from sklearn.neighbors import KNeighborsClassifier

from benchmarks.common.scores import NEIGHBOURS, auroc, coverages
from benchmarks.common.task import dense, with_values
from benchmarks.reliability.calibration import (
    brier_score,
    calibration_error,
    depth_correlation,
    imputed_coverage,
    latent_coverage,
)
from benchmarks.reliability.corruptions import KINDS
from benchmarks.reliability.failures import Failures
from benchmarks.reliability.nll import held_out_nll
from hzau_omics.errors import ConfigError
from hzau_omics.metrics import mean_feature_pearson
from hzau_omics.model import HZAUVAE

FAILED = (("ambient", 0.5), ("ambient", 0.7), ("ambient", 1.0), ("thinned", 0.9), ("thinned", 0.97))
"""Failures of the kinds and strengths that a reliability is the probability of."""

CALIBRATED = (("ambient", 0.5), ("thinned", 0.9), ("swapped", 1.0))

HELD_OUT = 0.2
"""Share of counts that are held out to see whether another modality helps to tell them."""

P_VALUES = (0.05, 0.01)


@dataclass(frozen=True)
class Scores:
    """What a model says of some cells; frames (cell, modality), higher = more to be trusted."""

    latent: np.ndarray
    nll: np.ndarray
    by_kind: Mapping[str, pd.DataFrame]
    agreement: np.ndarray | None
    p_value: np.ndarray | None

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the frames as arrays."""
        return {kind: frame.to_numpy() for kind, frame in self.by_kind.items()}


class Evaluation:
    """A trained model, and the held-out cells whose measurements fail.

    Parameters
    ----------
    model
        Any system.
    failures
        The held-out cells.
    """

    def __init__(self, model: Any, failures: Failures) -> None:
        self.model, self.failures, self.task = model, failures, failures.task
        self.names = list(self.task.modalities)
        labels = self.task.labels(self.task.train)
        embedded = model.get_latent_representation()
        self.neighbours = KNeighborsClassifier(NEIGHBOURS).fit(
            embedded[labels != ""], labels[labels != ""]
        )
        self.labels = self.task.labels(self.task.test)
        self.clean = self.scores(self.task.test)

    def scores(self, mdata: MuData) -> Scores:
        """Ask the model about cells, the clean counts of which are known."""
        model = self.model
        by_kind = {}
        if isinstance(model, HZAUVAE):
            with suppress(ConfigError):
                by_kind["reliability"] = model.get_reliability(mdata)
            by_kind["gate"] = model.get_gate_weights(mdata)
            by_kind["precision"] = model.get_gate_weights(mdata, kind="precision")
        x = {name: dense(mdata, name) for name in self.names}
        by_kind["total counts"] = pd.DataFrame({n: np.log1p(x[n].sum(1)) for n in self.names})
        profiles = {name: self.failures.donors[name].profile for name in self.names}
        by_kind["distance to mean profile"] = pd.DataFrame(
            {n: _distance(x[n], profiles[n]) for n in self.names}
        )
        agreement = p_value = None
        with suppress(ConfigError):
            agreement = -model.get_agreement(mdata).to_numpy()[:, 0]
            p_value = model.get_agreement(mdata, kind="pvalue").to_numpy()[:, 0]
        latent = model.get_latent_representation(mdata)
        return Scores(latent, self._nll(mdata), by_kind, agreement, p_value)

    def _nll(self, mdata: MuData, given: int | None = None) -> np.ndarray:
        return held_out_nll(self.model, mdata, self.task.test, given=given)

    def clean_figures(self) -> dict[str, float]:
        """Say how good the model is on held-out cells as they are."""
        found = {"accuracy": self.accuracy(self.clean)}
        found |= {f"nll_{n}": float(v) for n, v in zip(self.names, self.clean.nll, strict=True)}
        for i, name in enumerate(self.names):
            found[f"nll_{name}_alone"] = float(self._nll(self.task.test, given=i)[i])
            found |= self._held_out_counts(i, name)
        found |= self._depth()
        if self.clean.p_value is not None:
            # Of good cells as many as the limit says should be below it.
            found |= {f"p<{p}": float((self.clean.p_value < p).mean()) for p in P_VALUES}
        for name, other in zip(self.names, self.names[::-1], strict=True):
            if self.task.modalities[name] == "nb":
                found |= self.imputation(name, other)
        return found

    def imputation(self, name: str, given: str) -> dict[str, float]:
        """Say how well a modality's counts are imputed from another: correlation and coverage."""
        imputed = self.model.impute(name, self.task.test, given=given, n_samples=50, seed=0)
        log1p = np.asarray(imputed.layers["log1p_mean"])
        pearson = mean_feature_pearson(log1p, np.log1p(self.failures.values[name]))
        pit = self.model.get_pit(name, self.task.test, given=given, n_samples=50, seed=0)
        covered = {f"{level}_{name}": value for level, value in coverages(pit).items()}
        return {f"pearson_{name}": pearson, **covered}

    def _held_out_counts(self, modality: int, name: str) -> dict[str, float]:
        """Say how well most of a modality's counts tell the others, alone and with the rest.

        What is inferred from the very counts that it is judged by looks best where a posterior is
        too sharp. A fifth of the counts, drawn binomially, are as held out as counts can be. Means
        have to follow the total for that: panels of few features have none.
        """
        decoder = self.model.module.decoder(modality)
        if self.task.modalities[name] != "nb" or not decoder.library_is_observed:
            return {}
        x = self.failures.values[name]
        some = np.random.default_rng(3).binomial(x.astype(int), 1 - HELD_OUT).astype(np.float32)
        seen = with_values(self.task.test, name, some)
        wanted = with_values(self.task.test, name, x - some)
        alone, together = (
            float(held_out_nll(self.model, seen, wanted, given=given)[modality])
            for given in (modality, None)
        )
        return {f"nll_new_{name}_alone": alone, f"nll_new_{name}": together}

    def _depth(self) -> dict[str, float]:
        """Say whether a modality weighs more in cells of which it has more counts."""
        found = {}
        if "gate" in self.clean.by_kind:
            for name in self.names:
                weight, total = (self.clean.by_kind[k][name] for k in ("gate", "total counts"))
                both = depth_correlation(weight.to_numpy(), total.to_numpy(), self.labels)
                found[f"depth_{name}"], found[f"depth_{name}_in_type"] = both
        return found

    def calibration(self) -> list[dict[str, Any]]:
        """Say what intervals cover, and how well calibrated reliabilities are."""
        corrupted = {
            (name, kind): self.failures.corrupted(name, kind, strength)
            for name in self.names
            for kind, strength in CALIBRATED
            if kind in self.failures.kinds(name)
        }
        rows = imputed_coverage(self.model, self.task, corrupted)
        return [*rows, *latent_coverage(self.model, self.task)]

    def failure_rows(self) -> list[dict[str, Any]]:
        """Let one modality of all held-out cells fail, in each way and at each strength."""
        rows = []
        for name in self.names:
            reliabilities = []
            for kind in self.failures.kinds(name):
                for strength in KINDS[kind][1]:
                    scores = self.scores(self.failures.corrupted(name, kind, strength))
                    row = {"modality": name, "kind": kind, "strength": strength}
                    rows.append(row | self._compared(scores, name))
                    if (kind, strength) in FAILED and "reliability" in scores.by_kind:
                        reliabilities.append(scores.by_kind["reliability"][name].to_numpy())
            if reliabilities:
                rows += self._errors_of_reliability(name, reliabilities)
        return rows

    def _errors_of_reliability(self, name: str, failed: list[np.ndarray]) -> list[dict[str, Any]]:
        good = self.clean.by_kind["reliability"][name].to_numpy()
        of_all = {"calibration error": calibration_error, "Brier score": brier_score}
        base = {"modality": name, "strength": 0.0}
        return [
            {**base, "kind": kind, "reliability": measure(good, failed)}
            for kind, measure in of_all.items()
        ]

    def _compared(self, bad: Scores, name: str) -> dict[str, Any]:
        good = self.clean
        found: dict[str, Any] = {
            f"auroc {kind}": auroc(good.by_kind[kind][name], frame[name])
            for kind, frame in bad.by_kind.items()
        }
        across = self._across(name)
        if "reliability" in bad.by_kind:
            trusted = bad.by_kind["reliability"][name]
            found["auroc across types"] = auroc(good.by_kind["reliability"][name], trusted[across])
            found["reliability"] = float(trusted.mean())
        if bad.agreement is not None:
            found["auroc agreement"] = auroc(good.agreement, bad.agreement)
            found["auroc agreement across types"] = auroc(good.agreement, bad.agreement[across])
        if bad.p_value is not None:
            found |= {f"p<{p}": float((bad.p_value < p).mean()) for p in P_VALUES}
        found["accuracy"] = self.accuracy(bad)
        found |= {f"nll_{n}": float(v) for n, v in zip(self.names, bad.nll, strict=True)}
        return found

    def doublets(self) -> dict[str, float]:
        """Find doublets, both modalities of which are mixed with the same other cell's."""
        corrupted = None if self.clean.agreement is None else self.failures.doublets()
        if corrupted is None:
            return {}
        bad = -self.model.get_agreement(corrupted).to_numpy()[:, 0]
        return {
            "doublets": auroc(self.clean.agreement, bad),
            "doublets across types": auroc(self.clean.agreement, bad[self._across(self.names[0])]),
        }

    def _across(self, name: str) -> np.ndarray:
        """Return the cells whose partner is of another type."""
        partner = self.labels[self.failures.donors[name].partner]
        across: np.ndarray = (self.labels != partner) & (self.labels != "") & (partner != "")
        return across

    def accuracy(self, scores: Scores) -> float:
        """Return the share of cells whose type most of their nearest training cells have."""
        known = self.labels != ""
        return float((self.neighbours.predict(scores.latent[known]) == self.labels[known]).mean())


def _distance(x: np.ndarray, profile: np.ndarray) -> np.ndarray:
    """Return 1 - the cosine of each cell with a profile."""
    norm = np.linalg.norm(x, axis=1) * np.linalg.norm(profile)
    return np.asarray(1 - x @ profile / np.maximum(norm, 1e-12))
