"""Adding a modality to a MuData without touching anything else in it."""

import warnings

import numpy as np
import pandas as pd
from anndata import AnnData
from mudata import MuData
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from hzau_omics.errors import ConfigError, DataContractError
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
        If `mdata` is a view, shares features instead of cells, has duplicated cell names, or its
        modalities changed since its last update.
    """
    if not isinstance(mdata, MuData):
        msg = f"A modality is added to a MuData. Got {type(mdata).__name__}."
        raise TypeError(msg)
    if not isinstance(name, str):
        msg = f"The name of a modality is a string. Got {name!r}."
        raise TypeError(msg)
    if not name or name in mdata.mod:
        msg = (
            f"The new modality needs a name that is not taken. Got {name!r}; modalities: "
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
    _check_state(mdata)


def _is_mask(values: object) -> bool:
    """Whether this is which cells have a modality: what MuData leaves when one is removed."""
    return isinstance(values, np.ndarray) and values.dtype == bool and values.size == len(values)


def _check_state(mdata: MuData) -> None:
    if mdata.is_view:
        msg = "A modality cannot be added to a view of a MuData. Take a copy first: mdata.copy()."
        raise DataContractError(msg)
    if mdata.axis != 0:
        msg = f"The modalities must share cells (axis 0). Got a MuData with axis {mdata.axis}."
        raise DataContractError(msg)
    if not mdata.obs_names.is_unique:
        twice = mdata.obs_names[mdata.obs_names.duplicated()].unique()
        msg = (
            f"Cell names must be unique. Duplicated: {listed(twice)}. "
            "Rename them, for example by a prefix per batch."
        )
        raise DataContractError(msg)
    for name, adata in mdata.mod.items():
        rows = np.asarray(mdata.obsmap[name]).ravel()
        own = np.flatnonzero(rows)
        order = own[np.argsort(rows[own])]
        if not np.array_equal(mdata.obs_names[order], adata.obs_names):
            msg = (
                f"Modality {name!r} was replaced, filtered or reordered since the MuData was last "
                "updated, so its cells no longer match. Call mdata.update() first."
            )
            raise DataContractError(msg)


def _forget(mdata: MuData, name: str) -> None:
    """Remove what MuData keeps of a removed modality: it would not map a new one of its name."""
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

    The order of cells, the columns of ``obs``, ``obsm``, ``obsp`` and the other modalities with
    their ``obsmap`` stay as they are: ``MuData.update`` alone would change the dtypes of columns
    and index ``obsp`` cell by cell.

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
