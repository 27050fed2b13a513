"""Labels as a modality: one-hot vectors of the labelled cells."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from anndata import AnnData
from mudata import MuData
from scipy import sparse

from hzau_omics.checks import as_list, check_names
from hzau_omics.data.contract.columns.obs import obs_column
from hzau_omics.errors import DataContractError
from hzau_omics.messages import did_you_mean, listed
from hzau_omics.pp.column import strings
from hzau_omics.pp.modality import check_addable, insert_modality


def add_annotation_modality(
    mdata: MuData,
    column: str,
    *,
    name: str = "annotation",
    categories: AnnData | str | Sequence[str] | None = None,
) -> None:
    """Add a column of labels as a one-hot modality, for the likelihood ``categorical``.

    The modality holds a single 1 per cell (sparse float32, labelled cells x categories). Cells
    without a label (missing, empty or blank) lack the modality. Nothing else in `mdata` changes.

    Parameters
    ----------
    mdata
        The data; the modality is added to it.
    column
        Column of strings or of a categorical dtype in ``mdata.obs``, or in the ``obs`` of a
        modality.
    name
        Name of the new modality.
    categories
        Categories in order, for query data: a list, or the annotation modality of the reference. By
        default the categories that occur, in the order of a categorical column, else sorted.

    Raises
    ------
    ConfigError
        If `name` is taken, or `categories` is empty or holds one twice.
    DataContractError
        If there is no such column, a value is not a string or not among `categories`, or no cell
        has a label.

    Examples
    --------
    >>> from hzau_omics.data.sets.registry import load
    >>> mdata = load("pbmc_mosaic")
    >>> add_annotation_modality(mdata, "cell_type")
    >>> list(mdata["annotation"].var_names[:3])
    ['B', 'CD4 T', 'CD8 T']
    """
    check_addable(mdata, name)
    chosen = None if categories is None else _categories(categories)
    column_values = obs_column(mdata, column)
    if isinstance(column_values.dtype, pd.CategoricalDtype):
        column_values = column_values.cat.rename_categories(str)
    labels = strings(column_values, column)
    present = labels.notna().to_numpy()
    if not present.any():
        msg = (
            f"At least one cell must have a label. All {mdata.n_obs} values of the column "
            f"{column!r} are missing, empty or blank. Name the column that holds the labels."
        )
        raise DataContractError(msg)
    found = set(labels[present])
    if chosen is None:
        ordered = isinstance(column_values.dtype, pd.CategoricalDtype)
        options = column_values.cat.categories if ordered else sorted(found)
        chosen = [str(option) for option in options if option in found]
    codes = pd.Index(chosen).get_indexer(pd.Index(labels[present]))
    if (codes < 0).any():
        row = int(np.flatnonzero(codes < 0)[0])
        value = labels[present].iloc[row]
        msg = (
            f"Every label of the column {column!r} must be one of the categories given. Received "
            f"{value!r} for cell {labels[present].index[row]!r}; categories: "
            f"{listed(chosen, limit=20)}."
            + did_you_mean(value, chosen)
            + " Rename the label, or set it to missing."
        )
        raise DataContractError(msg)
    ones = np.ones(len(codes), dtype=np.float32)
    shape = (len(codes), len(chosen))
    one_hot = sparse.csr_matrix((ones, codes, np.arange(len(codes) + 1)), shape=shape)
    adata = insert_modality(mdata, name, one_hot, present, chosen)
    adata.uns["annotation"] = {"column": column, "categories": chosen}


def _categories(categories: AnnData | str | Sequence[str]) -> list[str]:
    given = categories.var_names if isinstance(categories, AnnData) else categories
    return list(check_names("categories", [str(one) for one in as_list(given)], what="category"))
