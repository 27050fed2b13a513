"""Aligning cell names that differ between modalities by a suffix, a prefix or case."""

import warnings

import numpy as np
import pandas as pd
from mudata import MuData
from numpy.typing import NDArray

from hzau_omics.data.contract.columns.obs import categorical_layout, category_codes
from hzau_omics.data.contract.layout import NO_BATCH
from hzau_omics.data.contract.presence import check_container, row_map
from hzau_omics.data.pitfalls.cell_names import Agreement, Names, find_agreement
from hzau_omics.errors import DataContractError, HzauWarning
from hzau_omics.messages import listed
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
    renaming = _Renaming(code_of)
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


class _Renaming:
    """New names of the cells, modality by modality."""

    def __init__(self, code_of: "pd.Series[int]") -> None:
        self._code_of = code_of
        self._pool: dict[str, int] = {}
        self._unlike: list[str] = []
        self.names: dict[str, NDArray[np.object_]] = {}
        self.table: list[tuple[str, str, str, str]] = []

    def take(self, modality: str, own: NDArray[np.object_]) -> None:
        """Compare the names of a modality with those before it, and rename those that agree."""
        new = own.copy()
        code = self._code_of.loc[list(own)].to_numpy()
        own_names = set(own)
        alone = np.array([name not in self._pool for name in own], dtype=bool)
        others = np.array([name for name in self._pool if name not in own_names], dtype=object)
        first = Names(others, np.array([self._pool[name] for name in others], dtype=np.int64))
        second = Names(own[alone], code[alone])
        agreement = find_agreement(first, second)
        if agreement is not None:
            self._rename(modality, new, np.flatnonzero(alone), (first, second), agreement)
        elif len(first) and len(second):
            self._unlike.append(f"{modality!r} has {listed(second.names[:3])}")
            self._unlike.append(f"modalities before it have {listed(first.names[:3])}")
        self.names[modality] = new
        self._pool |= {name: int(c) for name, c in zip(new, code, strict=True)}

    def _rename(
        self,
        modality: str,
        new: NDArray[np.object_],
        rows: NDArray[np.int64],
        compared: tuple[Names, Names],
        agreement: Agreement,
    ) -> None:
        first, second = compared
        source = second if agreement.flipped else first
        whose = repr(modality) if agreement.flipped else "modalities before it"
        changed = agreement.second if agreement.flipped else agreement.first
        reason = agreement.rule.describe(whose, list(source.names[changed][:1000]))
        for a, b in zip(agreement.first, agreement.second, strict=True):
            new[rows[b]] = first.names[a]
            self.table.append((modality, second.names[b], first.names[a], f"agree {reason}"))
        for position in agreement.ambiguous:
            name = source.names[position]
            self.table.append((modality, name, name, "left: several names agree with one name"))

    def check(self) -> None:
        """Refuse data in which no rule was found although names differ.

        Raises
        ------
        DataContractError
            If there are names that could have agreed.
        """
        if not self.table and self._unlike:
            msg = (
                "No rule (a suffix, a prefix, case) makes a quarter of the names agree: "
                f"{'; '.join(self._unlike)}. If they are the same cells, rename those of one "
                "modality from a table of your own, mdata[modality].obs_names = [...], and make a "
                "new MuData of the modalities."
            )
            raise DataContractError(msg)


def _renamed(mdata: MuData, renaming: _Renaming) -> MuData:
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
