"""Adding a modality to a MuData without touching anything else in it."""

import warnings

import numpy as np
import pandas as pd
from anndata import AnnData
from mudata import MuData
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from hzau_omics.data.contract.presence import check_container, check_writable, row_map
from hzau_omics.errors import ConfigError
from hzau_omics.messages import listed


def check_addable(mdata: MuData, name: str) -> None:
    """Check that a modality of this name can be added to this MuData.

    Raises
    ------
    TypeError
        If `mdata` is not a MuData or `name` not a string.
    ConfigError
        If the name is empty, or taken by a modality or in ``obsm``.
    DataContractError
        If `mdata` is a view, its modalities share features only, cell names repeat, or ``obsmap``
        is out of date.
    """
    check_container(mdata)
    if not isinstance(name, str):
        msg = f"The name of a modality must be a string. Received {name!r}."
        raise TypeError(msg)
    if not name or name in mdata.mod:
        msg = (
            f"The new modality needs a name that is not taken. Received {name!r}; modalities: "
            f"{listed(mdata.mod)}. Choose another name, or remove the old one: "
            "del mdata.mod[name]; mdata.update()."
        )
        raise ConfigError(msg)
    if name in mdata.obsm and not _is_mask(mdata.obsm[name]):
        msg = (
            f"A MuData keeps in obsm[{name!r}] which cells have the modality {name!r}, and there "
            "is something else of that name. Choose another name for the modality, or rename that."
        )
        raise ConfigError(msg)
    check_writable(mdata)
    for known in mdata.mod:
        row_map(mdata, known)


def _is_mask(values: object) -> bool:
    """Return whether this is a mask of a modality's cells, as MuData leaves it after a removal."""
    return isinstance(values, np.ndarray) and values.dtype == bool and values.size == len(values)


def _forget(mdata: MuData, name: str) -> None:
    """Remove what MuData keeps of a removed modality: a new one of its name would not be mapped."""
    if name in mdata.obsm:
        del mdata.obsm[name]
    for digests in ("_obshash", "_varhash"):
        getattr(mdata, digests, {}).pop(name, None)


def insert_modality(
    mdata: MuData,
    name: str,
    values: ArrayLike | sparse.csr_matrix,
    present: NDArray[np.bool_],
    var_names: list[str],
) -> AnnData:
    """Add a modality of the cells marked in `present`, in their global order.

    The order of cells, the columns of ``obs``, ``obsm``, ``obsp``, and the other modalities with
    their ``obsmap`` stay as they are; ``MuData.update`` alone would change dtypes of columns, and
    would index ``obsp`` by all pairs of cells.

    Parameters
    ----------
    mdata
        The data; it is changed.
    name
        Name of the modality, checked with `check_addable`.
    values
        Matrix (present cell, feature).
    present
        Which cells have the modality, in global order.
    var_names
        Names of the features.

    Returns
    -------
    anndata.AnnData
        The new modality.
    """
    cells = mdata.obs_names[present]
    adata = AnnData(
        values,
        obs=pd.DataFrame(index=cells),
        var=pd.DataFrame(index=pd.Index(var_names, dtype=str)),
    )
    obs = mdata.obs.copy()
    pairwise = dict(mdata.obsp)
    for key in pairwise:
        del mdata.obsp[key]
    _forget(mdata, name)
    try:
        mdata.mod[name] = adata
        with warnings.catch_warnings():
            # The same name in two modalities is normal here: a word and a protein, for example.
            warnings.filterwarnings("ignore", message="var_names are not unique")
            mdata.update()
        mdata.obs = obs
    finally:
        for key, graph in pairwise.items():
            mdata.obsp[key] = graph
    return adata
