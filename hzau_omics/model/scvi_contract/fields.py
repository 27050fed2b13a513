"""Fields for scvi-tools' ``AnnDataManager``: what was registered, and where it is found.

Fields only describe. Validation and reading belong to the data layer, and nothing is written into
the user's MuData except the two identifiers that scvi-tools itself keeps in ``uns``.
"""

import json
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from typing import Any, override

from mudata import MuData
from scvi.data.fields import BaseAnnDataField

from hzau_omics.data import DataLayout, MosaicStore
from hzau_omics.data.changes.record import DataRecord

LAYOUT_KEY = "layout"


class LayoutField(BaseAnnDataField):
    """The whole data layout, kept in the registry as plain values.

    Attributes
    ----------
    record
        What the data held when they were registered; None before.
    """

    def __init__(self, layout: DataLayout) -> None:
        super().__init__()
        self._layout = layout
        self.record: DataRecord | None = None

    registry_key = LAYOUT_KEY
    attr_name = "obsmap"
    attr_key = None
    is_empty = False

    @override
    def validate_field(self, adata: MuData) -> None:
        """Accept: the layout was validated when it was built."""

    @override
    def register_field(self, adata: MuData) -> dict[str, Any]:
        self.record = DataRecord.of(adata, self._layout)
        return layout_state(self._layout, adata.n_obs)

    @override
    def transfer_field(
        self, state_registry: dict[str, Any], adata_target: MuData, **kwargs: Any
    ) -> dict[str, Any]:
        """Check the target against the registered layout and keep that layout."""
        MosaicStore(adata_target, layout_of(state_registry))
        return {**state_registry, "n_cells": adata_target.n_obs}

    @override
    def get_summary_stats(self, state_registry: dict[str, Any]) -> dict[str, int]:
        layout = layout_of(state_registry)
        features = {f"n_features_{_key(m.name)}": m.n_features for m in layout.modalities}
        return {"n_cells": state_registry["n_cells"], "n_batch": layout.n_batches, **features}

    @override
    def view_state_registry(self, state_registry: dict[str, Any]) -> None:
        return None


class PointerField(BaseAnnDataField):
    """Where one registered item is found in the MuData."""

    def __init__(
        self, registry_key: str, attr_name: str, attr_key: str | None, mod_key: str | None = None
    ) -> None:
        super().__init__()
        self._registry_key = registry_key
        self._attr_name = attr_name
        self._attr_key = attr_key
        self._mod_key = mod_key

    is_empty = False

    @property
    def registry_key(self) -> str:
        """Name in the registry."""
        return self._registry_key

    @property
    def attr_name(self) -> str:
        """Attribute of the MuData or of a modality."""
        return self._attr_name

    @property
    def attr_key(self) -> str | None:
        """Key within the attribute."""
        return self._attr_key

    @property
    def mod_key(self) -> str | None:
        """Modality that holds it, None for the MuData itself."""
        return self._mod_key

    @override
    def validate_field(self, adata: MuData) -> None:
        """Accept: the layout was validated when it was built."""

    @override
    def register_field(self, adata: MuData) -> dict[str, Any]:
        return {}

    @override
    def transfer_field(
        self, state_registry: dict[str, Any], adata_target: MuData, **kwargs: Any
    ) -> dict[str, Any]:
        return {}

    @override
    def get_summary_stats(self, state_registry: dict[str, Any]) -> dict[str, int]:
        return {}

    @override
    def view_state_registry(self, state_registry: dict[str, Any]) -> None:
        return None

    @override
    def get_field_data(self, adata: MuData) -> Any:
        owner = adata if self._mod_key is None else adata[self._mod_key]
        value: Any = getattr(owner, self._attr_name)
        return value if self._attr_key is None else value[self._attr_key]


def record_of(fields: Iterable[BaseAnnDataField]) -> DataRecord | None:
    """Return what the data held when the fields were registered."""
    records = [field.record for field in fields if isinstance(field, LayoutField)]
    return records[0] if records else None


def layout_of(state_registry: dict[str, Any]) -> DataLayout:
    """Return the layout that a :class:`LayoutField` keeps."""
    return DataLayout.from_dict(json.loads(state_registry[LAYOUT_KEY]))


def layout_state(layout: DataLayout, n_cells: int) -> dict[str, Any]:
    """Return what a :class:`LayoutField` keeps, for a number of cells."""
    # As text: scvi-tools freezes the state when it shows a registry, and refuses lists of dicts.
    return {LAYOUT_KEY: json.dumps(layout.to_dict()), "n_cells": n_cells}


def setup_args_of(layout: DataLayout) -> dict[str, Any]:
    """Return the arguments of ``setup_mudata`` that a layout came from, as plain values."""
    labels = layout.labels
    return {
        "modalities": {m.name: m.spec.to_dict() for m in layout.modalities},
        "batch_key": layout.batch.key,
        "panel_key": layout.panel_key,
        "categorical_covariate_keys": [c.key for c in layout.categorical_covariates],
        "continuous_covariate_keys": [c.key for c in layout.continuous_covariates],
        "labels_key": None if labels is None else labels.key,
        "unlabeled_category": None if labels is None else _one_or_several(labels.unlabeled),
    }


def _one_or_several(values: Sequence[str]) -> str | list[str] | None:
    """Return values as users give them."""
    return values[0] if len(values) == 1 else list(values) or None


def _key(name: str) -> str:
    """Return a name as a registry key, in which scvi-tools allows no dots."""
    return name.replace(".", "_")


def fields_of(layout: DataLayout) -> list[BaseAnnDataField]:
    """Return the fields that describe a layout."""
    fields: list[BaseAnnDataField] = [LayoutField(layout)]
    for modality in layout.modalities:
        layer = modality.spec.layer
        attribute = "X" if layer is None else "layers"
        fields.append(
            PointerField(f"modality_{_key(modality.name)}", attribute, layer, modality.name)
        )
    columns = [layout.batch, layout.labels, *layout.categorical_covariates]
    keys = [c.key for c in columns if c is not None and c.key is not None]
    keys += [c.key for c in layout.continuous_covariates]
    fields += [PointerField(f"obs_{_key(key)}", "obs", key) for key in dict.fromkeys(keys)]
    return fields


def registry_of(model_name: str, layout: DataLayout, n_cells: int) -> dict[str, Any]:
    """Return the scvi-tools registry of a layout, without data."""
    fields = fields_of(layout)
    records: dict[str, Any] = {}
    for field in fields:
        state: dict[str, Any] = {}
        if field.registry_key == LAYOUT_KEY:
            state = layout_state(layout, n_cells)
        records[field.registry_key] = {
            "data_registry": field.get_data_registry(),
            "state_registry": state,
            "summary_stats": field.get_summary_stats(state),
        }
    return {
        "scvi_version": version("scvi-tools"),
        "model_name": model_name,
        "setup_method_name": "setup_mudata",
        "setup_args": setup_args_of(layout),
        "field_registries": records,
    }
