"""Labels that cells were given, without the values that mean that a cell has none."""

import pandas as pd

from hzau_omics.data import CategoricalLayout
from hzau_omics.data.pitfalls.unlabelled import reads_like_none


def meaning_none(column: pd.Series, labels: CategoricalLayout) -> tuple[str, ...]:
    """Return the values of a label column that mean that a cell has no label.

    Parameters
    ----------
    column
        The registered column, with a value per cell.
    labels
        The labels that were registered.

    Returns
    -------
    In order, the values that set-up was told of, and others that are no registered labels and read
    like none: new cells may have values of their own.

    Examples
    --------
    >>> column = pd.Series(["B", "Mis", "new", "unknown"])
    >>> meaning_none(column, CategoricalLayout("type", ("B",), unlabeled=("Mis",)))
    ('Mis', 'unknown')
    """
    found = column.astype(object).map(str, na_action="ignore").dropna().unique()
    others = set(found) - set(labels.categories)
    return tuple(sorted(v for v in others if v in labels.unlabeled or reads_like_none(v)))


def given(column: pd.Series, none: tuple[str, ...]) -> pd.Series:
    """Return labels as a categorical column in which values that mean none are missing.

    Examples
    --------
    >>> given(pd.Series(["B", "Mis"]), ("Mis",)).tolist()
    ['B', nan]
    """
    found = column.astype("category")
    return found.cat.remove_categories([c for c in found.cat.categories if str(c) in none])
