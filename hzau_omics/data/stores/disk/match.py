"""How the columns of a store map to the features of a layout, matched by name."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from hzau_omics.data.contract.layout import DataLayout, ModalityLayout
from hzau_omics.data.contract.matrix import Dense, select_features, to_float32
from hzau_omics.data.contract.panel import update_panel
from hzau_omics.data.stores.base import Taken
from hzau_omics.data.stores.disk.manifest import Manifest
from hzau_omics.errors import DataContractError
from hzau_omics.messages import listed


@dataclass(frozen=True)
class Match:
    """The map from the layout that a store was written with to the layout that it is read in.

    Attributes
    ----------
    layout
        Layout that the store is read in.
    sources
        Modality name -> column of every feature within the stored modality. Modalities that the
        store lacks are not in it.
    panels
        Modality name -> boolean array (batch, feature), or None without a feature panel.
    n_columns
        Width of the stored matrix.
    """

    layout: DataLayout
    sources: Mapping[str, NDArray[np.int64]]
    panels: Mapping[str, NDArray[np.bool_] | None]
    n_columns: int

    @classmethod
    def of(cls, own: DataLayout, wanted: DataLayout, *, where: str) -> "Match":
        """Match two layouts.

        Raises
        ------
        DataContractError
            The store has none of the modalities, lacks features, or holds values of another kind.
        """
        shared = [name for name in wanted.names if name in own.names]
        if not shared:
            msg = (
                f"{where} has none of the registered modalities ({', '.join(wanted.names)}). "
                f"It has {listed(own.names, limit=20)}: give a store with the model's modalities."
            )
            raise DataContractError(msg)
        for name in shared:
            _check_values(own.modality(name), wanted.modality(name), where)
        panels = {m.name: _panel(own, wanted, m) for m in wanted.modalities}
        return cls(
            layout=wanted,
            sources={name: _columns(own, wanted, name, panels[name], where) for name in shared},
            panels=panels,
            n_columns=sum(m.n_features for m in own.modalities),
        )

    def split(self, wide: sp.csr_array, manifest: Manifest) -> Taken:
        """Split rows of the stored matrix into the modalities of the layout."""
        taken: dict[str, sp.csr_array | Dense] = {}
        for modality in self.layout.modalities:
            name = modality.name
            if name not in self.sources:
                taken[name] = sp.csr_array((wide.shape[0], modality.n_features), dtype=np.float32)
                continue
            start, stop = manifest.columns[name]
            values = sp.csr_array(
                select_features(_columns_between(wide, start, stop), self.sources[name])
            )
            values = sp.csr_array(to_float32(values, binarize=modality.spec.binarize))
            taken[name] = values.toarray() if name in manifest.dense else values
        return taken


def _check_values(own: ModalityLayout, wanted: ModalityLayout, where: str) -> None:
    """Refuse values that were written with another layer or kind of values than the layout asks."""
    stored, asked = own.spec, wanted.spec
    same_kind = stored.binarize == asked.binarize and stored.domain == asked.domain
    can_binarize = asked.binarize and stored.domain == "counts"
    if stored.layer != asked.layer or not (same_kind or can_binarize):
        msg = (
            f"{where} holds modality {own.name!r} as {stored.likelihood!r} "
            f"(layer={stored.layer!r}, binarize={stored.binarize}), and is to be read as "
            f"{asked.likelihood!r} (layer={asked.layer!r}, binarize={asked.binarize}). Write the "
            "store again with the specification of the model."
        )
        raise DataContractError(msg)


def _columns_between(wide: sp.csr_array, start: int, stop: int) -> sp.csr_array:
    if (start, stop) == (0, wide.shape[1]):
        return wide
    return wide[:, start:stop]


def _columns(
    own: DataLayout,
    wanted: DataLayout,
    name: str,
    panel: NDArray[np.bool_] | None,
    where: str,
) -> NDArray[np.int64]:
    asked = wanted.modality(name)
    source = pd.Index(own.modality(name).var_names).get_indexer(pd.Index(asked.var_names))
    lacking = source < 0
    if panel is not None and own.batch.key is not None:
        # What none of the store's batches measured may be missing.
        codes = [i for i, c in enumerate(wanted.batch.categories) if c in own.batch.categories]
        lacking &= panel[codes].any(axis=0)
    missing = np.asarray(asked.var_names, dtype=object)[lacking]
    if len(missing):
        msg = (
            f"{where} lacks {len(missing)} of {asked.n_features} registered features of modality "
            f"{name!r}: {listed(missing)}. Features are matched by name: it may belong to "
            "another model, or have names of another kind (symbols or ids)."
        )
        raise DataContractError(msg)
    return np.asarray(source, dtype=np.int64)


def _panel(
    own: DataLayout, wanted: DataLayout, modality: ModalityLayout
) -> NDArray[np.bool_] | None:
    """Return the registered panel, with the store's own panels for the batches that it has."""
    if own is wanted or modality.name not in own.names:
        return modality.panel
    stored = own.modality(modality.name)
    if own.batch.key is None or (stored.panel is None and modality.panel is None):
        return modality.panel
    # Without a panel of its own, the store measured everything.
    everything = np.ones((own.n_batches, stored.n_features), dtype=bool)
    flags = everything if stored.panel is None else stored.panel
    panels = {
        category: flags[code]
        for code, category in enumerate(own.batch.categories)
        if stored.measured[code]
    }
    source = pd.Index(stored.var_names).get_indexer(pd.Index(modality.var_names))
    return update_panel(modality, wanted.batch, panels, source)
