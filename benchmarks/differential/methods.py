"""The methods: what each says of two groups of cells, in one form."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.differential.data import RNA, Data
from benchmarks.differential.models import ours, totalvi

LEVEL = 0.9
"""Level of the intervals."""
COLUMNS = ["score", "q_value", "lfc_mean", "lfc", "lfc_error", "low", "high"]
"""Evidence (higher is more), expected false discoveries, log2 fold changes, the standard error of
the plain one, and an interval."""

type Groups = tuple[np.ndarray, np.ndarray]
"""Positions of the cells of two groups."""
type Fit = Callable[..., Any]
"""Trains a model on data; called with the data, ``epochs``, ``seed`` and ``kept``."""


@dataclass(frozen=True, kw_only=True)
class Method:
    """One method.

    Attributes
    ----------
    title
        Name in tables.
    fit
        Trains its model; None for a method without.
    test
        Compares two groups, with the model.
    """

    title: str
    fit: Fit | None
    test: Callable[[Any, Data, Groups], pd.DataFrame]


def _ours(delta: float | None, *, by_sample: bool = False) -> Callable[..., pd.DataFrame]:
    def test(model: Any, data: Data, groups: Groups) -> pd.DataFrame:
        with warnings.catch_warnings():
            # Groups that share no batch are what a split of samples is.
            warnings.simplefilter("ignore")
            found = model.differential_expression(
                RNA,
                idx1=groups[0],
                idx2=groups[1],
                delta=delta,
                sample_key=data.batch_key if by_sample else None,
                seed=0,
            )
        return as_evidence(found)

    return test


def as_evidence(found: pd.DataFrame) -> pd.DataFrame:
    """Return a table of our own in the form of all methods."""
    return found.assign(score=-found["p_value"], low=found["lfc_q05"], high=found["lfc_q95"])[
        COLUMNS
    ]


def _totalvi(model: Any, data: Data, groups: Groups) -> pd.DataFrame:
    found: pd.DataFrame = model.differential_expression(
        idx1=groups[0],
        idx2=groups[1],
        mode="change",
        use_field=["rna"],
        all_stats=False,
        silent=True,
        cred_interval_lvls=[LEVEL],
    )
    found = found.loc[data.mdata[RNA].var_names]
    # Calls with a q-value below a target are those of its is_de_fdr.
    order = np.argsort(-found["proba_de"].to_numpy(), kind="stable")
    q_value = np.empty(len(order))
    q_value[order] = found["proba_not_de"].to_numpy()[order].cumsum() / np.arange(1, len(order) + 1)
    return found.assign(
        score=found["proba_de"],
        q_value=q_value,
        lfc=found["lfc_mean"],
        lfc_error=np.nan,
        low=found[f"lfc_confidence_interval_{LEVEL}_min"],
        high=found[f"lfc_confidence_interval_{LEVEL}_max"],
    )[COLUMNS]


def _wilcoxon(*, ties: bool) -> Callable[..., pd.DataFrame]:
    def test(model: None, data: Data, groups: Groups) -> pd.DataFrame:
        import scanpy as sc

        cells: Any = data.mdata[RNA][np.concatenate(groups)].copy()
        cells.obs["group"] = pd.Categorical(np.repeat(["one", "other"], [len(g) for g in groups]))
        sc.pp.normalize_total(cells)
        sc.pp.log1p(cells)
        sc.tl.rank_genes_groups(
            cells,
            "group",
            groups=["one"],
            reference="other",
            method="wilcoxon",
            tie_correct=ties,
        )
        found = sc.get.rank_genes_groups_df(cells, "one").set_index("names")
        # Not a number where a gene has no count: no evidence.
        return pd.DataFrame(
            {
                "score": found["scores"].abs().fillna(0.0),
                "q_value": found["pvals_adj"].fillna(1.0),
                "lfc_mean": np.nan,
                "lfc": found["logfoldchanges"],
                "lfc_error": np.nan,
                "low": np.nan,
                "high": np.nan,
            }
        )[COLUMNS]

    return test


METHODS: Mapping[str, Method] = {
    "ours-0": Method(title="HZAU-VAE, delta=0", fit=ours, test=_ours(0.0)),
    "ours": Method(title="HZAU-VAE", fit=ours, test=_ours(None)),
    "ours-samples-0": Method(
        title="HZAU-VAE, sample_key, delta=0", fit=ours, test=_ours(0.0, by_sample=True)
    ),
    "ours-samples": Method(
        title="HZAU-VAE, sample_key", fit=ours, test=_ours(None, by_sample=True)
    ),
    "wilcoxon": Method(title="Wilcoxon", fit=None, test=_wilcoxon(ties=False)),
    "wilcoxon-ties": Method(title="Wilcoxon, ties corrected", fit=None, test=_wilcoxon(ties=True)),
    "totalvi": Method(title="totalVI", fit=totalvi, test=_totalvi),
}
