"""What set-up learns from names and columns alone: the layout, and which cell has which row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from mudata import MuData
from numpy.typing import NDArray

from hzau_omics.checks import as_list, check_names, unwrap
from hzau_omics.data.contract.columns.category import text_of
from hzau_omics.data.contract.columns.obs import (
    categorical_layout,
    category_codes,
    continuous_layout,
    labels_layout,
)
from hzau_omics.data.contract.layout import NO_BATCH, CategoricalLayout, DataLayout, ModalityLayout
from hzau_omics.data.contract.panel import no_panel, training_panel
from hzau_omics.data.contract.presence import (
    check_container,
    check_observed,
    check_unique,
    get_modality,
    row_map,
)
from hzau_omics.data.contract.spec import ModalitySpec
from hzau_omics.data.contract.uns_text import text_record
from hzau_omics.errors import ConfigError, DataContractError


@dataclass(frozen=True)
class Registered:
    """What set-up knows about a MuData before it reads any value.

    Attributes
    ----------
    layout
        The layout.
    rows
        Modality name -> row of every cell in it, -1 where it is absent.
    codes
        Batch code of every cell.
    """

    layout: DataLayout
    rows: Mapping[str, NDArray[np.int64]]
    codes: NDArray[np.int64]

    @property
    def present(self) -> NDArray[np.bool_]:
        """Boolean array (cell, modality): which modalities each cell has."""
        return np.stack([rows >= 0 for rows in self.rows.values()], axis=1)

    def row_batch(self, name: str) -> NDArray[np.int64]:
        """Return the batch code of every row of a modality."""
        present = self.rows[name] >= 0
        batch = np.empty(int(present.sum()), dtype=np.int64)
        batch[self.rows[name][present]] = self.codes[present]
        return batch


def register(
    mdata: MuData,
    specs: Mapping[str, ModalitySpec],
    *,
    batch_key: str | None = None,
    labels_key: str | None = None,
    unlabeled_category: str | float | Sequence[str | float] | None = None,
    categorical_covariate_keys: str | Sequence[str] | None = None,
    continuous_covariate_keys: str | Sequence[str] | None = None,
    panel_key: str | None = None,
    is_piece: bool = False,
) -> Registered:
    """Read the layout of a MuData from names and columns alone.

    Parameters
    ----------
    mdata, batch_key, labels_key, unlabeled_category, panel_key
        As in :func:`~hzau_omics.data.build_layout`.
    categorical_covariate_keys, continuous_covariate_keys
        As in :func:`~hzau_omics.data.build_layout`.
    specs
        Modality name -> its specification, in the order of the method.
    is_piece
        Whether this MuData is one of several that are written into a store: panels and labels that
        it lacks may then come with another piece.

    Raises
    ------
    ConfigError, DataContractError, TypeError
        As `build_layout`, except for rules about values.
    """
    check_container(mdata)
    if panel_key is not None and batch_key is None:
        msg = (
            "panel_key needs batch_key, since there is one panel per batch. Received "
            f"panel_key={panel_key!r} alone: give batch_key too, or leave panel_key out."
        )
        raise ConfigError(msg)
    if unlabeled_category is not None and labels_key is None:
        msg = (
            "unlabeled_category is a value of labels_key. Received "
            f"unlabeled_category={unlabeled_category!r} alone: give both, or neither."
        )
        raise ConfigError(msg)
    rows = {name: _checked_rows(mdata, name) for name in specs}
    present = np.stack([own >= 0 for own in rows.values()], axis=1)
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
        else labels_layout(
            mdata,
            labels_key,
            without=_unlabeled(unlabeled_category),
            may_be_empty=is_piece,
        ),
        panel_key=panel_key,
    )
    return Registered(layout, rows, codes)


def _keys(keys: str | Sequence[str] | None, name: str) -> tuple[str, ...]:
    listed_keys = [] if keys is None else as_list(keys)
    return check_names(name, listed_keys, what="column") if listed_keys else ()


def _unlabeled(values: str | float | Sequence[str | float] | None) -> tuple[str, ...]:
    """Return values that mean no label as categories are written, numbers and truth values too."""
    name = "unlabeled_category"
    texts = []
    for value in [] if values is None else as_list(values):
        one: Any = unwrap(value)
        if pd.api.types.is_scalar(one) and pd.isna(one):
            msg = (
                f"{name} names values of labels_key that mean no label, and missing values always "
                f"do. Received {value!r}: leave it out."
            )
            raise ConfigError(msg)
        texts.append(text_of(value) if isinstance(one, bool | Real) else one)
    return check_names(name, texts, what="label") if texts else ()


def _checked_rows(mdata: MuData, name: str) -> NDArray[np.int64]:
    adata = get_modality(mdata, name)
    for size, what in ((adata.n_obs, "cells"), (adata.n_vars, "features")):
        if size == 0:
            msg = (
                f"A registered modality needs {what}. Modality {name!r} has none: leave it out of "
                f"modalities, or add its {what}."
            )
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
