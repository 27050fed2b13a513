"""Measured counts matched to imputed values, without zeros that stand for no measurement."""

import warnings
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from anndata import AnnData
from mudata import MuData

from hzau_omics.arrays import dense
from hzau_omics.errors import ConfigError, DataContractError, HzauWarning

_ENOUGH = 20
_IMPROBABLE = 1e-6


class Measured(NamedTuple):
    """Imputed values and the measurements of the same cells and features.

    Attributes
    ----------
    imputed
        Imputed values.
    counts
        Measured counts (cell, feature), NaN where nothing was measured.
    depth_known
        Boolean array (cell): whether the modality was measured in the cell's batch in training, so
        that intervals account for its depth.
    """

    imputed: AnnData
    counts: np.ndarray
    depth_known: np.ndarray


def measured_of(imputed: AnnData, observed: Any, layer: str | None) -> Measured:
    """Match measurements to imputed values, without zeros that stand for no measurement.

    Warns of such zeros: the model did not see them, and there are more of them than among the
    measurements that it saw.

    Raises
    ------
    DataContractError
        Cells or features do not match, the values are not counts, or none was measured.
    """
    adata, counts = _align(imputed, observed, layer)
    known = counts[~np.isnan(counts)]
    if ((known < 0) | (np.abs(known - np.rint(known)) > 1e-6)).any():
        msg = (
            "observed must hold counts, NaN where nothing was measured. Received values from "
            f"{known.min():g} to {known.max():g} with fractions or below 0. If the counts of an "
            "AnnData are in a layer, name it: layer='counts'."
        )
        raise DataContractError(msg)
    padding = _padding(counts, _unseen(adata))
    if padding.any():
        warnings.warn(
            f"{int(padding.sum()):,} values of {int(padding.any(axis=1).sum()):,} cells are 0, "
            "were not seen by the model, and are too many zeros for measurements: they are treated "
            "as not measured and are not drawn. Pass measured cells only, or NaN in their place.",
            HzauWarning,
            stacklevel=3,
        )
        counts[padding] = np.nan
    if not counts.size or np.isnan(counts).all():
        msg = (
            "observed must hold a measurement of an imputed value. Received none: each is NaN, or "
            "0 and not seen by the model. Pass measured cells, such as mdata['adt']."
        )
        raise DataContractError(msg)
    known_depth = adata.obs.get("batch_measured", pd.Series(data=True, index=adata.obs_names))
    return Measured(adata, counts, known_depth.to_numpy(bool))


def _align(imputed: AnnData, observed: Any, layer: str | None) -> tuple[AnnData, np.ndarray]:
    if isinstance(observed, MuData):
        msg = (
            "observed must be one modality. Received a MuData with "
            f"{', '.join(observed.mod)}. Pass the one that was imputed, such as mdata['adt']."
        )
        raise DataContractError(msg)
    if layer is not None and not isinstance(observed, AnnData):
        msg = (
            f"layer must name a layer of an AnnData. Received layer={layer!r} and observed of type "
            f"{type(observed).__name__}. Leave layer out, or pass the AnnData."
        )
        raise ConfigError(msg)
    if isinstance(observed, AnnData):
        return _align_anndata(imputed, observed, layer)
    if isinstance(observed, pd.DataFrame):
        for what, wanted, known in (
            ("cells", observed.index, imputed.obs_names),
            ("features", observed.columns, imputed.var_names),
        ):
            _check_unique(wanted, what)
            unknown = wanted.difference(known)
            if len(unknown):
                msg = (
                    f"observed may only hold {what} that were imputed. Received {len(unknown)} "
                    f"others (first: {list(unknown[:3])}). Select the {what} of imputed."
                )
                raise DataContractError(msg)
        return imputed[observed.index, observed.columns], dense(observed, np.float64).copy()
    counts = dense(observed, np.float64).copy()
    if counts.shape != imputed.shape:
        msg = (
            "observed must have the shape of imputed, or cell and feature names: an AnnData or a "
            f"DataFrame. Received {counts.shape} and {imputed.shape}. Pass mdata['adt'] or the "
            "like, or select the same cells and features."
        )
        raise DataContractError(msg)
    return imputed, counts


def _align_anndata(
    imputed: AnnData, observed: AnnData, layer: str | None
) -> tuple[AnnData, np.ndarray]:
    """Match cells and features by name; others of the AnnData are left out."""
    if layer is not None and layer not in observed.layers:
        msg = (
            f"observed must have the layer {layer!r}. Received layers "
            f"{[key for key in observed.layers if key is not None]}. Leave layer out to take X."
        )
        raise DataContractError(msg)
    _check_unique(observed.obs_names, "cells")
    _check_unique(observed.var_names, "features")
    cells = imputed.obs_names[imputed.obs_names.isin(observed.obs_names)]
    features = imputed.var_names[imputed.var_names.isin(observed.var_names)]
    if not len(cells) or not len(features):
        msg = (
            "observed must share cells and features with imputed. Received an AnnData with "
            f"{len(cells)} of its cells and {len(features)} of its features, such as "
            f"{list(observed.obs_names[:2])} and {list(observed.var_names[:2])}. Pass the imputed "
            "modality of the same cells."
        )
        raise DataContractError(msg)
    part = observed[cells, features]
    values = part.X if layer is None else part.layers[layer]
    if values is None:
        msg = "observed must have values. Received an AnnData without X. Name a layer: layer=..."
        raise DataContractError(msg)
    return imputed[cells, features], dense(values, np.float64).copy()


def _check_unique(names: pd.Index, what: str) -> None:
    if not names.is_unique:
        repeated = list(names[names.duplicated()].unique()[:3])
        msg = f"observed must name its {what} once. Received {repeated} repeatedly. Rename them."
        raise DataContractError(msg)


def _unseen(imputed: AnnData) -> np.ndarray:
    """Return the values of which the model saw no measurement, as recorded in `imputed`."""
    unseen = np.zeros(imputed.shape, dtype=bool)
    if "observed" in imputed.obs:
        unseen |= ~imputed.obs["observed"].to_numpy(bool)[:, None]
    if "measured" in imputed.layers:
        unseen |= dense(imputed.layers["measured"], np.float64) < 0.5
    return unseen


def _padding(counts: np.ndarray, unseen: np.ndarray) -> np.ndarray:
    """Return the zeros that stand for no measurement.

    Values that the model did not see may be measurements, as in a test of the imputation. They are
    not if all of them are 0, or if so many zeros are improbable given the values that it saw.
    """
    nonzero: np.ndarray = counts > 0
    candidates: np.ndarray = unseen & (counts == 0)
    if candidates.any() and not nonzero[unseen].any():
        return candidates
    # Cells without any count, while every cell that the model saw has some.
    seen = ~unseen.all(axis=1)
    blank = ~nonzero.any(axis=1)
    padding = np.zeros_like(candidates)
    if seen.sum() >= _ENOUGH and not blank[seen].any():
        padding |= candidates & (blank & ~seen)[:, None]
    # Features without any count where unseen, although as many seen values would have some.
    left = unseen & ~padding & ~np.isnan(counts)
    n_seen = (~unseen & ~np.isnan(counts)).sum(axis=0)
    rate = (nonzero & ~unseen).sum(axis=0) / np.maximum(n_seen, 1)
    empty = ~(nonzero & unseen).any(axis=0)
    improbable = np.power(1 - rate, left.sum(axis=0)) < _IMPROBABLE
    padding |= left & (empty & improbable)
    return padding
