"""Feature panels: which features of a modality each batch measured."""

import warnings
from collections.abc import Mapping

import numpy as np
import pandas as pd
from anndata import AnnData
from mudata import MuData
from numpy.typing import NDArray

from hzau_omics.data.contract.columns.obs import single_column
from hzau_omics.data.contract.layout import CategoricalLayout, ModalityLayout
from hzau_omics.data.contract.matrix import Matrix, chunks
from hzau_omics.errors import DataContractError, HzauWarning
from hzau_omics.messages import listed


def panel_column(panel_key: str, batch: str) -> str:
    """Name the ``var`` column that holds a batch's panel.

    Examples
    --------
    >>> panel_column("measured", "p1")
    'measured_p1'
    """
    return f"{panel_key}_{batch}"


def read_panels(
    adata: AnnData, name: str, panel_key: str, batches: tuple[str, ...]
) -> dict[str, NDArray[np.bool_]]:
    """Read the panels that a modality's ``var`` gives: batch -> boolean array (feature).

    Raises
    ------
    DataContractError
        If such a column is not boolean.
    """
    panels = {}
    for batch in batches:
        column = panel_column(panel_key, batch)
        if column not in adata.var.columns:
            continue
        values = single_column(adata.var, column, f"mdata[{name!r}].var")
        if not pd.api.types.is_bool_dtype(values) or values.isna().any():
            msg = (
                f"The feature panel var[{column!r}] of modality {name!r} must be boolean, "
                f"without missing values. Received dtype {values.dtype}. Use True where batch "
                f"{batch!r} measured the feature, else False."
            )
            raise DataContractError(msg)
        panels[batch] = values.to_numpy(dtype=bool)
    return panels


def has_panel_columns(adata: AnnData, panel_key: str, batches: tuple[str, ...]) -> bool:
    """Return whether a modality has feature panels.

    A column of a known batch counts whatever its type, so that a wrong type is refused later. A
    column of another batch counts if it is boolean.
    """
    expected = {panel_column(panel_key, batch) for batch in batches}
    prefix = panel_column(panel_key, "")
    return any(
        column in expected
        or (str(column).startswith(prefix) and pd.api.types.is_bool_dtype(adata.var[column]))
        for column in adata.var.columns
    )


def possible_panel_key(adata: AnnData, batches: tuple[str, ...]) -> str | None:
    """Return the prefix of boolean columns of ``var``, one for each batch; None without such.

    Examples
    --------
    >>> var = pd.DataFrame({"measured_a": [True], "measured_b": [False]}, index=["CD3"])
    >>> possible_panel_key(AnnData(shape=(2, 1), var=var), ("a", "b"))
    'measured'
    """
    flags = {str(one) for one in adata.var if pd.api.types.is_bool_dtype(adata.var[one])}
    ending = panel_column("", batches[0])
    keys = [one.removesuffix(ending) for one in sorted(flags) if one.endswith(ending)]
    for key in keys:
        if key and all(panel_column(key, batch) in flags for batch in batches):
            return key
    return None


def training_panel(
    adata: AnnData,
    name: str,
    panel_key: str,
    batch: CategoricalLayout,
    measured: NDArray[np.bool_],
) -> NDArray[np.bool_] | None:
    """Return the panels of a modality as an array (batch, feature), or None if it has none.

    `measured` says which batches have cells of the modality. A batch without any needs no column;
    its row is then all False.

    Raises
    ------
    DataContractError
        If a batch with cells of the modality has no panel or an empty one.
    """
    if not has_panel_columns(adata, panel_key, batch.categories):
        return None
    panels = read_panels(adata, name, panel_key, batch.categories)
    table = np.zeros((batch.n_categories, adata.n_vars), dtype=bool)
    for code, category in enumerate(batch.categories):
        if category in panels:
            table[code] = panels[category]
        elif measured[code]:
            msg = (
                f"Every batch of modality {name!r} needs a feature panel. Batch {category!r} has "
                f"none: add the boolean column var[{panel_column(panel_key, category)!r}]."
            )
            raise DataContractError(msg)
    check_not_empty(table, name, panel_key, batch, measured)
    never = ~table[measured].any(axis=0)
    if never.any():
        warnings.warn(
            f"No batch measured {int(never.sum())} features of modality {name!r}, so the model "
            f"learns nothing about them: {listed(adata.var_names[never])}.",
            HzauWarning,
            stacklevel=2,
        )
    return table


def update_panel(
    modality: ModalityLayout,
    batch: CategoricalLayout,
    own: Mapping[str, NDArray[np.bool_]],
    source: NDArray[np.int64],
) -> NDArray[np.bool_] | None:
    """Return the registered panel, replaced by other cells' own panels where these have one.

    Parameters
    ----------
    modality
        The registered modality.
    batch
        The registered batches; a batch of `own` that is not among them is ignored.
    own
        Batch -> which features it measured in the other cells (feature of theirs).
    source
        Column of every registered feature in the other cells, -1 where it is missing.

    Returns
    -------
    numpy.ndarray or None
        Boolean array (batch, registered feature); None if neither has a panel.
    """
    if modality.panel is None and not own:
        return None
    shape = (batch.n_categories, modality.n_features)
    table = np.ones(shape, dtype=bool) if modality.panel is None else modality.panel.copy()
    shared = np.flatnonzero(source >= 0)
    for category, flags in own.items():
        if category in batch.categories:
            table[batch.categories.index(category), shared] = flags[source[shared]]
    return table


def check_not_empty(
    table: NDArray[np.bool_],
    name: str,
    panel_key: str,
    batch: CategoricalLayout,
    measured: NDArray[np.bool_],
) -> None:
    """Refuse a batch that has cells of a modality but measured none of its features.

    Raises
    ------
    DataContractError
        If there is such a batch.
    """
    empty = np.flatnonzero(measured & ~table.any(axis=1))
    if len(empty):
        category = batch.categories[empty[0]]
        msg = (
            f"Batch {category!r} has cells of modality {name!r}, but its feature panel "
            f"var[{panel_column(panel_key, category)!r}] is False throughout. Correct the panel, "
            "or leave these cells out of the modality."
        )
        raise DataContractError(msg)


def no_panel(mdata: MuData, names: tuple[str, ...], panel_key: str) -> DataContractError:
    """Return the error for a panel key without any column; it lists the boolean columns."""
    boolean = []
    for name in names:
        var = mdata.mod[name].var
        flags = [column for column in var if pd.api.types.is_bool_dtype(var[column])]
        boolean.append(f"{name!r} has {listed(flags, limit=20)}")
    return DataContractError(
        f"panel_key={panel_key!r} asks for boolean var columns "
        f"{panel_column(panel_key, '<batch>')!r}, which no registered modality has. "
        f"Boolean var columns: {'; '.join(boolean)}. Add such columns, give their prefix, or "
        "leave panel_key out."
    )


def check_unmeasured(
    matrix: Matrix,
    table: NDArray[np.bool_],
    *,
    row_batch: NDArray[np.int64],
    cells: "pd.Index[str]",
    features: tuple[str, ...],
    name: str,
    batch: CategoricalLayout,
) -> None:
    """Refuse values other than 0 at features that the cell's batch did not measure.

    Parameters
    ----------
    matrix
        Values (cell of the modality, feature).
    table
        Panels (batch, feature).
    row_batch
        Batch code of every row.
    cells
        Names of the rows.
    features
        Names of the columns.
    name
        Name of the modality.
    batch
        The batches, for the message.

    Raises
    ------
    DataContractError
        If there is such a value; the message names the first one.
    """
    if table.all():
        return
    for chunk in chunks(matrix):
        rows, columns = chunk.locate(np.flatnonzero(chunk.values))
        wrong = np.flatnonzero(~table[row_batch[rows], columns])
        if len(wrong):
            row, column = rows[wrong[0]], columns[wrong[0]]
            msg = (
                f"Modality {name!r}: cell {cells[row]!r} has a value at feature "
                f"{features[column]!r}, which the panel of its batch "
                f"{batch.categories[row_batch[row]]!r} marks as unmeasured. Correct the panel, or "
                "set such values to 0."
            )
            raise DataContractError(msg)
