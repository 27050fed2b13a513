"""Log-normalised values of some features, the same for reference and query."""

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse

from benchmarks.integration.methods.exchange import PROTEIN, Cells

TARGET = 10_000
"""Counts per cell after normalisation."""


def chosen(cells: Cells, modality: str, features: np.ndarray) -> sparse.csr_matrix:
    """Return the counts of some features (cell, feature), in the order given."""
    columns = pd.Index(cells.features[modality]).get_indexer(features)
    return sparse.csr_matrix(cells.counts[modality][:, columns])


def normalised(cells: Cells, modality: str, features: np.ndarray) -> sparse.csr_matrix:
    """Return values (cell, feature): log1p of counts in 10,000; of protein, centred log ratios."""
    x = chosen(cells, modality, features).astype(np.float32)
    if modality == PROTEIN:
        y = np.log1p(x.toarray())
        return sparse.csr_matrix(y - y.mean(axis=1, keepdims=True))
    total = np.maximum(np.asarray(x.sum(axis=1)).ravel(), 1)
    y = sparse.csr_matrix(sparse.diags(TARGET / total) @ x)
    y.data = np.log1p(y.data)
    return y.astype(np.float32)


def full_counts(cells: Cells, modality: str, features: np.ndarray) -> sparse.csr_matrix:
    """Return counts (cell, feature) with 0 for the features that the cells lack."""
    own = cells.features.get(modality, np.array([]))
    columns = pd.Index(features).get_indexer(own)
    n = cells.n
    if len(own) == 0:
        return sparse.csr_matrix((n, len(features)), dtype=np.float32)
    x = cells.counts[modality].tocoo()
    shape = (n, len(features))
    return sparse.csr_matrix((x.data.astype(np.float32), (x.row, columns[x.col])), shape=shape)


def as_anndata(
    cells: Cells, modality: str, features: np.ndarray, labels: np.ndarray | str
) -> AnnData:
    """Return counts of some features, with columns ``batch`` and ``label`` in ``obs``."""
    obs = pd.DataFrame({"batch": cells.batch, "label": labels}, index=cells.names)
    x = full_counts(cells, modality, features)
    return AnnData(x, obs=obs, var=pd.DataFrame(index=features))
