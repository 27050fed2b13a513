"""Names of cells: the same cell alike in all modalities, different cells apart in all samples."""

from collections import Counter
from collections.abc import Mapping

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray

from hzau_omics.data.pitfalls.cell_names import Agreement, Names, find_agreement
from hzau_omics.data.reading.record import Record
from hzau_omics.errors import DataContractError
from hzau_omics.messages import listed


class Renaming:
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


def align(mod: Mapping[str, AnnData], record: Record) -> dict[str, dict[str, str]]:
    """Give the same cell the same name in modalities that were read from different files.

    Parameters
    ----------
    mod
        The modalities; names of cells are changed where a rule makes them agree with those of
        modalities before.
    record
        Where this is noted.

    Returns
    -------
    dict
        Modality -> former name of a cell -> its new name, where it changed.

    Raises
    ------
    DataContractError
        If a rule makes several names agree with one, so that it cannot be told which is meant.
    """
    every = pd.Index([]).append([adata.obs_names for adata in mod.values()]).unique()
    renaming = Renaming(pd.Series(0, index=every))
    for name, adata in mod.items():
        renaming.take(name, np.asarray(adata.obs_names, dtype=object))
    table = pd.DataFrame(renaming.table, columns=["modality", "name", "new", "reason"])
    unclear = table[table["name"] == table["new"]]
    if len(unclear):
        msg = (
            f"Names of cells must tell which are the same cells. {len(unclear):,} names of "
            f"{listed(unclear['modality'].unique())} agree with a name that others agree with too, "
            f"once a suffix, a prefix or case is ignored: {listed(unclear['name'])}. Rename them "
            "yourself, and pass AnnData: ho.data.read({'rna': adata, ...})."
        )
        raise DataContractError(msg)
    for key, rows in table.groupby(["modality", "reason"], sort=False):
        modality, reason = map(str, key)
        pairs = list(zip(rows["name"], rows["new"], strict=True))
        record.add(modality, "cell", pairs, reason, counted=True)
    for name, adata in mod.items():
        adata.obs_names = list(renaming.names[name])
    return {
        str(modality): dict(zip(rows["name"], rows["new"], strict=True))
        for modality, rows in table.groupby("modality", sort=False)
    }


def cells_of(mod: Mapping[str, AnnData]) -> "pd.Index[str]":
    """Return the names of the cells of all modalities, each once, in the order of modalities."""
    names = dict.fromkeys(str(cell) for adata in mod.values() for cell in adata.obs_names)
    return pd.Index(list(names), dtype=object)


def clashing(samples: Mapping[str, "pd.Index[str]"]) -> list[str]:
    """Return the names of cells that occur in several samples."""
    often = Counter(name for cells in samples.values() for name in cells)
    return [name for name, n in often.items() if n > 1]


def in_sample(sample: str, cell: str) -> str:
    """Return the name of a cell with its sample in front.

    Examples
    --------
    >>> in_sample("donor1", "AAAC-1")
    'donor1_AAAC-1'
    """
    return f"{sample}_{cell}"


def check_different(samples: Mapping[str, Mapping[str, AnnData]]) -> None:
    """Refuse two samples that hold the same cells with the same values.

    Raises
    ------
    DataContractError
        If there are such samples.
    """
    seen: dict[tuple[object, ...], str] = {}
    for sample, mod in samples.items():
        key = tuple((name, *_contents(adata)) for name, adata in mod.items())
        if key in seen:
            msg = (
                f"Samples must be different cells. {seen[key]!r} and {sample!r} have the same "
                "names of cells and the same values. Check that each sample has its own file."
            )
            raise DataContractError(msg)
        seen[key] = sample


def _contents(adata: AnnData) -> tuple[object, ...]:
    values = getattr(adata.X, "data", adata.X)
    stored = b"" if values is None else np.ascontiguousarray(values).tobytes()
    return adata.shape, tuple(adata.obs_names), hash(stored)
