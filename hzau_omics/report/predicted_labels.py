"""Labels that a model predicts, where it is not undecided."""

import warnings
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hzau_omics.data import CellStore
from hzau_omics.errors import HzauWarning

UNKNOWN = "unknown"
"""What the model calls undecided cells, and what some data sets have as a label."""
_CONVINCING = 0.5


def predicted(model: Any, store: CellStore, cells: NDArray[np.int64]) -> pd.DataFrame:
    """Predict the labels of some cells.

    Parameters
    ----------
    model
        A trained model.
    store
        All cells.
    cells
        Positions of those to predict.

    Returns
    -------
    Columns ``label``, missing where the model is undecided, and ``probability``, of the label or
    of the most likely one.

    Raises
    ------
    ConfigError
        The model was set up without labels, or knows too few.
    """
    with warnings.catch_warnings():
        # Sets of labels are not shown, so that it does not matter if they hold all labels.
        warnings.simplefilter("ignore", HzauWarning)
        found = model.predict_labels(store, indices=cells, soft=False)
    undecided = np.array(found["label"] == UNKNOWN)
    registered = store.layout.labels
    if undecided.any() and registered is not None and UNKNOWN in registered.categories:
        soft = model.predict_labels(store, indices=cells[undecided], soft=True)
        undecided[undecided] = (soft[UNKNOWN] < _CONVINCING).to_numpy()
    label = found["label"].astype(object).mask(undecided)
    return pd.DataFrame({"label": label, "probability": found["probability"]})
