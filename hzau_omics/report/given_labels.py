"""Labels that cells were given, without the values that mean that a cell has none."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hzau_omics.data import CategoricalLayout
from hzau_omics.data.pitfalls.unlabelled import reads_like_none


def declared(
    column: pd.Series, labels: CategoricalLayout, known: NDArray[np.bool_]
) -> tuple[str, ...]:
    """Return the values of a label column that mean that a cell has no label.

    Parameters
    ----------
    column
        The registered column, with a value per cell.
    labels
        The labels that were registered.
    known
        Which cells were there at set-up: what was not registered of these was declared to be no
        label. Other cells may have labels that the model does not know, so that of these only
        values count that read like none; shape (cell).

    Returns
    -------
    The values in order, without those that are missing.

    Examples
    --------
    >>> column = pd.Series(["B", "Mis", "new", "unknown"])
    >>> declared(column, CategoricalLayout("type", ("B",)), np.array([True, True, False, False]))
    ('Mis', 'unknown')
    """
    text = column.astype(object).map(str, na_action="ignore")
    other = (text.notna() & ~text.isin(labels.categories)).to_numpy()
    found = set(text[other & known])
    found |= {value for value in text[other].unique() if reads_like_none(value)}
    return tuple(sorted(found))


def given(column: pd.Series, none: tuple[str, ...]) -> pd.Series:
    """Return labels as a categorical column in which values that mean none are missing.

    Examples
    --------
    >>> given(pd.Series(["B", "Mis"]), ("Mis",)).tolist()
    ['B', nan]
    """
    found = column.astype("category")
    return found.cat.remove_categories([c for c in found.cat.categories if str(c) in none])
