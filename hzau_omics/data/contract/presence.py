"""Which cell has which modality, and in which row: read from ``obsmap``, never from values."""

from collections.abc import Iterable

import numpy as np
from anndata import AnnData
from mudata import MuData
from numpy.typing import NDArray

from hzau_omics.errors import DataContractError
from hzau_omics.messages import did_you_mean, listed

ABSENT = -1
"""Row of a cell in a modality that it lacks."""

# obs_names_make_unique is no remedy: its suffixes depend on the order of the rows, so that wrong
# cells may pair, and it does not treat the modalities alike.
RENAME_CELLS = (
    "put each cell's sample in front of its name, in all modalities alike, and make the MuData of "
    "them again"
)


def check_container(mdata: object) -> MuData:
    """Return `mdata` if it is a MuData whose modalities share cells.

    A MuData whose modalities share both cells and features (axis -1) is accepted.

    Raises
    ------
    TypeError
        If it is an AnnData or anything else.
    DataContractError
        If its modalities share features only, or cell names repeat.
    """
    if isinstance(mdata, AnnData):
        msg = (
            "The data must be a MuData. Received an AnnData. Wrap it: "
            "mudata.MuData({'rna': adata}), with the modality's name in place of 'rna'."
        )
        raise TypeError(msg)
    if not isinstance(mdata, MuData):
        msg = (
            f"The data must be a MuData. Received {type(mdata).__name__}. Read a file with "
            "mudata.read_h5mu(path)."
        )
        raise TypeError(msg)
    if mdata.axis not in (0, -1):
        msg = (
            "The modalities of a MuData must share cells (axis=0). Received a MuData whose "
            f"modalities share features (axis={mdata.axis}). Build it with "
            "mudata.MuData(modalities, axis=0)."
        )
        raise DataContractError(msg)
    check_unique(mdata.obs_names, "cell", "the MuData", RENAME_CELLS)
    return mdata


def check_writable(mdata: MuData) -> None:
    """Refuse to change a MuData that is a view of another one.

    Raises
    ------
    DataContractError
        If it is a view.
    """
    if mdata.is_view:
        msg = "A view of a MuData cannot be changed. Take a copy first: mdata = mdata.copy()."
        raise DataContractError(msg)


def check_no_view(mdata: object) -> None:
    """Refuse to set up a MuData that is a view, or has modalities that are views.

    scvi-tools stores identifiers in the data at set-up, and a view cannot hold them.

    Raises
    ------
    DataContractError
        If it is a view.
    """
    if not isinstance(mdata, MuData):
        return
    views = [name for name, adata in mdata.mod.items() if adata.is_view]
    if mdata.is_view:
        finding = "This MuData is a view of another one"
    elif views:
        finding = f"The modalities {listed(views, limit=20)} of this MuData are views of others"
    else:
        return
    msg = f"{finding}. Take a copy to set up: mdata = mdata.copy()."
    raise DataContractError(msg)


def get_modality(mdata: MuData, name: str) -> AnnData:
    """Return one modality of the MuData.

    Raises
    ------
    DataContractError
        If there is no modality of this name, or it is not an AnnData.
    """
    if name not in mdata.mod:
        msg = (
            f"The MuData has no modality {name!r}. It has {listed(mdata.mod, limit=20)}."
            + did_you_mean(name, mdata.mod)
        )
        raise DataContractError(msg)
    adata = mdata.mod[name]
    if not isinstance(adata, AnnData):
        msg = (
            f"Modality {name!r} must be an AnnData. Received {type(adata).__name__}. Put the "
            "modalities that it holds into the MuData themselves."
        )
        raise DataContractError(msg)
    return adata


def check_unique(names: Iterable[str], what: str, where: str, remedy: str) -> None:
    """Refuse repeated names of cells or features.

    Raises
    ------
    DataContractError
        If a name occurs twice; the message lists repeated names.
    """
    values = np.asarray(names, dtype=object)
    unique, counts = np.unique(values.astype(str), return_counts=True)
    if len(unique) < len(values):
        msg = (
            f"The {what} names of {where} must be unique; repeated: {listed(unique[counts > 1])}. "
            f"To solve this, {remedy}."
        )
        raise DataContractError(msg)


def row_map(mdata: MuData, name: str) -> NDArray[np.int64]:
    """Return the row of every cell in one modality, `ABSENT` where the cell lacks it.

    The rows are read from ``mdata.obsmap`` and checked against the cell names, because replacing
    or reordering a modality does not update ``obsmap``.

    Raises
    ------
    DataContractError
        If cell names repeat within the modality, or ``obsmap`` is out of date.
    """
    adata = get_modality(mdata, name)
    check_unique(adata.obs_names, "cell", f"modality {name!r}", RENAME_CELLS)
    if name not in mdata.obsmap:
        raise _stale(name, "has no entry for it")
    raw = np.asarray(mdata.obsmap[name]).reshape(-1).astype(np.int64)
    if len(raw) != mdata.n_obs:
        raise _stale(name, f"has {len(raw)} entries for {mdata.n_obs} cells")
    if len(raw) and (raw.min() < 0 or raw.max() > adata.n_obs):
        raise _stale(name, f"points outside its {adata.n_obs} rows")
    rows = raw - 1
    present = rows != ABSENT
    used = np.bincount(rows[present], minlength=adata.n_obs)
    if used.size and used.max() > 1:
        raise _stale(name, f"gives row {int(used.argmax())} to {int(used.max())} cells")
    if used.size and used.min() == 0:
        cell = adata.obs_names[int(used.argmin())]
        raise _stale(name, f"lacks {int((used == 0).sum())} of its cells, first {cell!r}")
    wrong = np.flatnonzero(adata.obs_names[rows[present]] != mdata.obs_names[present])
    if len(wrong):
        cell, other = mdata.obs_names[present][wrong[0]], adata.obs_names[rows[present]][wrong[0]]
        raise _stale(name, f"gives cell {cell!r} the row of {other!r}")
    return rows


def row_order(mdata: MuData, name: str) -> NDArray[np.int64]:
    """Return the position in the MuData of every row of one modality.

    Raises
    ------
    DataContractError
        As for `row_map`.
    """
    rows = row_map(mdata, name)
    cells = np.flatnonzero(rows != ABSENT)
    order = np.empty(len(cells), dtype=np.int64)
    order[rows[cells]] = cells
    return order


def _stale(name: str, finding: str) -> DataContractError:
    return DataContractError(
        f"The obsmap of modality {name!r} {finding}. It is out of date: call mdata.update() after "
        "replacing, reordering or subsetting a modality."
    )


def check_observed(
    present: NDArray[np.bool_], obs_names: Iterable[str], names: Iterable[str]
) -> None:
    """Refuse cells that have none of the registered modalities.

    Raises
    ------
    DataContractError
        If there are such cells; the message names up to five.
    """
    empty = ~present.any(axis=1)
    if empty.any():
        cells = np.asarray(obs_names, dtype=object)[empty]
        msg = (
            f"Every cell needs at least one registered modality ({', '.join(names)}). "
            f"{len(cells)} have none: {listed(cells)}. Remove them, or register a modality that "
            "they have."
        )
        raise DataContractError(msg)
