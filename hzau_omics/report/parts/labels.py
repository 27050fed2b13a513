"""Labels that the model predicts, and cells of kinds that it does not know."""

import numpy as np
import pandas as pd

from hzau_omics import pl
from hzau_omics.messages import listed
from hzau_omics.pl._confusion import confusion
from hzau_omics.pl._histograms import histograms
from hzau_omics.report.clusters import CLUSTER
from hzau_omics.report.content import Picture, Section, Table
from hzau_omics.report.label_accuracy import Compared, compared
from hzau_omics.report.percent import percent
from hzau_omics.report.pictures import drawn
from hzau_omics.report.predicted_labels import UNKNOWN
from hzau_omics.report.subject import LABEL, Subject, flat
from hzau_omics.report.values import in_order

_FEWEST, _GOOD, _GAIN = 20, 0.9, 0.2
_CERTAIN = 0.9
_FALSE = 0.05
_LEAST_P = 1e-4
_CLUSTERS = 20
_HALF = 0.5
_LISTED = 10


def labels(subject: Subject) -> Section:
    """Draw predicted labels, and compare them with given ones of held-out cells.

    Raises
    ------
    ConfigError
        The model was set up without labels, or knows too few.
    """
    found = subject.predicted
    text = [*_counted(found), *_of_unlabelled(subject, found), *about_texts(subject)]
    pictures = [_map_of_labels(subject, found)]
    result = compared(subject)
    if result is None:
        text.append(f"There are no labels of {subject.unseen_words} to compare with.")
        return Section(text=text, pictures=pictures)
    share = percent(result.accuracy)
    text += words(result, subject.unseen_words, calibrated=bool(subject.n_calibration))
    pictures.append(
        drawn(
            confusion(result.counts, title=subject.unseen_words),
            f"Confusion matrix of given and predicted labels of {subject.unseen_words}",
            "Rows are given labels with their number of cells. Colours are shares of the row.",
        )
    )
    table = Table(
        frame=result.by_label.rename_axis("label"),
        caption=f"{subject.unseen_words.capitalize()} by given label; shares are of these cells",
        digits=2,
    )
    return Section(
        text=text,
        pictures=pictures,
        tables=[table],
        finding=_finding(subject, result),
        key_figures={f"labels of {subject.unseen_words}": share},
        warning=doubt(subject.unseen_words, result.accuracy, result.frequent[1], result.n),
    )


def _counted(found: pd.DataFrame) -> list[str]:
    """Say how many cells get a label, and how certain these are."""
    decided = found["label"].notna()
    certain = float((decided & (found["probability"] >= _CERTAIN)).mean())
    text = (
        f"{percent(certain)} of the cells get a label with a probability of at least {_CERTAIN:g}; "
        f"the smallest probability of any most likely label is {found['probability'].min():.2f}."
    )
    n = int((~decided).sum())
    undecided = (
        f"{n:,} of {len(found):,} cells stay undecided: no label reaches a probability of "
        f"{_HALF:g}, or the cell looks novel."
    )
    n_unknown = int((found["label"] == UNKNOWN).sum())
    if not n_unknown:
        return [text, undecided]
    registered = (
        f"{n_unknown:,} cells are predicted to be {UNKNOWN!r}: this was registered as a label, and "
        "the model takes it for a type of cells. If it means that a cell has no label, set up with "
        f"unlabeled_category={UNKNOWN!r}."
    )
    return [text, undecided, registered]


def _of_unlabelled(subject: Subject, found: pd.DataFrame) -> list[str]:
    """Say how many cells without a label get one, one paragraph or none."""
    label = subject.obs.get(LABEL)
    if label is None or not label.isna().any():
        return []
    none = label.isna().to_numpy()
    which = f" ({listed(subject.unlabelled)} count as none)" if subject.unlabelled else ""
    n = int(found["label"][none].notna().sum())
    return [f"{none.sum():,} cells were given no label{which}: {n:,} of them get one."]


def about_texts(subject: Subject) -> list[str]:
    """Say that texts may name what labels name, one paragraph or none."""
    texts = [one.name for one in subject.layout.modalities if one.text is not None]
    if not texts or LABEL not in subject.obs:
        return []
    text = (
        f"Texts ({', '.join(texts)}) may name what labels name. If so, map, clusters and predicted "
        "labels have seen the answer, and how well labels are predicted says little about cells "
        "without texts."
    )
    return [text]


def words(found: Compared, cells: str, *, calibrated: bool) -> list[str]:
    """Say how well labels are predicted.

    Parameters
    ----------
    found
        Given and predicted labels.
    cells
        What the cells are called.
    calibrated
        Whether their labels were used in calibration.
    """
    frequent, share = found.frequent
    used = ", but calibrated how far votes reach" if calibrated else ""
    text = (
        f"Of {found.n:,} {cells} with a label, {percent(found.accuracy)} are given theirs, and "
        f"{found.n_undecided:,} stay undecided; {percent(share)} have the most frequent one, "
        f"{frequent}. Their labels were not used in training{used}."
    )
    parts = [text]
    if found.absent:
        parts.append(
            f"There are no {cells} with {listed(found.absent, limit=_LISTED)}: nothing is known of "
            "how well these labels are predicted."
        )
    if found.n_unknown:
        parts.append(
            f"{found.n_unknown:,} {cells} with the label {UNKNOWN!r} are left out, since it "
            "names no type."
        )
    if found.n_new:
        parts.append(f"{found.n_new:,} {cells} are left out, whose labels no training cell has.")
    return parts


def _finding(subject: Subject, found: Compared) -> str:
    least, share, n = found.least
    whole = percent(found.accuracy)
    text = f"{subject.unseen_words.capitalize()} are given their label in {whole} of cases"
    if share < found.accuracy:
        text += f" (least of {least}: {percent(share)} of {n:,})"
    if found.absent:
        text += f", and there are none with {listed(found.absent, limit=3)}"
    if about_texts(subject):
        text += "; texts, which may name the labels, were seen"
    return f"{text}."


def _map_of_labels(subject: Subject, found: pd.DataFrame) -> Picture:
    shown = subject.map.copy()
    names = in_order(found["label"]).cat.categories
    # In the order of given labels, which has the predicted ones first: one colour for each.
    given = subject.obs[LABEL].cat.categories if LABEL in subject.obs else ()
    order = [one for one in map(str, given) if one in names]
    order += [one for one in names if one not in order]
    shown.obs["predicted label"] = pd.Categorical(found["label"], order)
    shown.obs["probability of the label"] = found["probability"].to_numpy()
    caption = "Undecided cells are grey." if found["label"].isna().any() else ""
    return drawn(
        pl.umap(shown, color=["predicted label", "probability of the label"]),
        "Maps coloured by predicted label and by its probability",
        caption,
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
