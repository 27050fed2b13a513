"""Metrics of the demo, with those of simple methods on the same cells."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from anndata import AnnData
from mudata import MuData
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from hzau_omics.arrays import dense
from hzau_omics.demo.dataset import TEXT, DemoData
from hzau_omics.metrics import (
    interval_coverage,
    knn_imputation,
    knn_label_accuracy,
    mean_feature_pearson,
    ridge_imputation,
)

if TYPE_CHECKING:
    from hzau_omics.model import HZAUVAE

N_SAMPLES = 100
N_PCS = 30


@dataclass(frozen=True)
class DemoResults:
    """Metrics, and the results that the report draws.

    Attributes
    ----------
    metrics
        Plain values, as written to ``metrics.json``.
    imputed
        Imputed protein of the hidden cells.
    pit
        Randomised probability integral transforms of their measured protein.
    gate
        Gate weights of all cells, inferred without text.
    reliability
        Reliability of all measurements.
    """

    metrics: dict[str, Any]
    imputed: AnnData
    pit: NDArray[np.floating[Any]]
    gate: pd.DataFrame
    reliability: pd.DataFrame


def evaluate(model: "HZAUVAE", data: DemoData, seed: int) -> DemoResults:
    """Compute all metrics and results of the demo."""
    imputed = _impute_hidden(model, data, seed)
    measured = dense(data.hidden_protein.X, np.float64)
    pit = _pit(model, data, seed)
    gate = model.get_gate_weights(given=["rna", "adt"])
    reliability = model.get_reliability()
    metrics = {
        "cells": {
            "total": int(data.mdata.n_obs),
            "modality_patterns": _patterns(model),
            "protein_hidden": len(data.hidden),
        },
        "imputation_rna_to_protein": {
            "cells": len(data.hidden),
            "mean_protein_pearson": {
                "hzau_vae": mean_feature_pearson(imputed.layers["log1p_mean"], np.log1p(measured)),
                **_baselines(data, measured, seed),
            },
            "coverage_of_90_percent_interval": float(interval_coverage(pit, 0.9).overall),
        },
        "label_accuracy_without_text": _label_accuracy(model, data),
        "gate_weight_per_label": _gate_per_label(gate, data.mdata.obs["cell_type"]),
        "suspicious_measurements": (reliability < model.SUSPICIOUS).sum().to_dict(),
        "training": {
            "epochs": model.n_epochs_trained_,
            "best_epoch": model.best_epoch_,
            "modality_weights": model.modality_weights_,
        },
    }
    return DemoResults(metrics, imputed, pit, gate, reliability)


def _impute_hidden(model: "HZAUVAE", data: DemoData, seed: int) -> AnnData:
    # From RNA alone: a description contains the label, which predicts the protein.
    cells = data.mdata.obs_names.get_indexer(data.hidden)
    return model.impute("adt", indices=cells, given=["rna"], n_samples=N_SAMPLES, seed=seed)


def _pit(model: "HZAUVAE", data: DemoData, seed: int) -> NDArray[np.floating[Any]]:
    """Compare hidden measurements with predictive draws."""
    hidden = data.mdata[data.hidden].copy()
    held_out = MuData({"rna": hidden["rna"].copy(), "adt": data.hidden_protein})
    held_out.obs["batch"] = hidden.obs["batch"].reindex(held_out.obs_names)
    found = model.get_pit("adt", held_out, given=["rna"], n_samples=N_SAMPLES, seed=seed)
    return np.asarray(found)


def _baselines(data: DemoData, measured: NDArray[np.float64], seed: int) -> dict[str, float]:
    """Fit k-NN and ridge regression on cells with both RNA and protein."""
    rna, adt = data.mdata["rna"], data.mdata["adt"]
    both = rna.obs_names[rna.obs_names.isin(adt.obs_names)]
    train_x, test_x = rna[both].X, rna[data.hidden].X
    train_y = dense(adt[both].X, np.float64)
    target = np.log1p(measured)
    return {
        "knn_on_pca": mean_feature_pearson(
            knn_imputation(train_x, train_y, test_x, seed=seed), target
        ),
        "ridge_on_pca": mean_feature_pearson(
            ridge_imputation(train_x, train_y, test_x, seed=seed), target
        ),
    }


def _label_accuracy(model: "HZAUVAE", data: DemoData) -> dict[str, float]:
    """Label cells without text by 15 neighbours with text, in the latent space or in PCA.

    The latents of all cells are inferred without text. PCA cannot relate cells without a common
    modality, so its neighbours are searched for within each modality pattern, in the components of
    all measured modalities.
    """
    mdata = data.mdata
    labels = mdata.obs["cell_type"].astype(str).to_numpy()
    has_text = mdata.obs_names.isin(mdata[TEXT].obs_names)
    judged = ~has_text & (labels != "other")
    latent = model.get_latent_representation(given=["rna", "adt"])
    ours = knn_label_accuracy(latent[has_text], labels[has_text], latent[judged], labels[judged])
    return {
        "cells": int(judged.sum()),
        "hzau_vae": ours,
        "knn_on_pca": _pca_accuracy(data, labels, has_text, judged),
    }


def _pca_accuracy(
    data: DemoData, labels: NDArray[Any], has_text: NDArray[Any], judged: NDArray[Any]
) -> float:
    mdata = data.mdata
    components, present = {}, {}
    for name in ("rna", "adt"):
        values = dense(mdata[name].X, np.float64)
        total = values.sum(1, keepdims=True)
        scaled = np.log1p(values / np.maximum(total, 1) * np.median(total))
        table = np.zeros((mdata.n_obs, N_PCS))
        rows = mdata.obs_names.get_indexer(mdata[name].obs_names)
        found = PCA(N_PCS, random_state=0).fit_transform(scaled)
        table[rows] = found / found.std()
        components[name] = table
        present[name] = mdata.obs_names.isin(mdata[name].obs_names)
    pattern = 2 * present["rna"].astype(int) + present["adt"]
    hits = 0.0
    for code in np.unique(pattern[judged]):
        names = [n for n in ("rna", "adt") if present[n][pattern == code].all()]
        table = np.hstack([components[n] for n in names])
        able = has_text & np.all([present[n] for n in names], axis=0)
        test = judged & (pattern == code)
        hits += test.sum() * knn_label_accuracy(
            table[able], labels[able], table[test], labels[test]
        )
    return float(hits / judged.sum())


def _gate_per_label(gate: pd.DataFrame, labels: pd.Series) -> dict[str, dict[str, float]]:
    """Return mean gate weights per label, over cells with both RNA and protein."""
    both = gate[["rna", "adt"]].gt(0).all(axis=1)
    means = gate.loc[both, ["rna", "adt"]].groupby(labels[both].astype(str)).mean()
    return {str(k): {str(m): float(v) for m, v in row.items()} for k, row in means.iterrows()}


def _patterns(model: "HZAUVAE") -> dict[str, int]:
    counts = model.to_anndata().obs["modalities"].value_counts()
    return {str(k): int(v) for k, v in counts.items()}
