"""The cells, and what was measured of them and how well."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from hzau_omics import pl
from hzau_omics.data.contract.layout import ModalityLayout
from hzau_omics.errors import ConfigError
from hzau_omics.pl._violins import violins
from hzau_omics.pp import measures as of_cells
from hzau_omics.report.content import Picture, Section, Table
from hzau_omics.report.pictures import drawn
from hzau_omics.report.selection import about_selection
from hzau_omics.report.subject import Subject
from hzau_omics.report.values import Matrix, is_counted

_FEW = 200
"""Largest values that are drawn as they are; of larger ones, logarithms are drawn."""
_VIOLINS = 16
"""Batches that are drawn; tables have all."""

TOTAL, DETECTED, PERCENT_MT = "total", "features detected", "% mitochondrial"
_COLUMNS = {
    of_cells.TOTAL: TOTAL,
    of_cells.DETECTED: DETECTED,
    of_cells.percent("mitochondrial"): PERCENT_MT,
}


def data(subject: Subject) -> Section:
    """Count cells by batch and by set of modalities."""
    layout, store = subject.layout, subject.store
    patterns = pl.pattern_names(store)
    batches = subject.batch_of(np.arange(store.n_cells))
    tables = [Table(frame=_modalities(subject), caption="Modalities")]
    if layout.n_batches > 1:
        counts = pd.crosstab(np.asarray(batches), patterns.to_numpy())
        counts = counts.rename_axis("batch").rename_axis(None, axis=1)
        counts = counts.reindex(columns=[c for c in patterns.cat.categories if c in counts])
        counts["cells"] = counts.sum(axis=1)
        caption = "Cells by batch and by the modalities measured of them"
        tables.append(Table(frame=counts, caption=caption))
    n_batches = len(np.unique(store.batch))
    words = f"{store.n_cells:,} cells"
    words += f" of {n_batches} batches" if n_batches > 1 else ""
    finding = f"{words} with {' and '.join(layout.names)}."
    text = []
    if len(subject.cells) < store.n_cells:
        text.append(
            f"Of {store.n_cells:,} cells, {len(subject.cells):,} were drawn at random (seed "
            f"{subject.seed}). Except in this section, all maps and numbers are of these."
        )
    return Section(
        text=text,
        pictures=[drawn(pl.pattern_counts(store), "Number of cells with each set of modalities")],
        tables=tables,
        finding=finding,
        key_figures={"cells": f"{store.n_cells:,}"}
        | ({"batches": f"{n_batches:,}"} if n_batches > 1 else {}),
    )


def _modalities(subject: Subject) -> pd.DataFrame:
    rows = {
        one.name: {
            "cells": int(subject.store.present[:, i].sum()),
            "features": one.n_features,
            "likelihood": one.spec.likelihood,
            "kind": _kind(one),
        }
        for i, one in enumerate(subject.layout.modalities)
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("modality")


def _kind(modality: ModalityLayout) -> str:
    if modality.text is not None:
        return "words of texts"
    binary = ", counts read as 0 or 1" if modality.spec.binarize else ""
    if modality.panel is not None:
        return f"panels that differ between batches{binary}"
    kind = "targeted panel" if modality.is_small else "the same features in every batch"
    return f"{kind}{binary}"


def quality(subject: Subject) -> Section:
    """Measure totals, detected features and mitochondrial shares.

    Raises
    ------
    ConfigError
        No modality holds counts.
    """
    # Words of texts are counted too, and have no depth.
    counted = [one for one in subject.layout.modalities if is_counted(one) and one.text is None]
    if not counted:
        msg = "Totals and detected features are of counts, and no modality holds any."
        raise ConfigError(msg)
    tables, pictures = [], []
    for one in counted:
        measures = cell_measures(subject.values[one.name], one, subject.present[one.name])
        if not len(measures):
            continue
        groups = subject.obs.get("batch", pd.Series("all cells", subject.obs.index))
        groups = groups.loc[measures.index].astype(str)
        tables.append(_table(measures, groups, one.name))
        pictures.append(_violins(measures, groups, one.name))
    text = about_selection(subject.layout, subject.selections) + _about_mitochondria(counted)
    return Section(tables=tables, pictures=pictures, text=text)


def cell_measures(values: Matrix, modality: ModalityLayout, present: pd.Series) -> pd.DataFrame:
    """Return total, number of detected features and share of mitochondrial counts of each cell.

    Parameters
    ----------
    values
        Counts (cell, feature).
    modality
        The modality.
    present
        Which cells have it, by cell name.

    Returns
    -------
    One row per cell that has it. A share of no counts at all is NaN.
    """
    has = present.to_numpy(bool)
    genes = of_cells.mitochondrial(modality.var_names)
    marks = {"mitochondrial": genes} if genes.any() else {}
    found = of_cells.cell_measures(values[np.flatnonzero(has)], marks, present.index[has])
    return found.rename(columns=_COLUMNS)


def _about_mitochondria(counted: list[ModalityLayout]) -> list[str]:
    if any(of_cells.mitochondrial(one.var_names).any() for one in counted):
        return []
    return ["None of the features that the model was given is a mitochondrial gene (MT-...)."]


def _table(measures: pd.DataFrame, groups: pd.Series, name: str) -> Table:
    found = measures.groupby(groups.to_numpy(), observed=True).median()
    found.insert(0, "cells", groups.value_counts().reindex(found.index))
    found = found.rename(columns={column: f"median {column}" for column in measures})
    if len(found) > 1:
        found.loc["all"] = [len(measures), *measures.median()]
        found["cells"] = found["cells"].astype(int)
    return Table(frame=found.rename_axis("batch"), caption=f"{name}, per cell", digits=1)


def _violins(measures: pd.DataFrame, groups: pd.Series, name: str) -> Picture:
    shown = list(groups.value_counts().index[:_VIOLINS])
    shown = [group for group in sorted(groups.unique()) if group in shown]
    width = max(3.0, 0.45 * len(shown) + 1.2)
    figure, axes = plt.subplots(
        1, measures.shape[1], figsize=(width * measures.shape[1], 3.4), layout="constrained"
    )
    for ax, column in zip(np.atleast_1d(axes), measures, strict=True):
        values = measures[column].to_numpy(np.float64)
        title = str(column)
        if column != PERCENT_MT and np.nanmax(values, initial=0) > _FEW:
            values, title = np.log10(np.maximum(values, 1)), f"log10 {title}"
        parts = {group: values[(groups == group).to_numpy()] for group in shown}
        violins(ax, parts, title=title)
    figure.suptitle(name, fontsize=11)
    return drawn(
        figure,
        f"Violins of what was measured of {name} per cell, by batch",
        f"{name}: lines are medians."
        + (f" The {_VIOLINS} largest batches." if groups.nunique() > _VIOLINS else ""),
    )
