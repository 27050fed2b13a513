"""A test of pseudobulks: samples are the replicates, and the table says what they show."""

import warnings
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import false_discovery_control

from hzau_omics.data.contract.columns.category import text_of
from hzau_omics.data.pitfalls.warning import number_of
from hzau_omics.errors import ConfigError
from hzau_omics.model.answers.differential.groups import (
    NONE,
    Comparison,
    Groups,
    warn_left_out,
)
from hzau_omics.model.answers.differential.measured import MeasuredValues, sum_counts
from hzau_omics.model.answers.differential.request import TestOptions
from hzau_omics.model.answers.differential.table import belief
from hzau_omics.nn.differential.prior import posterior

SAMPLES = "samples"
OF_CELLS = ("lfc", "lfc_mean", "lfc_std", "lfc_q05", "lfc_q95", "proba_de")
"""What cells say is kept beside what samples say, as ``cells_lfc`` and so on."""
FEWEST_CELLS = 10
"""Cells of a sample in a group, below which it gives no pseudobulk."""
FEWEST_SAMPLES = 2
"""Samples that each group of a comparison needs."""
FEWEST_COUNTS = 10
"""Counts over all pseudobulks below which a feature is not tested."""
UNTESTED = {"proba_de": 0.0, "proba_not_de": 1.0, "lfc_mean": 0.0, "lfc_median": 0.0}
"""What is believed of a feature that was not tested; the rest is not known."""


def add_pseudobulk(
    table: pd.DataFrame,
    values: MeasuredValues,
    groups: Groups,
    samples: "pd.Series[Any]",
    options: TestOptions,
) -> pd.DataFrame:
    """Return the table with p-values, changes and beliefs from pseudobulks of samples.

    Raises
    ------
    ConfigError
        PyDESeq2 is not installed, or a group has fewer than two samples with enough cells.
    """
    codes, names = _sample_codes(samples)
    joined = np.where((groups.codes == NONE) | (codes < 0), NONE, groups.codes * len(names) + codes)
    # Samples are told apart, so that batches need not be.
    # All features: those of one gene say nothing of a sample's depth.
    every = np.arange(values.n_features)
    whole = replace(values, by_batch=False, features=every)
    found = sum_counts(whole, joined, len(groups.names) * len(names))
    counts, n_cells = (part.reshape(len(groups.names), len(names), -1) for part in found)
    var_names = pd.Index(values.session.layout.modality(values.modality).var_names)
    parts = []
    for comparison in _of_enough_samples(groups, n_cells):
        tested = _tested(comparison, counts, n_cells, names, options)
        believed = _believed(tested, options).set_axis(var_names).iloc[values.features]
        own = table[table["comparison"] == " vs ".join(comparison.names)]
        parts.append(_merged(own, believed, options))
    return pd.concat(parts)


def _of_enough_samples(groups: Groups, n_cells: NDArray[np.float64]) -> list[Comparison]:
    """Return the comparisons with at least two samples on each side; warn of the others.

    Raises
    ------
    ConfigError
        A group that was named has fewer, or no comparison is left.
    """
    small = {
        name: len(enough)
        for comparison in groups.comparisons
        for name, members in zip(comparison.names, comparison.members, strict=True)
        if len(enough := _samples_of(members, n_cells)) < FEWEST_SAMPLES
    }
    kept = [one for one in groups.comparisons if not small.keys() & set(one.names)]
    if small and (groups.chosen or not kept):
        name, found = next(iter(small.items()))
        msg = (
            "A test of samples needs at least two of them in each group, with at least "
            f"{FEWEST_CELLS} measured cells each. Received {found} in group {name!r}. "
            "Leave sample_key out: the calls are then of cells, not of samples."
        )
        raise ConfigError(msg)
    if small:
        sizes = {name: number_of(found, "sample") for name, found in small.items()}
        warn_left_out(f"fewer than two samples of {FEWEST_CELLS} measured cells", sizes)
    return kept


def _samples_of(members: NDArray[np.int64], n_cells: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return which samples have enough cells in a group."""
    return np.flatnonzero(n_cells[members].sum(0).max(1) >= FEWEST_CELLS)


def _sample_codes(samples: "pd.Series[Any]") -> tuple[NDArray[np.int64], list[str]]:
    texts = samples.map(text_of, na_action="ignore")
    codes, names = pd.factorize(texts, sort=True)
    return codes.astype(np.int64), [str(name) for name in names]


def _merged(own: pd.DataFrame, found: pd.DataFrame, options: TestOptions) -> pd.DataFrame:
    found = found.loc[own.index]
    q_value = false_discovery_control(found["p_value"])
    merged = own.assign(
        **found,
        q_value=q_value,
        replicates=SAMPLES,
        **{f"cells_{name}": own[name] for name in OF_CELLS},
    )
    merged[f"is_de_fdr_{options.fdr_target}"] = q_value <= options.fdr_target
    return merged.iloc[np.lexsort((-merged["lfc"].abs().fillna(0.0), merged["p_value"]))]


def _believed(found: pd.DataFrame, options: TestOptions) -> pd.DataFrame:
    """Return what is believed of each change, beside its estimate.

    The prior is learned from the samples' own estimates: the model expects what cells show, not
    donors. Of features that were not tested no change is believed, without an interval.
    """
    tested = found["lfc"].notna().to_numpy()
    change, error = (found.loc[tested, name].to_numpy() for name in ("lfc", "lfc_error"))
    for name, values in belief(posterior(change, error), options).items():
        found[name] = UNTESTED.get(name, np.nan)
        found.loc[tested, name] = values
    return found


def _tested(
    comparison: Comparison,
    counts: NDArray[np.float64],
    n_cells: NDArray[np.float64],
    names: list[str],
    options: TestOptions,
) -> pd.DataFrame:
    """Return log2 fold changes, their standard errors, and p-values of all features.

    Of features that some sample did not measure, or with hardly any count, they are NaN and 1.
    """
    rows, metadata = [], []
    measured = np.ones(counts.shape[-1], bool)
    for side, members in zip(("one", "other"), comparison.members, strict=True):
        of_features = n_cells[members].sum(0)
        enough = _samples_of(members, n_cells)
        rows.append(counts[members].sum(0)[enough])
        measured &= (of_features[enough] > 0).all(0)
        metadata += [(side, names[i]) for i in enough]
    design = pd.DataFrame(metadata, columns=["group", "sample"])
    matrix = np.concatenate(rows)
    design.index = [f"{side}_{i}" for i, side in enumerate(design["group"])]
    columns = {"lfc": np.nan, "lfc_error": np.nan, "p_value": 1.0}
    found = pd.DataFrame(columns, index=range(matrix.shape[1]))
    tested = np.flatnonzero((matrix.sum(0) >= FEWEST_COUNTS) & measured)
    if len(tested):
        found.iloc[tested] = _deseq(matrix[:, tested], design, options.threshold)
    return found


def check_installed() -> None:
    """Refuse tests of samples where the package for them is missing.

    Raises
    ------
    ConfigError
        It is not installed.
    """
    if find_spec("pydeseq2") is None:
        msg = (
            "Pseudobulks are tested with PyDESeq2, which is not installed. "
            "Run pip install '.[de]' in a clone of hzau_omics, or leave sample_key out."
        )
        raise ConfigError(msg)


def _deseq(matrix: NDArray[np.float64], design: pd.DataFrame, delta: float) -> NDArray[np.float64]:
    """Return log2 fold change, standard error and p-value of each feature (feature, 3).

    If at least half of the samples have cells of both groups, these are compared with themselves,
    and the others left out.
    """
    check_installed()
    from pydeseq2.dds import DeseqDataSet
    from pydeseq2.ds import DeseqStats

    n_groups = design.groupby("sample")["group"].nunique()
    pairs = n_groups.index[n_groups == 2]
    paired = len(pairs) >= max(2, len(n_groups) / 2)
    if paired:
        kept = design["sample"].isin(pairs).to_numpy()
        design, matrix = design[kept], matrix[kept]
    formula = "~sample + group" if paired else "~group"
    counts = pd.DataFrame(np.rint(matrix).astype(int), index=design.index)
    counts.columns = counts.columns.astype(str)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = DeseqDataSet(
            counts=counts, metadata=design, design=formula, quiet=True, refit_cooks=True
        )
        fitted.deseq2()
        stats = DeseqStats(
            fitted,
            contrast=["group", "one", "other"],
            quiet=True,
            cooks_filter=False,
            independent_filter=False,
            **({"lfc_null": delta, "alt_hypothesis": "greaterAbs"} if delta > 0 else {}),
        )
        stats.summary()
    result = stats.results_df
    p_value = np.clip(result["pvalue"].fillna(1.0).to_numpy(), 0.0, 1.0)
    known = result[["log2FoldChange", "lfcSE"]].to_numpy(np.float64)
    known[np.isnan(known).any(1)] = np.nan
    return np.concatenate([known, p_value[:, None]], axis=1)
