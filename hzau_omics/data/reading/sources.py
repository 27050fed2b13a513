"""Sources of data, and what they hold: modalities, columns of cells, tables."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

import pandas as pd
from anndata import AnnData
from mudata import MuData

from hzau_omics.checks import refusal
from hzau_omics.data.contract.presence import RENAME_CELLS, check_container, check_unique
from hzau_omics.data.reading.columns import Columns
from hzau_omics.data.reading.feature_types import choose_genome, split, types_of
from hzau_omics.data.reading.files import (
    KINDS,
    kind_of,
    read_h5ad_file,
    read_h5mu_file,
    read_table_file,
    read_tenx_folder,
    read_tenx_h5,
    table_separator,
)
from hzau_omics.data.reading.quiet import names_may_repeat
from hzau_omics.data.reading.record import Record
from hzau_omics.errors import ConfigError, DataContractError
from hzau_omics.messages import did_you_mean, listed

type Source = str | PathLike[str] | AnnData | MuData | pd.DataFrame
"""What can be read."""

type Sources = Source | Sequence[Source | Mapping[str, Source]] | Mapping[str, Source]
"""What can be read as one sample."""


NAME_SAMPLES = (
    "ho.data.read({'s1': ..., 's2': ...}, sample_key='sample'); in a shell, s1=FILE s2=FILE, with "
    "input: {sample_key: sample} in the configuration (run) or --sample-key sample (convert)."
)
"""Remedy where samples have no names."""


@dataclass
class Contents:
    """What the sources of one sample hold.

    Attributes
    ----------
    mod
        The modalities.
    columns
        Columns of cells.
    tables
        Tables that are not joined yet, each with its origin.
    whole
        The MuData that was read last.
    """

    mod: dict[str, AnnData] = field(default_factory=dict)
    columns: list[Columns] = field(default_factory=list)
    tables: list[tuple[str, pd.DataFrame]] = field(default_factory=list)
    whole: MuData | None = None
    _origin: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, adata: AnnData, where: str) -> None:
        """Add a modality.

        Raises
        ------
        ConfigError
            If there is one of this name already.
        DataContractError
            If it is empty, or names of its cells repeat.
        """
        if not isinstance(adata, AnnData):
            msg = f"Modality {name!r} of {where} must be an AnnData, not a MuData. Pass its parts."
            raise DataContractError(msg)
        if name in self.mod:
            msg = (
                f"Each modality must be read once. Both {self._origin[name]} and {where} hold "
                f"{name!r}. If they are samples: {NAME_SAMPLES} If they are modalities, name "
                "them: {'rna': ..., 'adt': ...}; in a shell, rna=FILE adt=FILE."
            )
            raise ConfigError(msg)
        if not adata.n_obs or not adata.n_vars:
            msg = (
                f"A modality must have cells and features. {where} has {adata.n_obs:,} cells and "
                f"{adata.n_vars:,} features of {name!r}. Check the step that wrote it."
            )
            raise DataContractError(msg)
        check_unique(adata.obs_names, "cell", where, RENAME_CELLS)
        self.mod[name] = adata
        self._origin[name] = where


@dataclass
class Reader:
    """Reads sources in one way.

    Attributes
    ----------
    genome
        The genome to keep where features are of several.
    feature_types
        Type of features -> modality, before the usual ones; None leaves them out.
    record
        What was done to names.
    seen
        Types of features that occurred.
    """

    genome: str | None
    feature_types: Mapping[str, str | None]
    record: Record
    seen: set[str] = field(default_factory=set)

    def read(self, sources: Sources) -> Contents:
        """Read a source, a mapping from modalities to sources, or a list of either.

        Raises
        ------
        ConfigError
            If a source is of no known kind.
        DataContractError
            If a source breaks a rule.
        """
        into = Contents()
        several: list[Any] = []
        if isinstance(sources, Mapping | str | PathLike | AnnData | MuData | pd.DataFrame):
            several = [sources]
        elif isinstance(sources, Iterable):
            several = list(sources)
        else:
            raise refusal(sources, "inputs", f"{KINDS}; an AnnData; or a list or mapping of such")
        n_data = sum(not _is_table(source) for source in several)
        for source in several:
            if isinstance(source, Mapping):
                for modality, one in source.items():
                    self._take(one, into, str(modality), alone=False)
            else:
                self._take(source, into, None, alone=n_data == 1)
        return into

    def _take(self, source: object, into: Contents, asked: str | None, *, alone: bool) -> None:
        """Read a source; `asked` names its modality, None if the source is to tell it."""
        if isinstance(source, str | PathLike):
            self._take_file(Path(source), into, asked, alone=alone)
        elif isinstance(source, AnnData):
            with names_may_repeat():
                own = source.copy()
            self._take_adata(own, "the AnnData", into, asked)
        elif isinstance(source, MuData):
            with names_may_repeat():
                copy = check_container(source).copy()
            self._take_mudata(copy, "the MuData", into, asked)
        elif isinstance(source, pd.DataFrame) and asked is None:
            into.tables.append(("the table", source))
        else:
            raise refusal(source, "an input", f"{KINDS}; or an AnnData or MuData")

    def _take_file(self, path: Path, into: Contents, asked: str | None, *, alone: bool) -> None:
        kind, where = kind_of(path), str(path)
        if kind == "table":
            if asked is not None:
                msg = (
                    f"A modality must be a matrix. Received the table {path} for {asked!r}. Pass "
                    "it as tables=, and make a modality of one of its columns: "
                    "ho.pp.add_text_modality(mdata, column)."
                )
                raise ConfigError(msg)
            into.tables.append((where, read_table_file(path)))
        elif kind == "h5mu":
            self._take_mudata(read_h5mu_file(path), where, into, asked)
        elif kind == "h5ad":
            stem = path.stem
            self._take_adata(read_h5ad_file(path), where, into, asked, stem=stem, alone=alone)
        else:
            of_kind = kind == "10x h5"
            tenx = read_tenx_h5(path, self.genome) if of_kind else read_tenx_folder(path)
            self._take_adata(tenx, where, into, asked)

    def _take_adata(
        self,
        adata: AnnData,
        where: str,
        into: Contents,
        asked: str | None,
        *,
        stem: str | None = None,
        alone: bool = True,
    ) -> None:
        """Add the modalities of an AnnData: by types of features, the name asked for, or `stem`."""
        adata = choose_genome(adata, self.genome, where, self.record)
        types = types_of(adata)
        name = asked or (stem if not (types and alone) else None)
        if not types and name is not None:
            into.add(name, adata, where)
            return
        mod, hashtags = split(adata, where, self.feature_types, self.record)
        self.seen |= types
        if not mod:
            # No modality of this source ties its names to those of other sources.
            into.tables.append((where, hashtags))
        if len(types) == 1 and name is not None:
            mod = dict(zip([name], mod.values(), strict=False))
        if asked is not None and asked not in mod:
            msg = (
                f"A modality must be one of those in its file. {where} has {listed(mod)}. Received "
                f"{asked!r}.{did_you_mean(asked, mod)} Pass the file without a name, or name one "
                "of its feature types: feature_types={'Custom': 'adt'}."
            )
            raise ConfigError(msg)
        names = tuple(mod) if asked is None else (asked,)
        for name in names:
            into.add(name, mod[name], where)
        if names:
            into.columns.append(Columns(where, names, hashtags))

    @staticmethod
    def _take_mudata(mdata: MuData, where: str, into: Contents, asked: str | None) -> None:
        if asked is not None and asked not in mdata.mod:
            msg = (
                f"A modality must be one of those in its file. {where} has {listed(mdata.mod)}. "
                f"Received {asked!r}.{did_you_mean(asked, mdata.mod)} Pass the file without a name."
            )
            raise ConfigError(msg)
        names = tuple(mdata.mod) if asked is None else (asked,)
        for name in names:
            into.add(name, mdata.mod[name], where)
        into.columns.append(Columns(where, names, mdata.obs))
        into.whole = mdata if asked is None else None


def _is_table(source: object) -> bool:
    if isinstance(source, str | PathLike):
        return table_separator(Path(source)) is not None
    return isinstance(source, pd.DataFrame)
