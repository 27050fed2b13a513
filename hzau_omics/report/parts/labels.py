"""Labels that the model predicts, and cells of kinds that it does not know."""

import warnings

import numpy as np
import pandas as pd

from hzau_omics import pl
from hzau_omics.errors import HzauWarning
from hzau_omics.pl._confusion import confusion
from hzau_omics.pl._histograms import histograms
from hzau_omics.report.clusters import CLUSTER
from hzau_omics.report.content import Picture, Section, Table
from hzau_omics.report.pictures import drawn
from hzau_omics.report.subject import Subject, flat
from hzau_omics.report.values import in_order

_HELD_OUT = 5_000
_FEWEST, _GOOD, _GAIN = 20, 0.9, 0.2
_FALSE = 0.05
_LEAST_P = 1e-4
_CLUSTERS = 20
_HALF = 0.5
_UNKNOWN = "unknown"
"""Label of cells that have none of the known ones, which some data sets give too."""


def labels(subject: Subject) -> Section:
    """Draw predicted labels, and compare them with given ones of held-out cells.

    Raises
    ------
    ConfigError
        The model was set up without labels, or knows too few.
    """
    found = _predicted(subject, subject.cells)
    counts = found["label"].value_counts()
    unknown = int(counts.get(_UNKNOWN, 0))
    certain = float((found["probability"] >= 0.9).mean())
    text = [
        f"{100 * certain:.0f} % of the cells have a label with a probability of at least 0.9.",
        f"{unknown:,} of {len(found):,} cells are called unknown.",
    ]
    shown = subject.map.copy()
    shown.obs["predicted label"] = in_order(found["label"]).array
    shown.obs["probability of the label"] = found["probability"].to_numpy()
    pictures = [
        drawn(
            pl.umap(shown, color=["predicted label", "probability of the label"]),
            "Maps coloured by predicted label and by its probability",
        )
    ]
    compared = _compared(subject)
    if compared is None:
        text.append(f"There are no labels of {subject.unseen_words} to compare with.")
        return Section(text=text, pictures=pictures)
    counts_of, accuracy, n, n_unknown = compared
    frequent, common = str(counts_of.sum(axis=1).idxmax()), counts_of.sum(axis=1).max() / n
    used = ", but calibrated how far votes reach" if subject.n_calibration else ""
    text.append(
        f"Of {n:,} {subject.unseen_words} with a label, {100 * accuracy:.0f} % are given theirs, "
        f"and {n_unknown:,} are called unknown; {100 * common:.0f} % have the most frequent one, "
        f"{frequent}. Their labels were not used in training{used}. Cells that were given the "
        "label 'unknown' are left out."
    )
    pictures.append(
        drawn(
            confusion(counts_of, title=subject.unseen_words),
            f"Confusion matrix of given and predicted labels of {subject.unseen_words}",
            "Rows are given labels with their number of cells. Colours are shares of the row.",
        )
    )
    return Section(
        text=text,
        pictures=pictures,
        finding=f"{subject.unseen_words.capitalize()} are given their label in "
        f"{100 * accuracy:.0f} % of cases.",
        key_figures={f"labels of {subject.unseen_words}": f"{100 * accuracy:.0f} %"},
        warning=doubt(subject.unseen_words, accuracy, common, n),
    )


def doubt(cells: str, accuracy: float, common: float, n: int) -> str:
    """Return a warning where labels are hardly better than the most frequent one, "" elsewhere.

    Parameters
    ----------
    cells
        What the cells are called.
    accuracy
        Share of the cells that are given their label.
    common
        Share of the cells that have the most frequent label.
    n
        Number of the cells.

    Examples
    --------
    >>> doubt("held-out cells", 0.95, 0.4, 100)
    ''
    """
    if n < _FEWEST or accuracy >= _GOOD or accuracy >= common + _GAIN * (1 - common):
        return ""
    return (
        f"The model hardly tells the labels apart: {100 * accuracy:.0f} % of the {cells} are given "
        f"theirs, and {100 * common:.0f} % would be if all were given the most frequent one."
    )


def _predicted(subject: Subject, cells: np.ndarray) -> pd.DataFrame:
    with warnings.catch_warnings():
        # Sets of labels are not shown, so that it does not matter if they hold all labels.
        warnings.simplefilter("ignore", HzauWarning)
        found: pd.DataFrame = subject.model.predict_labels(subject.store, indices=cells, soft=False)
    return found


def _compared(subject: Subject) -> tuple[pd.DataFrame, float, int, int] | None:
    """Return counts of given and predicted labels of held-out cells, accuracy and numbers."""
    cells = subject.some(subject.held_out, _HELD_OUT)
    given = subject.label_of(cells)
    registered = subject.layout.labels
    if given is None or registered is None:
        return None
    text = given.astype(object).map(str, na_action="ignore")
    known = (text.isin(registered.categories) & (text != _UNKNOWN)).to_numpy()
    if not known.any():
        return None
    predicted = _predicted(subject, cells[known])["label"].to_numpy()
    truth = text[known].to_numpy()
    counts = pd.crosstab(truth, predicted)
    rows = [name for name in map(str, given.cat.categories) if name in counts.index]
    columns = [name for name in rows if name in counts]
    columns += [str(name) for name in counts if name not in columns]
    counts = counts.loc[rows, columns]
    accuracy = float((truth == predicted).mean())
    return counts, accuracy, int(known.sum()), int((predicted == _UNKNOWN).sum())


def novelty(subject: Subject) -> Section:
    """Draw p-values of novelty, and list where novel cells are.

    Raises
    ------
    ConfigError
        The model has nothing to compare with.
    """
    found = subject.model.get_novelty(subject.store, indices=subject.cells)
    found.index = subject.obs.index
    novel = (found["q_value"] < _FALSE).to_numpy()
    n = int(novel.sum())
    share = f"{100 * n / len(found):.1f} %"
    text = [f"{n:,} of {len(found):,} cells ({share}) are novel at a false discovery rate of 5 %."]
    if subject.unseen.mean() < _HALF:
        text.append(
            "Most of these cells were trained on, so that few can be novel. Pass new cells "
            "(mdata=...) to look for unknown kinds among them."
        )
    pictures = [_histogram(subject, found), _map(subject, found)]
    tables = (
        [Table(frame=_by_cluster(subject, novel), caption="Novel cells", digits=1)] if n else []
    )
    finding = "" if subject.unseen.mean() < _HALF else f"{n:,} cells are unlike the training cells."
    return Section(text=text, pictures=pictures, tables=tables, finding=finding)


def _histogram(subject: Subject, found: pd.DataFrame) -> Picture:
    parts = {"cells trained on": ~subject.unseen, subject.unseen_words: subject.unseen}
    columns = {
        f"{name} ({mask.sum():,})": found["p_value"].where(mask)
        for name, mask in parts.items()
        if mask.any()
    }
    return drawn(
        histograms(
            pd.DataFrame(columns), label="p-value of novelty", limit=0.05, even=True, bins=20
        ),
        "Histogram of the p-values of novelty",
        "Orange: below 0.05. The dashed line is where all bars would end if no cell were novel."
        + flat(subject, "p-values"),
    )


def _map(subject: Subject, found: pd.DataFrame) -> Picture:
    shown = subject.map.copy()
    name = "novelty: -log10 p"
    shown.obs[name] = -np.log10(found["p_value"].clip(lower=_LEAST_P)).to_numpy()
    return drawn(pl.umap(shown, color=name), "Map coloured by novelty")


def _by_cluster(subject: Subject, novel: np.ndarray) -> pd.DataFrame:
    clusters = subject.clusters.astype(str).to_numpy()
    table = pd.DataFrame({"cells": 1, "novel": novel.astype(int)}).groupby(clusters).sum()
    table["% novel"] = 100 * table["novel"] / table["cells"]
    order = [str(name) for name in subject.clusters.cat.categories]
    most = table.sort_values("% novel", ascending=False).head(_CLUSTERS).index
    return table.loc[[name for name in order if name in most]].rename_axis(CLUSTER)
