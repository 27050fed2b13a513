"""What a report is about: a trained model and some of its cells, with what sections share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray

from hzau_omics.data import CellStore, DataLayout
from hzau_omics.errors import ConfigError, DataContractError
from hzau_omics.pl import pattern_names
from hzau_omics.report.clusters import CLUSTER, LATENT, UMAP, add_clusters
from hzau_omics.report.given_labels import given
from hzau_omics.report.predicted_labels import predicted
from hzau_omics.report.values import Matrix, in_order, values_of

FEWEST = 20
"""Cells below which nothing about neighbours and clusters can be said."""
BATCH, PATTERN, LABEL = "batch", "modalities", "label"


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A trained model, the cells of a report, and the columns of ``obs`` that it uses.

    Attributes
    ----------
    model
        A trained model. Its methods are called with `store`; this layer knows no class of models.
    store
        All cells, in memory or on disk.
    held_out
        Positions of cells that the weights were not trained on.
    n_calibration
        How many of them intervals and p-values were calibrated on.
    labels_key, cluster_key
        Columns of ``obs`` with labels and clusters; None for the registered labels, and for
        clusters that are computed.
    umap
        UMAP of all cells (cell, 2); None to compute it.
    n_cells
        Largest number of cells to look at.
    seed
        Seed of everything that is drawn at random.
    usual_epochs
        Epochs that training takes by default for as many cells; 0 if this is not known.
    patience
        Epochs without improvement after which training stops early by default.
    unlabelled
        Values of the registered label column that mean that a cell has no label.
    selections
        Names of the features that were selected before set-up, by modality.
    is_new
        Whether the model was trained, validated and calibrated on none of the cells.
    differences
        Returns a table of differential expression of clusters, each against the rest, as
        `model.differential_expression` does. Takes modality, cells, their clusters, and, by name,
        the clusters to compare and the features. None where nothing is compared.
    recognition
        Returns how well held-out measurements that were made to fail are told from good ones: area
        under the ROC curve by modality. None where this is not known.
    """

    model: Any
    store: CellStore
    held_out: NDArray[np.int64]
    n_calibration: int = 0
    labels_key: str | None = None
    cluster_key: str | None = None
    umap: NDArray[np.floating] | None = None
    n_cells: int = 20_000
    seed: int = 0
    usual_epochs: int = 0
    patience: int = 20
    unlabelled: tuple[str, ...] = ()
    selections: Mapping[str, frozenset[str]] = field(default_factory=dict)
    is_new: bool = False
    differences: Callable[..., pd.DataFrame] | None = None
    recognition: Callable[[], Mapping[str, float]] | None = None

    @property
    def layout(self) -> DataLayout:
        """What was registered, and the batches of these cells."""
        return self.store.layout

    @property
    def unseen_words(self) -> str:
        """What cells are called that the weights were not trained on."""
        return "new cells" if self.is_new else "held-out cells"

    @cached_property
    def cells(self) -> NDArray[np.int64]:
        """Positions of the cells that are drawn, in order; all if there are not too many."""
        return self.some(np.arange(self.store.n_cells), self.n_cells)

    @cached_property
    def unseen(self) -> NDArray[np.bool_]:
        """Which of the drawn cells the weights were not trained on; shape (drawn cell)."""
        return np.isin(self.cells, self.held_out)

    @cached_property
    def present(self) -> pd.DataFrame:
        """Which modalities were measured in each drawn cell."""
        names = self.store.obs_names[self.cells]
        return pd.DataFrame(self.store.present[self.cells], names, list(self.layout.names))

    @cached_property
    def obs(self) -> pd.DataFrame:
        """Batch, set of modalities and, where given, label of each drawn cell."""
        frame = pd.DataFrame(index=self.present.index)
        if self.layout.n_batches > 1:
            frame[BATCH] = self.batch_of(self.cells).remove_unused_categories()
        frame[PATTERN] = pattern_names(self.present).to_numpy()
        frame[PATTERN] = frame[PATTERN].astype("category")
        label = self.label_of(self.cells)
        if label is not None:
            frame[LABEL] = self._predicted_first(label)
        return frame

    @cached_property
    def predicted(self) -> pd.DataFrame:
        """Predicted label of each drawn cell, missing where undecided, and its probability.

        Raises
        ------
        ConfigError
            The model was set up without labels, or knows too few.
        """
        return predicted(self.model, self.store, self.cells)

    def _predicted_first(self, label: pd.Series) -> pd.Series:
        """Return labels with those that are never predicted last: maps give colours in order."""
        try:
            found = set(self.predicted["label"].dropna())
        except ConfigError:
            return label
        used = label.cat.remove_unused_categories()
        names = sorted(used.cat.categories, key=lambda name: str(name) not in found)
        return pd.Series(used.cat.reorder_categories(names))

    @cached_property
    def latent(self) -> NDArray[np.float32]:
        """Place of each drawn cell in shared coordinates; shape (cell, latent)."""
        found = self.model.get_latent_representation(self.store, indices=self.cells)
        return np.asarray(found, np.float32)

    @cached_property
    def map(self) -> AnnData:
        """Drawn cells with their neighbours, UMAP and cluster.

        Raises
        ------
        ConfigError
            There are too few cells.
        """
        if len(self.cells) < FEWEST:
            msg = f"A map needs at least {FEWEST} cells. Received {len(self.cells)}."
            raise ConfigError(msg)
        adata = AnnData(obs=self.obs.copy(), obsm={LATENT: self.latent})
        umap, clusters = self.umap is None, self.cluster_key is None
        if umap or clusters:
            add_clusters(adata, seed=self.seed, umap=umap, clusters=clusters)
        if self.umap is not None:
            adata.obsm[UMAP] = np.asarray(self.umap)[self.cells]
        if self.cluster_key is not None:
            found = self._column(self.cluster_key, self.cells)
            adata.obs[CLUSTER] = in_order(found).array
        return adata

    @property
    def clusters(self) -> pd.Series:
        """Cluster of each drawn cell, by cell name."""
        found: pd.Series = self.map.obs[CLUSTER]
        return found

    @property
    def groups(self) -> pd.Series:
        """Label of each drawn cell where labels are given, its cluster otherwise."""
        return self.obs.get(LABEL, self.clusters)

    @cached_property
    def values(self) -> Mapping[str, Matrix]:
        """Values of the drawn cells by modality (drawn cell, feature), zeros where absent."""
        return values_of(self.store, self.cells)

    def batch_of(self, cells: NDArray[np.int64]) -> pd.Categorical:
        """Return the batch of some cells."""
        names = list(self.layout.batch.categories)
        return pd.Categorical([names[code] for code in self.store.batch[cells]], names)

    def label_of(self, cells: NDArray[np.int64]) -> pd.Series | None:
        """Return the label of some cells, by cell name; None without labels.

        Raises
        ------
        DataContractError
            There is no column `labels_key`.
        """
        registered = self.layout.labels
        own = None if registered is None else registered.key
        key = own if self.labels_key is None else self.labels_key
        if key is None:
            return None
        try:
            found = self._column(key, cells)
        except DataContractError:
            if self.labels_key is not None:
                raise
            # Other cells than the model's may lack labels.
            return None
        return in_order(given(found, self.unlabelled if key == own else ()))

    def check_columns(self) -> None:
        """Refuse columns that do not exist, before anything is computed.

        Raises
        ------
        DataContractError
            There is no column `labels_key` or `cluster_key`.
        """
        first = self.cells[:1]
        self.label_of(first)
        if self.cluster_key is not None:
            self._column(self.cluster_key, first)

    def _column(self, key: str | None, cells: NDArray[np.int64]) -> pd.Series:
        store: Any = self.store
        column: pd.Series = store.obs(key).iloc[cells]
        return column.set_axis(self.store.obs_names[cells])

    def some(self, cells: NDArray[np.int64], most: int) -> NDArray[np.int64]:
        """Return some cells of many, at most so many, drawn with the seed, in their order."""
        if len(cells) <= most:
            return cells
        return np.sort(np.random.default_rng(self.seed).choice(cells, most, replace=False))


def flat(subject: Subject, what: str) -> str:
    """Return a note beside a histogram of held-out cells that calibration made flat, else "".

    Parameters
    ----------
    subject
        The cells.
    what
        What was calibrated.
    """
    n = subject.n_calibration
    if not n:
        return ""
    return (
        f" The {what} were calibrated on {n:,} of the {len(subject.held_out):,} held-out cells, so "
        "that the histogram of these is flat by construction."
    )
