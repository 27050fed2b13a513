"""Aligning cell names that differ between modalities by a suffix, a prefix or case."""

import warnings

import numpy as np
import pandas as pd
from mudata import MuData
from numpy.typing import NDArray

from hzau_omics.data.contract.columns.obs import categorical_layout, category_codes
from hzau_omics.data.contract.layout import NO_BATCH
from hzau_omics.data.contract.presence import check_container, row_map
from hzau_omics.data.reading.cells import Renaming
from hzau_omics.errors import HzauWarning
from hzau_omics.pp.rebuild import rebuild

COLUMNS = ["modality", "name", "new_name", "reason"]


def align_names(mdata: MuData, *, batch_key: str | None = None) -> tuple[MuData, pd.DataFrame]:
    """Give each cell the same name in all modalities, where names differ by a rule.

    Tools write the barcode of a cell as ``AAAC-1``, ``AAAC``, ``aaac`` or ``sample1_AAAC``, and
    MuData takes these for different cells. Each modality is compared with those before it, to find
    one rule under which most of the names agree that do not agree yet: removing a prefix or suffix
    of up to two parts (ending at one of ``-_.:#|/`` or a space), adding the one that all names of
    the other modality have, or ignoring case. Names that agree under the rule become those of the
    modality that comes first. Names that agree already stay as they are, and so do names of which
    several agree with the same name (a warning counts them). Cells of one modality are never
    merged.

    Parameters
    ----------
    mdata
        The data; not changed.
    batch_key
        Column of ``obs`` with the batches; names are then matched within batches only.

    Returns
    -------
    mudata.MuData
        A copy with new names. Where two rows of ``obs`` become one, values of the modality that
        comes first are kept, and missing ones are filled from the other (a warning counts values
        that differ). Rows of ``obsm`` and ``obsp`` are those of the modality that comes first.
    pandas.DataFrame
        One row per name that was changed, or is ambiguous: ``modality``, ``name``, ``new_name``
        and ``reason``.

    Raises
    ------
    TypeError
        If `mdata` is not a MuData.
    DataContractError
        If names do not agree and there is no rule under which a quarter of them would, ``obsmap``
        is out of date, or there is no such column.

    Examples
    --------
    >>> import hzau_omics as ho, mudata
    >>> mdata = ho.data.simulate(60)
    >>> mdata["rna"].obs_names = [f"{name}-1" for name in mdata["rna"].obs_names]
    >>> mdata = mudata.MuData({"rna": mdata["rna"], "adt": mdata["adt"]})
    >>> aligned, table = align_names(mdata)
    >>> mdata.n_obs, aligned.n_obs, aligned.obs_names[0], table.iloc[0].tolist()[:3]
    (120, 60, 'cell_0-1', ['adt', 'cell_0', 'cell_0-1'])
    """
    check_container(mdata)
    for name in mdata.mod:
        row_map(mdata, name)
    batch = NO_BATCH if batch_key is None else categorical_layout(mdata, batch_key, "batch key")
    code_of = pd.Series(category_codes(mdata, batch, "batch key"), mdata.obs_names)
    renaming = Renaming(code_of)
    for name, adata in mdata.mod.items():
        renaming.take(name, np.asarray(adata.obs_names, dtype=object))
    renaming.check()
    table = pd.DataFrame(renaming.table, columns=COLUMNS)
    n_left = int((table["name"] == table["new_name"]).sum())
    if n_left:
        _warn(
            f"{n_left:,} names were left as they are, since several of them agree with the same "
            "name: see the table, and rename them by hand."
        )
    return _renamed(mdata, renaming), table


def _renamed(mdata: MuData, renaming: Renaming) -> MuData:
    mod = {}
    first = pd.Series(mdata.obs_names, mdata.obs_names, dtype=object)
    for name, adata in mdata.mod.items():
        mod[name] = adata.copy()
        mod[name].obs_names = list(renaming.names[name])
        old = np.asarray(adata.obs_names, dtype=object)
        changed = old != renaming.names[name]
        first.loc[old[changed]] = renaming.names[name][changed]
    kept = np.flatnonzero(mdata.obs_names.isin([n for own in renaming.names.values() for n in own]))
    new = rebuild(mdata, mod, kept)
    new.obs = _merged(mdata, kept, first)
    return new


def _merged(mdata: MuData, kept: NDArray[np.int64], first: "pd.Series[str]") -> pd.DataFrame:
    """Return ``obs`` of the kept cells, filled in from the rows that were merged into theirs."""
    obs: pd.DataFrame = mdata.obs.iloc[kept].copy()
    gone = np.setdiff1d(np.arange(mdata.n_obs), kept)
    differ: dict[str, int] = {}
    rest = mdata.obs.iloc[gone]
    rest.index = pd.Index(first.iloc[gone])
    while len(rest):
        # Several rows may be merged into the same cell: take one for each cell at a time.
        now = rest[~rest.index.duplicated()]
        rest = rest[rest.index.duplicated()]
        where = obs.index.get_indexer(now.index)
        for position, column in enumerate(obs.columns):
            old, other = obs.iloc[where, position], now.iloc[:, position]
            missing = old.isna().to_numpy()
            known = other.notna().to_numpy()
            unlike = ~missing & known & (old.astype(object).to_numpy() != other.astype(object))
            if unlike.any():
                differ[str(column)] = differ.get(str(column), 0) + int(unlike.sum())
            fill = missing & known
            if fill.any():
                obs.iloc[where[fill], position] = other.to_numpy()[fill]
    if differ:
        columns = ", ".join(f"{name!r} ({count:,})" for name, count in differ.items())
        _warn(
            f"Merged rows of obs differ in {columns} cells: the values of the modality that comes "
            "first are kept."
        )
    return obs


def _warn(message: str) -> None:
    warnings.warn(message, HzauWarning, stacklevel=4)
