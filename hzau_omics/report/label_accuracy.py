"""Predicted labels against given ones, in cells that the weights were not trained on."""

from typing import NamedTuple

import pandas as pd

from hzau_omics.report.predicted_labels import UNKNOWN, predicted
from hzau_omics.report.subject import Subject

UNDECIDED = "undecided"
_HELD_OUT = 5_000


class Compared(NamedTuple):
    """Given and predicted labels of cells that the weights were not trained on.

    Attributes
    ----------
    counts
        Number of cells by given label (rows) and predicted one (columns, the last ``undecided`` if
        any are).
    by_label
        One row per given label: ``cells``, ``given theirs`` (share) and ``undecided`` (number).
    accuracy
        Share of all these cells that are given their label.
    absent
        Labels that training cells may have, and none of these cells has.
    n_unknown
        Number of cells that were left out, since their label is ``unknown``.
    n_new
        Number of cells that were left out, since the model does not know their label.
    """

    counts: pd.DataFrame
    by_label: pd.DataFrame
    accuracy: float
    absent: list[str]
    n_unknown: int
    n_new: int

    @property
    def n(self) -> int:
        """Number of cells."""
        return int(self.by_label["cells"].sum())

    @property
    def frequent(self) -> tuple[str, float]:
        """The most frequent given label, and its share."""
        sizes = self.by_label["cells"].to_numpy()
        return str(self.by_label.index[int(sizes.argmax())]), float(sizes.max() / sizes.sum())

    @property
    def least(self) -> tuple[str, float, int]:
        """Label given to the smallest share of its cells, this share, and their number."""
        shares = self.by_label["given theirs"].to_numpy(float)
        i = int(shares.argmin())
        return str(self.by_label.index[i]), float(shares[i]), int(self.by_label["cells"].iloc[i])

    @property
    def n_undecided(self) -> int:
        """Number of undecided cells."""
        return int(self.by_label["undecided"].sum())


def compared(subject: Subject) -> Compared | None:
    """Compare labels of held-out cells; None where none has a label that the model knows."""
    cells = subject.some(subject.held_out, _HELD_OUT)
    given = subject.label_of(cells)
    registered = subject.layout.labels
    if given is None or registered is None:
        return None
    text = given.astype(object).map(str, na_action="ignore")
    is_known, is_unknown = text.isin(registered.categories), text == UNKNOWN
    chosen = (is_known & ~is_unknown).to_numpy()
    if not chosen.any():
        return None
    truth = text[chosen].to_numpy()
    found = (
        predicted(subject.model, subject.store, cells[chosen])["label"].fillna(UNDECIDED).to_numpy()
    )
    counts = pd.crosstab(truth, found)
    rows = [name for name in map(str, given.cat.categories) if name in counts.index]
    columns = [name for name in rows if name in counts]
    columns += [str(name) for name in counts if name not in (*columns, UNDECIDED)]
    columns += [UNDECIDED] if UNDECIDED in counts else []
    frame = pd.DataFrame({"right": truth == found, "undecided": found == UNDECIDED})
    by = frame.groupby(truth)
    by_label = pd.DataFrame(
        {"cells": by.size(), "given theirs": by["right"].mean(), "undecided": by["undecided"].sum()}
    )
    return Compared(
        counts=counts.loc[rows, columns],
        by_label=by_label.loc[rows],
        accuracy=float(frame["right"].mean()),
        absent=[one for one in registered.categories if one not in rows and one != UNKNOWN],
        n_unknown=int((is_unknown & is_known).sum()),
        n_new=int((text.notna() & ~is_known).sum()),
    )
