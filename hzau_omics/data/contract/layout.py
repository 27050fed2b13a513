"""What is registered at set-up: modalities, features, batches and covariates, as plain values."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hzau_omics.data.contract.spec import FEW_FEATURES, ModalitySpec
from hzau_omics.errors import DataContractError

FORMAT = 1


@dataclass(frozen=True)
class CategoricalLayout:
    """A categorical column of ``obs``: its key, and its categories as text in the order of codes.

    If it is `optional`, cells without the column are of the first category. Values `unlabeled` mean
    that a cell has no label; no code depends on them, so that columns are equal whatever they are.

    Examples
    --------
    >>> CategoricalLayout("batch", ("a", "b")).n_categories
    2
    """

    key: str | None
    categories: tuple[str, ...]
    optional: bool = False
    unlabeled: tuple[str, ...] = field(default=(), compare=False)

    @property
    def n_categories(self) -> int:
        """Number of categories."""
        return len(self.categories)

    def to_dict(self) -> dict[str, Any]:
        """Return the column as plain JSON values."""
        return {
            "key": self.key,
            "categories": list(self.categories),
            **({"optional": True} if self.optional else {}),
            **({"unlabeled": list(self.unlabeled)} if self.unlabeled else {}),
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> "CategoricalLayout":
        """Build the column from `to_dict`'s result."""
        return cls(
            record["key"],
            tuple(record["categories"]),
            record.get("optional", False),
            # Layouts that were saved before these were kept have no such entry.
            tuple(record.get("unlabeled", ())),
        )


NO_BATCH = CategoricalLayout(None, ("all",))
"""The batch of data without a batch key: a single batch with all cells."""


@dataclass(frozen=True)
class ContinuousLayout:
    """A continuous column of ``obs`` with the mean and standard deviation of the training cells."""

    key: str
    mean: float
    std: float

    def standardise(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return values with the training cells' mean 0 and standard deviation 1."""
        return (values - self.mean) / self.std

    def to_dict(self) -> dict[str, Any]:
        """Return the column as plain JSON values."""
        return {"key": self.key, "mean": self.mean, "std": self.std}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> "ContinuousLayout":
        """Build the column from `to_dict`'s result."""
        return cls(record["key"], float(record["mean"]), float(record["std"]))


@dataclass(frozen=True, eq=False)
class ModalityLayout:
    """One registered modality.

    Attributes
    ----------
    name
        Name in the MuData.
    spec
        How it is read and modelled.
    var_names
        Its features, in the order of the model's inputs and outputs.
    panel
        Boolean array (batch, feature): which features each batch measured; None if every batch
        that has the modality measured all of them.
    measured
        Boolean array (batch): whether any training cell of the batch has the modality.
    text
        How it was made from texts, as plain values; None if it was not made from texts.
    """

    name: str
    spec: ModalitySpec
    var_names: tuple[str, ...]
    panel: NDArray[np.bool_] | None
    measured: NDArray[np.bool_]
    text: Mapping[str, Any] | None = None

    @property
    def n_features(self) -> int:
        """Number of features."""
        return len(self.var_names)

    @property
    def is_small(self) -> bool:
        """Whether it has fewer than 100 features, as a targeted panel has."""
        return self.n_features < FEW_FEATURES

    def __repr__(self) -> str:
        """Describe the modality, without its features.

        Examples
        --------
        >>> ModalityLayout("adt", ModalitySpec("nb"), ("CD3", "CD4"), None, np.ones(1, bool))
        ModalityLayout('adt', nb, 2 features)
        """
        return f"ModalityLayout({self.name!r}, {self.spec.likelihood}, {self.n_features} features)"

    def __eq__(self, other: object) -> bool:
        """Compare by value, arrays included."""
        return isinstance(other, ModalityLayout) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        """Agree with `__eq__`."""
        return hash((self.name, self.spec, self.var_names))

    def to_dict(self) -> dict[str, Any]:
        """Return the modality as plain JSON values."""
        return {
            "name": self.name,
            "spec": self.spec.to_dict(),
            "var_names": list(self.var_names),
            "panel": None if self.panel is None else self.panel.tolist(),
            "measured": self.measured.tolist(),
            "text": deepcopy(self.text),
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> "ModalityLayout":
        """Build the modality from `to_dict`'s result."""
        panel = record["panel"]
        return cls(
            name=record["name"],
            spec=ModalitySpec.from_dict(record["spec"]),
            var_names=tuple(record["var_names"]),
            panel=None if panel is None else np.asarray(panel, dtype=bool),
            measured=np.asarray(record["measured"], dtype=bool),
            # Layouts that were saved before text queries existed have no such entry.
            text=record.get("text"),
        )


@dataclass(frozen=True)
class DataLayout:
    """Everything that a model needs to know about its data.

    Attributes
    ----------
    modalities
        The registered modalities, in order; the first one is x_1 of the method.
    batch
        The batches; `NO_BATCH` without a batch key.
    categorical_covariates
        Further categorical columns.
    continuous_covariates
        Continuous columns, with the training cells' mean and standard deviation.
    labels
        The label column; None without one.
    panel_key
        Prefix of the boolean ``var`` columns that hold the feature panels.
    n_added
        Number of batches that were added to a trained model with other cells, the last ones.
    """

    modalities: tuple[ModalityLayout, ...]
    batch: CategoricalLayout = NO_BATCH
    categorical_covariates: tuple[CategoricalLayout, ...] = ()
    continuous_covariates: tuple[ContinuousLayout, ...] = ()
    labels: CategoricalLayout | None = None
    panel_key: str | None = None
    n_added: int = 0

    def __repr__(self) -> str:
        """Describe the layout, without features and categories.

        Examples
        --------
        >>> adt = ModalityLayout("adt", ModalitySpec("nb"), ("CD3", "CD4"), None, np.ones(1, bool))
        >>> DataLayout((adt,), CategoricalLayout("lane", ("1", "2")))
        DataLayout(ModalityLayout('adt', nb, 2 features); batch 'lane': 2)
        """
        columns: dict[str, CategoricalLayout | None] = {"batch": self.batch, "labels": self.labels}
        known = {name: column for name, column in columns.items() if column and column.key}
        parts = [", ".join(map(repr, self.modalities))]
        parts += [f"{name} {one.key!r}: {one.n_categories}" for name, one in known.items()]
        others = [one.key for one in self.categorical_covariates]
        others += [one.key for one in self.continuous_covariates]
        parts += [f"covariates {', '.join(map(repr, others))}"] if others else []
        return f"DataLayout({'; '.join(parts)})"

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the registered modalities, in order."""
        return tuple(modality.name for modality in self.modalities)

    @property
    def n_batches(self) -> int:
        """Number of batches, at least 1."""
        return self.batch.n_categories

    @property
    def n_first(self) -> int:
        """Number of batches that the model was first trained on."""
        return self.n_batches - self.n_added

    def donors(self, name: str) -> NDArray[np.bool_]:
        """Return a boolean array (batch): which ones stand for batches that lack a modality.

        They are those with cells that have it. Added batches count only if no other one has it:
        answers about the first ones do not depend on what is added.
        """
        measured = self.modality(name).measured
        first = measured & (np.arange(self.n_batches) < self.n_first)
        return first if first.any() else measured

    def modality(self, name: str) -> ModalityLayout:
        """Return a registered modality by its name.

        Raises
        ------
        DataContractError
            If it is not registered.
        """
        for modality in self.modalities if isinstance(name, str) else ():
            if modality.name == name:
                return modality
        msg = f"Modality {name!r} is not registered. Registered: {', '.join(self.names)}."
        raise DataContractError(msg)

    def to_dict(self) -> dict[str, Any]:
        """Return the layout as plain JSON values."""
        return {
            "format": FORMAT,
            "modalities": [modality.to_dict() for modality in self.modalities],
            "batch": self.batch.to_dict(),
            "categorical_covariates": [c.to_dict() for c in self.categorical_covariates],
            "continuous_covariates": [c.to_dict() for c in self.continuous_covariates],
            "labels": None if self.labels is None else self.labels.to_dict(),
            "panel_key": self.panel_key,
            **({"n_added": self.n_added} if self.n_added else {}),
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> "DataLayout":
        """Build a layout from `to_dict`'s result.

        Raises
        ------
        DataContractError
            If the record is not a layout, or has another format.
        """
        found = record.get("format") if isinstance(record, Mapping) else None
        if found != FORMAT:
            msg = (
                f"A data layout must have format {FORMAT}. Received format {found!r}: load it "
                "with the version of hzau_omics that wrote it."
            )
            raise DataContractError(msg)
        try:
            labels = record["labels"]
            return cls(
                modalities=tuple(ModalityLayout.from_dict(m) for m in record["modalities"]),
                batch=CategoricalLayout.from_dict(record["batch"]),
                categorical_covariates=tuple(
                    CategoricalLayout.from_dict(c) for c in record["categorical_covariates"]
                ),
                continuous_covariates=tuple(
                    ContinuousLayout.from_dict(c) for c in record["continuous_covariates"]
                ),
                labels=None if labels is None else CategoricalLayout.from_dict(labels),
                panel_key=record["panel_key"],
                n_added=int(record.get("n_added", 0)),
            )
        except (KeyError, TypeError, ValueError) as error:
            msg = f"The record of the data layout is incomplete or damaged ({error!r})."
            raise DataContractError(msg) from error
