"""How much each modality counts, and which measurements look wrong."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from hzau_omics import pl
from hzau_omics.errors import ConfigError
from hzau_omics.pl._deviation import deviation
from hzau_omics.pl._histograms import histograms
from hzau_omics.report.clusters import CLUSTER, UMAP
from hzau_omics.report.content import Section, Table
from hzau_omics.report.percent import percent
from hzau_omics.report.pictures import drawn
from hzau_omics.report.subject import BATCH, LABEL, PATTERN, Subject

_ROWS = 50
_SAME = 0.03
"""Largest deviation of nearly all weights from their mean that is not drawn: colours would fill
their range with nothing but noise."""
_NEARLY_ALL = 0.98
_LEAST_AREA, _IMPLAUSIBLE = 0.7, 0.2


def gate(subject: Subject) -> Section:
    """Draw gate weights by group, and on the map.

    Raises
    ------
    ConfigError
        The model has no gate, or no cell has several modalities.
    """
    weights = subject.model.get_gate_weights(subject.store, indices=subject.cells)
    several = subject.present.sum(axis=1) > 1
    if not several.any():
        msg = "Gate weights choose between modalities, and no cell has more than one."
        raise ConfigError(msg)
    commonest = subject.obs.loc[several, PATTERN].value_counts().index[0]
    chosen = (subject.obs[PATTERN] == commonest).to_numpy()
    table = weights[chosen].loc[:, subject.present[chosen].all()]
    means = table.mean()
    spread = float((table - means).abs().quantile(_NEARLY_ALL).max())
    text = [
        f"Mean weights of the {chosen.sum():,} cells with {commonest}: "
        + ", ".join(f"{name} {value:.2f}" for name, value in means.items())
        + "."
    ]
    what = "label" if LABEL in subject.obs else "cluster"
    pictures = [
        drawn(
            pl.gate(table, subject.groups[chosen]),
            f"Mean gate weight of each modality, by {what}",
            f"Mean gate weights of cells with {commonest}, by {what}.",
        )
    ]
    if spread < _SAME:
        text.append(
            f"They hardly differ between cells: {percent(_NEARLY_ALL)} lie within {spread:.3f} of "
            "the mean. No map is drawn, since it would show nothing but noise."
        )
        return Section(text=text, pictures=pictures)
    pictures.append(
        drawn(
            deviation(np.asarray(subject.map.obsm[UMAP])[chosen], table),
            "Map coloured by the deviation of gate weights from their mean",
            "Where a modality counts more (red) or less (blue) than on average.",
        )
    )
    return Section(text=text, pictures=pictures)


def reliability(subject: Subject) -> Section:
    """Draw reliabilities, and list the least reliable measurements.

    Raises
    ------
    ConfigError
        The model does not know how reliable measurements are.
    """
    model = subject.model
    values = model.get_reliability(subject.store, indices=subject.cells)
    if values.isna().all(axis=None):
        msg = "Reliability is not known of cells of new batches, and all of these are of such."
        raise ConfigError(msg)
    threshold = float(model.SUSPICIOUS)
    low = (values < threshold).to_numpy()
    n = int(low.sum())
    known = values.loc[:, values.notna().any()]
    shares = (known < threshold).sum() / known.notna().sum()
    counts = [
        f"{int((one < threshold).sum()):,} of {int(one.notna().sum()):,} of {name} "
        f"({percent(shares[name])})"
        for name, one in known.items()
    ]
    text = [f"Measurements with a reliability below {threshold:g}: {', '.join(counts)}."]
    what = "label" if LABEL in subject.obs else "cluster"
    pictures = [
        drawn(
            histograms(known, label="reliability", limit=threshold, log=True),
            "Histogram of the reliability of each modality",
            "Orange: suspicious. The number of cells is on a logarithmic scale.",
        ),
        drawn(
            pl.reliability(known, subject.groups, threshold=threshold),
            f"Share of suspicious measurements by {what}",
        ),
    ]
    tables = []
    if n:
        table = _suspicious(subject, values, low)
        text.append(_cut(n, len(table)))
        caption = "Suspicious measurements, the least reliable first"
        tables.append(Table(frame=table, caption=caption, index=False))
    parts = [f"{percent(share)} of the measurements of {name}" for name, share in shares.items()]
    finding = f"The model calls suspicious: {', '.join(parts)}."
    recognised = subject.recognition() if subject.recognition is not None else {}
    if recognised:
        text.append(_recognised(recognised))
    warning = " ".join(one for one in (too_many(shares.to_dict()), doubt(recognised)) if one)
    return Section(text=text, pictures=pictures, tables=tables, finding=finding, warning=warning)


def too_many(shares: Mapping[str, float]) -> str:
    """Return a warning where more of a modality is suspicious than can have failed, "" elsewhere.

    Parameters
    ----------
    shares
        Share of the measurements that are suspicious, by modality.

    Examples
    --------
    >>> too_many({"rna": 0.01})
    ''
    """
    many = {name: share for name, share in shares.items() if share > _IMPLAUSIBLE}
    if not many:
        return ""
    figures = ", ".join(f"{percent(share)} for {name}" for name, share in many.items())
    return (
        f"The model calls an implausible share of the measurements suspicious ({figures}). Doubt "
        "the model before the measurements: short training, or few counts per cell, can cause this."
    )


def _recognised(areas: Mapping[str, float]) -> str:
    figures = ", ".join(f"{area:.2f} for {name}" for name, area in areas.items())
    return (
        "Held-out measurements that were made to fail are told from good ones with an area under "
        f"the ROC curve of {figures} (1 = always, 0.5 = by chance)."
    )


def doubt(areas: Mapping[str, float]) -> str:
    """Return a warning where failed measurements are not recognised, "" elsewhere.

    Parameters
    ----------
    areas
        Area under the ROC curve by modality.

    Examples
    --------
    >>> doubt({"rna": 0.98})
    ''
    """
    low = {name: area for name, area in areas.items() if area < _LEAST_AREA}
    if not low:
        return ""
    figures = ", ".join(f"{area:.2f} for {name}" for name, area in low.items())
    return (
        "The model hardly tells failed measurements from good ones (area under the ROC curve "
        f"{figures}; 0.5 is chance): do not rely on its reliability there."
    )


def _cut(n: int, shown: int) -> str:
    if n == shown:
        return f"The table lists all {n:,}." if n > 1 else "The table lists it."
    return (
        f"The table lists the {shown} least reliable ones and leaves out {n - shown:,}. All are in "
        'obsm["hzau_reliability"] after model.annotate().'
    )


def _suspicious(subject: Subject, values: pd.DataFrame, low: np.ndarray) -> pd.DataFrame:
    """Return the least reliable measurements, with the rarest disagreement of each."""
    row, column = np.nonzero(low)
    order = np.argsort(values.to_numpy()[row, column], kind="stable")[:_ROWS]
    row, column = row[order], column[order]
    names = list(map(str, values.columns))
    frame = pd.DataFrame({"cell": values.index[row], "modality": [names[c] for c in column]})
    for key in (BATCH, LABEL):
        if key in subject.obs:
            frame[key] = subject.obs[key].astype(object).to_numpy()[row]
    frame[CLUSTER] = subject.clusters.astype(str).to_numpy()[row]
    frame["reliability"] = values.to_numpy()[row, column]
    smallest, pairs = _least_agreement(subject, row, [names[c] for c in column])
    frame["p of agreement"] = smallest
    if len(names) > 2:
        frame["between"] = pairs
    return frame


def _least_agreement(
    subject: Subject, row: np.ndarray, modality: list[str]
) -> tuple[np.ndarray, list[str]]:
    """Return the smallest p-value of agreement of pairs that a modality is in, and the pair.

    Both are missing (NaN, "") where no pair was measured.
    """
    cells, place = np.unique(row, return_inverse=True)
    smallest, pairs = np.full(len(row), np.nan), [""] * len(row)
    try:
        found = subject.model.get_agreement(
            subject.store, kind="pvalue", indices=subject.cells[cells]
        )
    except ConfigError:
        return smallest, pairs
    for k, (i, name) in enumerate(zip(place, modality, strict=True)):
        own = found.iloc[i].dropna()
        own = own[[name in str(pair).split("|") for pair in own.index]]
        if len(own):
            smallest[k], pairs[k] = own.min(), str(own.idxmin()).replace("|", " and ")
    return smallest, pairs
