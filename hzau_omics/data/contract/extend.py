"""A layout extended by the batches of further cells, for a model that is trained on these too."""

import logging
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from mudata import MuData
from numpy.typing import NDArray

from hzau_omics.data.contract.columns.category import distinct
from hzau_omics.data.contract.layout import CategoricalLayout, DataLayout, ModalityLayout
from hzau_omics.data.contract.new_batches import LEAST_SHARED
from hzau_omics.data.contract.presence import check_container
from hzau_omics.data.contract.register import register
from hzau_omics.errors import ConfigError, DataContractError, HzauWarning
from hzau_omics.messages import listed

logger = logging.getLogger(__name__)


def layout_of_query(mdata: MuData, layout: DataLayout, batch_key: str | None) -> DataLayout:
    """Return the layout of further cells by themselves, in the modalities of a layout.

    Parameters
    ----------
    mdata
        The cells; not changed.
    layout
        What was registered.
    batch_key
        Column of ``obs`` with their batches, if none was registered.

    Raises
    ------
    ConfigError
        No column says which batches the cells are of.
    DataContractError
        The cells have none of the modalities, or break a rule of set-up.
    """
    check_container(mdata)
    specs = {
        modality.name: modality.spec
        for modality in layout.modalities
        if modality.name in mdata.mod and mdata.mod[modality.name].n_obs
    }
    if not specs:
        msg = (
            f"The query needs one of the registered modalities ({', '.join(layout.names)}). "
            f"Received {listed(mdata.mod, limit=20)}: rename one, or add one."
        )
        raise DataContractError(msg)
    with warnings.catch_warnings():
        # What no batch of the query measured is known from the reference.
        warnings.simplefilter("ignore", HzauWarning)
        registered = register(
            mdata,
            specs,
            batch_key=_batch_key(layout, batch_key),
            panel_key=layout.panel_key,
            # Panels are optional here: what a query lacks, it did not measure.
            is_piece=True,
        )
    return registered.layout


def only_value(column: "pd.Series[Any]") -> str | None:
    """Return the value of a column that all cells have, as text; None if they differ."""
    found = distinct(column)
    return found.texts[0] if len(found.texts) == 1 and not found.missing.any() else None


def extended(
    layout: DataLayout,
    query: DataLayout,
    batch_key: str | None = None,
    *,
    own_name: str | None = None,
) -> DataLayout:
    """Return a layout with the batches of further cells after its own, which keep their codes.

    Parameters
    ----------
    layout
        What was registered.
    query
        Layout of the further cells by themselves. Features are matched by name: those that they
        lack were not measured in their batches, and others are ignored.
    batch_key
        As in :func:`layout_of_query`.
    own_name
        Name of the cells that were registered without a batch key; None for ``"all"``.

    Raises
    ------
    ConfigError
        No column says which batches the cells are of, or `layout` was extended before.
    DataContractError
        There is no new batch, or one measured too few of the registered features.
    """
    if layout.n_added:
        msg = (
            "Batches can be added to a model once. Received a model to which "
            f"{listed(layout.batch.categories[layout.n_first :])} were added: take the model that "
            "these were added to, and a query with the cells of all new batches."
        )
        raise ConfigError(msg)
    key = _batch_key(layout, batch_key)
    if query.batch.key != key:
        msg = (
            f"The batches of the query must be in the column {key!r}. Received a store with "
            f"batch_key={query.batch.key!r}: write it again with batch_key={key!r}."
        )
        raise ConfigError(msg)
    known = layout.batch.categories
    if layout.batch.key is None and own_name is not None:
        known = (own_name,)
    new = [category for category in query.batch.categories if category not in known]
    if not new:
        msg = (
            "A query is mapped with training if it has a batch that the model does not know. "
            f"Received {listed(query.batch.categories)}, of which all are known: pass the cells to "
            "the methods of the model (mdata=...), which need no training."
        )
        raise DataContractError(msg)
    codes = [query.batch.categories.index(category) for category in new]
    return replace(
        layout,
        modalities=tuple(_with_batches(m, layout, query, codes) for m in layout.modalities),
        batch=CategoricalLayout(key, (*known, *new), optional=layout.batch.key is None),
        n_added=len(new),
    )


def _batch_key(layout: DataLayout, batch_key: str | None) -> str:
    """Return the column with the batches of further cells."""
    if layout.batch.key is not None:
        if batch_key not in (None, layout.batch.key):
            msg = (
                f"The model has its batches from the column {layout.batch.key!r}. Received "
                f"batch_key={batch_key!r}: leave it out, and name the query's column "
                f"{layout.batch.key!r}."
            )
            raise ConfigError(msg)
        return layout.batch.key
    if batch_key is None:
        msg = (
            "The model was set up without batch_key, so that its cells are one batch, 'all'. Say "
            "which column of the query's obs has the names of the new batches: "
            "mdata.obs['batch'] = 'new'; load_query_data(mdata, model, batch_key='batch')."
        )
        raise ConfigError(msg)
    return batch_key


def _with_batches(
    modality: ModalityLayout, layout: DataLayout, query: DataLayout, codes: list[int]
) -> ModalityLayout:
    """Return a modality with batches of the query, given by their codes there, after its own."""
    shape = (len(codes), modality.n_features)
    measured, flags = np.zeros(len(codes), dtype=bool), np.zeros(shape, dtype=bool)
    if modality.name in query.names:
        own = query.modality(modality.name)
        measured = own.measured[codes]
        flags[measured] = _measured_features(modality, own)[codes][measured]
        _check_shared(modality, query, codes, flags, measured)
    panel = modality.panel
    if panel is None and not flags[measured].all():
        panel = np.ones((layout.n_batches, modality.n_features), dtype=bool)
    return replace(
        modality,
        panel=None if panel is None else np.concatenate([panel, flags]),
        measured=np.concatenate([modality.measured, measured]),
    )


def _measured_features(modality: ModalityLayout, own: ModalityLayout) -> NDArray[np.bool_]:
    """Return which registered features the query's batches measured (batch, feature)."""
    source = pd.Index(own.var_names).get_indexer(pd.Index(modality.var_names))
    n_further = own.n_features - int((source >= 0).sum())
    if n_further:
        logger.info(
            "%d of %d features of modality %s of the query are not registered, and are ignored.",
            n_further, own.n_features, modality.name,
        )  # fmt: skip
    panel = own.panel
    if panel is None:
        panel = np.ones((len(own.measured), own.n_features), dtype=bool)
    found: NDArray[np.bool_] = panel[:, source] & (source >= 0)
    return found


def _check_shared(
    modality: ModalityLayout,
    query: DataLayout,
    codes: list[int],
    flags: NDArray[np.bool_],
    measured: NDArray[np.bool_],
) -> None:
    n_shared = flags.sum(axis=1)
    for place in np.flatnonzero(measured & (n_shared < LEAST_SHARED * modality.n_features)):
        msg = (
            f"Batch {query.batch.categories[codes[place]]!r} measured {n_shared[place]} of the "
            f"{modality.n_features} registered features of modality {modality.name!r}, and needs "
            f"at least a tenth. The model has {listed(modality.var_names)}; the query has "
            f"{listed(query.modality(modality.name).var_names)}. Features are matched by name: "
            "check that the names are of the same kind (symbols or ids), or leave the modality out."
        )
        raise DataContractError(msg)
