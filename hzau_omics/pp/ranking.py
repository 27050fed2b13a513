"""Results of a differential analysis in the form that scanpy's plots read."""

from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy.special import ndtri

from hzau_omics.errors import DataContractError
from hzau_omics.messages import listed

NEEDED = ("group1", "group2", "p_value", "q_value", "lfc_mean")
SMALLEST_P = 1e-300
COLUMNS = {
    "scores": ("score", np.float32),
    "pvals": ("p_value", np.float64),
    "pvals_adj": ("q_value", np.float64),
    "logfoldchanges": ("lfc_mean", np.float32),
}
"""Entries of scanpy -> column of the table, and its type."""


def rank_genes_groups(
    adata: AnnData,
    result: pd.DataFrame,
    *,
    groupby: str,
    key_added: str = "rank_genes_groups",
) -> None:
    """Write a table of differential expression into ``adata.uns``, as scanpy keeps its own.

    Then ``sc.pl.rank_genes_groups_dotplot(adata)``, the other ``sc.pl.rank_genes_groups_*`` and
    ``sc.get.rank_genes_groups_df(adata, group=...)`` work.

    Parameters
    ----------
    adata
        AnnData with the features, such as ``model.to_anndata(modality="rna")``; the one entry of
        ``uns`` is written, and nothing else changed.
    result
        Data frame of ``model.differential_expression``: every group once as ``group1``.
    groupby
        Column of ``obs`` with the groups.
    key_added
        Name of the entry.

    Raises
    ------
    DataContractError
        The table is another one, compares a group twice, or names features or a column that
        `adata` lacks.

    Examples
    --------
    >>> import scanpy as sc
    >>> adata = AnnData(np.eye(2), obs=pd.DataFrame({"type": ["a", "b"]}, index=["c1", "c2"]))
    >>> row = {"group1": "a", "group2": "Rest", "p_value": 0.01, "q_value": 0.02, "lfc_mean": 1.0}
    >>> rank_genes_groups(adata, pd.DataFrame([row], index=["0"]), groupby="type")
    >>> sc.get.rank_genes_groups_df(adata, group="a")["names"].tolist()
    ['0']
    """
    _check(adata, result, groupby)
    sign = np.sign(result["lfc_mean"].to_numpy())
    p_value = np.clip(result["p_value"].to_numpy(), SMALLEST_P, 1.0)
    scored = result.assign(score=-sign * ndtri(p_value / 2))
    # Ties of p-values that are 0 are broken by the change itself.
    order = scored.sort_values(["score", "lfc_mean"], ascending=False)
    groups = {str(name): part for name, part in order.groupby("group1", sort=False, observed=True)}
    entry: dict[str, Any] = {
        "params": {
            "groupby": groupby,
            "reference": _reference(result),
            "method": "hzau_omics",
            "use_raw": False,
            "layer": None,
            "corr_method": "benjamini-hochberg",
        }
    }
    names = pd.DataFrame({group: part.index.astype(object) for group, part in groups.items()})
    entry["names"] = names.to_records(index=False)
    for name, (column, dtype) in COLUMNS.items():
        values = {group: part[column].to_numpy(dtype) for group, part in groups.items()}
        entry[name] = pd.DataFrame(values).to_records(index=False)
    if "non_zeros_proportion1" in result:
        for name, column in (
            ("pts", "non_zeros_proportion1"),
            ("pts_rest", "non_zeros_proportion2"),
        ):
            entry[name] = pd.DataFrame({g: part[column] for g, part in groups.items()})
    adata.uns[key_added] = entry


def _reference(result: pd.DataFrame) -> str:
    found = pd.unique(result["group2"])
    return "rest" if len(found) != 1 or str(found[0]) == "Rest" else str(found[0])


def _check(adata: AnnData, result: pd.DataFrame, groupby: str) -> None:
    absent = [name for name in NEEDED if name not in result]
    if absent:
        msg = (
            "result must be a table of model.differential_expression. Received one without the "
            f"columns {listed(absent)}. Pass it as it is returned."
        )
        raise DataContractError(msg)
    if groupby not in adata.obs:
        msg = (
            f"groupby must be a column of obs. Received {groupby!r}; there are "
            f"{listed(adata.obs.columns, limit=20)}."
        )
        raise DataContractError(msg)
    if result.groupby("group1", observed=True)["group2"].nunique().max() > 1:
        msg = (
            "Each group must be compared once. Received a table that compares one with several "
            "others. Write each comparison under a key of its own (key_added=...)."
        )
        raise DataContractError(msg)
    unknown = result.index.difference(adata.var_names)
    if len(unknown):
        msg = (
            f"The features of the table must be in adata. Received {len(unknown):,} that are not "
            f"({listed(unknown)}). Pass model.to_anndata(modality=...) of the same modality."
        )
        raise DataContractError(msg)
