"""One modality of several samples: the union of features, and which each sample measured."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import anndata
import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse

from hzau_omics.data.contract.panel import panel_column
from hzau_omics.data.pitfalls.warning import warn_user
from hzau_omics.data.reading.feature_types import is_peak
from hzau_omics.data.reading.tables import with_flags
from hzau_omics.messages import listed

PANEL_KEY = "measured"
"""Prefix of the columns of ``var`` that say which features a sample measured."""

FEW = 0.1
"""Share of the smaller panel's features below which a warning says that samples share few."""


def union(parts: Mapping[str, AnnData], modality: str) -> AnnData:
    """Join the cells of one modality of several samples.

    Features are the union; values that a sample did not measure are 0. If the samples differ in
    their features, ``var["measured_<sample>"]`` marks those of each.

    Parameters
    ----------
    parts
        Sample -> its cells, with names of cells that differ between samples.
    modality
        Name of the modality, for warnings.

    Returns
    -------
    anndata.AnnData
        ``X`` and the layers that all samples have, ``obs`` with the columns of all samples, and
        columns of ``var`` in which the samples agree. Embeddings and graphs of single samples are
        left out.
    """
    names = [set(part.var_names) for part in parts.values()]
    differ = any(own != names[0] for own in names)
    if differ:
        _warn_of_few_shared(dict(zip(parts, names, strict=True)), modality)
    layers = _shared_layers(parts, modality)
    bare = {sample: _bare(part, layers) for sample, part in parts.items()}
    joined = anndata.concat(bare, join="outer", fill_value=0, merge=None)
    if differ:
        # It sorts the names; the order of the first sample tells more.
        order = list(dict.fromkeys(name for part in parts.values() for name in part.var_names))
        joined = joined[:, order].copy()
    joined.obs = with_flags(joined.obs)
    joined.var = _joined_var(list(parts.values()), joined.var_names)
    if differ:
        for sample, part in parts.items():
            joined.var[panel_column(PANEL_KEY, sample)] = joined.var_names.isin(part.var_names)
    return joined


def _shared_layers(parts: Mapping[str, AnnData], modality: str) -> list[str]:
    own = {sample: {key for key in part.layers if key} for sample, part in parts.items()}
    shared = set.intersection(*own.values())
    lost = sorted(set.union(*own.values()) - shared)
    if lost:
        have = [sample for sample, keys in own.items() if set(lost) & keys]
        warn_user(
            f"The layers {listed(lost)} of {modality!r} are left out, because only the samples "
            f"{listed(have)} have them. Give all samples the same layers to keep them."
        )
    return sorted(shared)


def _bare(part: AnnData, layers: Sequence[str]) -> AnnData:
    """Return what is joined, by rows: columns of different samples cannot be stacked."""
    return AnnData(
        _by_rows(part.X),
        obs=part.obs.copy(),
        var=pd.DataFrame(index=part.var_names),
        layers={key: _by_rows(part.layers[key]) for key in layers},
    )


def _by_rows(values: Any) -> Any:
    return sparse.csr_matrix(values) if sparse.issparse(values) else values


def _joined_var(parts: Sequence[AnnData], names: "pd.Index[str]") -> pd.DataFrame:
    """Return the columns of ``var`` in which samples agree about the features that they share."""
    var = pd.DataFrame(index=names)
    for column in dict.fromkeys(column for part in parts for column in part.var.columns):
        own = [part.var[column] for part in parts if column in part.var]
        merged = own[0].astype(object).reindex(names)
        agree = True
        for other in (one.astype(object).reindex(names) for one in own[1:]):
            both = merged.notna() & other.notna()
            agree &= bool((merged[both] == other[both]).all())
            merged = merged.where(merged.notna(), other)
        if not agree:
            continue
        flags = all(pd.api.types.is_bool_dtype(one) for one in own)
        if flags:
            merged = merged.eq(True)  # noqa: FBT003 - also for features without a value
        elif not merged.isna().any():
            merged = merged.astype(own[0].dtype) if len(own) == 1 else merged.infer_objects()
        else:
            merged = pd.Series(_with_gaps(merged), index=names)
        var[column] = merged
    return var


def _with_gaps(values: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return a column that can be written: texts with NaN, or numbers with NaN."""
    known = values[values.notna()]
    numbers = all(isinstance(one, int | float | np.number) for one in known)
    return values.astype(float) if numbers else values.where(values.notna(), "")


def _warn_of_few_shared(names: Mapping[str, set[str]], modality: str) -> None:
    for (first, own), (second, others) in combinations(names.items(), 2):
        fewer = min(len(own), len(others))
        shared = len(own & others)
        if shared < FEW * fewer:
            remedy = (
                "Count the samples in one set of peaks (cellranger-arc aggr, or snapatac2)."
                if is_peak(min(own))
                else "Check that they are named alike."
            )
            warn_user(
                f"The samples {first!r} and {second!r} share {shared:,} features of {modality!r}, "
                f"of {len(own):,} and {len(others):,}, such as {min(own)!r} and {min(others)!r}: "
                f"the model learns little of what they have in common. {remedy}"
            )
            return
