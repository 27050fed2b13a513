"""Embeddings as a modality: real-valued vectors of the embedded cells."""

import numpy as np
import pandas as pd
from mudata import MuData
from numpy.typing import NDArray

from hzau_omics.arrays import dense
from hzau_omics.errors import DataContractError
from hzau_omics.messages import did_you_mean, listed
from hzau_omics.pp.modality import check_addable, insert_modality

type Embedding = str | NDArray[np.floating] | pd.DataFrame


def embed_modality(mdata: MuData, embedding: Embedding, *, name: str = "embedding") -> None:
    """Add an embedding of the cells as a modality, for the likelihood ``normal``.

    The modality holds the vectors (float32, cells with a vector x dimensions). Cells whose row has
    a NaN, an NA or a masked entry lack the modality. Nothing else in `mdata` changes.

    Parameters
    ----------
    mdata
        The data; the modality is added to it.
    embedding
        A key of ``mdata.obsm``, or an array or DataFrame (cell, dimension) of all cells in their
        global order. The columns of a DataFrame name the dimensions; its index must be the cells.
    name
        Name of the new modality. Dimensions without a name become ``<name>_0``, ``<name>_1``, ...

    Raises
    ------
    ConfigError
        If `name` is taken.
    DataContractError
        If the key does not exist, the shape or the index does not match the cells, a value is
        infinite or not a number, or no cell has a vector.

    Examples
    --------
    >>> import numpy as np
    >>> from hzau_omics.data.sets.registry import load
    >>> mdata = load("pbmc_mosaic")
    >>> vectors = np.ones((mdata.n_obs, 3))
    >>> vectors[:100] = np.nan
    >>> embed_modality(mdata, vectors, name="sentence")
    >>> mdata["sentence"].shape
    (1500, 3)
    """
    check_addable(mdata, name)
    values, names = _as_matrix(mdata, embedding, name)
    infinite = np.isinf(values)
    if infinite.any():
        row, dimension = (int(i) for i in np.argwhere(infinite)[0])
        msg = (
            f"An embedding must be finite, or NaN for cells without one. Received "
            f"{values[row, dimension]} for cell {mdata.obs_names[row]!r} in dimension "
            f"{names[dimension]!r}. Replace it."
        )
        raise DataContractError(msg)
    present = ~np.isnan(values).any(axis=1)
    if not present.any():
        msg = (
            f"At least one cell must have a vector. All {mdata.n_obs} rows have a NaN. Leave out "
            "dimensions that are missing in every cell."
        )
        raise DataContractError(msg)
    insert_modality(mdata, name, values[present], present, names)


def _as_matrix(
    mdata: MuData, embedding: Embedding, name: str
) -> tuple[NDArray[np.float32], list[str]]:
    """Return the vectors of all cells in global order, and the names of the dimensions."""
    if isinstance(embedding, str):
        # The obsm of a MuData also holds a presence mask per modality.
        keys = [key for key in mdata.obsm if key not in mdata.mod]
        if embedding not in keys:
            msg = (
                f"The embedding must be a key of mdata.obsm. Received {embedding!r}; keys: "
                f"{listed(keys)}." + did_you_mean(embedding, keys)
            )
            raise DataContractError(msg)
        embedding = mdata.obsm[embedding]
    names = None
    if isinstance(embedding, pd.DataFrame):
        if not embedding.index.equals(mdata.obs_names):
            msg = (
                "The index of an embedding must be the cells in their global order. Received one "
                f"of {len(embedding)} names, the first {listed(embedding.index[:1])}. Reorder it: "
                "embedding.reindex(mdata.obs_names)."
            )
            raise DataContractError(msg)
        names = [str(column) for column in embedding.columns]
    try:
        values = dense(embedding, np.float32)
    except (TypeError, ValueError) as error:
        msg = (
            f"An embedding must hold numbers. Received a {type(embedding).__name__} that numpy "
            f"cannot convert: {error}. Select the numeric columns."
        )
        raise DataContractError(msg) from error
    if values.ndim != 2 or len(values) != mdata.n_obs or not values.shape[1]:
        msg = (
            f"An embedding has one row per cell ({mdata.n_obs}) and at least one dimension. "
            f"Received an array of shape {values.shape}. Give cells without a vector a row of NaN."
        )
        raise DataContractError(msg)
    return values, names or [f"{name}_{i}" for i in range(values.shape[1])]
