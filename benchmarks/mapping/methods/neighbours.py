"""Types by nearest reference cells, as the methods without a classifier are read."""

import numpy as np
from sklearn.neighbors import KNeighborsClassifier

from benchmarks.common.scores import NEIGHBOURS


def by_neighbours(reference: np.ndarray, labels: np.ndarray, query: np.ndarray) -> np.ndarray:
    """Return the weighted share of each type among the nearest labelled reference cells.

    Parameters
    ----------
    reference, query
        Latents (cell, dimension) in one space.
    labels
        Type of each reference cell; "" where it is not known.

    Returns
    -------
    Shares (query cell, type), types sorted; a neighbour weighs one over its distance.
    """
    known = labels != ""
    vote = KNeighborsClassifier(n_neighbors=NEIGHBOURS, weights="distance")
    found: np.ndarray = vote.fit(reference[known], labels[known]).predict_proba(query)
    return found
