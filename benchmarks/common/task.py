"""Training and held-out cells with two modalities, as a benchmark gives them to every system."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from mudata import MuData
from numpy.typing import NDArray
from scipy import sparse

UNKNOWN = ("Mis", "unknown")
"""Labels of cells whose type is not known."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """Training and test observations, and what a system is told about them.

    Attributes
    ----------
    train, test
        Observations with both modalities.
    modalities
        Likelihood of each, in the order in which systems get them.
    label_key
        Column of ``obs`` with the cell type or class; None where there is none.
    batch_key
        Column of ``obs`` with the batch.
    """

    train: MuData
    test: MuData
    modalities: Mapping[str, str]
    label_key: str | None
    batch_key: str | None = None

    def labels(self, part: MuData) -> NDArray[np.str_]:
        """Return labels as text; "" where the label is none."""
        if self.label_key is None:
            return np.full(part.n_obs, "")
        found = part.obs[self.label_key].astype(str).to_numpy()
        return np.where(np.isin(found, UNKNOWN), "", found)


def dense(mdata: MuData, modality: str) -> NDArray[np.float32]:
    """Return the values of a modality, rows in the order of ``mdata.obs_names``."""
    x = mdata[modality][mdata.obs_names].X
    return np.asarray(x.toarray() if sparse.issparse(x) else x, dtype=np.float32)


def with_values(mdata: MuData, modality: str, x: NDArray[np.float32]) -> MuData:
    """Return a copy with other values of one modality."""
    out = mdata.copy()
    out[modality].X = x[out[modality].obs_names.get_indexer(out.obs_names).argsort()]
    return out
