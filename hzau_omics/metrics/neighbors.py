"""Agreement of an embedding with cell labels, by k nearest neighbours."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import KFold
from sklearn.neighbors import KNeighborsClassifier

from hzau_omics.arrays import unmasked
from hzau_omics.checks import LARGEST_SEED_OF_SKLEARN, check_integer, check_seed
from hzau_omics.errors import DataContractError
from hzau_omics.metrics.arrays import as_matrix, check_same_length


def knn_label_accuracy(
    train_embedding: Any,
    train_labels: Any,
    test_embedding: Any,
    test_labels: Any,
    *,
    k: int = 15,
) -> float:
    """Predict the labels of test cells by a majority vote of their nearest training cells.

    Parameters
    ----------
    train_embedding, test_embedding
        Arrays of shape (cells, dimensions); distances are Euclidean.
    train_labels, test_labels
        Labels, one per cell, none missing.
    k
        Number of neighbours, each with one vote.

    Returns
    -------
    Share of test cells whose label is predicted, in [0, 1]; higher is better.

    Raises
    ------
    ConfigError
        If ``k`` is below 1 or above the number of training cells.
    DataContractError
        If embeddings and labels do not match, or a value is missing.

    Examples
    --------
    >>> train = np.array([[0.0], [0.1], [5.0], [5.1]])
    >>> knn_label_accuracy(train, ["T", "T", "B", "B"], [[0.2], [4.9]], ["T", "T"], k=1)
    0.5
    """
    train_x, train_y = _check(train_embedding, train_labels, name="train")
    test_x, test_y = _check(test_embedding, test_labels, name="test")
    if train_x.shape[1] != test_x.shape[1]:
        msg = (
            "train_embedding and test_embedding must have the same dimensions. Received "
            f"{train_x.shape[1]} and {test_x.shape[1]}. Use the same model for both."
        )
        raise DataContractError(msg)
    return float(_hits(train_x, train_y, test_x, test_y, k=k).mean())


def cross_validated_knn_accuracy(
    embedding: Any, labels: Any, *, k: int = 15, n_splits: int = 5, seed: int = 0
) -> float:
    """Predict each cell's label from its nearest cells outside its own fold.

    Parameters
    ----------
    embedding
        Array of shape (cells, dimensions); distances are Euclidean.
    labels
        Labels, one per cell, none missing.
    k
        Number of neighbours, each with one vote.
    n_splits
        Number of folds, drawn at random.
    seed
        Seed of the folds.

    Returns
    -------
    Share of cells whose label is predicted, in [0, 1]; higher is better.

    Raises
    ------
    ConfigError
        If there are fewer cells than folds, or fewer cells in a training part than ``k``.
    DataContractError
        If embedding and labels do not match, or a value is missing.

    Examples
    --------
    >>> embedding = np.repeat([[0.0], [9.0]], 20, axis=0)
    >>> cross_validated_knn_accuracy(embedding, ["B"] * 20 + ["T"] * 20, k=3)
    1.0
    """
    x, y = _check(embedding, labels, name="")
    fewer = "Use at least 2 folds, and at most as many as there are cells."
    n_splits = check_integer("n_splits", n_splits, least=2, most=len(y), remedy=fewer)
    seed = check_seed("seed", seed, most=LARGEST_SEED_OF_SKLEARN)
    hits = np.zeros(len(y), dtype=bool)
    for train, test in KFold(n_splits, shuffle=True, random_state=seed).split(x):
        hits[test] = _hits(x[train], y[train], x[test], y[test], k=k)
    return float(hits.mean())


def _hits(
    train_x: np.ndarray, train_y: np.ndarray, test_x: np.ndarray, test_y: np.ndarray, *, k: int
) -> np.ndarray:
    k = check_integer(
        "k", k, most=len(train_y), remedy="Use fewer neighbours or more training cells."
    )
    classifier = KNeighborsClassifier(n_neighbors=k).fit(train_x, train_y)
    return np.asarray(classifier.predict(test_x) == test_y)


def _check(embedding: Any, labels: Any, *, name: str) -> tuple[np.ndarray, np.ndarray]:
    prefix = f"{name}_" if name else ""
    x = as_matrix(embedding, name=f"{prefix}embedding")
    check_same_length(x, labels, names=(f"{prefix}embedding", f"{prefix}labels"))
    missing = np.asarray(pd.isna(pd.Series(np.asarray(unmasked(labels), dtype=object))))
    for what, bad in (("embedding", ~np.isfinite(x).all(axis=1)), ("labels", missing)):
        if bad.any():
            msg = (
                f"{prefix}{what} must be known for every cell. Received {int(bad.sum())} cell(s) "
                f"with a missing value, the first in row {int(np.argmax(bad))}. Leave these cells "
                "out."
            )
            raise DataContractError(msg)
    if len(x) == 0:
        msg = f"{prefix}embedding must hold at least one cell. Received none. Select some cells."
        raise DataContractError(msg)
    return x, np.asarray(labels).astype(str)
