"""Tables of texts, labels or numbers, joined to cells by their names."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hzau_omics.data.pitfalls.cell_names import Names, find_agreement
from hzau_omics.data.pitfalls.warning import number_of, warn_user
from hzau_omics.data.reading.cells import in_sample
from hzau_omics.data.reading.record import Record
from hzau_omics.errors import DataContractError
from hzau_omics.messages import listed

FEWEST = 0.1
"""Share of the shorter of rows and cells that must match."""


def join_table(
    table: pd.DataFrame,
    cells: "pd.Index[str]",
    where: str,
    record: Record,
    *,
    sample_key: str | None = None,
) -> pd.DataFrame:
    """Return the rows of a table for every cell, missing where the table has none.

    Names of cells are the index or the column that holds most of them. If none does, a rule (a
    suffix, a prefix, case) may make them agree, provided that it tells which cell is meant.

    Parameters
    ----------
    table
        One row per cell, in any order; not changed.
    cells
        Names of the cells.
    where
        What was read, for messages.
    record
        Where a rule is noted.
    sample_key
        Column with samples; names with the sample in front are tried too.

    Returns
    -------
    pandas.DataFrame
        Rows in the order of `cells`, without the column that holds their names.

    Raises
    ------
    DataContractError
        If no or few rows match a cell, several rows match the same cell, or a rule does not tell
        which cell is meant.
    """
    if sample_key is not None and sample_key in table:
        samples = table[sample_key]
        # As samples are named; numbers with gaps would become fractions.
        table = table.assign(**{sample_key: samples.astype(str).where(samples.notna(), None)})
    best: tuple[int, str | None, NDArray[np.object_]] = (0, None, np.empty(0, dtype=object))
    tried = list(_candidates(table, sample_key))
    for column, names in tried:
        hits = int(cells.isin(names).sum())
        if hits > best[0]:
            best = (hits, column, names)
    hits, column, names = best
    also = "" if sample_key is None else f", or add a column {sample_key!r} with the samples"
    remedy = f"Write the names as the data do, such as {cells[0]!r}{also}."
    rest = table
    for other, own in tried if not hits else []:
        agreeing = _by_rule(own, cells, where, record, remedy)
        if agreeing is not None:
            column, names = other, agreeing
            break
    if column is not None:
        rest = table.drop(columns=column)
    _check_share(names, cells, where, [one[1] for one in tried], remedy)
    return _rows(rest, names, cells, where)


def _candidates(
    table: pd.DataFrame, sample_key: str | None
) -> Iterator[tuple[str | None, NDArray[np.object_]]]:
    """Yield what may be names of cells: the index (None), then the columns of no fractions."""
    samples = None
    if sample_key is not None and sample_key in table:
        samples = table[sample_key].astype(str)
    if not pd.api.types.is_numeric_dtype(table.index):
        yield from _with_samples(None, table.index.to_series(), samples)
    for name in table.columns:
        if not pd.api.types.is_float_dtype(table[name]):
            yield from _with_samples(name, table[name], samples)


def _with_samples(
    column: str | None, values: "pd.Series[Any]", samples: "pd.Series[str] | None"
) -> Iterator[tuple[str | None, NDArray[np.object_]]]:
    names = np.array([str(one) for one in values], dtype=object)
    yield column, names
    if samples is not None and column != samples.name:
        fronted = [in_sample(s, name) for s, name in zip(samples, names, strict=True)]
        yield column, np.array(fronted, dtype=object)


def _by_rule(
    own: NDArray[np.object_],
    cells: "pd.Index[str]",
    where: str,
    record: Record,
    remedy: str,
) -> NDArray[np.object_] | None:
    """Return names as the cells write them, where a rule tells which cell is meant."""
    if len(set(own)) < len(own):
        return None
    one, other = (
        Names(np.asarray(names, dtype=object), np.zeros(len(names), dtype=np.int64))
        for names in (cells, own)
    )
    agreement = find_agreement(one, other)
    if agreement is None:
        return None
    source = other if agreement.flipped else one
    rule = agreement.rule.describe(
        "the table" if agreement.flipped else "the cells", list(source.names[:1000])
    )
    if len(agreement.ambiguous):
        msg = (
            f"A table must tell which cell a row is about. In {where}, names agree {rule}, but "
            f"{len(agreement.ambiguous):,} names agree with one that others agree with too, such "
            f"as {source.names[agreement.ambiguous[0]]!r}. {remedy}"
        )
        raise DataContractError(msg)
    names = own.copy()
    names[agreement.second] = one.names[agreement.first]
    pairs = [
        (str(own[b]), str(one.names[a]))
        for a, b in zip(agreement.first, agreement.second, strict=True)
    ]
    record.add("", "table row", pairs, f"{where}: names agree {rule}", counted=True)
    return names


def _check_share(
    names: NDArray[np.object_],
    cells: "pd.Index[str]",
    where: str,
    tried: list[NDArray[np.object_]],
    remedy: str,
) -> None:
    n_rows, n_cells = len(names) or (len(tried[0]) if tried else 0), len(cells)
    found = int(cells.isin(names).sum()) if len(names) else 0
    if not found or found < FEWEST * min(n_rows, n_cells):
        given = listed(tried[0][:2]) if tried else "no column of names"
        msg = (
            f"The rows of a table must be named as cells are. In {where}, {found:,} of "
            f"{number_of(n_rows, 'row')} match one of {number_of(n_cells, 'cell')}: it has "
            f"{given}, the data {listed(cells[:2])}. {remedy}"
        )
        raise DataContractError(msg)
    known = int(pd.Index(names).isin(cells).sum())
    if found < n_cells or known < n_rows:
        have = f"{where} has rows for {found:,} of {number_of(n_cells, 'cell')}"
        lacking = "; the others get missing values" if found < n_cells else ""
        more = n_rows - known
        of_none = f" {number_of(more, 'row')} of {n_rows:,} match no cell." if more else ""
        warn_user(f"{have}{lacking}.{of_none}")


def _rows(
    table: pd.DataFrame, names: NDArray[np.object_], cells: "pd.Index[str]", where: str
) -> pd.DataFrame:
    own = table.set_axis(pd.Index(names), axis=0)
    own = own[own.index.isin(cells)]
    repeated = own.index.duplicated()
    if repeated.any():
        same = own.reset_index().duplicated(keep="first").to_numpy()
        if not same[repeated].all():
            msg = (
                f"A table must have one row per cell. {where} has several different rows for "
                f"{int(repeated.sum()):,} of its cells: {listed(own.index[repeated].unique())}. "
                "Keep one of them: table.drop_duplicates(...)."
            )
            raise DataContractError(msg)
        own = own[~repeated]
    return with_flags(own.reindex(cells))


def with_flags(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table in which columns of flags with gaps have a type that can be written."""
    for name, dtype in frame.dtypes.items():
        if pd.api.types.is_object_dtype(dtype):
            known = frame[name].dropna()
            if len(known) and all(isinstance(one, bool | np.bool_) for one in known):
                frame[name] = frame[name].astype("boolean")
    return frame


def add_columns(obs: pd.DataFrame, new: pd.DataFrame, where: str) -> pd.DataFrame:
    """Return ``obs`` with further columns of the same cells.

    Raises
    ------
    DataContractError
        If a column is there already, and holds other values.
    """
    for column in new.columns.intersection(obs.columns):
        old, other = obs[column], new[column]
        both = (old.notna() & other.notna()).to_numpy()
        unlike = old.astype(str).to_numpy()[both] != other.astype(str).to_numpy()[both]
        if unlike.any():
            cell = obs.index[both][unlike][0]
            msg = (
                f"A column must have one value per cell. {column!r} of {where} differs from the "
                f"column of this name that is there already in {int(unlike.sum()):,} cells, first "
                f"{cell!r}. Rename one of them."
            )
            raise DataContractError(msg)
    fresh = new[[name for name in new.columns if name not in obs.columns]]
    return pd.concat([obs, fresh], axis=1)
