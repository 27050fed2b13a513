"""Set-up: check a training MuData completely and write down its layout."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from anndata import AnnData
from mudata import MuData
from numpy.typing import NDArray

from hzau_omics.checks import as_list, check_names
from hzau_omics.data.columns.obs import (
    categorical_layout,
    category_codes,
    continuous_layout,
    labels_layout,
)
from hzau_omics.data.contract.layout import NO_BATCH, CategoricalLayout, DataLayout, ModalityLayout
from hzau_omics.data.contract.matrix import Matrix, read_matrix
from hzau_omics.data.contract.panel import check_unmeasured, no_panel, training_panel
from hzau_omics.data.contract.presence import (
    check_container,
    check_observed,
    check_unique,
    get_modality,
    row_map,
)
from hzau_omics.data.contract.spec import ModalitySpec, resolve_specs
from hzau_omics.data.contract.uns_text import text_record
from hzau_omics.data.contract.validate import check_values
from hzau_omics.data.pitfalls.survey import warn_of_pitfalls
from hzau_omics.errors import ConfigError, DataContractError


def build_layout(
    mdata: MuData,
    modalities: Mapping[str, str | ModalitySpec],
    *,
    layers: Mapping[str, str | None] | None = None,
    batch_key: str | None = None,
    labels_key: str | None = None,
    categorical_covariate_keys: str | Sequence[str] | None = None,
    continuous_covariate_keys: str | Sequence[str] | None = None,
    panel_key: str | None = None,
) -> DataLayout:
    """Check every value of the training data and return their layout; the data stay as they are.

    Parameters
    ----------
    mdata
        Training cells; paired, or with modalities missing in some cells.
    modalities
        Name -> likelihood or `ModalitySpec`, in the order of the method; others are ignored.
    layers
        Name -> layer with the values, None for ``X``.
    batch_key
        Column of ``obs`` with the batches.
    labels_key
        Column of ``obs`` with labels; cells may have none.
    categorical_covariate_keys
        Further categorical columns of ``obs``, one or a list.
    continuous_covariate_keys
        Continuous columns of ``obs``, one or a list.
    panel_key
        Prefix of the boolean columns ``var["<panel_key>_<batch>"]`` with the features that a
        batch measured.

    Raises
    ------
    TypeError
        If `mdata` is no MuData, or an argument has the wrong type.
    ConfigError
        If an option is unknown, or two of them contradict each other.
    DataContractError
        If the data break a rule: unknown modality, layer or key, missing values in a column,
        repeated names, an empty modality, a cell without any modality, values outside of the
        likelihood's domain, a stale ``obsmap``, or contradictory panels.

    Examples
    --------
    >>> import anndata, mudata, numpy as np
    >>> mdata = mudata.MuData({"rna": anndata.AnnData(np.eye(3, dtype="float32"))})
    >>> build_layout(mdata, {"rna": "nb"}).modality("rna").var_names
    ('0', '1', '2')
    """
    registered = register(
        mdata,
        resolve_specs(modalities, layers),
        batch_key=batch_key,
        labels_key=labels_key,
        categorical_covariate_keys=categorical_covariate_keys,
        continuous_covariate_keys=continuous_covariate_keys,
        panel_key=panel_key,
        is_piece=False,
    )
    for modality in registered.layout.modalities:
        adata = mdata.mod[modality.name]
        matrix = read_matrix(adata, modality.name, modality.spec.layer)
        row_batch = registered.row_batch(modality.name)
        check_matrix(matrix, adata, modality, registered.layout.batch, row_batch)
    warn_of_pitfalls(mdata, registered.layout)
    return registered.layout


@dataclass(frozen=True)
class Registered:
    """What set-up knows of a MuData without a look at its values.

    Attributes
    ----------
    layout
        The layout.
    rows
        Modality name -> row of every cell, -1 where the cell lacks it.
    codes
        Batch code of every cell.
    """

    layout: DataLayout
    rows: Mapping[str, NDArray[np.int64]]
    codes: NDArray[np.int64]

    def row_batch(self, name: str) -> NDArray[np.int64]:
        """Return the batch code of every row of a modality."""
        has = self.rows[name] >= 0
        batch = np.empty(int(has.sum()), dtype=np.int64)
        batch[self.rows[name][has]] = self.codes[has]
        return batch


def register(
    mdata: MuData,
    specs: Mapping[str, ModalitySpec],
    *,
    batch_key: str | None,
    labels_key: str | None,
    categorical_covariate_keys: Sequence[str] | None,
    continuous_covariate_keys: Sequence[str] | None,
    panel_key: str | None,
    is_piece: bool,
) -> Registered:
    """Read the layout of a MuData from names and columns alone; see :func:`build_layout`.

    Parameters
    ----------
    mdata, batch_key, labels_key, categorical_covariate_keys, continuous_covariate_keys, panel_key
        As in `build_layout`.
    specs
        Modality name -> how it is read.
    is_piece
        Whether other MuData follow, which may have the panels and the labels that this one lacks.
        Whoever reads them then looks for pitfalls in all of them together.

    Raises
    ------
    ConfigError, DataContractError, TypeError
        As `build_layout`, but for what only the values can say.
    """
    check_container(mdata)
    if panel_key is not None and batch_key is None:
        msg = f"panel_key={panel_key!r} names one panel per batch: give batch_key too."
        raise ConfigError(msg)
    rows = {name: _checked_rows(mdata, name) for name in specs}
    present = np.stack([row_of >= 0 for row_of in rows.values()], axis=1)
    check_observed(present, mdata.obs_names, specs)
    categorical = _keys(categorical_covariate_keys, "categorical_covariate_keys")
    continuous = _keys(continuous_covariate_keys, "continuous_covariate_keys")
    batch = NO_BATCH if batch_key is None else categorical_layout(mdata, batch_key, "batch key")
    codes = category_codes(mdata, batch, "batch key")
    layouts = tuple(
        _modality_layout(
            mdata, name, spec, rows=rows[name], batch=batch, codes=codes, panel_key=panel_key
        )
        for name, spec in specs.items()
    )
    if panel_key is not None and not is_piece and all(layout.panel is None for layout in layouts):
        raise no_panel(mdata, tuple(specs), panel_key)
    layout = DataLayout(
        modalities=layouts,
        batch=batch,
        categorical_covariates=tuple(
            categorical_layout(mdata, key, "categorical covariate") for key in categorical
        ),
        continuous_covariates=tuple(continuous_layout(mdata, key) for key in continuous),
        labels=None
        if labels_key is None
        else labels_layout(mdata, labels_key, may_be_empty=is_piece),
        panel_key=panel_key,
    )
    return Registered(layout, rows, codes)


def check_matrix(
    matrix: Matrix,
    adata: AnnData,
    modality: ModalityLayout,
    batch: CategoricalLayout,
    row_batch: NDArray[np.int64],
) -> None:
    """Check every value of a modality, or of some of its rows.

    Parameters
    ----------
    matrix
        The values (row, feature of the modality).
    adata
        The same rows, for messages.
    modality
        Layout of the modality.
    batch
        The batches.
    row_batch
        Batch code of every row.

    Raises
    ------
    DataContractError
        If a value is outside of the likelihood's domain, or not 0 where nothing was measured.
    """
    check_values(matrix, adata, modality.name, modality.spec, modality.var_names)
    if modality.panel is not None:
        check_unmeasured(
            matrix,
            modality.panel,
            row_batch=row_batch,
            cells=adata.obs_names,
            features=modality.var_names,
            name=modality.name,
            batch=batch,
        )


def _keys(keys: str | Sequence[str] | None, name: str) -> tuple[str, ...]:
    found = [] if keys is None else as_list(keys)
    return check_names(name, found, what="column") if found else ()


def _checked_rows(mdata: MuData, name: str) -> NDArray[np.int64]:
    adata = get_modality(mdata, name)
    for size, what in ((adata.n_obs, "cells"), (adata.n_vars, "features")):
        if size == 0:
            msg = f"Modality {name!r} has no {what}. Leave it out of modalities, or add its {what}."
            raise DataContractError(msg)
    check_unique(
        adata.var_names, "feature", f"modality {name!r}", "call var_names_make_unique() on it"
    )
    return row_map(mdata, name)


def _modality_layout(
    mdata: MuData,
    name: str,
    spec: ModalitySpec,
    *,
    rows: NDArray[np.int64],
    batch: CategoricalLayout,
    codes: NDArray[np.int64],
    panel_key: str | None,
) -> ModalityLayout:
    adata = mdata.mod[name]
    measured = np.bincount(codes[rows >= 0], minlength=batch.n_categories) > 0
    panel = None
    if panel_key is not None:
        panel = training_panel(adata, name, panel_key, batch, measured)
    return ModalityLayout(
        name=name,
        spec=spec,
        var_names=tuple(str(feature) for feature in adata.var_names),
        panel=panel,
        measured=measured,
        text=text_record(adata),
    )
