"""Values of cells, read from any store, and normalised for pictures and tests."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from hzau_omics.arrays import dense
from hzau_omics.data import CellStore
from hzau_omics.data.contract.columns.category import natural_order
from hzau_omics.data.contract.layout import ModalityLayout
from hzau_omics.pp.measures import row_sums

type Matrix = sp.csr_array | NDArray[np.float32]

_AT_ONCE, _WIDE = 2_048, 1_000
"""Cells that are read at a time, and features from which on dense values are kept sparse."""


def values_of(store: CellStore, cells: NDArray[np.int64]) -> Mapping[str, Matrix]:
    """Return the values of some cells by modality (cell, feature), zeros where absent."""
    parts: dict[str, list[Matrix]] = {name: [] for name in store.layout.names}
    for batch in store.minibatches(cells, _AT_ONCE):
        for name, found in parts.items():
            if name in batch.sparse:
                entries = batch.sparse[name]
                triple = (entries.value.numpy(), entries.feature.numpy(), entries.start.numpy())
                shape = (len(entries.start) - 1, entries.n_features)
                found.append(sp.csr_array(triple, shape=shape))
            else:
                values = batch.x[name].numpy()
                found.append(sp.csr_array(values) if values.shape[1] > _WIDE else values)
    return {name: _stacked(found) for name, found in parts.items()}


def _stacked(parts: list[Matrix]) -> Matrix:
    if any(sp.issparse(part) for part in parts):
        return sp.vstack([sp.csr_array(part) for part in parts], format="csr")
    return np.concatenate(parts)


def in_order(categories: pd.Series) -> pd.Series:
    """Return categories in the order of their numbers, as ``2`` before ``10``.

    Parameters
    ----------
    categories
        A column of categories. An order of its own that is not the alphabet's is kept.

    Examples
    --------
    >>> list(in_order(pd.Series(["10", "2", "a1", None])).cat.categories)
    ['2', '10', 'a1']
    >>> own = pd.Series(pd.Categorical(["low", "high"], ["low", "high"]))
    >>> list(in_order(own).cat.categories)
    ['low', 'high']
    """
    found = categories.astype("category")
    texts = [str(name) for name in found.cat.categories]
    if len(set(texts)) < len(texts) or texts != sorted(texts):
        return found
    place = {text: i for i, text in enumerate(natural_order(texts))}
    names = sorted(found.cat.categories, key=lambda name: place[str(name)])
    return found.cat.reorder_categories(names)


def is_counted(modality: ModalityLayout) -> bool:
    """Return whether totals and log counts of a modality have a meaning."""
    return modality.spec.domain == "counts" or modality.text is not None


def log_normalised(
    values: Matrix,
    modality: ModalityLayout,
    measured: NDArray[np.bool_],
    features: NDArray[np.int64],
) -> NDArray[np.float32]:
    """Return normalised log counts, dense (cell, feature).

    The counts of a cell are scaled to the median total and log1p is taken. In targeted panels,
    where a total reflects a few features, they are divided by their geometric mean instead (of
    counts + 1), over the features that were measured.

    Parameters
    ----------
    values
        Counts (cell, feature).
    modality
        The modality.
    measured
        Which features of each cell its batch measured (cell, feature).
    features
        Positions of the features to return.
    """
    x = dense(values[:, features], np.float32)
    if not modality.is_small:
        total = row_sums(values)[:, None]
        median = np.median(total[total > 0]) if (total > 0).any() else 1.0
        return np.log1p(x / np.maximum(total, 1e-12) * median).astype(np.float32)
    logs = np.where(measured, np.log1p(dense(values, np.float32)), 0)
    n_measured = np.maximum(measured.sum(axis=1, keepdims=True), 1)
    middle = logs.sum(axis=1, keepdims=True) / n_measured
    return np.log1p(x / np.exp(middle)).astype(np.float32)
