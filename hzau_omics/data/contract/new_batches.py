"""Batches that no training cell is of: what a layout says about them, and what they may lack."""

import warnings
from dataclasses import replace

import numpy as np
from mudata import MuData
from numpy.typing import NDArray

from hzau_omics.data.contract.columns.category import distinct, require_all
from hzau_omics.data.contract.columns.obs import obs_column
from hzau_omics.data.contract.layout import CategoricalLayout, DataLayout, ModalityLayout
from hzau_omics.errors import DataContractError, HzauWarning
from hzau_omics.messages import listed

LEAST_SHARED = 0.1
"""Least share of a modality's registered features that cells of a new batch must have."""


def held_out_layout(mdata: MuData, layout: DataLayout) -> DataLayout:
    """Return the layout for held-out cells: their new batches follow the registered ones.

    A new batch has measured no modality in training (`ModalityLayout.measured` is False), so that
    it is decoded as the batches that have. Without a batch key all cells are of one batch, which is
    never new.

    Raises
    ------
    DataContractError
        If the batch column is missing, or a cell has no value.

    Examples
    --------
    >>> import anndata, numpy as np
    >>> from hzau_omics.data.build import build_layout
    >>> cells = anndata.AnnData(np.eye(2, dtype="float32"))
    >>> cells.obs["batch"] = ["a", "b"]
    >>> layout = build_layout(MuData({"rna": cells[:1].copy()}), {"rna": "nb"}, batch_key="batch")
    >>> held_out_layout(MuData({"rna": cells}), layout).batch.categories
    ('a', 'b')
    """
    if layout.batch.key is None:
        return layout
    key, role = layout.batch.key, "batch key"
    if layout.batch.optional:
        # Values of the first cells, which were set up without this column, are not known.
        return layout
    column = obs_column(mdata, key, role=role)
    found = require_all(distinct(column), column, key, role).categories(key, role)
    new = [name for name in found if name not in layout.batch.categories]
    if not new:
        return layout
    return replace(
        layout,
        batch=CategoricalLayout(key, (*layout.batch.categories, *new)),
        modalities=tuple(_with_rows(modality, len(new)) for modality in layout.modalities),
    )


def extends(layout: DataLayout, known: DataLayout) -> bool:
    """Return whether a layout is another one with new batches after its own.

    Examples
    --------
    >>> from hzau_omics.data.build import build_layout
    >>> import anndata, numpy as np
    >>> cells = MuData({"rna": anndata.AnnData(np.eye(2, dtype="float32"))})
    >>> layout = build_layout(cells, {"rna": "nb"})
    >>> extends(layout, layout)
    False
    """
    n, n_new = known.n_batches, layout.n_batches - known.n_batches
    if n_new < 1 or layout.batch.categories[:n] != known.batch.categories:
        return False
    modalities = tuple(_with_rows(modality, n_new) for modality in known.modalities)
    return layout == replace(known, batch=layout.batch, modalities=modalities)


def _with_rows(modality: ModalityLayout, n_new: int) -> ModalityLayout:
    panel = modality.panel
    if panel is not None:
        panel = np.concatenate([panel, np.ones((n_new, panel.shape[1]), dtype=bool)])
    measured = np.concatenate([modality.measured, np.zeros(n_new, dtype=bool)])
    return replace(modality, panel=panel, measured=measured)


def new_batches(modality: ModalityLayout, row_batch: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the batches of some cells of a modality of which no training cell has it."""
    codes = np.unique(row_batch)
    return codes[~modality.measured[codes]]


def panel_of_new(
    modality: ModalityLayout,
    batch: CategoricalLayout,
    codes: NDArray[np.int64],
    source: NDArray[np.int64],
    panel: NDArray[np.bool_] | None,
) -> NDArray[np.bool_] | None:
    """Return the panel of held-out cells, in which new batches lack the features they do not have.

    Parameters
    ----------
    modality
        The registered modality.
    batch
        The batches.
    codes
        Batches of which no training cell has the modality.
    source
        Column of every registered feature in the cells, -1 where it is missing.
    panel
        Boolean array (batch, feature) as far as it is known; None if every batch measured all.

    Raises
    ------
    DataContractError
        If a new batch has fewer than a tenth of the registered features.

    Warns
    -----
    HzauWarning
        If some features are missing.
    """
    missing = source < 0
    if not len(codes):
        return panel
    names = [batch.categories[code] for code in codes]
    n_shared, n_all = int((~missing).sum()), len(missing)
    if n_shared < max(1, LEAST_SHARED * n_all):
        msg = (
            f"Cells of a new batch must have at least a tenth of a modality's features. Modality "
            f"{modality.name!r} of {listed(names)} has {n_shared} of {n_all} registered features. "
            "Features are matched by name: check that the names are of the same kind (symbols or "
            f"ids). Or leave the modality out: del mdata.mod[{modality.name!r}]; mdata.update()."
        )
        raise DataContractError(msg)
    if not missing.any():
        return panel
    absent = np.asarray(modality.var_names, dtype=object)[missing]
    warnings.warn(
        f"Modality {modality.name!r} of {listed(names)} lacks {len(absent)} of {n_all} registered "
        f"features: {listed(absent)}. They count as not measured.",
        HzauWarning,
        stacklevel=2,
    )
    if panel is None:
        panel = np.ones((batch.n_categories, n_all), dtype=bool)
    panel[np.ix_(codes, np.flatnonzero(missing))] = False
    return panel
