"""Baselines that predict one modality's log1p counts from another modality's counts.

All use the same input: counts divided by the total of their cell, times the median total of the
training cells, then log1p, then principal components fitted on the training cells.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold
from sklearn.neighbors import NearestNeighbors

from hzau_omics.arrays import unmasked
from hzau_omics.checks import (
    LARGEST_SEED_OF_SKLEARN,
    NOT_NEGATIVE,
    as_list,
    check_integer,
    check_number,
    check_seed,
    refusal,
)
from hzau_omics.errors import ConfigError, DataContractError
from hzau_omics.metrics.arrays import FloatArray, as_matrix, check_counts, check_same_length
from hzau_omics.metrics.correlation import mean_feature_pearson


def knn_imputation(
    train_x_counts: Any,
    train_y_counts: Any,
    test_x_counts: Any,
    *,
    k: int | Sequence[int] = (15, 30, 50),
    n_pcs: int = 50,
    seed: int = 0,
) -> FloatArray:
    """Predict log1p counts as the mean log1p counts of the nearest training cells.

    Parameters
    ----------
    train_x_counts, test_x_counts
        Counts of the given modality, arrays or sparse matrices of shape (cells, x features).
    train_y_counts
        Counts of the modality to predict, shape (training cells, y features).
    k
        Number of neighbours. Of several, the one with the best mean per-feature Pearson correlation
        in 5-fold cross-validation on the training cells is used; the test cells take no part.
        Numbers above the size of a fold's training part are left out. If fewer than two are left,
        the smallest is used.
    n_pcs
        Number of principal components (fewer if the data have fewer).
    seed
        Seed of the decomposition and of the folds.

    Returns
    -------
    Array of shape (test cells, y features) in log1p counts.

    Raises
    ------
    ConfigError
        If ``k`` or ``n_pcs`` is out of range.
    DataContractError
        If the matrices do not match or do not hold counts.

    Examples
    --------
    >>> x = np.array([[9, 1], [8, 2], [1, 9], [2, 8]])
    >>> y = np.array([[0], [0], [9], [9]])
    >>> knn_imputation(x, y, [[90, 10]], k=2).round(2)
    array([[0.]])
    """
    train, target, test = _prepare(
        train_x_counts, train_y_counts, test_x_counts, n_pcs=n_pcs, seed=seed
    )
    fewer = "Use fewer neighbours or more training cells."
    asked = [check_integer("k", one, most=len(train), remedy=fewer) for one in as_list(k)]
    if not asked:
        raise refusal(k, "k", "one or more numbers of neighbours")
    candidates = sorted(set(asked))
    chosen = candidates[0] if len(candidates) == 1 else _best_k(train, target, candidates, seed)
    return _neighbour_means(train, target, test, [chosen])[0]


def ridge_imputation(
    train_x_counts: Any,
    train_y_counts: Any,
    test_x_counts: Any,
    *,
    alpha: float = 1.0,
    n_pcs: int = 50,
    seed: int = 0,
) -> FloatArray:
    """Predict log1p counts by ridge regression on principal components.

    Parameters
    ----------
    train_x_counts, test_x_counts
        Counts of the given modality, arrays or sparse matrices of shape (cells, x features).
    train_y_counts
        Counts of the modality to predict, shape (training cells, y features).
    alpha
        Strength of the penalty on the squared coefficients, at least 0.
    n_pcs
        Number of principal components (fewer if the data have fewer).
    seed
        Seed of the decomposition.

    Returns
    -------
    Array of shape (test cells, y features) in log1p counts.

    Raises
    ------
    ConfigError
        If ``alpha`` is negative or ``n_pcs`` out of range.
    DataContractError
        If the matrices do not match or do not hold counts.

    Examples
    --------
    >>> x = np.array([[9, 1], [8, 2], [1, 9], [2, 8]])
    >>> y = np.array([[0], [0], [9], [9]])
    >>> bool(ridge_imputation(x, y, [[10, 90]])[0, 0] > 1)
    True
    """
    remedy = "Use 1.0 unless you cross-validate it."
    alpha = check_number("alpha", alpha, NOT_NEGATIVE, remedy=remedy)
    train, target, test = _prepare(
        train_x_counts, train_y_counts, test_x_counts, n_pcs=n_pcs, seed=seed
    )
    predicted = Ridge(alpha=alpha).fit(train, target).predict(test)
    return np.asarray(predicted, dtype=np.float64).reshape(len(test), -1)


def group_mean_imputation(train_y_counts: Any, train_labels: Any, test_labels: Any) -> FloatArray:
    """Predict log1p counts as the mean log1p counts of the training cells with the same label.

    Parameters
    ----------
    train_y_counts
        Counts of the modality to predict, shape (training cells, y features).
    train_labels, test_labels
        Labels, one per cell. Cells without a label form a group of their own.

    Returns
    -------
    Array of shape (test cells, y features) in log1p counts; the mean of all training cells for a
    label without training cells.

    Raises
    ------
    DataContractError
        If labels and counts do not match, or the matrix does not hold counts.

    Examples
    --------
    >>> group_mean_imputation([[0.0], [np.e - 1]], ["T", "B"], ["B", "unseen"])
    array([[1. ],
           [0.5]])
    """
    check_counts(train_y_counts, name="train_y_counts")
    target = np.log1p(as_matrix(train_y_counts, name="train_y_counts"))
    check_same_length(target, train_labels, names=("train_y_counts", "train_labels"))
    n_train = len(target)
    labels = [np.asarray(unmasked(part), dtype=object) for part in (train_labels, test_labels)]
    codes, values = pd.factorize(np.concatenate(labels), use_na_sentinel=False)
    means = np.tile(target.mean(axis=0), (len(values), 1))
    for code in np.unique(codes[:n_train]):
        means[code] = target[codes[:n_train] == code].mean(axis=0)
    return means[codes[n_train:]]


def _prepare(
    train_x_counts: Any, train_y_counts: Any, test_x_counts: Any, *, n_pcs: int, seed: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return training scores, log1p training targets and test scores."""
    n_pcs = check_integer("n_pcs", n_pcs)
    seed = check_seed("seed", seed, most=LARGEST_SEED_OF_SKLEARN)
    names = ("train_x_counts", "train_y_counts", "test_x_counts")
    for name, counts in zip(names, (train_x_counts, train_y_counts, test_x_counts), strict=True):
        check_counts(counts, name=name)
    train, test = (sparse.csr_matrix(x, dtype=np.float64) for x in (train_x_counts, test_x_counts))
    target = np.log1p(as_matrix(train_y_counts, name="train_y_counts"))
    check_same_length(train, target, names=names[:2])
    if train.shape[1] != test.shape[1]:
        msg = (
            "train_x_counts and test_x_counts must have the same features. Received "
            f"{train.shape[1]} and {test.shape[1]}. Select the same features in both."
        )
        raise DataContractError(msg)
    limit = min(train.shape) - 1
    if limit < 1:
        msg = (
            "Principal components need training data of at least 2 cells x 2 features. Received "
            f"{train.shape[0]} cells x {train.shape[1]} features. Pass more of both."
        )
        raise ConfigError(msg)
    target_total = float(np.median(np.asarray(train.sum(axis=1))))
    pca = PCA(min(n_pcs, limit), svd_solver="arpack", random_state=seed)
    scores = pca.fit_transform(_log_normalise(train, target_total))
    return scores, target, pca.transform(_log_normalise(test, target_total))


def _log_normalise(counts: sparse.csr_matrix, target_total: float) -> sparse.csr_matrix:
    totals = np.asarray(counts.sum(axis=1)).ravel()
    scale = np.where(totals > 0, target_total / np.where(totals > 0, totals, 1.0), 0.0)
    return sparse.csr_matrix(sparse.diags(scale) @ counts).log1p()


def _best_k(train: FloatArray, target: FloatArray, candidates: Sequence[int], seed: int) -> int:
    folds = list(KFold(min(5, len(train)), shuffle=True, random_state=seed).split(train))
    smallest = min(len(fit) for fit, _ in folds)
    usable = [k for k in candidates if k <= smallest]
    if len(usable) < 2:
        return candidates[0]
    held_out = [np.empty_like(target) for _ in usable]
    for fit, check in folds:
        means = _neighbour_means(train[fit], target[fit], train[check], usable)
        for column, mean in zip(held_out, means, strict=True):
            column[check] = mean
    scores = [mean_feature_pearson(p, target) for p in held_out]
    return usable[int(np.argmax(np.nan_to_num(scores, nan=-1.0)))]


def _neighbour_means(
    train: FloatArray, target: FloatArray, test: FloatArray, ks: Sequence[int]
) -> list[FloatArray]:
    search = NearestNeighbors(n_neighbors=max(ks)).fit(train)
    nearest = search.kneighbors(test, return_distance=False)
    return [target[nearest[:, :k]].mean(axis=1) for k in ks]
