"""Cells that no training sees, on which the likelihoods of all methods are measured."""

import numpy as np
from mudata import MuData

from hzau_omics.errors import DataContractError

N_HELD_OUT = 512


def hold_out(mdata: MuData, n_cells: int = N_HELD_OUT) -> tuple[MuData, MuData]:
    """Return the cells to train on, and those held out: the same ones in every run.

    Parameters
    ----------
    mdata
        All cells.
    n_cells
        Cells to hold out, of those with all modalities; at most a fifth of these.

    Raises
    ------
    DataContractError
        If fewer than five cells have all modalities.
    """
    complete = np.all([mdata.obs_names.isin(part.obs_names) for part in mdata.mod.values()], axis=0)
    rows = np.flatnonzero(complete)
    if len(rows) < 5:
        message = (
            "Held-out likelihoods need at least 5 cells with all modalities; there are "
            f"{len(rows)}. Leave out a modality that few cells have."
        )
        raise DataContractError(message)
    chosen = np.random.default_rng(0).permutation(rows)[: min(n_cells, len(rows) // 5)]
    held_out = np.isin(np.arange(mdata.n_obs), chosen)
    return mdata[~held_out].copy(), mdata[held_out].copy()
