"""What sets clusters apart in measured cells: differential expression for reports."""

import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hzau_omics.data import CellStore
from hzau_omics.errors import HzauWarning
from hzau_omics.model.answers.base import Answers
from hzau_omics.model.answers.differential.analysis import Analysis
from hzau_omics.model.answers.differential.groups import groups_of_column
from hzau_omics.model.answers.differential.request import TestOptions, check_comparable


def cluster_differences(
    model: Answers,
    store: CellStore,
    modality: str,
    cells: NDArray[np.int64],
    clusters: "pd.Series[str]",
    *,
    seed: int,
    compared: Sequence[str],
    features: NDArray[np.int64],
) -> pd.DataFrame:
    """Compare clusters with the rest of some cells, as `differential_expression` does.

    Measured values alone are compared: reports show nothing else.

    Parameters
    ----------
    model
        A trained model.
    store, cells
        Cells with the modality: where they are, and their positions.
    modality
        A modality with counts that the model generates.
    clusters
        Cluster of each of the cells.
    seed
        Seed of the draws for the prior.
    compared
        Clusters to compare.
    features
        Positions of the features to test.

    Returns
    -------
    Data frame as of `differential_expression`.

    Raises
    ------
    ConfigError
        The modality has no amounts to compare, or the model does not generate it.
    """
    model._check_generated(modality)
    check_comparable(modality, model.layout.modality(modality).spec)
    session = model._session(store, cells, None)
    groups = groups_of_column(clusters, list(compared), None, key="cluster")
    analysis = Analysis(model, session, modality, features, TestOptions(), (), seed)
    with warnings.catch_warnings():
        # How batches mix is a section of its own.
        warnings.simplefilter("ignore", HzauWarning)
        return analysis.table(analysis.usable(groups, store))
