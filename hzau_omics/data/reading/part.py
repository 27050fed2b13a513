"""One sample, or all data: sources put together by the names of cells."""

from dataclasses import dataclass

import pandas as pd
from anndata import AnnData
from mudata import MuData

from hzau_omics.data.reading.cells import align, cells_of
from hzau_omics.data.reading.feature_types import is_protein, mark_isotypes
from hzau_omics.data.reading.features import make_unique
from hzau_omics.data.reading.files import KINDS
from hzau_omics.data.reading.record import Record
from hzau_omics.data.reading.sources import Contents
from hzau_omics.data.reading.tables import add_columns, join_table
from hzau_omics.errors import ConfigError


@dataclass
class Part:
    """Cells of one sample, or all.

    Attributes
    ----------
    mod
        The modalities.
    obs
        Columns of all its cells, in their order.
    whole
        The MuData that was read, if no other source has modalities.
    """

    mod: dict[str, AnnData]
    obs: pd.DataFrame
    whole: MuData | None = None


def put_together(contents: Contents, sample: str, record: Record) -> Part:
    """Put together what the sources of one sample hold.

    Parameters
    ----------
    contents
        What was read; names in it are changed.
    sample
        The sample, for messages; empty if there are none.
    record
        Where changes of names are noted.

    Raises
    ------
    ConfigError
        If there is no modality.
    DataContractError
        If it cannot be told which names are of the same cell, or one cell has different values in
        a column.
    """
    mod = contents.mod
    if not mod:
        place = f" of sample {sample!r}" if sample else ""
        msg = (
            f"The inputs{place} must hold at least one modality. Received {len(contents.tables)} "
            f"tables and no data. Give the data too: {KINDS}."
        )
        raise ConfigError(msg)
    whole = contents.whole
    if whole is not None and list(mod) != list(whole.mod):
        whole = None
    # Cells of a MuData are matched already.
    renamed = align(mod, record) if whole is None else {}
    if sample or whole is None:
        for name, adata in mod.items():
            make_unique(adata, name, record)
            if is_protein(adata, name):
                mark_isotypes(adata)
    cells = cells_of(mod) if whole is None else whole.obs_names
    obs = pd.DataFrame(index=cells)
    for columns in contents.columns:
        obs = add_columns(obs, columns.of_cells(cells, mod, renamed), columns.where)
    for where, table in contents.tables:
        obs = add_columns(obs, join_table(table, cells, where, record), where)
    return Part(mod, obs, whole)
