"""Texts of cells: a column of obs, or a table that is joined by names of cells."""

from os import PathLike
from pathlib import Path

import pandas as pd
from mudata import MuData

from hzau_omics.data.contract.columns.obs import obs_column
from hzau_omics.data.reading.files import read_table_file, table_separator
from hzau_omics.data.reading.record import Record
from hzau_omics.data.reading.tables import join_table
from hzau_omics.errors import ConfigError, DataContractError
from hzau_omics.messages import listed
from hzau_omics.pp.column import strings

type Texts = str | PathLike[str] | pd.Series[str] | pd.DataFrame
"""Name of a column, a table, or its file."""


def texts_of(mdata: MuData, source: Texts) -> tuple["pd.Series[str]", str]:
    """Return the text of every cell, and what the column is called.

    Parameters
    ----------
    mdata
        The data; not changed.
    source
        Name of a column of ``obs``, or a table whose rows are named as cells are.

    Returns
    -------
    pandas.Series
        One text per cell, None where it has none.
    str
        Name of the column.

    Raises
    ------
    ConfigError
        If the table has no column of texts, or several.
    DataContractError
        If there is no such column, the table matches few cells, a value is not a string, or no cell
        has text.
    """
    if isinstance(source, str) and (source in mdata.obs or table_separator(Path(source)) is None):
        texts, name = strings(obs_column(mdata, source), source), source
    else:
        column = _joined(mdata, source)
        name = str(column.name)
        texts = strings(column, name)
    if not texts.notna().any():
        msg = (
            f"At least one cell must have text. All {mdata.n_obs} values of the column {name!r} "
            "are missing, empty or blank. Name the column that holds the text."
        )
        raise DataContractError(msg)
    return texts, name


def _joined(mdata: MuData, source: Texts) -> "pd.Series[str]":
    """Return the column of texts of a table, for every cell."""
    if isinstance(source, str | PathLike):
        table, where = read_table_file(Path(source)), str(source)
    else:
        where = "the table"
        named = isinstance(source, pd.DataFrame) or source.name is not None
        table = pd.DataFrame(source) if named else pd.DataFrame({"text": source})
    record = Record()
    rows = join_table(table, mdata.obs_names, where, record)
    texts = [name for name in rows if pd.api.types.is_string_dtype(rows[name].dropna())]
    if len(texts) != 1:
        msg = (
            f"A table of texts must have one column of texts beside the names of cells. {where} "
            f"has {listed(texts)}. Choose one: table.set_index('cell')['note']."
        )
        raise ConfigError(msg)
    record.tell("follows")
    return pd.Series(rows[texts[0]])
