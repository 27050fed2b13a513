"""One layout from the layouts of several MuData that are written one after another."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hzau_omics.data.contract.columns.category import natural_order
from hzau_omics.data.contract.layout import (
    NO_BATCH,
    CategoricalLayout,
    ContinuousLayout,
    DataLayout,
    ModalityLayout,
)
from hzau_omics.data.contract.uns_text import merged_record
from hzau_omics.errors import DataContractError
from hzau_omics.messages import listed


@dataclass(frozen=True)
class _Part:
    """Layout of a piece, its number of cells, and moments of its continuous covariates."""

    layout: DataLayout
    n_cells: int
    mean: NDArray[np.float64]
    variance: NDArray[np.float64]


class LayoutMerger:
    """Merge the layouts of pieces that are added one after another.

    Parameters
    ----------
    names
        Names of the modalities, in registered order.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = tuple(names)
        self._parts: list[_Part] = []
        self._features: dict[str, tuple[str, ...]] = {}
        self._texts: dict[str, Mapping[str, Any] | None] = {}

    def add(self, layout: DataLayout, continuous: NDArray[np.float64]) -> DataLayout:
        """Add a piece's layout; return it with the features of each modality in the common order.

        Parameters
        ----------
        layout
            Layout of the piece.
        continuous
            Its continuous covariates (cell, covariate), not standardised.

        Raises
        ------
        DataContractError
            If a modality has other features than in an earlier piece, or was made from texts in
            another way.
        """
        for modality in layout.modalities:
            first = self._texts.setdefault(modality.name, modality.text)
            _one_text(modality.name, [first, modality.text])
        modalities = tuple(self._in_common_order(m) for m in layout.modalities)
        known = replace(layout, modalities=modalities)
        self._parts.append(
            _Part(known, len(continuous), continuous.mean(axis=0), continuous.var(axis=0))
        )
        return known

    def _in_common_order(self, modality: ModalityLayout) -> ModalityLayout:
        common = self._features.setdefault(modality.name, modality.var_names)
        if common == modality.var_names:
            return modality
        source = pd.Index(modality.var_names).get_indexer(pd.Index(common))
        if (source < 0).any() or len(common) != len(modality.var_names):
            lacks = sorted(set(common) - set(modality.var_names))
            more = sorted(set(modality.var_names) - set(common))
            msg = (
                f"Every piece must have the same features of modality {modality.name!r}. A later "
                f"piece lacks {listed(lacks)}, and has besides {listed(more)}. Subset them to what "
                "they share, or fill in what is missing with zeros and use panel_key."
            )
            raise DataContractError(msg)
        panel = None if modality.panel is None else modality.panel[:, source]
        return replace(modality, var_names=common, panel=panel)

    @property
    def features(self) -> dict[str, tuple[str, ...]]:
        """Features of the modalities, in order of first appearance."""
        return self._features

    def layout(self) -> DataLayout:
        """Return the layout of all pieces together.

        Raises
        ------
        DataContractError
            If a modality occurs in no piece, or two pieces have different panels for a batch.
        """
        missing = [name for name in self._names if name not in self._features]
        if missing:
            msg = (
                f"Every modality must occur in a piece. No piece has {listed(missing)}: leave them "
                "out of modalities, or add a piece that has them."
            )
            raise DataContractError(msg)
        layouts = [part.layout for part in self._parts]
        first = layouts[0]
        batch = NO_BATCH
        if first.batch.key is not None:
            batch = _union([layout.batch for layout in layouts])
        labels = [layout.labels for layout in layouts if layout.labels is not None]
        covariates = zip(*(layout.categorical_covariates for layout in layouts), strict=True)
        modalities = tuple(self._merged(name, batch) for name in self._names)
        if first.panel_key is not None and all(m.panel is None for m in modalities):
            msg = (
                f"panel_key={first.panel_key!r} asks for boolean var columns "
                f"'{first.panel_key}_<batch>', which no modality of any piece has. Add such "
                "columns, or leave panel_key out."
            )
            raise DataContractError(msg)
        if labels and not any(column.categories for column in labels):
            msg = (
                f"The labels key {labels[0].key!r} has no value for any cell of any piece. Leave "
                "labels_key out, or fill in labels."
            )
            raise DataContractError(msg)
        return DataLayout(
            modalities=modalities,
            batch=batch,
            categorical_covariates=tuple(_union(columns) for columns in covariates),
            continuous_covariates=tuple(
                self._pooled(i) for i in range(len(first.continuous_covariates))
            ),
            labels=_union(labels) if labels else None,
            panel_key=first.panel_key,
        )

    def _merged(self, name: str, batch: CategoricalLayout) -> ModalityLayout:
        held = [
            (layout.batch.categories, m)
            for layout in (part.layout for part in self._parts)
            for m in layout.modalities
            if m.name == name
        ]
        measured = np.zeros(batch.n_categories, dtype=bool)
        panel: NDArray[np.bool_] | None = None
        if any(m.panel is not None for _, m in held):
            panel = np.zeros((batch.n_categories, held[0][1].n_features), dtype=bool)
        for categories, m in held:
            codes = [batch.categories.index(category) for category in categories]
            for own, code in enumerate(codes):
                if not m.measured[own]:
                    # What a column says of a batch without cells stands until cells come.
                    if panel is not None and m.panel is not None and not measured[code]:
                        panel[code] |= m.panel[own]
                    continue
                if panel is not None:
                    row = np.ones(m.n_features, dtype=bool) if m.panel is None else m.panel[own]
                    if measured[code] and not np.array_equal(panel[code], row):
                        msg = (
                            f"A batch must have one feature panel. Two pieces have different ones "
                            f"of modality {name!r} for batch {batch.categories[code]!r}: correct "
                            "them, or give the pieces batches of their own."
                        )
                        raise DataContractError(msg)
                    panel[code] = row
                measured[code] = True
        text = _one_text(name, [m.text for _, m in held])
        return replace(held[0][1], panel=panel, measured=measured, text=text)

    def _pooled(self, i: int) -> ContinuousLayout:
        """Pool mean and standard deviation of a covariate over pieces."""
        weight = np.array([part.n_cells for part in self._parts], dtype=np.float64)
        means = np.array([part.mean[i] for part in self._parts])
        variances = np.array([part.variance[i] for part in self._parts])
        mean = float(np.average(means, weights=weight))
        variance = float(np.average(variances + (means - mean) ** 2, weights=weight))
        key = self._parts[0].layout.continuous_covariates[i].key
        return ContinuousLayout(key, mean, variance**0.5 if variance > 0 else 1.0)


def _one_text(name: str, records: Sequence[Mapping[str, Any] | None]) -> Mapping[str, Any] | None:
    """Merge the text records of pieces, which must have been made in the same way."""
    try:
        return merged_record(records)
    except ValueError as error:
        msg = (
            f"Modality {name!r} must be made from texts in the same way in all pieces. Received "
            f"pieces that differ in uns['text'] ({error}). Make it in each later piece with the "
            f"vocabulary of the first one: ho.pp.add_text_modality(piece, column, "
            f"name={name!r}, vocabulary=first[{name!r}])."
        )
        raise DataContractError(msg) from None


def _union(columns: Iterable[CategoricalLayout]) -> CategoricalLayout:
    """Return all categories, in the order that the pieces share, else in natural order."""
    columns = list(columns)
    every = tuple(dict.fromkeys(c for column in columns for c in column.categories))
    orders = [[every.index(c) for c in column.categories] for column in columns]
    sorted_alone = all(c.categories == natural_order(c.categories) for c in columns)
    if not sorted_alone and all(order == sorted(order) for order in orders):
        return replace(columns[0], categories=every)
    return replace(columns[0], categories=natural_order(every))
